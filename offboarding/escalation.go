package offboarding

import "time"

// EscalateAfter is how long an ownership request waits for a decision until it
// goes to the owners of the organization.
const EscalateAfter = 2 * 24 * time.Hour

// EscalationDue is when a request made at this time goes to the owners.
func EscalationDue(requestedAt time.Time) time.Time { return requestedAt.Add(EscalateAfter) }

// Escalated is what an escalation came to.
type Escalated struct {
	Requests int        `json:"requests"`          // that went to the owners
	Notices  int        `json:"notices"`           // recorded, to be handed to the notifier
	NextAt   *time.Time `json:"next_at,omitempty"` // when the next request is due, nil for none
}
