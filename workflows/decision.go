package workflows

import (
	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

func (c *offboardingCase) decide(ctx workflow.Context, m message, p offboarding.AdminApproval) (offboarding.Outcome, error) {
	in := offboarding.DecideInput{Step: c.step(ctx, m.ID), Sent: sentAs(ctx, m), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Decide, in))
	if refused(err, offboarding.CodeRequestNotPending) {
		c.Recount = c.DeactivatedAt != nil // it may have been withdrawn because the requester left
	}
	if err != nil {
		return out, err
	}
	c.Documents.Approved += out.Documents
	c.forget(out.RequestID)
	c.found(out)
	return out, nil
}
