package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// pendingWhere chooses pending requests and locks them in the order of their IDs,
// as whoever locks more than one does: a leaver's requests lie on many documents,
// and a document's belong to many members.
func pendingWhere(where string) string {
	return `id = ANY (ARRAY(SELECT id FROM ownership_requests WHERE ` + where + ` AND status = 'pending' ORDER BY id FOR NO KEY UPDATE))`
}

var (
	// Whom the provider has deleted meanwhile is archived.
	deactivateMember = `UPDATE members SET status = CASE WHEN deprovisioned_at IS NULL THEN 'inactive' ELSE 'archived' END, deactivated_at = $2
	WHERE id = $1 AND status = 'active' RETURNING managed_by, status`
	markDeactivated = `UPDATE cases SET phase = 'deactivated', deactivated_at = $2 WHERE id = $1`
	// A member who leaves asks for nothing any more.
	withdrawRequests = `WITH withdrawn AS (
		UPDATE ownership_requests SET status = 'withdrawn', decided_at = $2
		WHERE ` + pendingWhere("member_id = $1 AND EXISTS (SELECT 1 FROM documents d WHERE d.id = document_id"+scope+" OFFSET 0)") + ` RETURNING id, document_id, case_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $3, 'WithdrawDocOwnership', $4, $5, $1, document_id, case_id, 'request', id, '{"status": "pending"}', '{"status": "withdrawn"}', $2
	FROM withdrawn`
	countDocuments = `SELECT count(*) AS documents, count(*) FILTER (WHERE access <> 'archived') AS unowned FROM documents d WHERE owner_id = $1` + scope
)

// owned counts what a leaver owns, and of it what waits for an owner.
type owned struct{ Documents, Unowned int }

func (t *tx) countOwned(c *caseRow) (owns owned, err error) {
	query, args := c.scoped(countDocuments, []any{c.MemberID})
	return owns, t.get(&owns, query, args...)
}

// Deactivate makes the leaver inactive, or removes them from the workspace.
// Credentials and sessions made since the revocation are revoked with it.
func (s *Store) Deactivate(ctx context.Context, in offboarding.Step) (offboarding.Deactivated, error) {
	return changing(ctx, s, in, func(t *tx, c *caseRow) (offboarding.Deactivated, error) {
		var out offboarding.Deactivated
		if c.Phase != offboarding.PhaseRevoking {
			return out, wrongPhase(c)
		}
		// The account first: its row is locked, so that no credential can be made behind the revocation.
		if _, err := t.exec(lockMember, c.MemberID); err != nil {
			return out, err
		}
		query, args := c.scoped(withdrawRequests, []any{c.MemberID, in.At, c.OrganizationID, c.RequestedBy, c.Origin})
		if _, err := t.exec(query, args...); err != nil {
			return out, err
		}
		var err error
		if c.WorkspaceID == "" {
			out.ArchiveAt, err = t.deactivate(c, in.At)
		} else {
			err = t.remove(c, in.At)
		}
		if err != nil {
			return out, err
		}
		owns, err := t.countOwned(c)
		out.Documents, out.Unowned = owns.Documents, owns.Unowned
		return out, err
	})
}

// deactivate makes the leaver inactive, and answers with when they become archived.
func (t *tx) deactivate(c *caseRow, at time.Time) (archiveAt *time.Time, err error) {
	if _, _, err := t.revokeAll(c, at, nil); err != nil {
		return nil, err
	}
	var left struct {
		ManagedBy string                   `db:"managed_by"`
		Status    offboarding.MemberStatus `db:"status"`
	}
	found, err := t.find(&left, deactivateMember, c.MemberID, at)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, offboarding.Refuse("E2", offboarding.CodeAlreadyInactive, "member_id", "the member is not active")
	}
	if _, err := t.exec(markDeactivated, c.ID, at); err != nil {
		return nil, err
	}
	return offboarding.ArchiveAt(left.ManagedBy, at), t.audit(c, at, change{
		event: offboarding.EventDeactivateMember, kind: offboarding.SubjectMember, subject: c.MemberID,
		before: state{"status": offboarding.MemberActive, "phase": c.Phase},
		after:  state{"status": left.Status, "phase": offboarding.PhaseDeactivated},
	})
}

const lockMember = `SELECT 1 FROM members WHERE id = $1 FOR NO KEY UPDATE`
