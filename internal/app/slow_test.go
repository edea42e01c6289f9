package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
