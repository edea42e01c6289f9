package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"handover/offboarding"
)

// ArchiveDocuments archives the leaver's documents and their schedules.
func (a *Activities) ArchiveDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.ArchiveBatch)
}

// Whoever claims a document waits for as long as the batch that has it. So a batch has
// as many documents as can be done in batchTime, as the machine, the disk and the load
// are; but not so few that most of the time goes into what a batch costs besides.
const (
	batchTime     = 40 * time.Millisecond
	smallestBatch = 500
	largestBatch  = 2000
)

// nextBatch is the size of the batch after one that took so long.
func nextBatch(size int, took time.Duration) int {
	fitting := int(int64(size) * int64(batchTime) / max(int64(took), 1))
	return min(max(fitting, size/2, smallestBatch), 2*size, largestBatch)
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
	for in.BatchSize = smallestBatch; !total.Done; {
		began := time.Now()
		done, err := answer(batch(ctx, in, total.Cursor))
		if err != nil {
			return total, err
		}
		in.BatchSize = nextBatch(in.BatchSize, time.Since(began))
		total.Documents += done.Documents
		total.Schedules += done.Schedules
		total.Cursor, total.Done = done.Cursor, done.Done
		activity.RecordHeartbeat(ctx, total)
	}
	return total, nil
}
