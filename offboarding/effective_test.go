package offboarding_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestRuleL1(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, zone, want string }{
		"now":                             {"", "Europe/Berlin", "2026-03-02T10:00:00Z"},
		"now, in spaces":                  {" \t", "", "2026-03-02T10:00:00Z"},
		"a moment":                        {"2026-04-01T12:00:00+05:30", "Europe/Berlin", "2026-04-01T06:30:00Z"},
		"a moment, finer than is kept":    {"2026-04-01T12:00:00.123456789Z", "", "2026-04-01T12:00:00.123456Z"},
		"a moment that has passed":        {"2019-04-01T12:00:00Z", "", "2019-04-01T12:00:00Z"},
		"a day":                           {"2026-04-01", "", "2026-04-02T00:00:00Z"},
		"a day, in spaces":                {" 2026-04-01 ", "UTC", "2026-04-02T00:00:00Z"},
		"a day that has passed":           {"2019-02-14", "Asia/Tokyo", "2019-02-14T15:00:00Z"},
		"the last day of a year":          {"2026-12-31", "America/New_York", "2027-01-01T05:00:00Z"},
		"a leap day":                      {"2028-02-29", "UTC", "2028-03-01T00:00:00Z"},
		"winter in Berlin":                {"2026-03-28", "Europe/Berlin", "2026-03-28T23:00:00Z"},
		"23 hours in Berlin":              {"2026-03-29", "Europe/Berlin", "2026-03-29T22:00:00Z"},
		"summer in Berlin":                {"2026-10-24", "Europe/Berlin", "2026-10-24T22:00:00Z"},
		"25 hours in Berlin":              {"2026-10-25", "Europe/Berlin", "2026-10-25T23:00:00Z"},
		"Havana skips midnight":           {"2026-03-07", "America/Havana", "2026-03-08T05:00:00Z"},
		"Havana has midnight twice":       {"2026-10-31", "America/Havana", "2026-11-01T04:00:00Z"},
		"the Azores have midnight twice":  {"2026-10-24", "Atlantic/Azores", "2026-10-25T00:00:00Z"},
		"Beirut skips midnight":           {"2026-03-28", "Asia/Beirut", "2026-03-28T22:00:00Z"},
		"Beirut has the last hour twice":  {"2026-10-24", "Asia/Beirut", "2026-10-24T22:00:00Z"},
		"Cairo skips midnight":            {"2026-04-23", "Africa/Cairo", "2026-04-23T22:00:00Z"},
		"Cairo has the last hour twice":   {"2026-10-29", "Africa/Cairo", "2026-10-29T22:00:00Z"},
		"Santiago skips midnight":         {"2026-09-05", "America/Santiago", "2026-09-06T04:00:00Z"},
		"half an hour on Lord Howe":       {"2026-04-05", "Australia/Lord_Howe", "2026-04-05T13:30:00Z"},
		"the day before one that was not": {"2011-12-29", "Pacific/Apia", "2011-12-30T10:00:00Z"},
		"a day that was not":              {"2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"},
		"ten years ahead":                 {"2036-02-28T10:00:00Z", "", "2036-02-28T10:00:00Z"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := offboarding.EffectiveTime(tt.text, tt.zone, now)
			require.NoError(t, err)
			require.Equal(t, tt.want, at.Format(time.RFC3339Nano))
			require.Equal(t, time.UTC, at.Location())
		})
	}
}

// The end of a day is the first moment of the next, in every zone and on every
// day that changes the clocks.
func TestRuleL1IsTheFirstMomentOfTheNextDay(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{
		"Europe/Berlin", "America/Havana", "Asia/Beirut", "Africa/Cairo", "America/Santiago", "America/Asuncion",
		"Atlantic/Azores", "America/Nuuk", "Australia/Lord_Howe", "Africa/Casablanca", "Antarctica/Troll", "America/Sao_Paulo",
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			loc, err := time.LoadLocation(zone)
			require.NoError(t, err)
			for day := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2028; day = day.AddDate(0, 0, 1) {
				date := day.Format(time.DateOnly)
				end, err := offboarding.EffectiveTime(date, zone, now)
				before, after := end.Add(-time.Nanosecond).In(loc), end.In(loc)
				if err != nil || before.Format(time.DateOnly) != date || after.Format(time.DateOnly) <= date {
					t.Fatalf("%s ends at %s (%v)", date, after, err)
				}
			}
		})
	}
}

