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
	_, c := startServer(t, Options{Address: "127.0.0.1:0", Postgres: db.URL()})
	run, err := startWeek(t.Context(), c, "case")
	require.NoError(t, err)
	require.NoError(t, FastForward(t.Context(), c, DefaultNamespace, "case", 7*24*time.Hour))
	require.NoError(t, run.Get(t.Context(), nil))
}

func TestAddressOfPostgreSQL(t *testing.T) {
	_, err := Start(t.Context(), Options{Address: "127.0.0.1:0", Postgres: "postgres://:secret@"})
	require.ErrorContains(t, err, "want a PostgreSQL URL")
	require.NotContains(t, err.Error(), "secret")
}
