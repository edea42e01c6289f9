package offboarding_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestWeeksUntil(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, now := range []time.Time{monday, monday.Add(7*24*time.Hour - 1), monday.In(time.FixedZone("west", -3600))} {
		weeks := offboarding.WeeksUntil(now)
		require.Len(t, weeks, offboarding.OverviewWeeks)
		require.Equal(t, monday, weeks[len(weeks)-1].From, now)
		for i := range weeks[1:] {
			require.Equal(t, 7*24*time.Hour, weeks[i+1].From.Sub(weeks[i].From))
		}
	}
	require.Equal(t, monday.AddDate(0, 0, -7), offboarding.WeeksUntil(monday.Add(-1))[offboarding.OverviewWeeks-1].From, "Sunday is the end of a week")
}

func TestSpansOf(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	spans, median := offboarding.SpansOf(nil)
	require.Equal(t, offboarding.DocumentsSpans(), spans)
	require.Zero(t, median)
	spans, median = offboarding.SpansOf([]time.Duration{400 * day, -1, 0, day - 1, day, 3 * day, 7*day - 1, 7 * day, 30 * day})
	require.Equal(t, []offboarding.DocumentsSpan{
		{FromDays: 0, ToDays: 1, Documents: 3},
		{FromDays: 1, ToDays: 3, Documents: 1},
		{FromDays: 3, ToDays: 7, Documents: 2},
		{FromDays: 7, ToDays: 30, Documents: 1},
		{FromDays: 30, Documents: 2},
	}, spans)
	require.Equal(t, 3*day, median)
}
