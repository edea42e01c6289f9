package schema_test

import (
	"context"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"handover/schema"
)

// A migration that cannot have a table, because a transaction that lasts uses it, lets
// others pass, and is done when that has ended.
func TestAMigrationThatWaitsLetsOthersPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, err := goose.NewProvider(goose.DialectPostgres, w.DB.DB, schema.FS)
	require.NoError(t, err)
	_, err = p.DownTo(t.Context(), 8) // the next one alters credentials
	require.NoError(t, err)
	long, err := w.DB.Beginx()
	require.NoError(t, err)
	_, err = long.Exec(`SELECT count(*) FROM credentials`)
	require.NoError(t, err)

	migrated := make(chan error, 1)
	go func() {
		_, err := schema.Migrate(context.Background(), w.DB.DB)
		migrated <- err
	}()
	within, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for waits := 0; waits == 0; {
		require.NoError(t, w.DB.GetContext(within, &waits, `SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
			WHERE NOT l.granted AND c.relname = 'credentials' AND l.mode = 'AccessExclusiveLock'`))
	}
	var n int
	require.NoError(t, w.DB.GetContext(within, &n, `SELECT count(*) FROM credentials`), "while the migration waits")
	require.NoError(t, long.Commit())
	require.NoError(t, <-migrated)
}

// upgraded is the first migration that has met tables with rows of somebody's.
const upgraded = 14

var (
	created = regexp.MustCompile(`(?i)CREATE TABLE (?:IF NOT EXISTS )?(\w+)`)
	altered = regexp.MustCompile(`(?is)^ALTER TABLE (?:IF EXISTS )?(\w+)\s+(.*)$`)
	indexed = regexp.MustCompile(`(?is)^(CREATE|DROP|REINDEX)\s+(UNIQUE )?INDEX\s`)
	on      = regexp.MustCompile(`(?is)\sON (\w+)`)
	brief   = regexp.MustCompile(`(?is)^(ADD COLUMN|DROP COLUMN|ADD CONSTRAINT .* NOT VALID$|DROP CONSTRAINT|VALIDATE CONSTRAINT|SET \(|RESET \(|ENABLE|DISABLE|FORCE|NO FORCE|OWNER)`)
	whole   = regexp.MustCompile(`(?is)^(UPDATE|DELETE FROM|VACUUM|CLUSTER|LOCK|TRUNCATE)\s`)
)

// No migration holds a table with many rows for long: indexes are built beside others'
// work, constraints are checked beside it, and no row is rewritten.
func TestMigrationsHoldNoTableForLong(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(schema.FS, "*.sql")
	require.NoError(t, err)
	checked := 0
	for _, file := range files {
		version, err := strconv.Atoi(path.Base(file)[:5])
		require.NoError(t, err)
		if version < upgraded {
			continue
		}
		text, err := schema.FS.ReadFile(file)
		require.NoError(t, err)
		var fresh []string // its own tables
		for _, m := range created.FindAllStringSubmatch(string(text), -1) {
			fresh = append(fresh, m[1])
		}
		for _, statement := range statements(string(text)) {
			checked++
			require.Empty(t, long(statement, fresh), "%s: %s", file, statement)
		}
	}
	require.NotZero(t, checked)
	for _, statement := range []string{
		"CREATE INDEX a ON members (id)", "DROP INDEX a", "ALTER TABLE members ADD CHECK (id IS NOT NULL)", "ALTER TABLE members ALTER COLUMN id SET NOT NULL",
		"ALTER TABLE members ADD COLUMN at timestamptz DEFAULT clock_timestamp()", "UPDATE members SET id = id", "REINDEX INDEX a",
	} {
		require.NotEmpty(t, long(statement, nil), statement)
	}
}

// long says why a statement holds a table for long, "" where it does not.
func long(statement string, fresh []string) string {
	own := func(table string) bool { return slices.Contains(fresh, table) }
	switch {
	case indexed.MatchString(statement):
		table := on.FindStringSubmatch(statement)
		if !strings.Contains(statement, "CONCURRENTLY") && (table == nil || !own(table[1])) {
			return "not CONCURRENTLY"
		}
	case altered.MatchString(statement):
		m := altered.FindStringSubmatch(statement)
		for action := range strings.SplitSeq(m[2], ",\n") {
			action = strings.TrimSpace(action)
			if own(m[1]) {
				continue
			}
			if !brief.MatchString(action) || regexp.MustCompile(`(?i)DEFAULT .*\(`).MatchString(action) {
				return "rewrites or reads the table: " + action
			}
		}
	case whole.MatchString(statement):
		return "every row"
	}
	return ""
}

// statements are those of a migration, up and down, but for the bodies of functions.
func statements(text string) []string {
	text = regexp.MustCompile(`(?s)-- \+goose StatementBegin.*?-- \+goose StatementEnd`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`--[^\n]*`).ReplaceAllString(text, "")
	var found []string
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part != "" {
			found = append(found, part)
		}
	}
	return found
}

// Each migration can be taken back, and done again, while there are organizations, cases
// and an audit; what it has not made itself stays.
func TestEachMigrationIsTakenBackBesideData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	workspace := w.Workspace()
	w.Join(workspace, w.Manager, "member")
	p, err := goose.NewProvider(goose.DialectPostgres, w.DB.DB, schema.FS)
	require.NoError(t, err)
	before := objects(t, w.DB)
	const rows = `SELECT (SELECT count(*) FROM members) || ' ' || (SELECT count(*) FROM documents) || ' ' || (SELECT count(*) FROM cases) || ' ' ||
		(SELECT count(*) FROM ownership_requests) || ' ' || (SELECT count(*) FROM credentials) || ' ' || (SELECT count(*) FROM audit_events)`
	had := w.Text(rows)
	sources := p.ListSources()
	slices.Reverse(sources)
	for _, source := range sources[:len(sources)-1] { // the first makes everything
		_, err := p.DownTo(t.Context(), source.Version-1)
		require.NoError(t, err, "from %d", source.Version)
		require.Equal(t, had, w.Text(rows), "without %d", source.Version)
		_, err = p.Up(t.Context())
		require.NoError(t, err, "to %d again", source.Version)
		require.Equal(t, before, objects(t, w.DB))
	}
}
