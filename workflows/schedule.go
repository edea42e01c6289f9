package workflows

import (
	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// scheduled waits for the effective time, then revokes what the leaver can do.
func (c *offboardingCase) scheduled(ctx workflow.Context) error {
	if effective := c.Plan.EffectiveAt; now(ctx).Before(effective) {
		c.Waited = true
		return c.wait(ctx, effective, func() bool { return !c.Plan.EffectiveAt.Equal(effective) })
	}
	c.parked = false // messages wait until the member is inactive
	return c.exclusively(ctx, func() error {
		if c.Phase != offboarding.PhaseScheduled || now(ctx).Before(c.Plan.EffectiveAt) {
			return nil // canceled or rescheduled at the last moment
		}
		in := offboarding.RevokeInput{Step: c.step(ctx, "revoke"), SecondLook: c.Waited}
		revoked, err := do[offboarding.Revoked](ctx, c, "revoke", local(act.Revoke, in))
		if err != nil {
			return c.fail(ctx, err)
		}
		c.Plan, c.Phase, c.SessionsEndAt = revoked.Plan, offboarding.PhaseRevoking, revoked.SessionsEndAt
		c.done("revoke")
		since := workflow.GetInfo(ctx).WorkflowStartTime
		if c.Waited {
			since = c.Plan.EffectiveAt
		}
		measureRevoked(ctx, since)
		return nil
	})
}

func (c *offboardingCase) reschedule(ctx workflow.Context, m message, p offboarding.Reschedule) (offboarding.Outcome, error) {
	in := offboarding.RescheduleInput{Step: c.step(ctx, m.ID), Sent: sentAs(ctx, m), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Reschedule, in))
	if err == nil {
		c.Plan.EffectiveAt = *out.At
	}
	return out, err
}

func (c *offboardingCase) cancel(ctx workflow.Context, m message, p offboarding.Cancel) (offboarding.Outcome, error) {
	in := offboarding.CancelInput{Step: c.step(ctx, m.ID), Sent: sentAs(ctx, m), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Cancel, in))
	if err == nil {
		c.close(ctx, offboarding.PhaseCanceled)
	}
	return out, err
}
