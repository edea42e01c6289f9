package workflows

import (
	"errors"

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
