package activities

import (
	"context"
	"errors"

	"handover/offboarding"
)

// CheckReactivation judges a request for many members as a whole (rule R2).
func (a *Activities) CheckReactivation(ctx context.Context, in offboarding.BeginReactivationInput) error {
	_, err := begun(ctx, a, in.CaseID, in.Sent, func(bool) (struct{}, error) { return struct{}{}, a.store.CheckReactivation(ctx, in) })
	return err
}

// BeginReactivation makes a member active again and opens the case that made them
// inactive once more, or says that the case has not closed yet.
func (a *Activities) BeginReactivation(
	ctx context.Context, in offboarding.BeginReactivationInput,
) (offboarding.ReactivationBegun, error) {
	return begun(ctx, a, in.CaseID, in.Sent, func(bool) (offboarding.ReactivationBegun, error) { return a.store.BeginReactivation(ctx, in) })
}

var errUndecided = errors.New("the case could not decide now")

// SendReactivate sends reactivate to an open case and waits for its outcome. A
// case that has closed meanwhile, that nothing runs, or that another reactivation
// is settling is Gone. What it came to is kept: it is not sent again after a reset.
func (a *Activities) SendReactivate(ctx context.Context, in offboarding.SendReactivateInput) (offboarding.ReactivateSent, error) {
	return answer(a.store.Sent(ctx, in.Step, func() (offboarding.ReactivateSent, error) {
		out, err := a.cases.ReactivateCase(ctx, in.WorkflowID, in.UpdateID, in.Message)
		switch offboarding.CodeOf(err) {
		case offboarding.CodeWrongPhase, offboarding.CodeCaseNotFound:
			return offboarding.ReactivateSent{Gone: true}, nil
		case offboarding.CodeTryAgain:
			return offboarding.ReactivateSent{}, errUndecided
		}
		return offboarding.ReactivateSent{Outcome: out}, err
	}))
}
