package problem_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/server/problem"
)

// Every answer says that it is nobody's to keep, to frame or to take for something else,
// whoever gives it; a handler that knows better says so.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for name, handle := range map[string]http.HandlerFunc{
		"an answer":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"a problem":  func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, log, http.ErrNotSupported) },
		"a panic":    func(http.ResponseWriter, *http.Request) { panic("x") },
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusSeeOther) },
	} {
		w := httptest.NewRecorder()
		problem.Track(log, handle).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), name)
		require.Equal(t, "default-src 'none'; frame-ancestors 'none'", w.Header().Get("Content-Security-Policy"), name)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), name)
	}
	w := httptest.NewRecorder()
	problem.Track(log, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "public") })).
		ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	require.Equal(t, "public", w.Header().Get("Cache-Control"))
}
