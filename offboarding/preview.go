package offboarding

import "time"

// Preview is what a start would do, judged by the rules as they stand now;
// nothing is changed. Successors is filled by who asks for them too.
type Preview struct {
	Allowed        bool             `json:"allowed"`
	Violations     []Violation      `json:"violations"`
	OpenCaseID     string           `json:"open_case_id,omitempty"` // a start would answer with this case (rule E2)
	MemberID       string           `json:"member_id,omitempty"`
	MemberName     string           `json:"member_name,omitempty"`
	MemberEmail    string           `json:"member_email,omitempty"`
	OrganizationID string           `json:"organization_id,omitempty"`
	WorkspaceID    string           `json:"workspace_id,omitempty"` // of a removal: all that follows is about the workspace
	Plan           *PlannedCase     `json:"plan,omitempty"`         // nil when the start would be refused
	Documents      PreviewDocuments `json:"documents"`
	Schedules      PreviewSchedules `json:"schedules"`
	Credentials    map[string]int   `json:"credentials"` // active ones by kind
	Sessions       int              `json:"sessions"`    // active ones
	Successors     *Successors      `json:"successors,omitempty"`
}

// ActiveCredentials is how many credentials there are of all kinds.
func (p Preview) ActiveCredentials() (n int) {
	for _, some := range p.Credentials {
		n += some
	}
	return n
}

// PlannedCase is the plan of a start that the rules allow.
type PlannedCase struct {
	Disposition        Disposition `json:"disposition"`
	NewOwnerID         string      `json:"new_owner_id,omitempty"`
	NewOwnerName       string      `json:"new_owner_name,omitempty"`
	NewOwnerEmail      string      `json:"new_owner_email,omitempty"`
	ArchiveSchedules   bool        `json:"archive_schedules"`
	FallbackReason     string      `json:"fallback_reason,omitempty"` // why the documents go elsewhere than asked
	EffectiveAt        time.Time   `json:"effective_at"`
	GracePeriodSeconds int64       `json:"grace_period_seconds"`
}

// PreviewDocuments counts what the leaver owns, documents archived already
// aside.
type PreviewDocuments struct {
	Total       int            `json:"total"`
	ByKind      map[string]int `json:"by_kind"`
	MyDocuments int            `json:"my_documents"` // would move to the new owner's My Documents (rule D1)
	Shared      int            `json:"shared"`       // keep their place (rule D2)
	Archived    int            `json:"archived"`     // archived already, not in Total
	Held        int            `json:"held"`         // under legal hold: they stay (rule H1)
	Claimable   int            `json:"claimable"`    // another active maker with an edit grant could take them over
	Unclaimable int            `json:"unclaimable"`  // nobody could
}

// PreviewSchedules counts the schedules of those documents.
type PreviewSchedules struct {
	Active   int `db:"active" json:"active"`
	Archived int `db:"archived" json:"archived"`
}
