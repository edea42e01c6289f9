package activities

import (
	"context"

	"handover/offboarding"
)

// Claim gives an unowned document to the claimant where rule C1 allows it, and
// files an ownership request where only rule C2 does.
func (a *Activities) Claim(ctx context.Context, in offboarding.ClaimInput) (offboarding.Outcome, error) {
	return answer(a.store.Claim(ctx, in))
}

// Decide approves or rejects an ownership request (rule C3).
func (a *Activities) Decide(ctx context.Context, in offboarding.DecideInput) (offboarding.Outcome, error) {
	return answer(a.store.Decide(ctx, in))
}

// AuthorizeTransfer judges a transfer-documents (rules A1, N1, N2, T1); the
// documents themselves are moved by TransferDocuments.
func (a *Activities) AuthorizeTransfer(
	ctx context.Context, in offboarding.AuthorizeTransferInput,
) (offboarding.TransferAuthorized, error) {
	return answer(a.store.AuthorizeTransfer(ctx, in))
}

// ExtendGrace moves the end of the grace period.
func (a *Activities) ExtendGrace(ctx context.Context, in offboarding.ExtendGraceInput) (offboarding.Outcome, error) {
	return answer(a.store.ExtendGrace(ctx, in))
}

// Reschedule moves the effective time of a case that still waits for it.
func (a *Activities) Reschedule(ctx context.Context, in offboarding.RescheduleInput) (offboarding.Outcome, error) {
	return answer(a.store.Reschedule(ctx, in))
}

// Cancel ends a case that still waits for its effective time.
func (a *Activities) Cancel(ctx context.Context, in offboarding.CancelInput) (offboarding.Outcome, error) {
	return answer(a.store.Cancel(ctx, in))
}

// AuthorizeReactivation judges a reactivation and changes nothing; it answers
// with the admin's ID.
func (a *Activities) AuthorizeReactivation(ctx context.Context, in offboarding.ReactivateInput) (string, error) {
	return answer(a.store.AuthorizeReactivation(ctx, in))
}

// ReactivateMember makes the leaver active again and withdraws pending requests.
func (a *Activities) ReactivateMember(ctx context.Context, in offboarding.ReactivateInput) (offboarding.Outcome, error) {
	return answer(a.store.ReactivateMember(ctx, in))
}

// CloseReactivated closes the case of a reactivated member.
func (a *Activities) CloseReactivated(ctx context.Context, in offboarding.Step) error {
	_, err := answer(struct{}{}, a.store.CloseReactivated(ctx, in))
	return err
}
