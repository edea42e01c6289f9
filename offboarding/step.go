package offboarding

import "time"

// Step names one step of a case. A step that has been done is not done again:
// running it a second time answers with what the first run came to.
type Step struct {
	CaseID string    `json:"case_id"`
	Name   string    `json:"step"`
	At     time.Time `json:"at"` // the workflow's clock
}

// AdmitInput asks to admit a start.
type AdmitInput struct {
	CaseID     string    `json:"case_id"`
	WorkflowID string    `json:"workflow_id"`
	At         time.Time `json:"at"`
	Request    Request   `json:"request"`
	Sent       *Sent     `json:"sent,omitempty"`
	// AtOnce: go on until the member is inactive where the case has nothing to wait for.
	AtOnce bool `json:"at_once,omitempty"`
	Before bool `json:"-"` // the start has begun something before: it may have that, and nothing new
}

// Admission is an admitted start, every reference resolved to an ID.
type Admission struct {
	CaseID         string `json:"case_id"`
	WorkflowID     string `json:"workflow_id"`
	OrganizationID string `json:"organization_id"`
	WorkspaceID    string `json:"workspace_id,omitempty"`
	MemberID       string `json:"member_id"`
	RequestedBy    string `json:"requested_by"`
	Phase          Phase  `json:"phase"`
	Existing       bool   `json:"existing,omitempty"` // the member's case was open already (rule E2)
	// Resumed: the case was open under this very workflow ID, so its workflow has
	// ended without it (terminated, or lost with a backup); this one takes it over.
	Resumed bool `json:"resumed,omitempty"`
	// Again: this very start opened the case before. Its answer was lost, or its workflow
	// was set back to the beginning; Steps of the case are recorded since then.
	Again         bool       `json:"again,omitempty"`
	Steps         int        `json:"steps,omitempty"`
	DeactivatedAt *time.Time `json:"deactivated_at,omitempty"`
	SessionsEndAt *time.Time `json:"sessions_end_at,omitempty"` // while the deactivation waits for SSO sessions
	ArchiveAt     *time.Time `json:"archive_at,omitempty"`      // as in Deactivated, of a case that was taken over
	GraceEndsAt   *time.Time `json:"grace_ends_at,omitempty"`
	Plan          Plan       `json:"plan"`
	// Reactivation is what a member who is active again still waits for, else nil.
	Reactivation *Reactivation `json:"reactivation,omitempty"`
	// Unsent notices of a case that was resumed.
	Unsent int `json:"unsent_notices,omitempty"`
	// GraceBegun: this very start began it, too; GraceSpread is as in Settled.
	GraceBegun  bool          `json:"grace_begun,omitempty"`
	GraceSpread time.Duration `json:"grace_spread_ns,omitempty"`
	// SignalsByName: no signal of the case has gone by a number among those of all names.
	SignalsByName bool `json:"signals_by_name,omitempty"`
	// What a member who left at once owns, as in Deactivated.
	Documents int `json:"documents,omitempty"`
	Unowned   int `json:"unowned,omitempty"`
}

// RevokeInput asks to revoke what the leaver can do.
type RevokeInput struct {
	Step
	SecondLook bool `json:"second_look,omitempty"` // the case has waited: judge the rules again first
}

// Revoked is what revocation came to.
type Revoked struct {
	Plan        Plan `json:"plan"`
	Credentials int  `json:"credentials"`
	Sessions    int  `json:"sessions"`
	// SessionsEndAt is until when the deactivation waits for the leaver's SSO
	// sessions; nil where it does not (rule S1).
	SessionsEndAt *time.Time `json:"sessions_end_at,omitempty"`
}

// SessionsChecked says how many SSO sessions the deactivation still waits for,
// and what had appeared since and was revoked.
type SessionsChecked struct {
	Waiting     int `json:"waiting"`
	Credentials int `json:"credentials"`
	Sessions    int `json:"sessions"`
}

// Deactivated is what deactivation came to.
type Deactivated struct {
	Documents int `json:"documents"` // owned by the leaver
	Unowned   int `json:"unowned"`   // of them, those that wait for an owner: not archived
	// ArchiveAt is when the leaver becomes archived, nil where they stay inactive.
	ArchiveAt *time.Time `json:"archive_at,omitempty"`
}

// ArchivalInput is the input of MemberArchival: the case whose leaver becomes
// archived, and when.
type ArchivalInput struct {
	CaseID string    `json:"case_id"`
	At     time.Time `json:"at"`
}

// AdvanceInput moves the case to a phase that needs nothing else.
type AdvanceInput struct {
	Step
	Phase Phase `json:"phase"`
	// AtOnce: with the grace, all that comes at its end, where there are few documents.
	AtOnce bool `json:"at_once,omitempty"`
}

