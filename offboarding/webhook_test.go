package offboarding_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func webhookFacts() offboarding.WebhookFacts {
	admin := &offboarding.Member{ID: "a", OrganizationID: "o", Role: offboarding.RoleAdmin, Status: offboarding.MemberActive}
	return offboarding.WebhookFacts{Admin: offboarding.Actor{Member: admin, Reach: offboarding.ReachOwn}, Found: true}
}

func change(url string) offboarding.WebhookChange {
	return offboarding.WebhookChange{WebhookID: "w", OrganizationID: "o", URL: &url}
}

func TestWebhookURLs(t *testing.T) {
	t.Parallel()
	tries := map[string]struct{ strict, private bool }{ // where it may be registered
		"https://hooks.example.com/handover?token=x":             {true, true},
		"https://hooks.example.com:8443":                         {true, true},
		"https://93.184.216.34/":                                 {true, true},
		"https://[2606:4700::1111]/":                             {true, true},
		"http://hooks.example.com/":                              {false, true},
		"https://localhost/":                                     {false, true},
		"https://metadata/":                                      {false, true},
		"https://metadata.google.internal/":                      {false, true},
		"https://printer.local./":                                {false, true},
		"https://127.0.0.1:8443/":                                {false, true},
		"https://[::ffff:10.0.0.1]/":                             {false, true},
		"https://169.254.169.254/latest/meta-data":               {false, true},
		"ftp://hooks.example.com/":                               {},
		"https://ada:secret@hooks.example.com/":                  {},
		"https://hooks.example.com/#part":                        {},
		"https://hooks.example.com/#":                            {},
		"receiver.example.com/handover":                          {},
		"https:///nowhere":                                       {},
		"https:hooks.example.com":                                {},
		"https://hooks.example.com/\x00":                         {},
		"https://hooks.example.com:port/":                        {},
		"https://hooks.example.com/" + strings.Repeat("x", 2000): {},
		"": {},
	}
	for url, want := range tries {
		for private, allowed := range map[bool]bool{false: want.strict, true: want.private} {
			c := change(url)
			c.AllowPrivate = private
			_, err := offboarding.JudgeWebhook(c, webhookFacts())
			if allowed {
				require.NoError(t, err, "%q, private addresses %v", url, private)
				continue
			}
			var refusal *offboarding.Refusal
			require.ErrorAs(t, err, &refusal, "%q, private addresses %v", url, private)
			require.Len(t, refusal.Violations, 1)
			require.Equal(t, "url", refusal.Violations[0].Field)
			if url != "" {
				require.NotContains(t, err.Error(), url, "which may have a secret in it")
			}
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1"} {
		require.True(t, offboarding.PublicAddress(netip.MustParseAddr(address)), address)
	}
	for what, addresses := range map[string][]string{
		"this host":          {"0.0.0.0", "0.1.2.3", "::"},
		"loopback":           {"127.0.0.1", "127.255.0.1", "::1"},
		"private":            {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"},
		"shared (CGNAT)":     {"100.64.0.1", "100.127.255.255", "100.100.100.200"},
		"link-local":         {"169.254.0.1", "fe80::1", "fe80::1%eth0"},
		"metadata":           {"169.254.169.254", "fd00:ec2::254", "192.0.0.192"},
		"unique local":       {"fc00::1", "fd12:3456::1"},
		"site-local":         {"fec0::1"},
		"multicast":          {"224.0.0.1", "239.255.255.255", "ff02::1"},
		"reserved":           {"240.0.0.1", "255.255.255.255", "192.0.0.1", "198.18.0.1"},
		"documentation":      {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"},
		"IPv4-mapped":        {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"},
		"IPv4-compatible":    {"::127.0.0.1", "::a00:1"},
		"NAT64":              {"64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::1"},
		"6to4 and Teredo":    {"2002:7f00:1::", "2002:a00:1::1", "2001:0:1::1", "192.88.99.1"},
		"discard and others": {"100::1", "5f00::1", "4000::1"},
	} {
		for _, address := range addresses {
			require.False(t, offboarding.PublicAddress(netip.MustParseAddr(address)), "%s: %s", what, address)
		}
	}
	require.False(t, offboarding.PublicAddress(netip.Addr{}))
}

// All mistakes are reported at once.
func TestWebhooksAreJudgedWhole(t *testing.T) {
	t.Parallel()
	c := change("http://localhost")
	long, events, status := strings.Repeat("x", 2001), []string{"ClaimDocOwnership", "claimdocownership", "CreateWebhook"}, offboarding.WebhookStatus("deleted")
	c.Description, c.Events, c.Status, c.Origin = &long, &events, &status, "nobody"
	f := webhookFacts()
	f.Admin.Member.Role = offboarding.RoleContributor
	f.Webhooks = offboarding.MaxWebhooks
	_, err := offboarding.JudgeWebhook(c, f)
	var refusal *offboarding.Refusal
	require.ErrorAs(t, err, &refusal)
	var got []string
	for _, v := range refusal.Violations {
		got = append(got, string(v.Code)+" "+v.Field)
	}
	require.Equal(t, []string{
		"not_authorized ", "invalid_argument origin", "webhook_limit_exceeded ", "invalid_argument url", "invalid_argument description",
		"invalid_argument events[1]", "invalid_argument events[2]", "invalid_argument status",
	}, got)

	f = webhookFacts()
	f.Admin.Reach = offboarding.ReachNone
	for _, live := range []bool{true, false} {
		require.Equal(t, offboarding.CodeWebhookNotFound, offboarding.CodeOf(offboarding.JudgeWebhookUse(f, "", live)), "another organization's is none")
	}
	f = webhookFacts()
	f.Webhook.Status = offboarding.WebhookDisabled
	require.Equal(t, offboarding.CodeWebhookDisabled, offboarding.CodeOf(offboarding.JudgeWebhookUse(f, "", true)))
	require.NoError(t, offboarding.JudgeWebhookUse(f, "", false))
}

// A delivery is tried for three days, the last time at their end.
func TestRetries(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, jitter := range []float64{0, 0.5, 1} {
		at, attempts := first, 1
		var waits []time.Duration
		for {
			next, again := offboarding.NextAttempt(attempts, first, at, 0, jitter)
			if !again {
				break
			}
			waits = append(waits, next.Sub(at))
			at, attempts = next, attempts+1
		}
		require.Equal(t, first.Add(72*time.Hour), at, "the last attempt")
		require.GreaterOrEqual(t, attempts, 9)
		require.LessOrEqual(t, attempts, 10)
		spread := func(d time.Duration) time.Duration { return d + time.Duration(jitter*0.1*float64(d)) }
		require.Equal(t, []time.Duration{spread(5 * time.Second), spread(5 * time.Minute), spread(30 * time.Minute)}, waits[:3])
	}
	next, again := offboarding.NextAttempt(1, first, first, 10*time.Minute, 0)
	require.True(t, again)
	require.Equal(t, 10*time.Minute, next.Sub(first), "as the receiver asks")
	next, _ = offboarding.NextAttempt(1, first, first, 1000*time.Hour, 0)
	require.Equal(t, time.Hour, next.Sub(first), "within bounds")
	next, _ = offboarding.NextAttempt(4, first, first, time.Second, 0)
	require.Equal(t, 2*time.Hour, next.Sub(first), "never sooner")
	_, again = offboarding.NextAttempt(3, first, first.Add(100*time.Hour), time.Hour, 0)
	require.False(t, again)
}

func TestWebhookHealth(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	failed := offboarding.WebhookAttempt{Status: http.StatusInternalServerError, Error: offboarding.FailedStatus}
	var h offboarding.WebhookHealth
	for i := range 4 {
		h = h.After(failed, at.Add(time.Duration(i)*time.Second))
		require.False(t, h.Failing())
		require.False(t, h.Paused(at))
	}
	require.Equal(t, at, *h.FailingSince)
	var pauses []time.Duration
	for range 12 {
		h = h.After(failed, at)
		require.True(t, h.Failing())
		pauses = append(pauses, h.PausedUntil.Sub(at))
	}
	require.Equal(t, 5*time.Second, pauses[0])
	require.Equal(t, 10*time.Second, pauses[1])
	require.Equal(t, 10*time.Minute, pauses[11])
	require.IsNonDecreasing(t, pauses)
	require.Equal(t, "", h.Disable(failed, at.Add(72*time.Hour-1)))
	require.Equal(t, offboarding.DisabledFailing, h.Disable(failed, at.Add(72*time.Hour)))
	require.Equal(t, offboarding.DisabledGone, h.Disable(offboarding.WebhookAttempt{Status: http.StatusGone, Error: offboarding.FailedStatus}, at))
	require.Equal(t, offboarding.WebhookHealth{}, h.After(offboarding.WebhookAttempt{Status: http.StatusOK}, at))

	busy := offboarding.WebhookAttempt{Status: http.StatusTooManyRequests, Error: offboarding.FailedStatus, RetryAfter: time.Minute}
	h = offboarding.WebhookHealth{}.After(busy, at)
	require.Equal(t, at.Add(time.Minute), *h.PausedUntil, "it asks to be left alone")
	busy.RetryAfter = 48 * time.Hour
	require.Equal(t, at.Add(time.Hour), *offboarding.WebhookHealth{}.After(busy, at).PausedUntil)
}

func TestMessageIDs(t *testing.T) {
	t.Parallel()
	id, ok := offboarding.ParseMessageID(offboarding.MessageID(1041))
	require.True(t, ok)
	require.Equal(t, int64(1041), id)
	for _, text := range []string{"", "msg_", "1041", "msg_1041 ", "msg_+1", "msg_01", "msg_x", "msg_99999999999999999999"} {
		_, ok := offboarding.ParseMessageID(text)
		require.False(t, ok, text)
	}
}
