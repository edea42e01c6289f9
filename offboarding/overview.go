package offboarding

import (
	"slices"
	"time"
)

// CountLimit is how far an overview counts: a number as large as it is that many or
// more, so that what it costs does not depend on how much there is.
const CountLimit = 10_000

// Bounds of an overview.
const (
	OverviewWeeks     = 12    // weeks that it looks back, the present one among them
	OverviewNewOwners = 1_000 // the latest documents whose time to a new owner it tells
)

// spanDays are where the spans of an overview begin, in days.
var spanDays = []int{0, 1, 3, 7, 30}

const day = 24 * time.Hour

// Overview is how an organization's offboardings are going at a moment.
type Overview struct {
	At                time.Time       `json:"at"`
	Open              []PhaseCount    `json:"open"`
	Overdue           int             `json:"overdue"`
	Troubled          int             `json:"troubled"`
	Waiting           int             `json:"waiting"`
	PendingRequests   int             `json:"pending_requests"`
	OverdueRequests   int             `json:"overdue_requests"` // older than EscalateAfter
	Weeks             []Week          `json:"weeks"`
	WaitingByAge      []DocumentsSpan `json:"waiting_by_age"`      // since the owner's deactivation
	NewOwners         []DocumentsSpan `json:"new_owners"`          // of the latest documents, from the deactivation on
	MedianWaitSeconds int64           `json:"median_wait_seconds"` // of these
}

// PhaseCount is how many open cases are in a phase.
type PhaseCount struct {
	Phase Phase `db:"phase" json:"phase"`
	Cases int   `db:"cases" json:"cases"`
}

// Week is how many members were offboarded in the seven days from a Monday on, UTC.
type Week struct {
	From       time.Time `json:"from"`
	Offboarded int       `json:"offboarded"`
}

// DocumentsSpan is how many documents have waited, or have had to wait, for so many
// days: from FromDays on and less than ToDays, 0 for no end.
type DocumentsSpan struct {
	FromDays  int `json:"from_days"`
	ToDays    int `json:"to_days,omitempty"`
	Documents int `json:"documents"`
}

// WeeksUntil are the weeks that an overview at a moment looks back to, the oldest first.
func WeeksUntil(now time.Time) []Week {
	today := now.UTC().Truncate(day)
	monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
	weeks := make([]Week, OverviewWeeks)
	for i := range weeks {
		weeks[i].From = monday.AddDate(0, 0, 7*(i+1-OverviewWeeks))
	}
	return weeks
}

// DocumentsSpans are the spans that documents are counted in.
func DocumentsSpans() []DocumentsSpan {
	spans := make([]DocumentsSpan, len(spanDays))
	for i, from := range spanDays {
		spans[i].FromDays = from
		if i+1 < len(spanDays) {
			spans[i].ToDays = spanDays[i+1]
		}
	}
	return spans
}

// SpansOf counts waits into spans, and gives the median, 0 of none.
func SpansOf(waits []time.Duration) (spans []DocumentsSpan, median time.Duration) {
	spans = DocumentsSpans()
	for _, w := range waits {
		for i := len(spans) - 1; i >= 0; i-- {
			if i == 0 || w >= time.Duration(spans[i].FromDays)*day {
				spans[i].Documents++
				break
			}
		}
	}
	if len(waits) > 0 {
		median = slices.Sorted(slices.Values(waits))[(len(waits)-1)/2]
	}
	return spans, median
}
