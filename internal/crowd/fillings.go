package crowd

// functions are what fillings use: owns(n) is who owns the nth document.
const functions = `CREATE OR REPLACE FUNCTION nth(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
	RETURN (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid

CREATE OR REPLACE FUNCTION owns(n bigint, members int) RETURNS bigint LANGUAGE sql IMMUTABLE
	RETURN CASE WHEN n % 10 = 0 THEN 400 WHEN n % members % 20 = 0 AND n % members % 200 > 0 THEN n % members + 1 ELSE n % members END

CREATE OR REPLACE FUNCTION ago(n bigint) RETURNS timestamptz LANGUAGE sql STABLE RETURN now() - interval '20 minutes' * (n % 50000)`

// fillings fill an organization, in any order.
const fillings = `INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at, deactivated_at)
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
