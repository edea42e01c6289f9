package activities

import (
	"context"

	"handover/offboarding"
)

// RecordTrouble shows in the lists that a case cannot go on, or goes on again.
func (a *Activities) RecordTrouble(ctx context.Context, in offboarding.TroubleInput) error {
	return a.store.RecordTrouble(ctx, in)
}
