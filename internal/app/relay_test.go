package app_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"handover/internal/app"
	"handover/internal/config"
	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/offboarding"
)

// The worker that is started as in production finds what is due by itself, goes on
// after a restart, and prunes.
func TestTheWorkerSendsWebhooks(t *testing.T) {
	t.Parallel()
	temporal, err := temporalserver.Start(t.Context(), temporalserver.Options{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, temporal.Stop()) })
	url := testdb.URL(t)
	db, err := sqlx.Open("postgres", url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	o := fixture.New(t, db)

	var got, status atomic.Int64
	status.Store(http.StatusNoContent)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		got.Add(1)
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(receiver.Close)
	hook := uuid.NewString()
	o.Exec(`INSERT INTO webhooks (id, organization_id, url, description, events, status, secret_ref, created_by, created_at)
		VALUES ($1, $2, $3, '', '{}', 'active', $4, $5, now())`, hook, o.ID, receiver.URL, keyName+".1", o.Admin)
	event := func() {
		t.Helper()
		o.Exec(`INSERT INTO audit_events (organization_id, event, case_id, origin, subject_kind, subject_id, before, after, at)
			VALUES ($1, 'ExtendGrace', $1, '', 'case', 'x', '{}', '{}', now())`, o.ID)
	}
	becomes := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			return want == o.Text(`SELECT string_agg(status, ' ' ORDER BY id) FROM webhook_deliveries`)
		}, 30*time.Second, 20*time.Millisecond, "%s", want)
	}
	cfg := &config.Config{
		Database: config.Database{URL: config.Secret(url), PoolSize: 10},
		Temporal: client.Options{HostPort: temporal.Address(), Namespace: temporal.Namespace()},
		Worker:   config.Worker{DrainTimeout: 5 * time.Second},
		Webhooks: config.Webhooks{Keys: []config.Secret{key}, AllowPrivate: true},
	}
	start := func() *app.Worker {
		t.Helper()
		w, err := app.StartWorker(t.Context(), cfg, slog.New(slog.DiscardHandler), nil)
		require.NoError(t, err)
		return w
	}

	event()
	w := start()
	becomes("delivered")
	event()
	becomes("delivered delivered")
	status.Store(http.StatusInternalServerError)
	event()
	require.Eventually(t, func() bool { return got.Load() == 3 }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, w.Close())

	status.Store(http.StatusNoContent)
	o.Exec(`UPDATE webhook_deliveries SET ended_at = ended_at - $1 * interval '1 second' WHERE ended_at IS NOT NULL`, offboarding.KeepDeliveries.Seconds()+60)
	w = start()
	becomes("delivered") // the third; the others were sent long ago
	require.NoError(t, w.Close())

	cfg.Webhooks.Keys = nil
	w = start()
	event()
	require.NoError(t, w.Close())
	becomes("delivered pending") // switched off, and kept
}

// A key, and the name that references have for it: references in the database outlive
// builds, so it never changes.
const (
	key     = "a key for tests, of 32 bytes at least"
	keyName = "9a6d12e2"
)
