package console_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// crowd is an organization with many members and documents, and everything else in
// proportion. IDs are made of a kind and a number, so that each table can refer to the
// others without looking anything up.
type crowd struct {
	*fixture.Organization
	number             int // of the organization, one digit
	members, documents int
}

// kinds are those of the things in a crowd: MEMBER(7) in a filling is the ID of the seventh.
var kinds = []string{"MEMBER", "DOCUMENT", "CASE", "CANCELED", "SCHEDULED", "REQUEST", "WORKSPACE", "HOLD", "CREDENTIAL", "SESSION", "WEBHOOK"}

// largest is the number of the member who has left a tenth of all documents.
const largest = 400

// id is the ID of the nth thing of a kind.
func (c *crowd) id(kind string, n int) string {
	for i, k := range kinds {
		if k == kind {
			return fmt.Sprintf("%08x-0000-7000-8000-%012x", i*16+c.number, n)
		}
	}
	panic(kind + " is no kind")
}

// fill makes everything. Every 200th member has an open case, for half of them with
// read-only documents; every other 20th had one and has left nothing; every second one
// was to leave and did not, and every hundredth is still to leave.
func (c *crowd) fill(t testing.TB) {
	t.Helper()
	words := []string{
		"$organization", "'" + c.ID + "'::uuid", "$admin", "'" + c.Admin + "'::uuid", "$manager", "'" + c.Manager + "'::uuid",
		"$maker", "'" + c.Leaver + "'::uuid", "$members", fmt.Sprint(c.members), "$documents", fmt.Sprint(c.documents), "$number", fmt.Sprint(c.number),
	}
	for i, kind := range kinds {
		words = append(words, kind+"(", fmt.Sprintf("nth(%d, ", i*16+c.number))
	}
	for _, statement := range strings.Split(fillings, "\n\n") {
		_, err := c.DB.ExecContext(t.Context(), strings.NewReplacer(words...).Replace(statement))
		require.NoError(t, err, statement)
	}
}

// bare takes the foreign keys and indexes off some tables, which are put on again
// faster than they are kept, and gives back how.
func bare(t testing.TB, o *fixture.Organization, tables ...string) (dress func()) {
	t.Helper()
	var off, on []string
	named := "'{" + strings.Join(tables, ",") + "}'::regclass[]"
	require.NoError(t, o.DB.Select(&off, `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
		WHERE contype = 'f' AND conrelid = ANY (`+named+`)
		UNION ALL SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index i
		WHERE indrelid = ANY (`+named+`) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))`))
	require.NoError(t, o.DB.Select(&on, `SELECT pg_get_indexdef(indexrelid) FROM pg_index i
		WHERE indrelid = ANY (`+named+`) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))
		UNION ALL SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
		WHERE contype = 'f' AND conrelid = ANY (`+named+`)`))
	require.NotEmpty(t, off)
	for _, statement := range off {
		o.Exec(statement)
	}
	return func() {
		for _, statement := range on {
			o.Exec(statement)
		}
	}
}

