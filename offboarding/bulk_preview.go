package offboarding

import "time"

// BulkPreview is what a run would do, judged by the rules as they stand now; nothing is
// changed.
type BulkPreview struct {
	Allowed     bool                `json:"allowed"`    // the run would be admitted
	Violations  []Violation         `json:"violations"` // why it would not; what is wrong with a member is said there
	Message     string              `json:"message"`    // what the run would come to (rule B1)
	Counts      BulkPreviewCounts   `json:"counts"`
	Documents   map[Disposition]int `json:"documents"`   // of who would leave, archived ones aside, by what would happen to them
	Credentials int                 `json:"credentials"` // active ones of who would leave
	Sessions    int                 `json:"sessions"`    // active ones
	Items       []BulkPreviewRow    `json:"items"`
}

// BulkPreviewCounts are the members of a list by what would become of them.
type BulkPreviewCounts struct {
	Total      int `json:"total"`
	Started    int `json:"started"`
	Scheduled  int `json:"scheduled"`
	Existing   int `json:"existing"`
	Refused    int `json:"refused"`
	NotStarted int `json:"not_started"` // with all_or_nothing, because of who is refused
}

// BulkPreviewRow is what would become of a member of a list.
type BulkPreviewRow struct {
	Position       int         `json:"position"`            // in the list, from 1
	Line           int         `json:"line,omitempty"`      // of a file
	Reference      string      `json:"reference,omitempty"` // what the list says
	MemberID       string      `json:"member_id,omitempty"`
	MemberName     string      `json:"member_name,omitempty"`
	Email          string      `json:"member_email,omitempty"`
	Outcome        BulkOutcome `json:"outcome"`
	CaseID         string      `json:"case_id,omitempty"`      // that is open already (rule E2)
	EffectiveAt    *time.Time  `json:"effective_at,omitempty"` //
	Disposition    Disposition `json:"disposition,omitempty"`
	NewOwnerName   string      `json:"new_owner_name,omitempty"`
	FallbackReason string      `json:"fallback_reason,omitempty"`
	Violations     []Violation `json:"violations,omitempty"`
}

// Count counts the rows and says what a run with all of them comes to.
func (p *BulkPreview) Count(allOrNothing bool) {
	c := BulkPreviewCounts{Total: len(p.Items)}
	for _, row := range p.Items {
		if row.Outcome == BulkMemberRefused {
			c.Refused++
		}
	}
	for i := range p.Items {
		if row := &p.Items[i]; allOrNothing && c.Refused > 0 && row.Outcome != BulkMemberRefused {
			row.Outcome = BulkMemberNotStarted
		}
		switch p.Items[i].Outcome {
		case BulkMemberStarted:
			c.Started++
		case BulkMemberScheduled:
			c.Scheduled++
		case BulkMemberExisting:
			c.Existing++
		case BulkMemberNotStarted:
			c.NotStarted++
		case BulkMemberPending, BulkMemberRefused, BulkMemberFailed, BulkMemberCanceled: // counted above, or never in a preview
		}
	}
	p.Counts = c
	p.Message, _ = BulkCounts{Total: c.Total, Started: c.Started, Scheduled: c.Scheduled, Existing: c.Existing, Refused: c.Refused, NotStarted: c.NotStarted}.Result()
}
