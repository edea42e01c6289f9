package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// sendNotices hands what the table of notices has got from this case to the
// notifier, beside everything else. The history holds their number and no more;
// what cannot be handed over is tried again until the case has closed.
func (c *offboardingCase) sendNotices(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return c.unjudged == nil && c.Sent < c.Recorded && !c.givesWay(ctx) }) // a disconnected context is not canceled
		recorded := c.Recorded
		_, err := do[int](ctx, c, "notify", func(ctx workflow.Context) workflow.Future {
			return sweeping(act.SendNotices, c.step(ctx, "notify"))(ctx)
		})
		if err == nil {
			c.Sent = recorded
		} // else the case is about to continue as new: the next run does it
	}
}

// handOutbox takes up the notices that an earlier build had not handed over.
func (c *offboardingCase) handOutbox(ctx workflow.Context) {
	for _, notice := range c.Outbox {
		c.handOver(ctx, notice)
	}
}

// handOver hands over a notice that an earlier build recorded, one by one. A
// notice that is not taken stays in the outbox and is tried again.
func (c *offboardingCase) handOver(ctx workflow.Context, notice offboarding.Notice) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		_ = workflow.Await(ctx, func() bool { return c.unjudged == nil })
		if len(c.Outbox) == 0 {
			return // handed on by somebody else
		}
		if _, err := do[struct{}](ctx, c, "notify", reaching(act.Notify, notice)); err != nil {
			return // continued as new: the next run tries
		}
		c.Outbox = slices.DeleteFunc(c.Outbox, func(n offboarding.Notice) bool { return n.Key == notice.Key })
	})
}
