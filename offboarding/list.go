package offboarding

import "time"

// DefaultLimit and MaxLimit bound a page of a list.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Page is one page of a list; Next is the cursor of the following one, "" at the
// end. A cursor is opaque and belongs to the filter that it came from.
type Page[T any] struct {
	Items []T    `json:"items"`
	Total *int   `json:"total,omitempty"` // on all pages together; nil where the list does not count
	Next  string `json:"next,omitempty"`
}

// CaseFilter selects cases; what is empty does not narrow. The newest come first.
type CaseFilter struct {
	OrganizationID string
	Reach          []string // IDs of the organizations that may be seen at all; none for all
	MemberID       string
	Search         string // beginnings of words of the member's name, email or external ID
	Phase          Phase
	OpenOnly       bool
	Troubled       bool      // only cases that cannot go on
	Overdue        bool      // only cases whose next step was due and has not been done
	Waiting        bool      // only cases in which documents wait for an owner, in the grace or after it
	Now            time.Time // what Overdue is judged by
	Cursor         string
	Limit          int // 0 means DefaultLimit
}

// CaseRow is a case as lists show it to people.
type CaseRow struct {
	Case
	OrganizationSlug string     `db:"organization_slug" json:"organization"`
	MemberName       string     `db:"member_name" json:"member_name"`
	MemberEmail      string     `db:"member_email" json:"member_email"`
	CreatedAt        time.Time  `db:"created_at" json:"created_at"`
	Unowned          int        `db:"unowned" json:"unowned"` // documents that wait for an owner; 0 once the case has closed
	PendingRequests  int        `db:"pending_requests" json:"pending_requests"`
	Overdue          bool       `db:"overdue" json:"overdue"` // the next step was due and has not been done
	TroubleSince     *time.Time `db:"trouble_since" json:"trouble_since,omitempty"`
	Failure          string     `db:"failure" json:"failure,omitempty"` // codes of a failed case
	RequestedByName  string     `db:"requested_by_name" json:"requested_by_name"`
	NewOwnerName     string     `db:"new_owner_name" json:"new_owner_name,omitempty"`
	WorkspaceName    string     `db:"workspace_name" json:"workspace_name,omitempty"`
	LastEventAt      *time.Time `db:"last_event_at" json:"last_event_at,omitempty"` // when something happened in it, by its own clock
}

// RequestFilter selects ownership requests; what is empty does not narrow, but
// an empty Status means pending. The oldest come first, as they wait.
type RequestFilter struct {
	OrganizationID string
	Reach          []string // IDs of the organizations that may be seen at all; none for all
	Status         RequestStatus
	AnyStatus      bool
	Decided        bool // whatever is not pending any more, instead of a status
	NewestFirst    bool
	DocumentID     string
	MemberID       string // who asks
	CaseID         string
	Cursor         string
	Limit          int
}

