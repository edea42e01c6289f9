package offboarding

import "time"

// MaxSSOWait is how long after the revocation a deactivation waits for SSO
// sessions at most, whatever they say themselves (rule S1).
const MaxSSOWait = 24 * time.Hour

// The time between looks at the sessions that a deactivation waits for, doubled
// up to the longest: a sign-out is noticed soon, and a day is a hundred looks.
const (
	firstSessionCheck   = time.Minute
	longestSessionCheck = 15 * time.Minute
)

// NextSessionCheck is when the sessions are looked at again after so many looks,
// the deadline at the latest.
func NextSessionCheck(checks int, now, deadline time.Time) time.Time {
	pause := longestSessionCheck
	if checks < 4 {
		pause = firstSessionCheck << checks
	}
	if next := now.Add(pause); next.Before(deadline) {
		return next
	}
	return deadline
}
