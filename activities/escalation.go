package activities

import (
	"context"

	"handover/offboarding"
)

// Escalate takes the ownership requests that nobody has decided in time to the
// owners of the organization.
func (a *Activities) Escalate(ctx context.Context, in offboarding.Step) (offboarding.Escalated, error) {
	return answer(a.store.Escalate(ctx, in))
}
