package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"handover/offboarding"
)

// TransferDocuments gives the leaver's documents to the new owner, with their
// folders (rules D1, D2) and schedules.
func (a *Activities) TransferDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.TransferBatch)
}

// ArchiveDocuments archives the leaver's documents and their schedules.
func (a *Activities) ArchiveDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.ArchiveBatch)
}

// LockDocuments makes read-only what is still unowned when the grace has ended.
func (a *Activities) LockDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.LockBatch)
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

// sweep works through all batches and heartbeats after each, so that another
// attempt goes on where this one stopped. What a batch came to is kept with the
// batch: one that committed without its heartbeat is counted all the same.
func sweep(
	ctx context.Context, in offboarding.SweepInput,
	batch func(context.Context, offboarding.SweepInput, string) (offboarding.Sweep, error),
) (offboarding.Sweep, error) {
	var total offboarding.Sweep
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &total); err != nil {
			total = offboarding.Sweep{} // from the start; batches done are not done again
		}
	}
	for !total.Done {
		done, err := answer(batch(ctx, in, total.Cursor))
		if err != nil {
			return total, err
		}
		total.Documents += done.Documents
		total.Schedules += done.Schedules
		total.Cursor, total.Done = done.Cursor, done.Done
		activity.RecordHeartbeat(ctx, total)
	}
	return total, nil
}
