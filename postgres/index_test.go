package postgres_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/crowd"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/postgres"
)

// reading is what the statements of each method read: which indexes they search, and
// which tables they read from end to end.
type reading struct {
	t       testing.TB
	db      *sqlx.DB // a pool of one, which tells what it has read when asked
	counts  bool     // in the last round: what is planned for the first time looks into indexes too
	by      map[string][]string
	indexes map[string]int
	tables  map[string]int
	read    []read // in the last round
}

// read is how many entries of indexes and rows of whole tables a method has read.
type read struct {
	method string
	n      int
}

// goesThrough are methods that go from one webhook of all to the next, beside which
// everything else is what is sent to them.
var goesThrough = map[string]string{"WebhooksWaiting": "webhooks", "PruneDeliveries": "webhooks"}

// few is how many rows a table has that may be read from end to end.
const few = 500

// take is what was read since it was taken last.
func (r *reading) take() (indexes, tables []string) {
	r.t.Helper()
	_, err := r.db.Exec(`SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()`)
	require.NoError(r.t, err)
	for query, from := range map[string]struct {
		before map[string]int
		into   *[]string
	}{
		`SELECT indexrelname AS name, idx_scan AS n FROM pg_stat_user_indexes`:                                 {r.indexes, &indexes},
		`SELECT relname AS name, seq_scan AS n FROM pg_stat_user_tables WHERE n_live_tup > ` + fmt.Sprint(few): {r.tables, &tables},
	} {
		var rows []struct {
			Name string
			N    int
		}
		require.NoError(r.t, r.db.Select(&rows, query))
		for _, row := range rows {
			if row.N > from.before[row.Name] {
				*from.into = append(*from.into, row.Name)
			}
			from.before[row.Name] = row.N
		}
	}
	return indexes, tables
}

// total is how much has been read in all.
func (r *reading) total() (n int) {
	r.t.Helper()
	require.NoError(r.t, r.db.Get(&n, `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)`))
	return n
}

// notes takes down what the statements of a method read. It is called for other members each
// time; the third time everything is planned.
func (r *reading) notes(method string, do func() error) {
	r.t.Helper()
	r.take()
	before := r.total()
	require.NoError(r.t, do(), method)
	indexes, tables := r.take()
	if !r.counts {
		return
	}
	r.read = append(r.read, read{method, r.total() - before})
	if of := goesThrough[method]; of != "" {
		tables = slices.DeleteFunc(tables, func(table string) bool { return table == of })
	}
	assert.Empty(r.t, tables, "%s reads tables from end to end", method)
	for _, index := range indexes {
		if !slices.Contains(r.by[index], method) {
			r.by[index] = append(r.by[index], method)
		}
	}
}

// beside is a small organization, a crowd beside it, and many others.
func beside(t testing.TB, db *sqlx.DB) (*fixture.Organization, *crowd.Crowd) {
	t.Helper()
	o, others := fixture.New(t, db), fixture.New(t, db)
	leaveAuditAlone(o)
	c := &crowd.Crowd{Organization: others.ID, Admin: others.Admin, Manager: others.Manager, Maker: others.Leaver, Number: 1, Members: 10_000, Documents: 50_000}
	require.NoError(t, crowd.Fill(t.Context(), db, c))
	for _, statement := range strings.Split(besides, "\n\n") {
		o.Exec(strings.ReplaceAll(statement, "$admin", "'"+others.Admin+"'::uuid"))
	}
	o.Exec(`SELECT brin_summarize_new_values('audit_events_at_idx')`)
	o.Exec(`ANALYZE`)
	return o, c
}

// The table of docs/performance.md says for each index which methods of the store use
// it, or that it is there to refuse; all of them do, and no index is missing.
func TestEveryIndexIsUsed(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	db.SetMaxOpenConns(1)
	o, c := beside(t, db)
	o.Exec(`SET plan_cache_mode = force_generic_plan`) // as after many executions
	store := postgres.New(db)
	r := &reading{t: t, db: db, by: map[string][]string{}, indexes: map[string]int{}, tables: map[string]int{}}
	for round := range 3 {
		r.counts = round == 2
		u := &usage{leaving: newLeavingOn(t, o, store), reading: r, crowd: c, round: round, ctx: t.Context()}
		u.everything()
	}

	said := map[string]string{}
	page, err := os.ReadFile("../docs/performance.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(page), "\n## Statements and indexes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.+) \\|$").FindAllStringSubmatch(section, -1) {
		said[m[1]] = m[2]
	}
	var guards []string
	require.NoError(t, db.Select(&guards, `SELECT indexrelid::regclass::text FROM pg_index WHERE indisunique`))
	for _, index := range slices.Sorted(maps.Keys(r.indexes)) {
		if index == "goose_db_version_pkey" { // of the migrations
			continue
		}
		methods := regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(said[index], -1)
		for _, m := range methods {
			assert.Contains(t, r.by[index], m[1], "%s is not used by %s, but by %v", index, m[1], r.by[index])
		}
		if len(methods) == 0 && (said[index] != "refuses" || !slices.Contains(guards, index)) {
			assert.Fail(t, "no statement is named", "| `%s` | `%s` |", index, strings.Join(r.by[index], "`, `"))
		}
	}
	for index := range said {
		assert.Contains(t, r.indexes, index, "docs/performance.md has an index that is not there")
	}
}

