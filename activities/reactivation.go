package activities

import (
	"context"

	"handover/offboarding"
)

// AuthorizeReactivation judges a reactivation and changes nothing; it answers
// with the admin's ID.
func (a *Activities) AuthorizeReactivation(ctx context.Context, in offboarding.ReactivateInput) (string, error) {
	return heard(ctx, a, in.Sent, func() (string, error) { return a.store.AuthorizeReactivation(ctx, in) })
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

// RestoreDocuments makes editable what the case locked or archived and what is
// still the leaver's, schedules included; the first part of a reactivation.
func (a *Activities) RestoreDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.RestoreBatch)
}

// ReturnDocuments gives back what the case moved, unless passed on since.
func (a *Activities) ReturnDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.ReturnBatch)
}

// GrantEdit gives the reactivated member an edit grant on the documents that
// found a new owner.
func (a *Activities) GrantEdit(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.GrantBatch)
}
