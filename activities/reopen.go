package activities

import (
	"context"
	"errors"

	"handover/offboarding"
)

// CheckReactivation judges a request for many members as a whole (rule R2).
func (a *Activities) CheckReactivation(ctx context.Context, in offboarding.BeginReactivationInput) error {
	before := func() (bool, error) { return a.store.Begun(ctx, in.CaseID) }
	_, err := begun(ctx, a, before, in.Sent, func() (struct{}, error) { return struct{}{}, a.store.CheckReactivation(ctx, in) })
	return err
}

// BeginReactivation makes a member active again and opens the case that made them
// inactive once more, or says that the case has not closed yet.
func (a *Activities) BeginReactivation(
	ctx context.Context, in offboarding.BeginReactivationInput,
) (offboarding.ReactivationBegun, error) {
	before := func() (bool, error) { return a.store.Begun(ctx, in.CaseID) }
	return begun(ctx, a, before, in.Sent, func() (offboarding.ReactivationBegun, error) { return a.store.BeginReactivation(ctx, in) })
}

var errUndecided = errors.New("the case could not decide now")

// SendReactivate sends reactivate to an open case and waits for its outcome. A
// case that has closed meanwhile, that nothing runs, or that another reactivation
// is settling is Gone.
func (a *Activities) SendReactivate(ctx context.Context, in offboarding.SendReactivateInput) (offboarding.ReactivateSent, error) {
	out, err := a.cases.ReactivateCase(ctx, in.WorkflowID, in.UpdateID, in.Message)
	switch offboarding.CodeOf(err) {
	case offboarding.CodeWrongPhase, offboarding.CodeCaseNotFound:
		return offboarding.ReactivateSent{Gone: true}, nil
	case offboarding.CodeTryAgain:
		return offboarding.ReactivateSent{}, errUndecided
	}
	return answer(offboarding.ReactivateSent{Outcome: out}, err)
}
