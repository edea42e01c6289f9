package offboarding

import "time"

// The Temporal contract. These names and the JSON of the payloads are stable:
// HR systems use them from every language (docs/contract.md).
const (
	// TaskQueue is where workers poll.
	TaskQueue = "offboarding"

	// The workflow types.
	WorkflowOffboarding      = "Offboarding"      // one case
	WorkflowBulkOffboarding  = "BulkOffboarding"  // many members at once (rule B1)
	WorkflowReactivation     = "Reactivation"     // after the case has closed (rules R1, R2)
	WorkflowMemberDeletion   = "MemberDeletion"   // for good (rule X1)
	WorkflowWorkspaceRemoval = "WorkspaceRemoval" // from one workspace (rule W1)

	// WorkflowMemberArchival is started by cases themselves.
	WorkflowMemberArchival = "MemberArchival"

	// WorkflowWebhookDelivery is started by workers where something is to be sent. It
	// has a task queue of its own, so that a slow receiver holds up no case, and is
	// sent MessageDue when there is something new.
	WorkflowWebhookDelivery = "WebhookDelivery"
	WebhookTaskQueue        = "webhooks"
	MessageDue              = "due"

	// The signals, and the updates of the same names and payloads.
	MessageClaim      = "claim-request"
	MessageDecision   = "admin-approval"
	MessageTransfer   = "transfer-documents"
	MessageExtend     = "extend-grace"
	MessageReschedule = "reschedule"
	MessageCancel     = "cancel"
	MessageReactivate = "reactivate"

	// UpdateAwaitRevoked answers with the status as soon as access is revoked
	// and the member inactive, or the case waits for its effective time; a
	// refused start answers with the rule's code. It takes no payload.
	UpdateAwaitRevoked = "await-revoked"

	// QueryStatus answers with a Status.
	QueryStatus = "status"
)

// Messages lists the message names that are both a signal and an update.
var Messages = []string{
	MessageClaim, MessageDecision, MessageTransfer, MessageExtend, MessageReschedule, MessageCancel, MessageReactivate,
}

// WorkflowID is the workflow ID of a member's case: one open case per member,
// whoever starts it.
func WorkflowID(memberID string) string { return "offboarding/" + memberID }

// BulkWorkflowID is the workflow ID of a bulk offboarding that its caller named.
func BulkWorkflowID(bulkID string) string { return "bulk-offboarding/" + bulkID }

// ReactivationWorkflowID is the workflow ID of a member's reactivation, or of a
// bulk reactivation that its caller named.
func ReactivationWorkflowID(id string) string { return "reactivation/" + id }

// DeletionWorkflowID is the workflow ID of a member's deletion.
func DeletionWorkflowID(memberID string) string { return "deletion/" + memberID }

// RemovalWorkflowID is the workflow ID of a member's removal from a workspace.
func RemovalWorkflowID(workspaceID, memberID string) string {
	return "workspace-removal/" + workspaceID + "/" + memberID
}

// ArchivalWorkflowID is the workflow ID of what archives a case's leaver later.
func ArchivalWorkflowID(caseID string) string { return "member-archival/" + caseID }

// WebhookWorkflowID is the workflow ID of what sends to a webhook.
func WebhookWorkflowID(webhookID string) string { return "webhook/" + webhookID }

// Request starts a case; it is the input of the workflow Offboarding. Only
// MemberID and RequestedBy are required, on behalf of a provider MemberID and
// Provider. Both members, and NewOwnerID, are IDs
// or "external:<external id>"; NewOwnerID may also be "manager".
type Request struct {
	MemberID         string      `json:"member_id"`
	RequestedBy      string      `json:"requested_by,omitempty"`
	Provider         string      `json:"provider,omitempty"`     // okta or entra, on whose behalf this is; RequestedBy may then be "" (rule E5)
	WorkspaceID      string      `json:"workspace_id,omitempty"` // of a WorkspaceRemoval (rule W1)
	Origin           string      `json:"origin,omitempty"`       // TYPE,OrgName,SourceName (rule O1)
	Reason           string      `json:"reason,omitempty"`       // free text, without personal data
	EffectiveAt      string      `json:"effective_at,omitempty"` // RFC 3339 time, or a date for the end of that day (rule L1); "" is now
	Disposition      Disposition `json:"disposition,omitempty"`
	NewOwnerID       string      `json:"new_owner_id,omitempty"`
	ArchiveSchedules bool        `json:"archive_schedules,omitempty"`
	GracePeriod      string      `json:"grace_period,omitempty"` // "168h" or "7d"; "" is the organization's
	// CaseID asks to go on with this open case of the member, and with nothing
	// else: a bulk run has opened it.
	CaseID string `json:"case_id,omitempty"`
}

