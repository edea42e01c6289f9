package live

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who follows something and takes nothing of it is cut off, and those who follow the same
// thing are not kept waiting meanwhile.
func TestAReaderWhoDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	feeds := NewFeeds(func(context.Context, string) (Seen, error) {
		part := make([]byte, 1<<20)
		_, _ = rand.Read(part) // never fails
		return See([]byte(hex.EncodeToString(part)), false), nil
	}, func(string, error) {})
	feeds.within = 200 * time.Millisecond
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		feeds.Send(w, r, Stream{Key: "k", Event: "e", MaySee: func() bool { return true }})
		if r.URL.Path == "/lazy" {
			close(ended)
		}
	}))
	t.Cleanup(server.Close)
	reading, stop := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(reading, http.MethodGet, server.URL+"/busy", nil)
	require.NoError(t, err)
	busy, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	lazy, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = lazy.Close() })
	_, err = lazy.Write([]byte("GET /lazy HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	for part := make([]byte, 1<<16); ; {
		_, err := busy.Body.Read(part)
		require.NoError(t, err)
		select {
		case <-ended:
			stop()
			_ = busy.Body.Close()
			return
		default:
		}
	}
}

// A look that goes on when the last one leaves is not cut off: that would cost the
// connection to the database.
func TestALookIsNotCutOff(t *testing.T) {
	t.Parallel()
	looking, left, cut := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	feeds := NewFeeds(func(ctx context.Context, _ string) (Seen, error) {
		close(looking)
		<-left
		cut <- ctx.Err()
		return Seen{}, nil
	}, func(string, error) {})
	_, stop := feeds.watch("k")
	<-looking
	stop()
	close(left)
	require.NoError(t, <-cut)
}
