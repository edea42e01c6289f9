package postgres

import (
	"context"

	"handover/offboarding"
)

// requestRow is an ownership request, locked.
type requestRow struct {
	ID         string                    `db:"id"`
	DocumentID string                    `db:"document_id"`
	MemberID   string                    `db:"member_id"`
	Status     offboarding.RequestStatus `db:"status"`
}

const (
	// Those that the decision may supersede too, in the order that pendingWhere keeps.
	lockRequests  = `SELECT count(*) FROM (SELECT FROM ownership_requests WHERE document_id = $1 AND status = 'pending' ORDER BY id FOR NO KEY UPDATE) locked`
	selectRequest = `SELECT id, document_id, member_id, status FROM ownership_requests WHERE id = $1 AND case_id = $2 FOR NO KEY UPDATE`
	decideRequest = `UPDATE ownership_requests SET status = $2, decided_at = $3, decided_by = $4, decision_note = $5,
	new_owner_id = nullif($6, '')::uuid WHERE id = $1`
)

// Decide approves or rejects an ownership request (rule C3).
func (s *Store) Decide(ctx context.Context, in offboarding.DecideInput) (offboarding.Outcome, error) {
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		c.Origin = in.Message.Origin
		m := in.Message
		none := offboarding.Outcome{}
		var f offboarding.DecisionFacts
		var err error
		if f.Admin, err = t.actorOn(c, m.AdminID); err != nil {
			return none, err
		}
		if f.Leaver, err = t.memberByID(c.MemberID, selectMember); err != nil {
			return none, err
		}
		var r requestRow
		if isID(m.RequestID) {
			if f.Found, err = t.lockRequest(c, m.RequestID, &r, &f, m.NewOwnerID); err != nil {
				return none, err
			}
		}
		if len(m.Note) > offboarding.MaxNote {
			return none, offboarding.Refuse("C3", offboarding.CodeInvalidArgument, "note", "note is too long")
		}
		if err := offboarding.JudgeDecision(m, f); err != nil {
			return none, err
		}
		if m.Decision == offboarding.DecisionReject {
			return t.reject(c, in, r, f.Admin.Member.ID)
		}
		return t.approve(c, in, r, f.Admin.Member.ID, f.NewOwner.ID)
	})
}

// lockRequest loads what a decision is about. The document is locked before the
// request, in the order of every other step.
func (t *tx) lockRequest(
	c *caseRow, id string, r *requestRow, f *offboarding.DecisionFacts, newOwner string,
) (bool, error) {
	found, err := t.find(r, `SELECT id, document_id, member_id, status FROM ownership_requests WHERE id = $1 AND case_id = $2`, id, c.ID)
	if err != nil || !found {
		return false, err
	}
	if newOwner == "" {
		f.NewOwner, err = t.sharedMember(r.MemberID)
	} else {
		f.NewOwner, err = t.sharedRef(newOwner, c.OrganizationID, "new_owner_id")
	}
	if err != nil {
		return false, err
	}
	d, err := t.document(c, r.DocumentID, r.MemberID)
	if err != nil {
		return false, err
	}
	f.Held = d.Held
	if _, err := t.exec(lockRequests, r.DocumentID); err != nil {
		return false, err
	}
	found, err = t.find(r, selectRequest, id, c.ID)
	f.Status = r.Status
	return found, err
}

func (t *tx) reject(c *caseRow, in offboarding.DecideInput, r requestRow, adminID string) (offboarding.Outcome, error) {
	out := offboarding.Outcome{Outcome: offboarding.OutcomeRejected, RequestID: r.ID, DocumentID: r.DocumentID}
	if _, err := t.exec(decideRequest, r.ID, offboarding.RequestRejected, in.At, adminID, in.Message.Note, ""); err != nil {
		return out, err
	}
	return out, t.audit(c, in.At, change{
		event: offboarding.EventRejectDocOwnership, actor: adminID, document: r.DocumentID, kind: offboarding.SubjectRequest, subject: r.ID,
		before: state{"status": offboarding.RequestPending}, after: state{"status": offboarding.RequestRejected},
	})
}

func (t *tx) approve(
	c *caseRow, in offboarding.DecideInput, r requestRow, adminID, newOwner string,
) (offboarding.Outcome, error) {
	out := offboarding.Outcome{
		Outcome: offboarding.OutcomeApproved, RequestID: r.ID, DocumentID: r.DocumentID, OwnerID: newOwner, Documents: 1,
	}
	d, err := t.document(c, r.DocumentID, r.MemberID)
	if err != nil {
		return out, err
	}
	if d.OwnerID != c.MemberID {
		return out, offboarding.Refuse("C3", offboarding.CodeAlreadyOwned, "request_id", "the document has found an owner already")
	}
	if _, err := t.exec(decideRequest, r.ID, offboarding.RequestApproved, in.At, adminID, in.Message.Note, newOwner); err != nil {
		return out, err
	}
	err = t.audit(c, in.At, change{
		event: offboarding.EventApproveDocOwnership, actor: adminID, document: r.DocumentID, kind: offboarding.SubjectRequest, subject: r.ID,
		before: state{"status": offboarding.RequestPending}, after: state{"status": offboarding.RequestApproved, "new_owner_id": newOwner},
	})
	if err != nil {
		return out, err
	}
	out.Superseded, err = t.give(c, d, newOwner, in.At, change{event: offboarding.EventTransferDocs, actor: adminID, subject: r.ID})
	return out, err
}