// RequestRow is an ownership request as lists show it to people.
type RequestRow struct {
	ID                 string        `db:"id" json:"request_id"`
	OrganizationID     string        `db:"organization_id" json:"organization_id"`
	CaseID             string        `db:"case_id" json:"case_id"`
	WorkflowID         string        `db:"workflow_id" json:"workflow_id"`
	DocumentID         string        `db:"document_id" json:"document_id"`
	DocumentExternalID string        `db:"document_external_id" json:"document_external_id"`
	DocumentTitle      string        `db:"document_title" json:"document_title"`
	MemberID           string        `db:"member_id" json:"member_id"`
	MemberName         string        `db:"member_name" json:"member_name"`
	MemberEmail        string        `db:"member_email" json:"member_email"`
	Note               string        `db:"note" json:"note,omitempty"`
	Status             RequestStatus `db:"status" json:"status"`
	CreatedAt          time.Time     `db:"created_at" json:"created_at"`
	EscalatedAt        *time.Time    `db:"escalated_at" json:"escalated_at,omitempty"` // when it went to the owners
	DecidedAt          *time.Time    `db:"decided_at" json:"decided_at,omitempty"`
	DecidedBy          string        `db:"decided_by" json:"decided_by,omitempty"`
	DecisionNote       string        `db:"decision_note" json:"decision_note,omitempty"`
	NewOwnerID         string        `db:"new_owner_id" json:"new_owner_id,omitempty"`

	DocumentKind      string       `db:"document_kind" json:"document_kind"`
	OwnerID           string       `db:"owner_id" json:"owner_id"` // of the document, now
	OwnerName         string       `db:"owner_name" json:"owner_name"`
	Held              bool         `db:"held" json:"held,omitempty"` // the document, as in DocumentRow
	CasePhase         Phase        `db:"case_phase" json:"case_phase"`
	GraceEndsAt       *time.Time   `db:"grace_ends_at" json:"grace_ends_at,omitempty"` // of the case
	LastEventAt       *time.Time   `db:"last_event_at" json:"last_event_at,omitempty"` // of the case, as in CaseRow
	MemberStatus      MemberStatus `db:"member_status" json:"member_status"`           // of who asks
	MemberAccountType AccountType  `db:"member_account_type" json:"member_account_type"`
	DecidedByName     string       `db:"decided_by_name" json:"decided_by_name,omitempty"`
	NewOwnerName      string       `db:"new_owner_name" json:"new_owner_name,omitempty"`
}

// MayGetIt reports whether who asks can be given the document (rule N1).
func (r RequestRow) MayGetIt() bool {
	return (&Member{Status: r.MemberStatus, AccountType: r.MemberAccountType}).MayOwn()
}

// DocumentRow is a document with who owns it, and what it waits for.
type DocumentRow struct {
	ID             string       `db:"id" json:"document_id"`
	OrganizationID string       `db:"organization_id" json:"organization_id"`
	ExternalID     string       `db:"external_id" json:"external_id"`
	Title          string       `db:"title" json:"title"`
	Kind           string       `db:"kind" json:"kind"`
	Access         Access       `db:"access" json:"access"`
	WorkspaceID    string       `db:"workspace_id" json:"workspace_id,omitempty"`
	OwnerID        string       `db:"owner_id" json:"owner_id"`
	OwnerName      string       `db:"owner_name" json:"owner_name"`
	OwnerStatus    MemberStatus `db:"owner_status" json:"owner_status"`
	Held           bool         `db:"held" json:"held,omitempty"`                   // by a legal hold on it or on its owner
	CaseID         string       `db:"case_id" json:"case_id,omitempty"`             // the open case in which it waits for an owner
	CasePhase      Phase        `db:"case_phase" json:"case_phase,omitempty"`       //
	GraceEndsAt    *time.Time   `db:"grace_ends_at" json:"grace_ends_at,omitempty"` // of that case
	LastEventAt    *time.Time   `db:"last_event_at" json:"last_event_at,omitempty"` // of that case, as in CaseRow
	Grant          GrantLevel   `db:"viewer_level" json:"grant,omitempty"`          // of whoever looks
	RequestID      string       `db:"viewer_request" json:"request_id,omitempty"`   // their pending request
}

// OrganizationRow is an organization as lists show it.
type OrganizationRow struct {
	ID               string `db:"id" json:"organization_id"`
	ParentID         string `db:"parent_id" json:"parent_id,omitempty"`
	Slug             string `db:"slug" json:"organization"`
	Name             string `db:"name" json:"name"`
	IdentityProvider string `db:"identity_provider" json:"identity_provider"`
}

// WorkspaceFilter selects workspaces; what is empty does not narrow. They come in
// the order of their IDs.
type WorkspaceFilter struct {
	OrganizationID string
	Reach          []string // IDs of the organizations that may be seen at all; none for all
	Cursor         string
	Limit          int
}

// WorkspaceRow is a workspace with how much is in it.
type WorkspaceRow struct {
	Workspace
	Members   int `db:"members" json:"members"`     // of every status
	Documents int `db:"documents" json:"documents"` // of every owner
}

// WorkspaceMemberRow is a member of a workspace.
type WorkspaceMemberRow struct {
	Member
	WorkspaceRole WorkspaceRole `db:"workspace_role" json:"workspace_role"`
}

