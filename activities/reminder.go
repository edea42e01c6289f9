package activities

import (
	"context"

	"handover/offboarding"
)

// Remind records a reminder in the audit, and a notice for each who is to be told.
func (a *Activities) Remind(ctx context.Context, in offboarding.ReminderInput) (offboarding.Reminded, error) {
	return answer(a.store.Remind(ctx, in))
}
