package workflows

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// handle judges and does what a message asks for, and remembers what it came to.
func (c *offboardingCase) handle(ctx workflow.Context, m message) (offboarding.Outcome, error) {
	out, err := c.dispatch(ctx, m)
	if errors.Is(err, errRollover) {
		return out, err
	}
	c.Handled++
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		if len(c.Refused) == keptRefusals {
			c.Refused = c.Refused[1:]
		}
		c.Refused = append(c.Refused, offboarding.RefusedMessage{Message: m.Name, Code: refusal.Code(), At: now(ctx)})
	}
	out.Phase = c.Phase
	return out, err
}

func (c *offboardingCase) dispatch(ctx workflow.Context, m message) (out offboarding.Outcome, err error) {
	parsed, refusal := parse(m.Name, m.Payload)
	if refusal != nil {
		return out, refusal
	}
	var work func() error
	gate := c.exclusively
	switch p := parsed.(type) {
	case *offboarding.ClaimRequest:
		gate, work = c.together, func() error { out, err = c.claim(ctx, m, *p); return err }
	case *offboarding.AdminApproval:
		gate, work = c.together, func() error { out, err = c.decide(ctx, m, *p); return err }
	case *offboarding.TransferDocuments:
		gate, work = c.together, func() error { out, err = c.transfer(ctx, m, *p); return err }
	case *offboarding.ExtendGrace:
		work = func() error { out, err = c.extend(ctx, m, *p); return err }
	case *offboarding.Reschedule:
		work = func() error { out, err = c.reschedule(ctx, m, *p); return err }
	case *offboarding.Cancel:
		work = func() error { out, err = c.cancel(ctx, m, *p); return err }
	case *offboarding.Reactivate:
		work = func() error { return c.allowReactivation(ctx, m, *p) }
	}
	err = gate(ctx, func() error {
		switch {
		case c.rollover:
			return errRollover
		case c.refusal != nil:
			return c.refusal
		case c.Reactivation != nil && c.Reactivation.ID == m.ID:
			return nil // allowed by an earlier run
		case c.Reactivated != "" && c.Reactivated == m.ID:
			return nil // and done
		case c.closed(), c.ended, c.Reactivation != nil:
			return offboarding.Refuse("", offboarding.CodeWrongPhase, "", "the case is "+string(c.Phase))
		}
		return work()
	})
	if _, ok := parsed.(*offboarding.Reactivate); ok && err == nil {
		return c.reactivated(ctx, m)
	}
	return out, err
}

func (c *offboardingCase) claim(ctx workflow.Context, m message, p offboarding.ClaimRequest) (offboarding.Outcome, error) {
	in := offboarding.ClaimInput{Step: c.step(ctx, m.ID), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Claim, in))
	if err != nil {
		return out, err
	}
	if out.Outcome == offboarding.OutcomeRequested {
		c.PendingCount++
		if len(c.Pending) < keptPending {
			c.Pending = append(c.Pending, out.RequestID)
		}
		return out, nil
	}
	c.Documents.Claimed += out.Documents
	c.found(out)
	return out, nil
}

func (c *offboardingCase) decide(ctx workflow.Context, m message, p offboarding.AdminApproval) (offboarding.Outcome, error) {
	in := offboarding.DecideInput{Step: c.step(ctx, m.ID), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Decide, in))
	if err != nil {
		return out, err
	}
	c.Documents.Approved += out.Documents
	c.forget(out.RequestID)
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

// transfer moves some or all of what the leaver still owns, beside claims, then
// counts afresh.
func (c *offboardingCase) transfer(ctx workflow.Context, m message, p offboarding.TransferDocuments) (offboarding.Outcome, error) {
	out := offboarding.Outcome{Outcome: offboarding.OutcomeTransferred}
	authorize := offboarding.AuthorizeTransferInput{Step: c.step(ctx, m.ID), Message: p}
	allowed, err := do[offboarding.TransferAuthorized](ctx, c, m.Name, local(act.AuthorizeTransfer, authorize))
	if err != nil {
		return out, err
	}
	in := offboarding.SweepInput{
		Step: c.step(ctx, m.sweep()), ActorID: allowed.AdminID, NewOwnerID: allowed.NewOwnerID, DocumentIDs: p.DocumentIDs,
	}
	moved, err := c.sweep(ctx, act.TransferDocuments, in)
	c.Recount = true // archived documents may have been among them, and a refusal may have come after some
	if err != nil {
		return out, err
	}
	out.OwnerID, out.Documents = allowed.NewOwnerID, moved.Documents
	c.Documents.Transferred += moved.Documents
	return out, nil
}

func (c *offboardingCase) extend(ctx workflow.Context, m message, p offboarding.ExtendGrace) (offboarding.Outcome, error) {
	in := offboarding.ExtendGraceInput{Step: c.step(ctx, m.ID), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.ExtendGrace, in))
	if err == nil {
		c.GraceEndsAt = out.At
	}
	return out, err
}

func (c *offboardingCase) reschedule(ctx workflow.Context, m message, p offboarding.Reschedule) (offboarding.Outcome, error) {
	in := offboarding.RescheduleInput{Step: c.step(ctx, m.ID), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Reschedule, in))
	if err == nil {
		c.Plan.EffectiveAt = *out.At
	}
	return out, err
}

func (c *offboardingCase) cancel(ctx workflow.Context, m message, p offboarding.Cancel) (offboarding.Outcome, error) {
	in := offboarding.CancelInput{Step: c.step(ctx, m.ID), Message: p}
	out, err := do[offboarding.Outcome](ctx, c, m.Name, local(act.Cancel, in))
	if err == nil {
		c.close(ctx, offboarding.PhaseCanceled)
	}
	return out, err
}
