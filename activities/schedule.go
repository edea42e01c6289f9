package activities

import (
	"context"

	"handover/offboarding"
)

// Reschedule moves the effective time of a case that still waits for it.
func (a *Activities) Reschedule(ctx context.Context, in offboarding.RescheduleInput) (offboarding.Outcome, error) {
	return heard(ctx, a, in.Sent, func() (offboarding.Outcome, error) { return a.store.Reschedule(ctx, in) })
}

// Cancel ends a case that still waits for its effective time.
func (a *Activities) Cancel(ctx context.Context, in offboarding.CancelInput) (offboarding.Outcome, error) {
	return heard(ctx, a, in.Sent, func() (offboarding.Outcome, error) { return a.store.Cancel(ctx, in) })
}

// Fail ends a case that the rules no longer allow when its effective time comes.
func (a *Activities) Fail(ctx context.Context, in offboarding.FailInput) error {
	_, err := answer(struct{}{}, a.store.Fail(ctx, in))
	return err
}
