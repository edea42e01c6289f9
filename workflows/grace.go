package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// recheckEvery is how often a case that waits without an end looks whether its
// documents have found owners outside of it.
const recheckEvery = 7 * 24 * time.Hour

// grace waits for claims, decisions and transfers, and reminds before its end.
func (c *offboardingCase) grace(ctx workflow.Context) error {
	if c.Documents.Unowned == 0 {
		return c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
	}
	ends, acts := *c.GraceEndsAt, c.graceActsAt()
	if !now(ctx).Before(acts) {
		return c.exclusively(ctx, func() error { return c.endGrace(ctx) })
	}
	next, lead, remind := offboarding.NextReminder(ends, c.RemindedUntil)
	if remind && !now(ctx).Before(next.Add(c.GraceSpread)) {
		return c.remind(ctx, next, lead)
	}
	if c.escalationDue(ctx) {
		return c.escalate(ctx)
	}
	deadline := acts
	if remind {
		deadline = next.Add(c.GraceSpread)
	}
	deadline = c.untilEscalation(deadline)
	return c.wait(ctx, deadline, func() bool {
		return !c.GraceEndsAt.Equal(ends) || c.Documents.Unowned == 0 || c.untilEscalation(deadline).Before(deadline)
	})
}

// graceActsAt is when the case acts on the end of its grace, so that not all that end at
// one moment do so at once.
func (c *offboardingCase) graceActsAt() time.Time { return c.GraceEndsAt.Add(c.GraceSpread) }

// endGrace is reached when the grace has run out; a message may have extended it
// or settled the last document at the same moment.
func (c *offboardingCase) endGrace(ctx workflow.Context) error {
	if c.Phase != offboarding.PhaseGrace || now(ctx).Before(c.graceActsAt()) {
		return nil
	}
	in := offboarding.AdvanceInput{Step: c.step(ctx, "end-grace"), Phase: offboarding.PhaseReadOnly, AtOnce: c.Reactivation == nil}
	out, err := do[offboarding.Advanced](ctx, c, "end-grace", local(act.Advance, in))
	if err != nil {
		return err
	}
	c.Phase = offboarding.PhaseReadOnly
	c.done("end-grace")
	if out.Settled != nil { // many documents, and histories of earlier builds, take the long way: readOnly
		c.Locked, c.RecheckAt = true, now(ctx).Add(recheckEvery)
		c.done("lock")
		c.settled(ctx, *out.Settled)
	}
	return nil
}

// readOnly locks what is still unowned, then waits until nothing is.
func (c *offboardingCase) readOnly(ctx workflow.Context) error {
	if !c.Locked {
		_, err := c.sweepTogether(ctx, act.LockDocuments, offboarding.SweepInput{Step: c.step(ctx, c.numbered("lock", c.Restores))})
		if err != nil {
			return err
		}
		c.Locked = true
		c.done("lock")
		return c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
	}
	if c.Documents.Unowned == 0 || !now(ctx).Before(c.RecheckAt) {
		c.RecheckAt = now(ctx).Add(recheckEvery)
		return c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
	}
	if c.escalationDue(ctx) {
		return c.escalate(ctx)
	}
	deadline := c.untilEscalation(c.RecheckAt)
	return c.wait(ctx, deadline, func() bool { return c.Documents.Unowned == 0 || c.untilEscalation(deadline).Before(deadline) })
}

// countReadOnly: once the grace's end is done, all that is unowned is locked.
func (c *offboardingCase) countReadOnly() {
	c.Documents.ReadOnly = 0
	if c.Locked {
		c.Documents.ReadOnly = c.Documents.Unowned
	}
}

// settle completes the case when nothing is unowned, lets the grace begin where
// asked, and counts afresh what waits.
func (c *offboardingCase) settle(ctx workflow.Context, graceEnds *time.Time) error {
	if c.Phase.Closed() || c.Reactivation != nil {
		return nil
	}
	c.Settles++
	in := offboarding.SettleInput{Step: c.step(ctx, c.numbered("settle", c.Settles)), GraceEndsAt: graceEnds}
	s, err := do[offboarding.Settled](ctx, c, "settle", local(act.Settle, in))
	if err != nil {
		return err
	}
	c.settled(ctx, s)
	if s.Phase == offboarding.PhaseGrace && c.Phase != offboarding.PhaseGrace && graceEnds != nil {
		c.Phase, c.GraceEndsAt, c.GraceSpread, c.RemindedUntil = s.Phase, graceEnds, s.GraceSpread, in.At
		c.done("grace")
	}
	return nil
}

// settled takes over what waits, and completes the case when nothing does.
func (c *offboardingCase) settled(ctx workflow.Context, s offboarding.Settled) {
	c.Documents.Unowned, c.Pending, c.PendingCount, c.EscalateAt = s.Unowned, s.Pending, s.PendingCount, s.EscalateAt
	c.Documents.Total = max(c.Documents.Total, s.Documents, s.Unowned) // not counted before
	c.countReadOnly()
	if s.Phase == offboarding.PhaseCompleted {
		c.close(ctx, s.Phase)
		c.done("complete")
	}
}

func (c *offboardingCase) extend(ctx workflow.Context, m message, p offboarding.ExtendGrace) (offboarding.Outcome, error) {
	in := offboarding.ExtendGraceInput{Step: c.step(ctx, m.ID), Sent: sentAs(ctx, m), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.ExtendGrace, in))
	if err == nil {
		c.GraceEndsAt = out.At
	}
	return out, err
}
