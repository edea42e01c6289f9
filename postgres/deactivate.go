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
	return `id IN (SELECT id FROM ownership_requests WHERE ` + where + ` AND status = 'pending' ORDER BY id FOR NO KEY UPDATE)`
}

var (
	deactivateMember = `UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1 AND status = 'active'`
	markDeactivated  = `UPDATE cases SET phase = 'deactivated', deactivated_at = $2 WHERE id = $1`
	// A member who leaves asks for nothing any more.
	withdrawRequests = `WITH withdrawn AS (
		UPDATE ownership_requests SET status = 'withdrawn', decided_at = $2
		WHERE ` + pendingWhere("member_id = $1") + ` RETURNING id, document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $3, 'WithdrawDocOwnership', $4, $5, $1, document_id, $6, 'request', id, '{"status": "pending"}', '{"status": "withdrawn"}', $2
	FROM withdrawn`
	countUnowned = `SELECT count(*) FROM documents WHERE owner_id = $1 AND access <> 'archived'`
)

// Deactivate makes the leaver inactive. Credentials and sessions made since the
// revocation are revoked with it.
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
		if _, _, err := t.revokeAll(c, in.At); err != nil {
			return out, err
		}
		n, err := t.exec(deactivateMember, c.MemberID, in.At)
		if err != nil {
			return out, err
		}
		if n == 0 {
			return out, offboarding.Refuse("E2", offboarding.CodeAlreadyInactive, "member_id", "the member is not active")
		}
		if _, err := t.exec(withdrawRequests, c.MemberID, in.At, c.OrganizationID, c.RequestedBy, c.Origin, c.ID); err != nil {
			return out, err
		}
		if _, err := t.exec(markDeactivated, c.ID, in.At); err != nil {
			return out, err
		}
		err = t.audit(c, in.At, change{
			event: offboarding.EventDeactivateMember, kind: offboarding.SubjectMember, subject: c.MemberID,
			before: state{"status": offboarding.MemberActive, "phase": c.Phase},
			after:  state{"status": offboarding.MemberInactive, "phase": offboarding.PhaseDeactivated},
		})
		if err != nil {
			return out, err
		}
		return out, t.get(&out.Documents, countUnowned, c.MemberID)
	})
}

const lockMember = `SELECT 1 FROM members WHERE id = $1 FOR NO KEY UPDATE`

// advances are the phases that need nothing else, and where a case comes from.
var advances = map[offboarding.Phase]offboarding.Phase{
	offboarding.PhaseTransferring: offboarding.PhaseDeactivated,
	offboarding.PhaseReadOnly:     offboarding.PhaseGrace,
}

// Advance moves the case to a phase that needs nothing else.
func (s *Store) Advance(ctx context.Context, in offboarding.AdvanceInput) error {
	_, err := changing(ctx, s, in.Step, func(t *tx, c *caseRow) (struct{}, error) {
		if from, ok := advances[in.Phase]; !ok || from != c.Phase {
			return struct{}{}, wrongPhase(c)
		}
		return struct{}{}, t.advance(c, in.At, in.Phase, offboarding.EventAdvanceOffboarding, nil)
	})
	return err
}

var (
	startGrace = `UPDATE cases SET grace_ends_at = $2 WHERE id = $1`
	// The documents of pending requests found an owner outside of the case.
	supersedeLeftOver = `WITH superseded AS (
		UPDATE ownership_requests SET status = 'superseded', decided_at = $2 WHERE ` + pendingWhere("case_id = $1") + `
		RETURNING id, document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $3, 'SupersedeDocOwnership', $4, $5, $6, document_id, $1, 'request', id, '{"status": "pending"}', '{"status": "superseded"}', $2
	FROM superseded`
	pendingRequests = `SELECT id, count(*) OVER () AS total FROM ownership_requests
	WHERE case_id = $1 AND status = 'pending' ORDER BY created_at, id LIMIT 100`
)

// Settle completes a case that has nothing unowned left, lets the grace begin
// where one is asked for, and says what still waits.
func (s *Store) Settle(ctx context.Context, in offboarding.SettleInput) (offboarding.Settled, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Settled, error) {
		var out offboarding.Settled
		if c.DeactivatedAt == nil {
			return out, wrongPhase(c)
		}
		if err := t.get(&out.Unowned, countUnowned, c.MemberID); err != nil {
			return out, err
		}
		var err error
		switch {
		case c.Phase.Closed():
		case out.Unowned == 0:
			_, err = t.exec(supersedeLeftOver, c.ID, in.At, c.OrganizationID, c.RequestedBy, c.Origin, c.MemberID)
			if err == nil {
				err = t.advance(c, in.At, offboarding.PhaseCompleted, offboarding.EventCompleteOffboarding, nil)
			}
		case in.GraceEndsAt != nil && c.Phase != offboarding.PhaseGrace && c.Phase != offboarding.PhaseReadOnly:
			err = t.beginGrace(c, in.At, *in.GraceEndsAt)
		}
		if err != nil {
			return out, err
		}
		out.Phase = c.Phase
		return out, t.pending(c, &out)
	})
}

func (t *tx) beginGrace(c *caseRow, at, ends time.Time) error {
	if _, err := t.exec(startGrace, c.ID, ends); err != nil {
		return err
	}
	return t.advance(c, at, offboarding.PhaseGrace, offboarding.EventAdvanceOffboarding, state{"grace_ends_at": ends})
}

// pending fills in the requests that wait for a decision.
func (t *tx) pending(c *caseRow, out *offboarding.Settled) error {
	var rows []struct {
		ID    string `db:"id"`
		Total int    `db:"total"`
	}
	if err := t.list(&rows, pendingRequests, c.ID); err != nil {
		return err
	}
	for _, row := range rows {
		out.Pending = append(out.Pending, row.ID)
		out.PendingCount = row.Total
	}
	return nil
}

// Fail ends a case that the rules no longer allow.
func (s *Store) Fail(ctx context.Context, in offboarding.FailInput) error {
	_, err := changing(ctx, s, in.Step, func(t *tx, c *caseRow) (struct{}, error) {
		if c.Phase != offboarding.PhaseScheduled && c.Phase != offboarding.PhaseRevoking {
			return struct{}{}, wrongPhase(c)
		}
		var codes string
		for i, v := range in.Refusal.Violations {
			if i > 0 {
				codes += ","
			}
			codes += string(v.Code)
		}
		if _, err := t.exec(`UPDATE cases SET failure = $2 WHERE id = $1`, c.ID, codes); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.advance(c, in.At, offboarding.PhaseFailed, offboarding.EventFailOffboarding, state{"codes": codes})
	})
	return err
}
