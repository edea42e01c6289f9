package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// metricRevoked is the time from a start, or from its effective time where that was
// later, until the leaver could no longer get in; of a list, until the last of it.
const metricRevoked = "handover_start_to_revoked"

// measureRevoked records how long it took. The handler is silent in a replay, and no
// event is written: what a history replays to is the same with it and without.
func measureRevoked(ctx workflow.Context, since time.Time) {
	workflow.GetMetricsHandler(ctx).Timer(metricRevoked).Record(max(0, workflow.Now(ctx).Sub(since)))
}
