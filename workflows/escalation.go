package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// requested takes note of a request that nobody has decided yet.
func (c *offboardingCase) requested(out offboarding.Outcome) {
	if out.EscalateAt != nil && (c.EscalateAt == nil || out.EscalateAt.Before(*c.EscalateAt)) {
		c.EscalateAt = out.EscalateAt
	}
}

func (c *offboardingCase) escalationDue(ctx workflow.Context) bool {
	return c.EscalateAt != nil && !now(ctx).Before(*c.EscalateAt)
}

// untilEscalation is the deadline, or when a request may be due before it.
func (c *offboardingCase) untilEscalation(deadline time.Time) time.Time {
	if c.EscalateAt != nil && c.EscalateAt.Before(deadline) {
		return *c.EscalateAt
	}
	return deadline
}

// escalate takes the requests that nobody has decided in time to the owners of
// the organization. Whether one still waits is judged there; when the next one
// is due is learned from it, while no message changes that.
func (c *offboardingCase) escalate(ctx workflow.Context) error {
	phase := c.Phase
	return c.exclusively(ctx, func() error {
		if c.Phase != phase || c.Reactivation != nil || !c.escalationDue(ctx) {
			return nil // a message came first
		}
		in := c.step(ctx, c.numbered("escalate", c.Escalations+1))
		escalated, err := do[offboarding.Escalated](ctx, c, "escalate", local(act.Escalate, in))
		if err != nil {
			return err
		}
		c.Escalations++
		c.EscalateAt = escalated.NextAt
		if escalated.Requests > 0 {
			c.done("escalate")
		}
		c.Recorded += escalated.Notices
		return nil
	})
}
