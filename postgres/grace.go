package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// ExtendGrace moves the end of the grace period later.
func (s *Store) ExtendGrace(ctx context.Context, in offboarding.ExtendGraceInput) (offboarding.Outcome, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		c.Origin = in.Message.Origin
		none := offboarding.Outcome{}
		f, err := t.actingOn(c, in.Message.AdminID)
		if err != nil {
			return none, err
		}
		if err := f.refusal(offboarding.JudgeAdmin(f.Actor)); err != nil {
			return none, err
		}
		if c.Phase != offboarding.PhaseGrace {
			return none, wrongPhase(c)
		}
		until, err := offboarding.ParseUntil(in.Message.Until, f.zone, in.At)
		if err != nil {
			return none, err
		}
		if !until.After(*c.GraceEndsAt) {
			return none, offboarding.Refuse("", offboarding.CodeInvalidArgument, "until", "until must be later than the grace's present end")
		}
		if _, err := t.exec(startGrace, c.ID, until); err != nil {
			return none, err
		}
		return offboarding.Outcome{Outcome: offboarding.OutcomeExtended, At: &until}, t.audit(c, in.At, change{
			event: offboarding.EventExtendGrace, actor: f.Member.ID,
			before: state{"grace_ends_at": c.GraceEndsAt.UTC()}, after: state{"grace_ends_at": until},
		})
	})
}

// advances are the phases that need nothing else, and where a case comes from.
var advances = map[offboarding.Phase]offboarding.Phase{
	offboarding.PhaseTransferring: offboarding.PhaseDeactivated,
	offboarding.PhaseReadOnly:     offboarding.PhaseGrace,
}

// Advance moves the case to a phase that needs nothing else. At the end of the grace
// it may lock what is unowned, and settle, in the same transaction.
func (s *Store) Advance(ctx context.Context, in offboarding.AdvanceInput) (offboarding.Advanced, error) {
	if in.Phase == offboarding.PhaseTransferring {
		return counting(ctx, s, in.Step, func(t *tx, c *caseRow, owns owned) (offboarding.Advanced, error) {
			return offboarding.Advanced{Documents: owns.Documents, Unowned: owns.Unowned}, t.enter(c, in)
		})
	}
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (out offboarding.Advanced, err error) {
		if err = t.enter(c, in); err == nil && in.AtOnce {
			out.Settled, err = t.lockAtOnce(c, in)
		}
		return out, err
	})
}

// enter moves the case to a phase that follows its own.
func (t *tx) enter(c *caseRow, in offboarding.AdvanceInput) error {
	if from, ok := advances[in.Phase]; !ok || from != c.Phase {
		return wrongPhase(c)
	}
	return t.advance(c, in.At, in.Phase, offboarding.EventAdvanceOffboarding, nil)
}

// lockedAtOnce is how many documents are locked together with the end of the grace: no
// claim is heard meanwhile, but beside a sweep it is.
const lockedAtOnce = 500

// lockAtOnce locks what is unowned, and settles, where the leaver has fewer documents
// than that; nil where there are more: they are left to the sweep.
func (t *tx) lockAtOnce(c *caseRow, in offboarding.AdvanceInput) (*offboarding.Settled, error) {
	sweep := offboarding.SweepInput{Step: in.Step, BatchSize: lockedAtOnce}
	b, err := t.take(c, sweep, "")
	if err != nil || !b.last {
		return nil, err
	}
	if _, err := t.sweeps(c, sweep, b, locking); err != nil {
		return nil, err
	}
	owns, err := t.countOwned(c)
	if err != nil {
		return nil, err
	}
	settled, err := t.settle(c, offboarding.SettleInput{Step: in.Step}, owns)
	return &settled, err
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
	pendingRequests = `SELECT id, count(*) OVER () AS total, min(created_at) FILTER (WHERE escalated_at IS NULL) OVER () AS oldest
	FROM ownership_requests
	WHERE case_id = $1 AND status = 'pending' ORDER BY created_at, id LIMIT 100`
)

const selectWhose = `SELECT member_id, coalesce(workspace_id::text, '') AS workspace_id FROM cases WHERE id = $1`

// counting is changing for a step that tells what the leaver owns. It is counted before the
// case is locked: with very many documents it takes as long as many claims do.
func counting[T any](ctx context.Context, s *Store, step offboarding.Step, fn func(*tx, *caseRow, owned) (T, error)) (T, error) {
	return kept(ctx, s, step, func(t *tx) (string, func() (T, error), error) {
		var whose caseRow // nobody's, where there is no such case
		if _, err := t.find(&whose, selectWhose, step.CaseID); err != nil {
			return "", nil, err
		}
		owns, err := t.countOwned(&whose)
		if err != nil {
			return "", nil, err
		}
		return loaded(t, step, forCaseChange, func(t *tx, c *caseRow) (T, error) { return fn(t, c, owns) })
	})
}

// Settle completes a case that has nothing unowned left, lets the grace begin
// where one is asked for, and says what still waits.
func (s *Store) Settle(ctx context.Context, in offboarding.SettleInput) (offboarding.Settled, error) {
	return counting(ctx, s, in.Step, func(t *tx, c *caseRow, owns owned) (offboarding.Settled, error) {
		var err error
		if owns.Unowned == 0 { // by what is so now a case is completed
			owns, err = t.countOwned(c)
		}
		if err != nil {
			return offboarding.Settled{}, err
		}
		return t.settle(c, in, owns)
	})
}

func (t *tx) settle(c *caseRow, in offboarding.SettleInput, owns owned) (out offboarding.Settled, err error) {
	if c.DeactivatedAt == nil {
		return out, wrongPhase(c)
	}
	out.Documents, out.Unowned = owns.Documents, owns.Unowned
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
	if out.Phase = c.Phase; out.Phase == offboarding.PhaseGrace && in.GraceEndsAt != nil {
		out.GraceSpread = offboarding.GraceSpread(c.ID, c.plan().GracePeriod) // of one that has begun with a lost answer, too
	}
	return out, t.pending(c, &out)
}

func (t *tx) beginGrace(c *caseRow, at, ends time.Time) error {
	return t.move(c, at, offboarding.PhaseGrace, offboarding.EventAdvanceOffboarding, state{"grace_ends_at": ends}, &ends)
}

// pending fills in the requests that wait for a decision.
func (t *tx) pending(c *caseRow, out *offboarding.Settled) error {
	var rows []struct {
		ID     string     `db:"id"`
		Total  int        `db:"total"`
		Oldest *time.Time `db:"oldest"` // that has not gone to the owners
	}
	if err := t.list(&rows, pendingRequests, c.ID); err != nil {
		return err
	}
	for _, row := range rows {
		out.Pending = append(out.Pending, row.ID)
		out.PendingCount, out.EscalateAt = row.Total, escalationDue(row.Oldest)
	}
	return nil
}
