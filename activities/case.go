package activities

import (
	"context"

	"handover/offboarding"
)

// Admit judges a start and opens the case. A member whose case is open already
// is answered with that case (rule E2).
func (a *Activities) Admit(ctx context.Context, in offboarding.AdmitInput) (offboarding.Admission, error) {
	return begun(ctx, a, in.CaseID, in.Sent, func(before bool) (offboarding.Admission, error) {
		in.Before = before
		return a.store.Admit(ctx, in)
	})
}

// Revoke revokes the leaver's credentials and sessions, after a second look at
// the rules where the case has waited for its effective time.
func (a *Activities) Revoke(ctx context.Context, in offboarding.RevokeInput) (offboarding.Revoked, error) {
	return answer(a.store.Revoke(ctx, in))
}

// Deactivate makes the leaver inactive and frees the seat; grants stay.
func (a *Activities) Deactivate(ctx context.Context, in offboarding.Step) (offboarding.Deactivated, error) {
	return answer(a.store.Deactivate(ctx, in))
}

// FallBack replaces a new owner who is no longer eligible by the leaver's
// manager, else the documents are retained.
func (a *Activities) FallBack(ctx context.Context, in offboarding.Step) (offboarding.Plan, error) {
	return answer(a.store.FallBack(ctx, in))
}
