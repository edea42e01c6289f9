package offboarding

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxGracePeriod bounds a grace period.
const MaxGracePeriod = 10 * 365 * 24 * time.Hour

// firstYear is the first year of an effective time; an earlier one is a mistake.
const firstYear = 1970

// maxAhead bounds how far ahead an offboarding can be scheduled.
const maxAhead = 10 * 365 * 24 * time.Hour

// EffectiveTime reads an effective time: "" is now, an RFC 3339 time is that
// moment, to the microsecond, and a date (2006-01-02) is the end of that day in the zone (rule L1).
// zone is an IANA name; "" is UTC.
func EffectiveTime(text, zone string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return now, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = endOfDay(text, zone)
		if err != nil {
			return time.Time{}, err
		}
	}
	if at.Year() < firstYear {
		return time.Time{}, Refuse("L1", CodeInvalidArgument, "effective_at", "effective_at lies before 1970; is the year right?")
	}
	if at.After(now.Add(maxAhead)) {
		return time.Time{}, Refuse("L1", CodeInvalidArgument, "effective_at", "effective_at is more than ten years ahead")
	}
	return at.UTC().Truncate(time.Microsecond), nil // what a database keeps, so that it says the same
}

func endOfDay(date, zone string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}, Refuse("L1", CodeInvalidArgument, "effective_at",
			"effective_at must be a date (2006-01-02) or a time with its zone (RFC 3339)")
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, Refuse("L1", CodeInvalidArgument, "effective_at", fmt.Sprintf("time zone %q is not known", zone))
	}
	midnight := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, loc)
	if midnight.Day() == day.Day() {
		// The clocks jump over midnight; the day ends where they jump.
		_, midnight = midnight.ZoneBounds()
	}
	return midnight, nil
}

// ParseGrace reads a grace period: a Go duration ("168h", "36h30m") or a whole
// number of days ("7d"). "" is the fallback. It is never negative and at most
// MaxGracePeriod.
func ParseGrace(text string, fallback time.Duration) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return fallback, nil
	}
	var grace time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		if n < 0 || n > int(MaxGracePeriod/(24*time.Hour)) {
			n = -1 // and not a product that overflows
		}
		grace = time.Duration(n) * 24 * time.Hour
	} else {
		grace, err = time.ParseDuration(text)
	}
	if err != nil || grace < 0 || grace > MaxGracePeriod {
		return 0, Refuse("", CodeInvalidArgument, "grace_period",
			`grace_period must be a duration such as "168h" or "7d", from 0 to ten years`)
	}
	return grace, nil
}

// ParseUntil reads the time until which a grace period is extended, in the same
// forms as an effective time.
func ParseUntil(text, zone string, now time.Time) (time.Time, error) {
	until, err := EffectiveTime(text, zone, now)
	if err != nil || text == "" || !until.After(now) {
		return time.Time{}, Refuse("", CodeInvalidArgument, "until",
			"until must be a date or an RFC 3339 time that lies ahead, at most ten years")
	}
	return until, nil
}

// ReminderLeads are the times before the end of the grace at which colleagues
// are reminded, the longest first.
var ReminderLeads = []time.Duration{3 * 24 * time.Hour, 24 * time.Hour}

// NextReminder returns the earliest reminder that is due after `after` for a
// grace that ends at `end`, and false when none is left.
func NextReminder(end, after time.Time) (at time.Time, lead time.Duration, ok bool) {
	for _, lead := range ReminderLeads {
		if at := end.Add(-lead); at.After(after) {
			return at, lead, true
		}
	}
	return time.Time{}, 0, false
}

// longestGraceSpread bounds how long after the end of its grace a case acts on it.
const longestGraceSpread = 5 * time.Minute

// GraceSpread is how long after the end of its grace, and after the time of a reminder,
// a case acts on it: up to half of a grace and five minutes at the most, evenly among
// cases and always the same for one. Cases that end together would else hold up everybody's
// claims for as long as all of them take.
func GraceSpread(caseID string, grace time.Duration) time.Duration {
	most := min(longestGraceSpread, grace/2)
	if most <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(caseID))
	return most * time.Duration(binary.BigEndian.Uint16(sum[:])) / (1 << 16)
}
