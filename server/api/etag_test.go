package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who polls is answered 304 while nothing has changed, and never about what they may
// not see.
func TestETags(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	path := "/v1/members/" + s.Leaver
	first := s.as(s.Admin).get(t, path).into(t, 200, nil)
	tag := first.header.Get("ETag")
	require.Regexp(t, `^W/"[0-9a-f]{32}"$`, tag)
	require.Equal(t, "private, no-cache", first.header.Get("Cache-Control"))
	require.Equal(t, "Authorization, Cookie", first.header.Get("Vary"))

	for _, header := range []string{tag, tag[2:], `"x", ` + tag, "*"} {
		again := s.as(s.Admin).with("If-None-Match", header).get(t, path).into(t, 304, nil)
		require.Empty(t, again.body)
		require.Equal(t, tag, again.header.Get("ETag"))
	}
	s.as(s.Admin).with("If-None-Match", `"x"`).get(t, path).into(t, 200, nil)
	require.Equal(t, tag, s.as(s.Admin).send(t, http.MethodHead, path, nil).header.Get("ETag"))
	s.as(s.Manager).with("If-None-Match", tag).get(t, path).want(t, 403, "not_authorized")

	s.Exec(`UPDATE members SET display_name = 'Ada' WHERE id = $1`, s.Leaver)
	changed := s.as(s.Admin).with("If-None-Match", tag).get(t, path).into(t, 200, nil)
	require.NotEqual(t, tag, changed.header.Get("ETag"))

	problem := s.as("").get(t, path)
	problem.want(t, 401, "unauthenticated")
	require.Empty(t, problem.header.Get("ETag"))
	require.Equal(t, "no-store", problem.header.Get("Cache-Control"))
	written := s.as(s.Admin).patch(t, "/v1/settings", body{}).into(t, 200, nil)
	require.Empty(t, written.header.Get("ETag"))
	require.Equal(t, "no-store", written.header.Get("Cache-Control"))
}
