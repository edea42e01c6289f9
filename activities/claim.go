package activities

import (
	"context"

	"handover/offboarding"
)

// Claim gives an unowned document to the claimant where rule C1 allows it, and
// files an ownership request where only rule C2 does.
func (a *Activities) Claim(ctx context.Context, in offboarding.ClaimInput) (offboarding.Outcome, error) {
	if a.keys == nil {
		in.Sent = nil // a signature that nobody asks for makes no difference
	}
	return heard(ctx, a, in.Sent, func() (offboarding.Outcome, error) { return a.store.Claim(ctx, in) })
}
