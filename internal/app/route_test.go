package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/server/problem"
)

// A path without a route is not found; one with a route, for another method, says which
// methods it takes.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	answer := func(http.ResponseWriter, *http.Request) {}
	for _, pattern := range []string{elsewhere, "GET /v1/things/{id}", "DELETE /v1/things/{id}", "POST /v1/things/{id}/claim"} {
		mux.HandleFunc(pattern, answer)
	}
	for _, test := range []struct{ method, path, allow string }{
		{http.MethodGet, "/nothing", ""},
		{http.MethodPost, "/v1/things", ""},
		{http.MethodPost, "/v1/things/1", "GET, HEAD, DELETE"},
		{http.MethodPut, "/v1/things/1/claim", "POST"},
	} {
		p := noRoute(mux, httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil))
		want := problem.CodeNotFound
		if test.allow != "" {
			want = problem.CodeMethodNotAllowed
		}
		require.Equal(t, want, p.Code, test)
		require.Equal(t, test.allow, p.GetHeaders().Get("Allow"), test)
	}
}
