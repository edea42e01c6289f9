package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/postgres"
)

// A transaction never needs a second connection: with as many transactions as
// connections, all would wait for one that nobody gives back.
func TestOneConnectionIsEnough(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	o := fixture.New(t, db)
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	l := newLeavingOn(t, o, postgres.New(db))
	for range 2 { // with statements that are new, and with prepared ones
		_, err := l.store.Admit(ctx, l.admitInput(l.request()))
		require.NoError(t, err)
	}
}

// PostgreSQL compiles what looks expensive at each execution, which takes longer than
// the statements do.
func TestNothingIsCompiled(t *testing.T) {
	t.Parallel()
	store, err := postgres.Open(testdb.URL(t), 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	var jit string
	require.NoError(t, store.DB().Get(&jit, `SHOW jit`))
	require.Equal(t, "off", jit)
}
