package e2e_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"handover/internal/fixture"
)

// A worker that requires signatures hears who has a key, and says in its log and its
// metrics that it has not heard who has none. Nor does it do activities for who asks for them
// directly, on either of its task queues.
func TestAWorkerHearsWhatIsSigned(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	o.Document(o.Leaver, "")
	key := func(id string) (private, public string) {
		k, s, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		return id + ":" + base64.StdEncoding.EncodeToString(s.Seed()), id + ":" + base64.StdEncoding.EncodeToString(k)
	}
	ours, oursPublic := key("worker")
	admins, adminsPublic := key("admins")
	worker, health := p.worker(t, "HANDOVER_SIGNING_KEY="+ours, "HANDOVER_SIGNATURE_KEYS="+oursPublic+","+adminsPublic, "HANDOVER_REQUIRE_SIGNED_MESSAGES=true",
		"HANDOVER_SECRET_KEY="+strings.Repeat("k", 44))
	waitFor(t, "the worker is ready", says(worker, health, "/readyz", 200, "ok"))

	refused := execute(t, work, p.env(), "starter", "start", o.Leaver, "--as", o.Admin)
	require.NotZero(t, refused.code)
	require.Contains(t, refused.err, "not_signed")
	require.Equal(t, "active", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver))

	signed := p.env("HANDOVER_SIGNING_KEY=" + admins)
	succeed(t, work, signed, "starter", "start", o.Leaver, "--as", o.Admin)
	require.Equal(t, "inactive", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver))
	require.Contains(t, execute(t, work, p.env(), "starter", "reactivate", o.Leaver, "--as", o.Admin).err, "not_signed")
	succeed(t, work, signed, "starter", "reactivate", o.Leaver, "--as", o.Admin)
	require.Equal(t, "active", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver))

	anybody, err := dial(p.TemporalAddress, p.namespace)
	require.NoError(t, err)
	t.Cleanup(anybody.Close)
	for activity, queue := range map[string]string{"EraseMember": "offboarding", "SendWebhooks": "webhooks"} {
		asked, err := anybody.ExecuteActivity(t.Context(), client.StartActivityOptions{
			ID: activity, TaskQueue: queue, StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		}, activity, object{"member_id": o.Leaver, "webhook_id": o.Leaver})
		require.NoError(t, err)
		require.ErrorContains(t, asked.Get(t.Context(), nil), "foreign_caller", activity)
	}
	require.Equal(t, "active", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver))

	waitFor(t, "the metric", says(worker, health, "/metrics", 200, "handover_not_signed_total{"))
	log := worker.err.String()
	require.Contains(t, log, "not heard")
	for _, private := range []string{ours[7:], admins[7:]} {
		require.NotContains(t, log, private)
	}
	requireInvariants(t, p.databaseURL)
}
