package webhook_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/webhook"
)

func keys(t *testing.T, texts ...string) *webhook.Keys {
	t.Helper()
	raw := make([][]byte, len(texts))
	for i, text := range texts {
		raw[i] = []byte(text)
	}
	k, err := webhook.NewKeys(raw...)
	require.NoError(t, err)
	return k
}

const (
	oldKey = "the old key, of 32 bytes at least"
	newKey = "the new key, of 32 bytes at least"
)

func send(t *testing.T, o webhook.Options, url string) offboarding.WebhookAttempt {
	t.Helper()
	if o.Keys == nil {
		o.Keys = keys(t, oldKey)
	}
	attempt, err := webhook.NewSender(o).Send(t.Context(), offboarding.WebhookTarget{WebhookID: "w", URL: url, SecretRefs: []string{o.Keys.Ref("1")}},
		offboarding.WebhookMessage{ID: "msg_1", Body: []byte(`{}`)})
	require.NoError(t, err)
	return attempt
}

var private = webhook.Options{AllowPrivate: true, Timeout: 500 * time.Millisecond}

func serve(t *testing.T, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// Whoever has one of the secrets verifies a message with the library, and nobody else.
func TestSignatures(t *testing.T) {
	t.Parallel()
	k := keys(t, oldKey)
	first, second := k.Ref("1"), k.Ref("2")
	var header http.Header
	var body []byte
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	})
	sender := webhook.NewSender(webhook.Options{Keys: k, AllowPrivate: true})
	attempt, err := sender.Send(t.Context(), offboarding.WebhookTarget{WebhookID: "w", URL: url, SecretRefs: []string{second, first}},
		offboarding.WebhookMessage{ID: "msg_7", Body: []byte(`{"type":"webhook.test"}`)})
	require.NoError(t, err)
	require.True(t, attempt.Arrived())
	require.Equal(t, []string{"msg_7", "application/json", "Handover-Webhooks/1"},
		[]string{header.Get("webhook-id"), header.Get("Content-Type"), header.Get("User-Agent")})
	verifies := func(webhookID, ref string, body []byte) error {
		secret, err := k.Secret(webhookID, ref)
		require.NoError(t, err)
		require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, secret)
		verifier, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		return verifier.Verify(body, header)
	}
	require.NoError(t, verifies("w", first, body))
	require.NoError(t, verifies("w", second, body))
	require.Error(t, verifies("w", k.Ref("3"), body))
	require.Error(t, verifies("another", first, body), "two webhooks have two secrets")
	require.Error(t, verifies("w", first, append(body, ' ')))
}

