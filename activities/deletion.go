package activities

import (
	"context"

	"handover/offboarding"
)

// BeginDeletion judges a deletion and says whether the member is offboarded first.
func (a *Activities) BeginDeletion(ctx context.Context, in offboarding.BeginDeletionInput) (offboarding.DeletionBegun, error) {
	return begun(ctx, a, in.CaseID, in.Sent, func(bool) (offboarding.DeletionBegun, error) { return a.store.BeginDeletion(ctx, in) })
}

// OffboardFirst starts the case of a member who is to be deleted and waits until
// the member is inactive; a start that the rules refuse is refused here too. Who is
// inactive by then has left by the case of an attempt whose answer was lost, or by another.
func (a *Activities) OffboardFirst(ctx context.Context, in offboarding.OffboardFirstInput) error {
	err := a.store.StillToDelete(ctx, in.CaseID, in.MemberID)
	if err != nil {
		_, err = answer(struct{}{}, err)
		return err
	}
	_, err = a.cases.OffboardCase(ctx, in.UpdateID, in.Request)
	switch offboarding.CodeOf(err) {
	case offboarding.CodeTryAgain:
		return errUndecided
	case offboarding.CodeAlreadyInactive:
		return nil
	}
	_, err = answer(struct{}{}, err)
	return err
}

// EraseMember deletes a member who is not active, for good (rule X1).
func (a *Activities) EraseMember(ctx context.Context, in offboarding.BeginDeletionInput) (offboarding.Erased, error) {
	return answer(a.store.EraseMember(ctx, in))
}
