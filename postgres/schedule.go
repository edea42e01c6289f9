package postgres

import (
	"context"

	"handover/offboarding"
)

// askingToMove judges who would reschedule or cancel a case that waits for its
// effective time.
func (t *tx) askingToMove(c *caseRow, adminRef, provider string) (acting, error) {
	f, err := t.asking(c, adminRef, provider)
	if err != nil {
		return f, err
	}
	violations := offboarding.JudgeAskerIn(c.WorkspaceID, f.Actor, provider, f.organization, f.leaver)
	return f, f.refusal(append(violations, offboarding.JudgeProvidersCase(c.Provider, provider)...))
}

// Reschedule moves the effective time of a case that still waits for it.
func (s *Store) Reschedule(ctx context.Context, in offboarding.RescheduleInput) (offboarding.Outcome, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		c.Origin = in.Message.Origin
		none := offboarding.Outcome{}
		f, err := t.askingToMove(c, in.Message.AdminID, in.Message.Provider)
		if err != nil {
			return none, err
		}
		if c.Phase != offboarding.PhaseScheduled {
			return none, wrongPhase(c)
		}
		at, err := offboarding.EffectiveTime(in.Message.EffectiveAt, f.zone, in.At)
		if err != nil {
			return none, err
		}
		if _, err := t.exec(`UPDATE cases SET effective_at = $2 WHERE id = $1`, c.ID, at); err != nil {
			return none, err
		}
		return offboarding.Outcome{Outcome: offboarding.OutcomeRescheduled, At: &at}, t.audit(c, in.At, change{
			event: offboarding.EventRescheduleOffboarding, actor: f.Member.ID,
			before: state{"effective_at": c.EffectiveAt.UTC()}, after: state{"effective_at": at},
		})
	})
}

// Cancel ends a case that still waits for its effective time.
func (s *Store) Cancel(ctx context.Context, in offboarding.CancelInput) (offboarding.Outcome, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		c.Origin = in.Message.Origin
		none := offboarding.Outcome{}
		f, err := t.askingToMove(c, in.Message.AdminID, in.Message.Provider)
		if err != nil {
			return none, err
		}
		if c.Phase != offboarding.PhaseScheduled {
			return none, wrongPhase(c)
		}
		after := state{"phase": offboarding.PhaseCanceled, "reason": in.Message.Reason}
		const update = `UPDATE cases SET phase = 'canceled', closed_at = $2 WHERE id = $1`
		if _, err := t.exec(update, c.ID, in.At); err != nil {
			return none, err
		}
		if err := t.endTrouble(c.ID); err != nil {
			return none, err
		}
		return offboarding.Outcome{Outcome: offboarding.OutcomeCanceled}, t.audit(c, in.At, change{
			event: offboarding.EventCancelOffboarding, actor: f.Member.ID, before: state{"phase": c.Phase}, after: after,
		})
	})
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