// A secret outlives a change of keys as long as its key is among them.
func TestKeysAreChanged(t *testing.T) {
	t.Parallel()
	before := keys(t, oldKey)
	ref := before.Ref("1")
	secret, err := before.Secret("w", ref)
	require.NoError(t, err)
	after := keys(t, newKey, oldKey)
	same, err := after.Secret("w", ref)
	require.NoError(t, err)
	require.Equal(t, secret, same)
	require.NotEqual(t, ref, after.Ref("1"), "new secrets are made of the new key")
	_, err = keys(t, newKey).Secret("w", ref)
	require.ErrorIs(t, err, webhook.ErrUnknownKey)
	_, err = webhook.NewSender(webhook.Options{Keys: keys(t, newKey)}).Send(t.Context(),
		offboarding.WebhookTarget{WebhookID: "w", URL: "https://a.example", SecretRefs: []string{ref}}, offboarding.WebhookMessage{})
	require.ErrorIs(t, err, webhook.ErrUnknownKey, "which is no failure of the receiver's")
	_, err = webhook.NewKeys([]byte("short"))
	require.Error(t, err)
	none, err := webhook.NewKeys()
	require.NoError(t, err)
	require.Nil(t, none)
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	for name, try := range map[string]struct {
		answer http.HandlerFunc
		want   offboarding.WebhookAttempt
	}{
		"200": {func(http.ResponseWriter, *http.Request) {}, offboarding.WebhookAttempt{Status: 200}},
		"204": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, offboarding.WebhookAttempt{Status: 204}},
		"307": {
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
			},
			offboarding.WebhookAttempt{Status: 307, Error: offboarding.FailedRedirect},
		},
		"400": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, offboarding.WebhookAttempt{Status: 400, Error: offboarding.FailedStatus}},
		"429 with seconds": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(429)
		}, offboarding.WebhookAttempt{Status: 429, Error: offboarding.FailedStatus, RetryAfter: 2 * time.Minute}},
		"503 with nonsense": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "-5")
			w.WriteHeader(503)
		}, offboarding.WebhookAttempt{Status: 503, Error: offboarding.FailedStatus}},
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, offboarding.WebhookAttempt{Error: offboarding.FailedConnect}},
		"silence": {
			func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			},
			offboarding.WebhookAttempt{Error: offboarding.FailedTimeout},
		},
		"an endless answer": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = fmt.Fprintln(w, strings.Repeat("x", 1000))
			}
		}, offboarding.WebhookAttempt{Status: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			got := send(t, private, serve(t, try.answer))
			require.Less(t, time.Since(start), 5*time.Second)
			got.Took = 0
			require.Equal(t, try.want, got)
		})
	}
	when := time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat)
	got := send(t, private, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", when)
		w.WriteHeader(503)
	}))
	require.InDelta(t, 10*time.Minute, got.RetryAfter, float64(5*time.Second))
}

func TestNoConnection(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.Equal(t, offboarding.FailedConnect, send(t, private, "http://"+listener.Addr().String()).Error)
	require.Equal(t, offboarding.FailedName, send(t, private, "https://nobody.invalid/").Error)
}

// A certificate that nobody vouches for is none.
func TestCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	require.Equal(t, offboarding.FailedTLS, send(t, private, server.URL).Error)
	trusting := private
	trusting.Roots = x509.NewCertPool()
	trusting.Roots.AddCert(server.Certificate())
	require.True(t, send(t, trusting, server.URL).Arrived())
	require.Equal(t, offboarding.FailedTLS, send(t, private, strings.Replace(serve(t, nil), "http://", "https://", 1)).Error, "no TLS at all")
}

// The guard looks at what is connected to, whatever stands in the URL: a name that
// stands for a private address is of no more use than the address.
func TestTheGuard(t *testing.T) {
	reached := false
	url := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
	port := url[strings.LastIndex(url, ":"):]
	guarded := webhook.Options{Timeout: 2 * time.Second}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "100.64.0.1", "[64:ff9b::7f00:1]"} {
		require.Equal(t, offboarding.FailedAddress, send(t, guarded, "http://"+host+port).Error, host)
	}
	// Nor does a number lead there that some resolvers take for an address, and others for a name.
	for _, host := range []string{"2130706433", "127.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.0.0.1.", "0"} {
		require.Contains(t, []string{offboarding.FailedAddress, offboarding.FailedName, offboarding.FailedConnect}, send(t, guarded, "http://"+host+port).Error, host)
	}
	// Nor does a proxy lead around it, one that the environment names or another.
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, url)
	}
	require.Equal(t, offboarding.FailedAddress, send(t, guarded, "http://127.0.0.1"+port).Error)
	require.Equal(t, offboarding.FailedName, send(t, guarded, "http://nobody.invalid/").Error)
	require.False(t, reached)
	require.True(t, send(t, private, url).Arrived(), "with the setting it is there")
	require.True(t, reached)
}

// A worker that is told to stop does not blame the receiver.
func TestAStopIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	k := keys(t, oldKey)
	_, err := webhook.NewSender(webhook.Options{Keys: k, AllowPrivate: true}).Send(ctx,
		offboarding.WebhookTarget{WebhookID: "w", URL: url, SecretRefs: []string{k.Ref("1")}}, offboarding.WebhookMessage{ID: "msg_1"})
	require.True(t, errors.Is(err, context.Canceled))
}
