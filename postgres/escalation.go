package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

var (
	// escalate takes the oldest requests that are due to the owners: marked, with an
	// event each, and a notice for each active owner.
	// $1 case, $2 made until, $3 at most, $4 at, $5 organization, $6 leaver, $7 actor, $8 origin, $9 grace's end.
	escalate = `WITH due AS MATERIALIZED (
		SELECT id FROM ownership_requests WHERE case_id = $1 AND status = 'pending' AND escalated_at IS NULL AND created_at <= $2
		ORDER BY created_at, id LIMIT $3),
	escalated AS (
		UPDATE ownership_requests SET escalated_at = $4
		WHERE ` + pendingWhere("escalated_at IS NULL AND id IN (SELECT id FROM due)") + ` RETURNING id, document_id),
	owners AS (SELECT id FROM members WHERE organization_id = $5 AND role = 'owner' AND status = 'active'),
	recorded AS (
		INSERT INTO notices (key, organization_id, case_id, kind, request_id, recipient_id, reason, documents, grace_ends_at, created_at)
		SELECT $1::text || '/escalate/' || e.id || '/' || o.id, $5, $1::uuid, 'EscalateRequest', e.id, o.id, 'owner', 1, $9, $4
		FROM escalated e CROSS JOIN owners o RETURNING 1),
	audited AS (
		INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
		SELECT $5, 'EscalateRequest', $7, $8, $6, document_id, $1::uuid, 'request', id, '{"escalated": false}',
			jsonb_build_object('escalated', true, 'notices', (SELECT count(*) FROM owners)), $4 FROM escalated RETURNING 1)
	SELECT (SELECT count(*) FROM audited) AS requests, (SELECT count(*) FROM recorded) AS notices`

	oldestToEscalate = `SELECT min(created_at) FROM ownership_requests WHERE case_id = $1 AND status = 'pending' AND escalated_at IS NULL`
)

// Escalate takes requests that nobody has decided in time to the owners of the
// organization, once each, and says when the next one is due: at once, where
// there are more than one step takes.
func (s *Store) Escalate(ctx context.Context, in offboarding.Step) (offboarding.Escalated, error) {
	return working(ctx, s, in, func(t *tx, c *caseRow) (offboarding.Escalated, error) {
		var out offboarding.Escalated
		if c.Phase != offboarding.PhaseGrace && c.Phase != offboarding.PhaseReadOnly {
			return out, wrongPhase(c)
		}
		var n struct {
			Requests int `db:"requests"`
			Notices  int `db:"notices"`
		}
		err := t.get(&n, escalate, c.ID, in.At.Add(-offboarding.EscalateAfter), t.store.batchSize, in.At,
			c.OrganizationID, c.MemberID, c.RequestedBy, c.Origin, c.GraceEndsAt)
		if err != nil {
			return out, err
		}
		var oldest *time.Time
		err = t.get(&oldest, oldestToEscalate, c.ID)
		return offboarding.Escalated{Requests: n.Requests, Notices: n.Notices, NextAt: escalationDue(oldest)}, err
	})
}

// escalationDue is when a request made at this time goes to the owners, nil for none.
func escalationDue(requestedAt *time.Time) *time.Time {
	if requestedAt == nil {
		return nil
	}
	due := offboarding.EscalationDue(requestedAt.UTC())
	return &due
}