// besides is a lot of what a crowd has few of.
const besides = `INSERT INTO organizations (id, slug, name, domains, seat_limit, claim_policy, grace_period_seconds, default_disposition, time_zone, identity_provider,
	enterprise_plan_manager, created_at)
SELECT gen_random_uuid(), 'o' || i, 'Other', '{}', 0, 'self_serve', 604800, 'retain', 'UTC', 'none', false, now() FROM generate_series(1, 2000) i

INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at)
SELECT gen_random_uuid(), id, 'x' || i, 'x' || i || '@acme.example', 'Other', 'contributor', 'maker', 'active', '', '', now() FROM organizations, generate_series(1, 10) i WHERE slug LIKE 'o%'

UPDATE organizations SET parent_id = (SELECT id FROM organizations WHERE slug = 'o1') WHERE slug LIKE 'o%' AND slug <> 'o1' AND substr(slug, 2)::int % 2 = 0

INSERT INTO workspaces (id, organization_id, external_id, provider_id, name, created_at) SELECT gen_random_uuid(), id, 'w', slug, 'Workspace', now() FROM organizations

INSERT INTO webhooks (id, organization_id, url, description, events, status, secret_ref, created_by, created_at)
SELECT gen_random_uuid(), id, 'https://hooks.example/', 'hook', '{}', 'active', 'x', $admin, now() FROM organizations WHERE slug LIKE 'o%'

INSERT INTO scim_tokens (id, organization_id, hash, created_by, created_at) SELECT gen_random_uuid(), id, sha256(slug::bytea), $admin, now() FROM organizations

INSERT INTO bulk_runs (id, workflow_id, organization_id, requested_by, origin, all_or_nothing, rate, phase, created_at, access_gone_at, closed_at)
SELECT slug, slug, id, $admin, '', false, 10, 'completed', now(), now(), now() FROM organizations

INSERT INTO idempotency_keys (id, fingerprint, request_id, attempt, leased_until, expires_at)
SELECT gen_random_uuid(), sha256(i::text::bytea), gen_random_uuid(), 1, now(), now() + interval '100 years' FROM generate_series(1, 2000) i

INSERT INTO access_tokens (token_hash, credential_id, created_at, expires_at) SELECT sha256(id::text::bytea), id, now(), now() + interval '1 hour' FROM credentials

INSERT INTO schedules (id, organization_id, document_id, kind, cron, status, paused_by_case_id)
SELECT gen_random_uuid(), organization_id, id, 'export', '0 6 * * 1', CASE WHEN access = 'editable' THEN 'active' ELSE 'paused' END, CASE WHEN access <> 'editable' THEN access_case_id END FROM documents

INSERT INTO folders (id, organization_id, owner_id, name, created_at) SELECT gen_random_uuid(), organization_id, id, 'Mine', created_at FROM members

INSERT INTO case_steps (case_id, step, outcome, at) SELECT id, 'admit', '{}', created_at FROM cases

INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
SELECT gen_random_uuid(), c.organization_id, c.id, d.id, c.member_id, '', 'pending', c.created_at
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM cases) c JOIN (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM documents) d USING (n)

INSERT INTO audit_seals (organization_id, number, first_event, last_event, hash, entries, at) SELECT id, 1, 1, 1, '', '', now() FROM organizations WHERE slug LIKE 'o%'

INSERT INTO audit_heads SELECT id, 1, '' FROM organizations WHERE slug LIKE 'o%'

INSERT INTO audit_texts SELECT id, 1, '', NULL, '', '{}' FROM organizations WHERE slug LIKE 'o%'

INSERT INTO audit_events (organization_id, event, actor_id, origin, subject_kind, subject_id, before, after, at)
SELECT id, 'ChangeSettings', $admin, '', 'organization', id, '{}', '{}', created_at FROM organizations, generate_series(1, 10)

INSERT INTO bulk_members (bulk_id, position, reference, at_once, result, case_id, to_start, running_at)
SELECT 'o1' || n % 5, n, 'external:x', true, 'started', c.id, true, CASE WHEN n % 10 > 0 THEN now() END
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM cases) c

UPDATE cases SET trouble_step = 'settle', trouble_since = now() WHERE id::text LIKE '%1'

INSERT INTO webhook_deliveries (webhook_id, event_id, event, created_at, status, attempts, first_attempt_at, last_attempt_at, ended_at)
SELECT id, 1, 'TransferDocs', now(), 'delivered', 1, now(), now(), now() FROM webhooks, generate_series(1, 5)

INSERT INTO notices (key, organization_id, case_id, kind, recipient_id, reason, documents, grace_ends_at, created_at, sent_at)
SELECT 'remind/' || id, organization_id, id, 'RemindGraceEnding', requested_by, 'manager', 1, created_at, created_at, CASE WHEN closed_at IS NOT NULL THEN created_at END FROM cases

UPDATE members SET manager_id = (SELECT id FROM members WHERE external_id = 'emp-1') WHERE external_id LIKE 'emp-%' AND external_id <> 'emp-1'`
