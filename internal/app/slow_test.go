package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A caller who announces a body and does not send it keeps no connection, whoever
// answers; one whose body is there is answered however long it takes.
func TestABodyThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	const within = 300 * time.Millisecond
	mux := http.NewServeMux()
	mux.HandleFunc("POST /refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	mux.HandleFunc("POST /slow", func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			err = r.Context().Err()
		case <-time.After(3 * within):
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	server := httptest.NewServer(bounded(mux, within))
	t.Cleanup(server.Close)
	send := func(request string) string {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = fmt.Fprint(conn, request)
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err, "the server still waits")
		return string(answer)
	}
	require.Contains(t, send("POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"), "401")
	require.Contains(t, send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"), "500")
	require.Contains(t, send("POST /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"), "200")
}

// Who sends a header bit by bit, or reads an answer bit by bit, is cut off, and what
// answered them ends; a header that is too long, or not one, is not answered for long.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	short := timeouts{header: 200 * time.Millisecond, idle: 200 * time.Millisecond, body: 200 * time.Millisecond, answer: 500 * time.Millisecond}
	ended := make(chan error, 1)
	server := short.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/endless" {
			return
		}
		var err error
		for part := make([]byte, 1<<16); err == nil; {
			_, err = w.Write(part)
		}
		ended <- err
	}))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }() // until it is closed
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	dial := func(request string) net.Conn {
		t.Helper()
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = fmt.Fprint(conn, request)
		require.NoError(t, err)
		return conn
	}
	for name, sent := range map[string]struct{ request, answer string }{
		"nothing":                 {"", ""},
		"half of a line":          {"GET /x HT", "HTTP/1.1 400 "},
		"half of a header":        {"GET /x HTTP/1.1\r\nHost: x\r\nX-Slow: a", ""},
		"a header that is a book": {"GET /x HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", 60<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		"a path that is a book":   {"GET /" + strings.Repeat("a", 60<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 431 "},
		"two lengths":             {"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", "HTTP/1.1 400 "},
		"two hosts":               {"GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400 "},
		"NUL in a header":         {"GET /x HTTP/1.1\r\nHost: x\r\nX-Nul: a\x00b\r\n\r\n", "HTTP/1.1 400 "},
		"one that is kept open":   {"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "},
	} {
		answer, err := io.ReadAll(dial(sent.request))
		if sent.answer == "" {
			require.Empty(t, answer, name)
			continue
		}
		if err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, name) // a reset is as good as an end
		}
		require.True(t, strings.HasPrefix(string(answer), sent.answer), "%s: %q", name, answer)
	}
	dial("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n") // and reads nothing of it
	require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
}
