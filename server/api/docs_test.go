package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/server/problem"
)

// The readable documentation has every route and every code, and runs nothing.
func TestDocs(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	page := s.as("").get(t, "/docs").into(t, 200, nil)
	require.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"))
	require.Contains(t, page.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.NotContains(t, string(page.body), "<script")
	require.NotContains(t, string(page.body), "<no value>")
	for _, route := range s.api.Routes {
		require.Contains(t, string(page.body), fmt.Sprintf(`<span class="method %s">%s</span> <code>%s</code>`, route.Method, route.Method, route.Path))
	}
	for _, m := range problem.Meanings {
		require.Contains(t, string(page.body), fmt.Sprintf(`<tr id="%s">`, m.Code), "where problems of this code point to")
	}
	s.as("").get(t, "/docs/style.css").into(t, 200, nil)
	for _, path := range []string{"/openapi.json", "/openapi.yaml"} {
		document := s.as("").get(t, path).into(t, http.StatusOK, nil)
		require.Contains(t, string(document.body), "/v1/documents/{id}/claim")
	}
}
