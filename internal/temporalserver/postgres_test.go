package temporalserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/pgserver"
)

func TestOnPostgreSQL(t *testing.T) {
	t.Setenv("DATABASE_URL", "") // one's own server: Temporal's databases have fixed names
	db, err := pgserver.Start(t.Context(), pgserver.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Stop()) })
	s, c := startServer(t, Options{Address: "127.0.0.1:0", Postgres: db.URL()})
	ctx := t.Context()
	_, err = startWeek(ctx, c, "week")
	require.NoError(t, err)
	require.NoError(t, c.SignalWorkflow(ctx, "week", "", "note", nil))
	value, err := c.QueryWorkflow(ctx, "week", "", "notes")
	require.NoError(t, err)
	var notes int
	require.NoError(t, value.Get(&notes))
	require.Equal(t, 2, notes, "its start and the signal")
	require.ErrorContains(t, FastForward(ctx, c, s.Namespace(), "week", 7*24*time.Hour), "not enabled", "this server's days are as long as they are")
}

func TestAddressOfPostgreSQL(t *testing.T) {
	_, err := Start(t.Context(), Options{Address: "127.0.0.1:0", Postgres: "postgres://:secret@"})
	require.ErrorContains(t, err, "want a PostgreSQL URL")
	require.NotContains(t, err.Error(), "secret")
}
