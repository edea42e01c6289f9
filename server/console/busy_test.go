package console_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/server/auth"
	"handover/server/console"
	"handover/server/problem"
)

const browser = "text/html,application/xhtml+xml"

// Whoever asks too often is told so on a page, where they look with a browser, and
// programs as before.
func TestTooManyRequestsAreAPage(t *testing.T) {
	t.Parallel()
	log, mux := slog.New(slog.DiscardHandler), http.NewServeMux()
	callers := auth.New(auth.Options{Log: log, Rate: 1})
	console.New(mux, console.Options{API: mux, Auth: callers, Log: log})
	server := httptest.NewServer(problem.Track(log, callers.Authenticate(mux)))
	t.Cleanup(server.Close)
	p := (&desk{url: server.URL}).as("")
	var got *page
	for range 4 { // more than go through at once
		got = p.open(t, http.MethodGet, "/console/leavers?phase=grace", nil, "Accept", browser)
	}
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "Please wait a moment", got.text("h1"))
	require.Contains(t, got.text("main"), "You have asked for more than one person may in so short a time. Try it again in 1 second.")
	require.Equal(t, "/console/leavers?phase=grace", got.Find("main a").AttrOr("href", ""))
	got = p.open(t, http.MethodPost, "/console/leavers", url.Values{"q": {"ada"}}, "Accept", browser)
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Contains(t, got.text("main"), "Load this page again then")
	for path, accept := range map[string]string{"/console/leavers": "*/*", "/v1/members": browser} {
		got = p.open(t, http.MethodGet, path, nil, "Accept", accept)
		require.Equal(t, http.StatusTooManyRequests, got.status)
		require.Equal(t, problem.ContentType, got.header.Get("Content-Type"), path)
	}
}

// A server that starts says so on a page that has all that it loads.
func TestAStartingServerIsAPage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(console.Starting(slog.New(slog.DiscardHandler), http.NotFoundHandler()))
	t.Cleanup(server.Close)
	p := (&desk{url: server.URL}).as("")
	for _, path := range []string{"/", "/console/leavers", "/auth/callback?code=x"} {
		got := p.open(t, http.MethodGet, path, nil, "Accept", browser)
		require.Equal(t, http.StatusServiceUnavailable, got.status, path)
		require.Equal(t, "1", got.header.Get("Retry-After"))
		require.Contains(t, got.text("main"), "Handover is starting. Try it again in 1 second.")
		require.Equal(t, path, got.Find("main a").AttrOr("href", ""))
		style := p.open(t, http.MethodGet, got.Find("link[rel=stylesheet]").AttrOr("href", ""), nil)
		require.Equal(t, http.StatusOK, style.status)
	}
	require.Equal(t, http.StatusNotFound, p.open(t, http.MethodGet, "/v1/members", nil, "Accept", browser).status, "programs are answered elsewhere")
}