// fillings fill an organization. left(n) is the member with a case whom the nth
// document, event or other thing has to do with; owns(n) who owns the nth document.
const fillings = `CREATE OR REPLACE FUNCTION nth(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
	RETURN (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid

CREATE OR REPLACE FUNCTION owns(n bigint, members int) RETURNS bigint LANGUAGE sql IMMUTABLE
	RETURN CASE WHEN n % 10 = 0 THEN 400 WHEN n % members % 20 = 0 AND n % members % 200 > 0 THEN n % members + 1 ELSE n % members END

CREATE OR REPLACE FUNCTION ago(n bigint) RETURNS timestamptz LANGUAGE sql STABLE RETURN now() - interval '20 minutes' * (n % 50000)

INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at, deactivated_at)
SELECT MEMBER(i), $organization, 'emp-' || i, 'person' || i || '@acme.example', 'Person ' || i, CASE WHEN i % 1000 = 1 THEN 'admin' ELSE 'contributor' END,
	CASE WHEN i % 3 = 0 THEN 'viewer' ELSE 'maker' END, CASE WHEN i % 20 = 0 THEN CASE WHEN i % 400 = 20 THEN 'archived' ELSE 'inactive' END ELSE 'active' END,
	'', '', ago(i), CASE WHEN i % 20 = 0 THEN ago(i / 20) END
FROM generate_series(0, $members - 1) i

INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules, grace_period_seconds,
	created_at, effective_at, revoked_at, deactivated_at, grace_ends_at, closed_at, trouble_step, trouble_since)
SELECT CASE(i), 'offboarding/' || MEMBER(i), $organization, MEMBER(i), $admin, '', 'left', CASE WHEN i % 200 > 0 THEN 'completed' WHEN i % 400 = 0 THEN 'grace' ELSE 'read_only' END,
	'retain', false, 604800, ago(i / 20), ago(i / 20), ago(i / 20), ago(i / 20), ago(i / 20) + interval '7 days',
	CASE WHEN i % 200 > 0 THEN ago(i / 20) + interval '3 days' END, CASE WHEN i % 2000 = 0 THEN 'settle' ELSE '' END, CASE WHEN i % 2000 = 0 THEN now() END
FROM generate_series(0, $members - 1, 20) i

INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules, grace_period_seconds, created_at, effective_at, closed_at)
SELECT CANCELED(i), 'offboarding/' || MEMBER(i), $organization, MEMBER(i), $admin, '', 'a mistake', 'canceled', 'retain', false, 604800, ago(i), ago(i), ago(i)
FROM generate_series(1, $members - 1, 2) i

INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules, grace_period_seconds, created_at, effective_at)
SELECT SCHEDULED(i), 'offboarding/' || MEMBER(i), $organization, MEMBER(i), $admin, '', 'leaves', 'scheduled', 'retain', false, 604800, ago(i), now() + interval '30 days'
FROM generate_series(5, $members - 1, 100) i

INSERT INTO workspaces (id, organization_id, external_id, name, created_at)
SELECT WORKSPACE(i), $organization, 'w' || i, 'Workspace ' || i, ago(i) FROM generate_series(0, 99) i

INSERT INTO workspace_members (organization_id, workspace_id, member_id, role)
SELECT $organization, WORKSPACE(i % 100), MEMBER(i), 'member' FROM generate_series(0, $members - 1, 2) i

INSERT INTO documents (id, organization_id, external_id, title, kind, owner_id, access, access_case_id, workspace_id, created_at, updated_at)
SELECT DOCUMENT(i), $organization, 'd' || i, 'Document ' || i, 'workbook', MEMBER(n),
	CASE WHEN n % 400 = 200 THEN 'read_only' ELSE 'editable' END, CASE WHEN n % 400 = 200 THEN CASE(n) END, CASE WHEN i % 10 = 3 THEN WORKSPACE(i / 10 % 100) END, ago(i), ago(i)
FROM generate_series(0, $documents - 1) i CROSS JOIN LATERAL (SELECT owns(i, $members) AS n) o

INSERT INTO grants (organization_id, document_id, member_id, level)
SELECT $organization, DOCUMENT(i), MEMBER((i + 7) % $members), 'edit' FROM generate_series(0, $documents - 1) i
UNION ALL SELECT $organization, DOCUMENT(i), $manager, 'edit' FROM generate_series(0, $documents - 1, 50) i
UNION ALL SELECT $organization, DOCUMENT(i), $maker, 'view' FROM generate_series(1, $documents - 1, 50) i

INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
SELECT $organization, (ARRAY['TransferDocs', 'ClaimDocOwnership', 'MarkDocsReadOnly', 'GrantEdit', 'ArchiveDocs'])[i % 5 + 1], $admin, '', MEMBER(n), DOCUMENT(i), CASE(n),
	'document', DOCUMENT(i)::text, jsonb_build_object('owner_id', MEMBER(n)), jsonb_build_object('owner_id', $manager), now() - interval '1 day' * (($documents - i) * 100.0 / $documents)
FROM generate_series(0, $documents - 1) i CROSS JOIN LATERAL (SELECT CASE WHEN i % 10 = 0 THEN 400 ELSE i % ($members / 20) * 20 END AS n) l
UNION ALL SELECT $organization, 'DeactivateMember', $admin, '', MEMBER(i), NULL::uuid, CASE(i), 'member', MEMBER(i)::text, '{"status": "active"}', '{"status": "inactive"}', now()
FROM generate_series(0, $members - 1, 20) i

INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at, decided_at)
SELECT REQUEST(i), $organization, CASE(400), DOCUMENT(i), CASE WHEN i % 1000 = 0 THEN $manager ELSE MEMBER(1 + i % 10) END, 'please', CASE WHEN i % 500 = 0 THEN 'pending' ELSE 'superseded' END,
	ago(i), CASE WHEN i % 500 > 0 THEN now() END
FROM generate_series(0, $documents - 1, 50) i

INSERT INTO legal_holds (id, organization_id, member_id, reason, placed_by, placed_at, lifted_by, lifted_at)
SELECT HOLD(i), $organization, MEMBER(i), 'matter', $admin, ago(i), CASE WHEN i % 20 = 1 THEN $admin END, CASE WHEN i % 20 = 1 THEN now() END
FROM generate_series(1, $members - 1, 10) i

INSERT INTO credentials (id, organization_id, member_id, kind, name, status, created_at, revoked_at)
SELECT CREDENTIAL(i), $organization, MEMBER(i), 'api', 'key', CASE WHEN i % 20 = 0 THEN 'revoked' ELSE 'active' END, ago(i), CASE WHEN i % 20 = 0 THEN now() END
FROM generate_series(0, $members - 1) i

INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at, revoked_at, token_hash)
SELECT SESSION(i), $organization, MEMBER(i), true, CASE WHEN i % 20 = 0 THEN 'revoked' ELSE 'active' END, ago(i), CASE WHEN i % 20 = 0 THEN now() END,
	sha256(('$number ' || i)::bytea)
FROM generate_series(0, $members - 1) i

INSERT INTO webhooks (id, organization_id, url, description, events, status, secret_ref, created_by, created_at)
SELECT WEBHOOK(i), $organization, 'https://hooks.example/' || i, 'hook', '{}', 'disabled', 'x', $admin, ago(i) FROM generate_series(1, 3) i

INSERT INTO webhook_deliveries (webhook_id, event_id, event, created_at, status, attempts, first_attempt_at, last_attempt_at, ended_at)
SELECT WEBHOOK(1 + i % 3), i, 'TransferDocs', ago(i), 'delivered', 1, ago(i), ago(i), ago(i) FROM generate_series(1, $members) i

INSERT INTO bulk_runs (id, workflow_id, organization_id, requested_by, origin, all_or_nothing, rate, phase, created_at, access_gone_at, closed_at)
SELECT 'run-$number-' || i, 'bulk-offboarding/run-$number-' || i, $organization, $admin, '', false, 10, 'completed', ago(i), ago(i), ago(i) FROM generate_series(1, 100) i

INSERT INTO bulk_members (bulk_id, position, reference, member_id, at_once, result, case_id)
SELECT 'run-$number-' || (1 + i % 2), 1 + i, '', MEMBER(i), true, 'scheduled', CANCELED(i) FROM generate_series(1, $members - 1, 2) i
WHERE i < 20000`
