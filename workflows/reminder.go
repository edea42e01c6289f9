package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// remind records a reminder and hands its notices to the notifier, which does not
// hold up the case.
func (c *offboardingCase) remind(ctx workflow.Context, due time.Time, lead time.Duration) error {
	name := "remind/" + due.Format(time.RFC3339)
	in := offboarding.ReminderInput{Step: c.step(ctx, name), Lead: lead, GraceEndsAt: *c.GraceEndsAt}
	reminded, err := do[offboarding.Reminded](ctx, c, "remind", lasting(time.Minute, act.Remind, in))
	if err != nil {
		return err
	}
	c.RemindedUntil = due
	c.done("remind")
	if reminded.Notice != nil {
		c.Outbox = append(c.Outbox, *reminded.Notice)
		c.handOver(ctx, *reminded.Notice)
		return nil
	}
	c.Recorded += reminded.Notices
	return nil
}
