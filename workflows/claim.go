package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

func (c *offboardingCase) claim(ctx workflow.Context, m message, p offboarding.ClaimRequest) (offboarding.Outcome, error) {
	in := offboarding.ClaimInput{Step: c.step(ctx, m.ID), Sent: sentAs(ctx, m), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Claim, in))
	if err != nil {
		return out, err
	}
	if out.Outcome == offboarding.OutcomeRequested {
		c.PendingCount++
		if len(c.Pending) < keptPending {
			c.Pending = append(c.Pending, out.RequestID)
		}
		c.requested(out)
		return out, nil
	}
	c.Documents.Claimed += out.Documents
	c.found(out)
	return out, nil
}

// found takes account of a document that found an owner.
func (c *offboardingCase) found(out offboarding.Outcome) {
	c.Documents.Unowned -= out.Documents
	c.countReadOnly()
	for _, id := range out.Superseded {
		c.forget(id)
	}
}

// forget takes a request that has been decided off the pending ones.
func (c *offboardingCase) forget(requestID string) {
	c.PendingCount = max(0, c.PendingCount-1)
	c.Pending = slices.DeleteFunc(c.Pending, func(id string) bool { return id == requestID })
	if len(c.Pending) == 0 && c.PendingCount > 0 {
		c.Recount = true // reads the next ones
	}
}
