package workflows

import (
	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// awaitSessions lets the SSO sessions of the leaver go on until they have ended,
// the deadline at the latest; everything else is revoked already (rule S1).
func (c *offboardingCase) awaitSessions(ctx workflow.Context) error {
	if c.NextSessionCheck.IsZero() {
		c.NextSessionCheck = offboarding.NextSessionCheck(c.SessionChecks, now(ctx), *c.SessionsEndAt)
	}
	if now(ctx).Before(c.NextSessionCheck) {
		return c.wait(ctx, c.NextSessionCheck, func() bool { return false })
	}
	c.parked = false // messages wait until the member is inactive, or the case waits again
	return c.exclusively(ctx, func() error {
		waiting := 0
		if now(ctx).Before(*c.SessionsEndAt) {
			in := c.step(ctx, c.numbered("sessions", c.SessionChecks))
			checked, err := do[offboarding.SessionsChecked](ctx, c, "sessions", local(act.CheckSessions, in))
			if err != nil {
				return err
			}
			waiting = checked.Waiting
		}
		c.SessionChecks++
		c.NextSessionCheck = offboarding.NextSessionCheck(c.SessionChecks, now(ctx), *c.SessionsEndAt)
		if waiting == 0 {
			c.SessionsEndAt = nil // the account is next
			c.done("sessions")
		}
		return nil
	})
}