func TestRuleL1Refuses(t *testing.T) {
	t.Parallel()
	for text, zone := range map[string]string{
		"tomorrow": "", "2026-02-29": "", "2026-13-01": "", "2026-3-1": "", "01.03.2026": "", "2026-03-01T12:00:00": "",
		"2026-03-01 12:00:00Z": "", "2026-03-31": "Mars/Base", "2026-04-01": "../etc/passwd", "2026-03-01\x00": "",
		"2036-02-28T10:00:01Z": "", "2036-02-28": "", "9999-12-31": "", "10000-01-01": "",
	} {
		at, err := offboarding.EffectiveTime(text, zone, now)
		assert.Equal(t, []string{"L1 invalid_argument effective_at"}, broken(t, err), "%q", text)
		assert.Zero(t, at)
	}
}

func TestParseGrace(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"": 5 * day, "  ": 5 * day, "168h": 7 * day, "36h30m": 36*time.Hour + 30*time.Minute, "0": 0, "0s": 0, "0d": 0,
		"7d": 7 * day, " 7d ": 7 * day, "3650d": offboarding.MaxGracePeriod, "87600h": offboarding.MaxGracePeriod,
	} {
		got, err := offboarding.ParseGrace(text, 5*day)
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, got, "%q", text)
	}
	for _, text := range []string{
		"-1h", "-1d", "7", "d", "7 d", "1.5d", "a week", "7days", "1w", "3651d", "87600h1ns", "200000000000d", "9223372036854775808d",
		// Products that overflow into the allowed range.
		"-9223372036854775808d", "-213503d", "213504d", "-426900d", "3000000h", strings.Repeat("9", 400) + "h", "\x00",
	} {
		_, err := offboarding.ParseGrace(text, day)
		require.Equal(t, []string{"invalid_argument grace_period"}, broken(t, err), "%q", text)
	}
}

func TestParseUntil(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-03-02": "2026-03-02T23:00:00Z", "2026-03-29": "2026-03-29T22:00:00Z", "2026-03-02T10:00:01Z": "2026-03-02T10:00:01Z",
	} {
		until, err := offboarding.ParseUntil(text, "Europe/Berlin", now)
		require.NoError(t, err, text)
		require.Equal(t, want, until.Format(time.RFC3339))
	}
	for _, text := range []string{"", " ", "2026-03-01", "2026-03-02T10:00:00Z", "2036-03-01", "7d"} {
		_, err := offboarding.ParseUntil(text, "Europe/Berlin", now)
		require.Equal(t, []string{"invalid_argument until"}, broken(t, err), "%q", text)
	}
}

func TestNextReminder(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := map[string]struct {
		left, lead time.Duration // of the grace; before its end
	}{
		"long before":       {7 * day, 3 * day},
		"just before three": {3*day + 1, 3 * day},
		"at three days":     {3 * day, day},
		"between":           {2 * day, day},
		"just before one":   {day + 1, day},
		"at one day":        {day, 0},
		"in the last hour":  {time.Hour, 0},
		"at the end":        {0, 0},
		"after the end":     {-day, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := now.Add(tt.left)
			at, lead, ok := offboarding.NextReminder(end, now)
			require.Equal(t, tt.lead, lead)
			require.Equal(t, tt.lead > 0, ok)
			if ok {
				require.Equal(t, end.Add(-tt.lead), at)
			} else {
				require.Zero(t, at)
			}
		})
	}
}

// Cases that end together act one after the other: never before the end, never long
// after it, at the same time whenever it is asked, and about as many in each minute.
func TestGraceSpread(t *testing.T) {
	t.Parallel()
	const n = 10_000
	var minutes [5]int
	for range n {
		id := uuid.NewString()
		late := offboarding.GraceSpread(id, 7*24*time.Hour)
		require.Equal(t, late, offboarding.GraceSpread(id, 7*24*time.Hour))
		require.GreaterOrEqual(t, late, time.Duration(0))
		require.Less(t, late, 5*time.Minute)
		minutes[int(late/time.Minute)]++
	}
	for _, cases := range minutes {
		require.InDelta(t, n/len(minutes), cases, 400, "%v", minutes) // ten standard deviations
	}
	for grace, most := range map[time.Duration]time.Duration{
		-time.Hour: 0, 0: 0, 1: 0, time.Second: time.Second / 2, 4 * time.Minute: 2 * time.Minute, time.Hour: 5 * time.Minute,
	} {
		require.LessOrEqual(t, offboarding.GraceSpread(uuid.NewString(), grace), most, "%s", grace)
	}
}
