package activities

import (
	"context"

	"handover/offboarding"
)

// ExtendGrace moves the end of the grace period.
func (a *Activities) ExtendGrace(ctx context.Context, in offboarding.ExtendGraceInput) (offboarding.Outcome, error) {
	return heard(ctx, a, in.Sent, func() (offboarding.Outcome, error) { return a.store.ExtendGrace(ctx, in) })
}

// Advance moves the case to a phase that needs nothing else.
func (a *Activities) Advance(ctx context.Context, in offboarding.AdvanceInput) (offboarding.Advanced, error) {
	return answer(a.store.Advance(ctx, in))
}

// Settle completes the case when nothing is unowned, else lets the grace begin.
func (a *Activities) Settle(ctx context.Context, in offboarding.SettleInput) (offboarding.Settled, error) {
	return answer(a.store.Settle(ctx, in))
}

// LockDocuments makes read-only what is still unowned when the grace has ended.
func (a *Activities) LockDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.LockBatch)
}