// The ways to ask for a document, for those who want only one of them.
const (
	AsClaim   = "claim"   // at once or not at all (rule C1)
	AsRequest = "request" // an admin is to decide (rule C2), also where rule C1 would give it at once
)

// ClaimRequest asks for an unowned document: a claim where rule C1 allows it, an
// ownership request otherwise (rule C2).
type ClaimRequest struct {
	DocumentID string `json:"document_id"`
	MemberID   string `json:"member_id"`
	Note       string `json:"note,omitempty"`
	As         string `json:"as,omitempty"`     // claim or request; "" is either
	Origin     string `json:"origin,omitempty"` // as in Request
}

// The decisions of an admin-approval.
const (
	DecisionApprove = "approve"
	DecisionReject  = "reject"
)

// AdminApproval decides an ownership request (rule C3).
type AdminApproval struct {
	RequestID  string `json:"request_id"`
	AdminID    string `json:"admin_id"`
	Decision   string `json:"decision"`               // approve or reject
	NewOwnerID string `json:"new_owner_id,omitempty"` // somebody else than the requester, with approve
	Note       string `json:"note,omitempty"`
	Origin     string `json:"origin,omitempty"` // as in Request
}

// TransferDocuments moves some or all of what the leaver still owns.
type TransferDocuments struct {
	AdminID     string   `json:"admin_id"`
	NewOwnerID  string   `json:"new_owner_id,omitempty"` // "" is the admin (rule N2)
	DocumentIDs []string `json:"document_ids,omitempty"` // none means all
	Origin      string   `json:"origin,omitempty"`       // as in Request
}

// ExtendGrace moves the end of the grace period.
type ExtendGrace struct {
	AdminID string `json:"admin_id"`
	Until   string `json:"until"`            // RFC 3339 time, or a date for the end of that day
	Origin  string `json:"origin,omitempty"` // as in Request
}

// Reschedule moves the effective time of a case that still waits for it.
type Reschedule struct {
	AdminID     string `json:"admin_id,omitempty"`
	Provider    string `json:"provider,omitempty"` // as in Request
	EffectiveAt string `json:"effective_at"`
	Origin      string `json:"origin,omitempty"` // as in Request
}

// Cancel ends a case that still waits for its effective time.
type Cancel struct {
	AdminID  string `json:"admin_id,omitempty"`
	Provider string `json:"provider,omitempty"` // as in Request
	Reason   string `json:"reason,omitempty"`
	Origin   string `json:"origin,omitempty"` // as in Request
}

// Reactivate makes the leaver active again.
type Reactivate struct {
	AdminID         string `json:"admin_id,omitempty"`
	Provider        string `json:"provider,omitempty"`         // as in Request
	ReturnDocuments bool   `json:"return_documents,omitempty"` // also what the case moved, unless passed on since
	Origin          string `json:"origin,omitempty"`           // as in Request
	CaseID          string `json:"case_id,omitempty"`          // only this case, and no later one under its workflow ID
}

// Outcome is what a message came to; the answer of every update.
type Outcome struct {
	// Outcome is claimed, requested, approved, rejected, transferred, extended,
	// rescheduled, canceled or reactivated.
	Outcome    string     `json:"outcome"`
	RequestID  string     `json:"request_id,omitempty"`
	DocumentID string     `json:"document_id,omitempty"`
	OwnerID    string     `json:"owner_id,omitempty"`
	Documents  int        `json:"documents,omitempty"`   // documents that changed hands
	Superseded []string   `json:"superseded,omitempty"`  // requests that lost their document
	At         *time.Time `json:"at,omitempty"`          // the new effective time or end of the grace
	EscalateAt *time.Time `json:"escalate_at,omitempty"` // when a request goes to the organization's owners, unless decided
	Phase      Phase      `json:"phase,omitempty"`       // where the case stands afterwards
}

// The outcomes.
const (
	OutcomeClaimed     = "claimed"
	OutcomeRequested   = "requested"
	OutcomeApproved    = "approved"
	OutcomeRejected    = "rejected"
	OutcomeTransferred = "transferred"
	OutcomeExtended    = "extended"
	OutcomeRescheduled = "rescheduled"
	OutcomeCanceled    = "canceled"
	OutcomeReactivated = "reactivated"
)

// Result is what the workflow Offboarding returns.
type Result struct {
	CaseID     string `json:"case_id"`
	WorkflowID string `json:"workflow_id"`
	MemberID   string `json:"member_id"`
	Phase      Phase  `json:"phase"`
	// Existing is true when the member's case was open already under another
	// workflow ID; this start changed nothing (rule E2).
	Existing  bool   `json:"existing,omitempty"`
	Documents Counts `json:"documents"`
}
