package main

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
)

// Bare SQL's claim: rule C1, the change and its events in one statement, which locks
// nothing for who comes too late. $1 is the document, $2 the claimant, $3 the case, $4
// the time. It answers with what was done; a document of My Documents for which there
// is no home yet waits for one.
const bareClaim = `WITH wanted AS MATERIALIZED (
	SELECT d.id FROM cases c JOIN members m ON m.id = $2 AND m.organization_id = c.organization_id AND m.status = 'active' AND m.account_type = 'maker'
	JOIN organizations o ON o.id = c.organization_id AND o.claim_policy = 'self_serve'
	JOIN documents d ON d.id = $1 AND d.organization_id = c.organization_id AND d.owner_id = c.member_id AND d.access <> 'archived' AND NOT d.held
	JOIN grants g ON g.document_id = d.id AND g.member_id = m.id AND g.level = 'edit'
	WHERE c.id = $3 AND c.deactivated_at IS NOT NULL AND c.closed_at IS NULL AND c.phase <> 'reactivated'
		AND NOT EXISTS (SELECT 1 FROM legal_holds h WHERE h.member_id = c.member_id AND h.lifted_at IS NULL)),
c AS (SELECT c.id, c.organization_id, c.member_id, c.origin FROM wanted, cases c
	WHERE c.id = $3 AND c.closed_at IS NULL AND c.phase <> 'reactivated' FOR SHARE OF c),
m AS (SELECT m.id FROM c, members m WHERE m.id = $2 AND m.status = 'active' AND m.account_type = 'maker' FOR SHARE OF m),
d AS (SELECT d.id, d.folder_id, d.access FROM c, m, documents d
	WHERE d.id = $1 AND d.owner_id = c.member_id AND d.access <> 'archived' AND NOT d.held FOR NO KEY UPDATE OF d),
placed AS (SELECT d.id, d.folder_id, d.access, CASE WHEN d.folder_id IS NULL OR f.owner_id IS NOT NULL THEN h.id ELSE d.folder_id END AS folder
	FROM d CROSS JOIN c LEFT JOIN folders f ON f.id = d.folder_id LEFT JOIN folders h ON h.owner_id = $2 AND h.leaver_id = c.member_id),
given AS (UPDATE documents d SET owner_id = $2, prior_folder_id = d.folder_id, folder_id = p.folder, moved_by_case_id = $3, moved_to_id = $2,
		access = 'editable', access_case_id = NULL, updated_at = $4
	FROM placed p WHERE d.id = p.id AND p.folder IS NOT NULL RETURNING d.id, p.folder_id, p.folder, p.access),
resumed AS (UPDATE schedules s SET status = 'active', paused_by_case_id = NULL FROM given g
	WHERE g.access = 'read_only' AND s.document_id = g.id AND s.status = 'paused' RETURNING s.id),
superseded AS (UPDATE ownership_requests r SET status = 'superseded', decided_at = $4 FROM given g
	WHERE r.document_id = g.id AND r.status = 'pending' RETURNING r.id),
changed AS (
	SELECT 'ClaimDocOwnership' AS event, 'document' AS kind, g.id, jsonb_build_object('owner_id', c.member_id, 'folder_id', g.folder_id, 'access', g.access) AS before,
		jsonb_build_object('owner_id', $2::text, 'folder_id', g.folder, 'access', 'editable') AS after FROM given g, c
	UNION ALL SELECT 'ResumeSchedules', 'schedule', id, '{"status": "paused"}', '{"status": "active"}' FROM resumed
	UNION ALL SELECT 'SupersedeDocOwnership', 'request', id, '{"status": "pending"}', '{"status": "superseded"}' FROM superseded),
event AS (INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT c.organization_id, e.event, $2, c.origin, c.member_id, $1, c.id, e.kind, e.id, e.before, e.after, $4 FROM changed e, c)
SELECT (SELECT count(*) FROM given) AS given, (SELECT count(*) FROM placed WHERE folder IS NULL) AS homeless`

// bareHome makes the folder of the leaver of case $3 in member $2's Archived Users.
const bareHome = `WITH made AS (
	INSERT INTO folders (id, organization_id, owner_id, name, created_at)
	SELECT gen_random_uuid(), c.organization_id, $1, 'Archived Users', $3 FROM cases c WHERE c.id = $2 ON CONFLICT DO NOTHING RETURNING id),
archived AS (SELECT id FROM made UNION ALL SELECT f.id FROM cases c JOIN folders f ON f.organization_id = c.organization_id
	AND f.owner_id = $1 AND f.parent_id IS NULL AND f.name = 'Archived Users' WHERE c.id = $2),
home AS (INSERT INTO folders (id, organization_id, owner_id, parent_id, name, leaver_id, created_at)
	SELECT gen_random_uuid(), c.organization_id, $1, a.id, m.display_name, m.id, $3
	FROM archived a, cases c JOIN members m ON m.id = c.member_id WHERE c.id = $2 ON CONFLICT DO NOTHING RETURNING id),
changed AS (SELECT id, NULL::uuid AS parent_id, NULL::uuid AS leaver_id FROM made UNION ALL
	SELECT h.id, a.id, c.member_id FROM home h, archived a, cases c WHERE c.id = $2)
INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
SELECT c.organization_id, 'CreateFolder', c.requested_by, c.origin, c.member_id, c.id, 'folder', e.id, '{}',
	jsonb_build_object('owner_id', $1::text, 'parent_id', e.parent_id, 'leaver_id', e.leaver_id, 'source_id', NULL), $3
FROM changed e, cases c WHERE c.id = $2`

// claimSQL is bare SQL's way to claim.
type claimSQL struct{ claim, home *sqlx.Stmt }

func prepareClaim(ctx context.Context, db *sqlx.DB) (*claimSQL, error) {
	claim, err := db.PreparexContext(ctx, bareClaim)
	if err != nil {
		return nil, err
	}
	home, err := db.PreparexContext(ctx, bareHome)
	return &claimSQL{claim: claim, home: home}, err
}

func (s *claimSQL) Close() error { return errors.Join(s.claim.Close(), s.home.Close()) }

// one claims a document and says whether the claimant has it.
func (s *claimSQL) one(ctx context.Context, w wish) (won bool, err error) {
	at := time.Now()
	for {
		var out struct{ Given, Homeless int }
		if err := s.claim.GetContext(ctx, &out, w.document, w.member, w.caseID, at); err != nil || out.Homeless == 0 {
			return out.Given == 1, err
		}
		if _, err := s.home.ExecContext(ctx, w.member, w.caseID, at); err != nil {
			return false, err
		}
	}
}