// MemberFilter selects members; what is empty does not narrow, but an empty Status
// means active (seeds 000 and 002). They come in the order in which they arrived.
type MemberFilter struct {
	OrganizationID string
	Reach          []string // IDs of the organizations that may be seen at all; none for all
	Status         MemberStatus
	AnyStatus      bool
	Search         string // beginnings of words of name, email or external ID
	Cursor         string
	Limit          int
}

// MemberRow is a member as lists show them to people.
type MemberRow struct {
	Member
	Documents  int    `db:"documents" json:"documents"`                 // that the member owns
	Unowned    int    `db:"unowned" json:"unowned"`                     // of them, those that wait for an owner
	OpenCaseID string `db:"open_case_id" json:"open_case_id,omitempty"` // of the whole organization
	CasePhase  Phase  `db:"case_phase" json:"case_phase,omitempty"`     // of the open case
}

// MemberDetail is one member as a page shows them.
type MemberDetail struct {
	MemberRow
	OrganizationSlug string     `db:"organization_slug" json:"organization"`
	ManagerName      string     `db:"manager_name" json:"manager_name,omitempty"`
	CreatedAt        time.Time  `db:"created_at" json:"created_at"`
	DeactivatedAt    *time.Time `db:"deactivated_at" json:"deactivated_at,omitempty"` // nil of active members, and of some who were imported inactive
}

// Clock is the case's time as far as its events tell: that of the latest one where it
// is later than now, because time was skipped.
func (c CaseRow) Clock(now time.Time) time.Time { return clock(c.LastEventAt, now) }

// Clock is the time of the case in which the document waits, as in CaseRow.
func (d DocumentRow) Clock(now time.Time) time.Time { return clock(d.LastEventAt, now) }

// Clock is the time of the request's case, as in CaseRow.
func (r RequestRow) Clock(now time.Time) time.Time { return clock(r.LastEventAt, now) }

func clock(last *time.Time, now time.Time) time.Time {
	if last != nil && last.After(now) {
		return *last
	}
	return now
}

// DocumentState is what became of a leaver's document in a case.
type DocumentState string

// The states of a case's documents.
const (
	DocumentWaiting  DocumentState = "waiting"   // still the leaver's, and not archived
	DocumentReadOnly DocumentState = "read_only" // of those, what nobody can edit any more
	DocumentMoved    DocumentState = "moved"     // given to somebody by the case, and moved by no other case since
	DocumentArchived DocumentState = "archived"  // still the leaver's, archived by the case
)

// DocumentFilter selects documents; what is empty does not narrow. They come in the
// order in which they arrived.
type DocumentFilter struct {
	OrganizationID string
	Reach          []string // IDs of the organizations that may be seen at all; none for all
	OwnerID        string
	Unowned        bool   // only documents whose owner is not active
	ViewerID       string // whose grants are shown
	ViewerOnly     bool   // only what the viewer owns or has a grant on
	Claimable      bool   // only what waits for an owner in an open case, and the viewer has a grant on (rules C1, C2)
	Case           *Case  // only documents of this case that are in State
	State          DocumentState
	Cursor         string
	Limit          int
}

// AuditFilter selects audit events; what is empty does not narrow. From is
// included, To is not.
type AuditFilter struct {
	OrganizationID string
	Reach          []string // IDs of the organizations that may be seen at all; none for all
	Events         []string // any of them
	MemberID       string
	DocumentID     string
	CaseID         string
	From, To       time.Time
	OldestFirst    bool
	Cursor         string
	Limit          int
}

// AuditRow is an audit event with the names that people know; a name is empty
// where the one it belonged to is gone.
type AuditRow struct {
	AuditEvent
	ActorName     string `db:"actor_name" json:"actor_name,omitempty"`
	MemberName    string `db:"member_name" json:"member_name,omitempty"`
	DocumentTitle string `db:"document_title" json:"document_title,omitempty"`
	NewOwnerName  string `db:"new_owner_name" json:"new_owner_name,omitempty"` // of an event of a document: who owned it afterwards
}
