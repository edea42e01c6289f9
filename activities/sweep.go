package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"handover/offboarding"
)

// ArchiveDocuments archives the leaver's documents and their schedules.
func (a *Activities) ArchiveDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.ArchiveBatch)
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
