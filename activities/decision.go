package activities

import (
	"context"

	"handover/offboarding"
)

// Decide approves or rejects an ownership request (rule C3).
func (a *Activities) Decide(ctx context.Context, in offboarding.DecideInput) (offboarding.Outcome, error) {
	return heard(ctx, a, in.Sent, func() (offboarding.Outcome, error) { return a.store.Decide(ctx, in) })
}
