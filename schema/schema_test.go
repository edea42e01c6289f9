package schema_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/schema"
)

// objects is what the migrations have made: tables, indexes, triggers, functions.
func objects(t *testing.T, db *sqlx.DB) []string {
	t.Helper()
	var names []string
	require.NoError(t, db.Select(&names, `
		SELECT relkind::text || ' ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose%'
		UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`))
	return names
}

func down(t *testing.T, db *sqlx.DB) {
	t.Helper()
	p, err := goose.NewProvider(goose.DialectPostgres, db.DB, schema.FS)
	require.NoError(t, err)
	_, err = p.DownTo(t.Context(), 0)
	require.NoError(t, err)
}

func TestDownAndUpAgain(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	before := objects(t, db)
	require.NotEmpty(t, before)

	down(t, db)
	require.Empty(t, objects(t, db), "what the way down leaves behind")
	have, need, err := schema.Versions(t.Context(), db.DB)
	require.NoError(t, err)
	require.Zero(t, have)

	got, err := schema.Migrate(t.Context(), db.DB)
	require.NoError(t, err)
	require.Equal(t, need, got)
	require.Equal(t, before, objects(t, db))
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	before := objects(t, db)
	_, err := schema.Migrate(t.Context(), db.DB)
	require.NoError(t, err)
	require.Equal(t, before, objects(t, db))
}

// Servers and workers that start at the same moment may all migrate.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	before := objects(t, db)
	down(t, db)
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = schema.Migrate(t.Context(), db.DB) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, before, objects(t, db))
}
