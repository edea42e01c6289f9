package offboarding

import "time"

// Counts are documents of the leaver by what became of them in this case.
type Counts struct {
	Total       int `json:"total"`       // owned by the leaver when the account was deactivated
	Unowned     int `json:"unowned"`     // waiting for an owner
	ReadOnly    int `json:"read_only"`   // of the unowned ones, locked since the grace has ended
	Transferred int `json:"transferred"` // given to a new owner by disposition or by an admin
	Claimed     int `json:"claimed"`     // taken by a colleague
	Approved    int `json:"approved"`    // given by an approved ownership request
	Archived    int `json:"archived"`    // archived by this case
	Returned    int `json:"returned"`    // given back to the leaver at reactivation
}

// Trouble says where and why a case cannot go on. It keeps trying.
type Trouble struct {
	Step      string    `json:"step"`
	Attempt   int       `json:"attempt"`
	LastError string    `json:"last_error"` // free of personal data and of secrets
	Since     time.Time `json:"since"`
}

// RefusedMessage is a message that broke a rule and changed nothing.
type RefusedMessage struct {
	Message string    `json:"message"`
	Code    Code      `json:"code"`
	At      time.Time `json:"at"`
}

// Status answers the query of the same name.
type Status struct {
	CaseID          string           `json:"case_id"`
	WorkflowID      string           `json:"workflow_id"`
	OrganizationID  string           `json:"organization_id"`
	WorkspaceID     string           `json:"workspace_id,omitempty"` // of a removal from a workspace
	MemberID        string           `json:"member_id"`
	RequestedBy     string           `json:"requested_by"`
	Phase           Phase            `json:"phase"`
	Existing        bool             `json:"existing,omitempty"` // the case was started under another workflow ID
	Disposition     Disposition      `json:"disposition"`
	NewOwnerID      string           `json:"new_owner_id,omitempty"`
	FallbackReason  string           `json:"fallback_reason,omitempty"`
	EffectiveAt     *time.Time       `json:"effective_at,omitempty"`
	SessionsEndAt   *time.Time       `json:"sessions_end_at,omitempty"` // while the deactivation waits for SSO sessions
	DeactivatedAt   *time.Time       `json:"deactivated_at,omitempty"`
	GraceEndsAt     *time.Time       `json:"grace_ends_at,omitempty"`
	NextReminderAt  *time.Time       `json:"next_reminder_at,omitempty"`
	NextEscalation  *time.Time       `json:"next_escalation_at,omitempty"` // when the oldest pending request goes to the owners
	ClosedAt        *time.Time       `json:"closed_at,omitempty"`
	Documents       Counts           `json:"documents"`
	PendingRequests []string         `json:"pending_requests"`           // the oldest 100
	PendingCount    int              `json:"pending_count"`              // all of them
	StepsDone       []string         `json:"steps_done"`                 // in the order in which they were done
	Trouble         *Trouble         `json:"trouble,omitempty"`          // nil while the case goes on
	RefusedMessages []RefusedMessage `json:"refused_messages,omitempty"` // the latest 20
	MessagesHandled int              `json:"messages_handled"`           // signals and updates so far
	ContinuedAsNew  int              `json:"continued_as_new,omitempty"` // how often the history started afresh
	WorkflowTime    time.Time        `json:"workflow_time"`              // the case's clock
}
