package activities

import (
	"context"

	"handover/offboarding"
)

// CheckSessions says how many SSO sessions a deactivation still waits for, and
// revokes what has appeared meanwhile.
func (a *Activities) CheckSessions(ctx context.Context, in offboarding.Step) (offboarding.SessionsChecked, error) {
	return answer(a.store.CheckSessions(ctx, in))
}
