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

// Every single migration can be taken back, and done again.
func TestEachMigrationDownAndUpAgain(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	before := objects(t, db)
	p, err := goose.NewProvider(goose.DialectPostgres, db.DB, schema.FS)
	require.NoError(t, err)
	for _, source := range p.ListSources() {
		_, err := p.DownTo(t.Context(), source.Version-1)
		require.NoError(t, err)
		_, err = p.Up(t.Context())
		require.NoError(t, err, "after the way down to %d", source.Version-1)
		require.Equal(t, before, objects(t, db))
	}
}

// The way down works with a member who is removed from a workspace and offboarded
// at the same time; the older schema knows one open case of a member.
func TestDownEndsRemovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	workspace := w.Workspace()
	document := w.DocumentIn(workspace, w.Leaver)
	w.Exec(`INSERT INTO cases (id, workflow_id, organization_id, workspace_id, member_id, requested_by, origin, reason, phase, disposition,
		archive_schedules, grace_period_seconds, created_at, effective_at, deactivated_at, grace_ends_at)
		SELECT $1, 'removal', organization_id, $2, member_id, requested_by, '', '', 'read_only', 'retain', false, 0, created_at, created_at,
			created_at, created_at FROM cases WHERE id = $3`, document, workspace, w.caseID)
	w.Exec(`UPDATE documents SET access = 'read_only', access_case_id = $1 WHERE id = $1`, document)
	require.Equal(t, 2, w.Count(`SELECT count(*) FROM cases WHERE member_id = $1 AND closed_at IS NULL`, w.Leaver))

	p, err := goose.NewProvider(goose.DialectPostgres, w.DB.DB, schema.FS)
	require.NoError(t, err)
	_, err = p.DownTo(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, w.caseID, w.Text(`SELECT string_agg(id::text, ' ') FROM cases WHERE closed_at IS NULL`))
	require.Equal(t, w.Leaver+" editable", w.DocumentState(document))
	_, err = schema.Migrate(t.Context(), w.DB.DB)
	require.NoError(t, err)
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
