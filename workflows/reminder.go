package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// remind records a reminder and hands it to the notifier, which does not hold up
// the case.
func (c *offboardingCase) remind(ctx workflow.Context, due time.Time, lead time.Duration) error {
	name := "remind/" + due.Format(time.RFC3339)
	in := offboarding.ReminderInput{Step: c.step(ctx, name), Lead: lead, GraceEndsAt: *c.GraceEndsAt}
	notice, err := do[offboarding.Notice](ctx, c, "remind", local(act.Remind, in))
	if err != nil {
		return err
	}
	c.RemindedUntil = due
	c.done("remind")
	c.Outbox = append(c.Outbox, notice)
	c.sendNotice(ctx, notice)
	return nil
}

// sendNotices takes up what an earlier run had not handed over.
func (c *offboardingCase) sendNotices(ctx workflow.Context) {
	for _, notice := range c.Outbox {
		c.sendNotice(ctx, notice)
	}
}

// sendNotice hands a notice to the notifier beside everything else. A notice
// that cannot be handed over stays in the outbox and is tried again.
func (c *offboardingCase) sendNotice(ctx workflow.Context, notice offboarding.Notice) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		if _, err := do[struct{}](ctx, c, "notify", reaching(act.Notify, notice)); err != nil {
			return // continued as new: the next run tries
		}
		c.Outbox = slices.DeleteFunc(c.Outbox, func(n offboarding.Notice) bool { return n.Key == notice.Key })
	})
}