// Advanced is what came with a change of phase.
type Advanced struct {
	// Of a case that begins to transfer: documents that the leaver owns, and of them
	// those that wait for an owner.
	Documents int `json:"documents,omitempty"`
	Unowned   int `json:"unowned,omitempty"`
	// Of a grace that ends at once: what is unowned is read-only; nil where that is still to be done.
	Settled *Settled `json:"settled,omitempty"`
}

// SettleInput asks where a case goes once its disposition is done.
type SettleInput struct {
	Step
	GraceEndsAt *time.Time `json:"grace_ends_at,omitempty"` // when a grace may begin; nil to complete or stay
}

// Settled says where the case stands.
type Settled struct {
	Phase     Phase `json:"phase"`
	Documents int   `json:"documents,omitempty"` // that the leaver still owns
	Unowned   int   `json:"unowned"`             // of them, those that wait for an owner

	// GraceSpread is how long after its grace's end a case whose grace has begun acts on it,
	// so that cases that end together do not all do so at one moment.
	GraceSpread time.Duration `json:"grace_spread_ns,omitempty"`

	Pending      []string `json:"pending,omitempty"` // the oldest 100 requests that wait for a decision
	PendingCount int      `json:"pending_count,omitempty"`
	// EscalateAt is when the oldest of them that has not gone to the owners does; nil for none.
	EscalateAt *time.Time `json:"escalate_at,omitempty"`
}

// ClaimInput carries a claim-request.
type ClaimInput struct {
	Step
	Sent    *Sent        `json:"sent,omitempty"`
	Message ClaimRequest `json:"message"`
}

// DecideInput carries an admin-approval.
type DecideInput struct {
	Step
	Sent    *Sent         `json:"sent,omitempty"`
	Message AdminApproval `json:"message"`
}

// AuthorizeTransferInput carries a transfer-documents.
type AuthorizeTransferInput struct {
	Step
	Sent    *Sent             `json:"sent,omitempty"`
	Message TransferDocuments `json:"message"`
}

// TransferAuthorized is a transfer-documents that the rules allow.
type TransferAuthorized struct {
	AdminID    string `json:"admin_id"`
	NewOwnerID string `json:"new_owner_id"`
}

// ExtendGraceInput carries an extend-grace.
type ExtendGraceInput struct {
	Step
	Sent    *Sent       `json:"sent,omitempty"`
	Message ExtendGrace `json:"message"`
}

// RescheduleInput carries a reschedule.
type RescheduleInput struct {
	Step
	Sent    *Sent      `json:"sent,omitempty"`
	Message Reschedule `json:"message"`
}

// CancelInput carries a cancel.
type CancelInput struct {
	Step
	Sent    *Sent  `json:"sent,omitempty"`
	Message Cancel `json:"message"`
}

// Reactivation is a reactivate that the rules allow, until it is carried out.
type Reactivation struct {
	ID      string     `json:"id"` // of the message
	AdminID string     `json:"admin_id"`
	Message Reactivate `json:"message"`
	// WorkflowID is the workflow Reactivation that carries it out, "" where the
	// case does itself; Origin is that workflow's (rule O1).
	WorkflowID string `json:"workflow_id,omitempty"`
	Origin     string `json:"origin,omitempty"`
}

// ReactivateInput carries a reactivate.
type ReactivateInput struct {
	Step
	Sent    *Sent      `json:"sent,omitempty"`
	ID      string     `json:"id,omitempty"` // of the message
	Message Reactivate `json:"message"`
}

// FailInput ends a case that the rules no longer allow.
type FailInput struct {
	Step
	Refusal Refusal `json:"refusal"`
}

// SweepInput is work on all documents of a case, done in batches.
type SweepInput struct {
	Step
	ActorID          string   `json:"actor_id,omitempty"`     // "" is who requested the case
	Origin           string   `json:"origin,omitempty"`       // where ActorID's request comes from (rule O1)
	NewOwnerID       string   `json:"new_owner_id,omitempty"` // of a transfer
	ArchiveSchedules bool     `json:"archive_schedules,omitempty"`
	DocumentIDs      []string `json:"document_ids,omitempty"` // none means all
	BatchSize        int      `json:"-"`                      // documents of this batch at most; 0 is the store's
}

// Sweep is how far work on the documents of a case has come.
type Sweep struct {
	Documents int    `json:"documents"` // changed so far
	Schedules int    `json:"schedules"` // changed so far
	Cursor    string `json:"cursor"`    // the last document looked at
	Done      bool   `json:"done"`
}

// TroubleInput records that a case cannot go on, or with nil that it does again.
type TroubleInput struct {
	CaseID  string   `json:"case_id"`
	Trouble *Trouble `json:"trouble"`
}

// ReminderInput asks to remind colleagues of the end of the grace.
type ReminderInput struct {
	Step
	Lead        time.Duration `json:"lead_ns"` // before the end
	GraceEndsAt time.Time     `json:"grace_ends_at"`
}
