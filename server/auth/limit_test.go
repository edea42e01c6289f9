package auth

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A limiter forgets the key that was not used for the longest time, and no other.
func TestALimiterIsBounded(t *testing.T) {
	t.Parallel()
	l, at := NewLimiter(1, 1), time.Now()
	require.True(t, l.Take("busy", at).OK)
	require.True(t, l.Take("idle", at).OK)
	for i := range maxKeys {
		require.False(t, l.Take("busy", at).OK)
		require.True(t, l.Take(strconv.Itoa(i), at).OK)
	}
	require.Len(t, l.keys, maxKeys)
	require.Equal(t, maxKeys, l.used.Len())
	require.False(t, l.Take("busy", at).OK)
	require.True(t, l.Take("idle", at).OK)
	require.True(t, l.Take("busy", at.Add(time.Second)).OK)
}

// Where a request comes from is what our own proxies say, and the connection where
// there are none.
func TestAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, test := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1", nil, "192.0.2.1"},
		{"192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"203.0.113.9, 198.51.100.1, 10.1.1.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"nonsense"}, "10.0.0.1"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"[2001:db8:1:2:3:4:5:6]:1", nil, "2001:db8:1:2::/64"},
		{"[fd00::1]:1", []string{"2001:db8:1:2::9"}, "2001:db8:1:2::/64"},
		{"@", nil, "@"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = test.remote
		r.Header["X-Forwarded-For"] = test.forwarded
		require.Equal(t, test.want, Address(r, proxies), "%v", test)
	}
}
