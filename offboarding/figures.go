package offboarding

import "time"

// OpenPhases are those that an open case can be in, in their order. A reactivation is
// open until what it left to settle is settled.
var OpenPhases = []Phase{
	PhaseScheduled, PhaseRevoking, PhaseDeactivated, PhaseTransferring, PhaseGrace, PhaseReadOnly, PhaseReactivated,
}

// Figures are how all cases of all organizations are at a moment, for metrics.
type Figures struct {
	Open             map[Phase]int // open cases by phase; a phase that none is in has none
	Overdue          int           // open cases whose next step was due and has not been done
	Troubled         int           // cases that cannot go on, an archival that outlives its case among them
	Waiting          int           // documents that wait for an owner in an open case
	PendingRequests  int           // ownership requests that nobody has decided
	OverdueRequests  int           // of these, those that are older than EscalateAfter
	OldestRequestAge time.Duration // how long the oldest of these has waited, 0 where there is none

	OldestUnsealedAge time.Duration // how long the oldest audit event has waited for a seal, 0 where there is none
}
