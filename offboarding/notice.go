package offboarding

import "time"

// NoticeReason is why somebody is told something.
type NoticeReason string

// The reasons.
const (
	NoticeManager NoticeReason = "manager" // of the leaver
	NoticeEditor  NoticeReason = "editor"  // has edit grants on documents that wait
	NoticeOwner   NoticeReason = "owner"   // of the organization
)

// Notice is what the notifier is handed: one thing that one member is to be told.
// It carries IDs only; the notifier looks up names and addresses itself.
type Notice struct {
	Key            string       `db:"key" json:"key"`   // deduplicates: a notice may be handed over more than once
	Kind           string       `db:"kind" json:"kind"` // the audit event that it belongs to
	OrganizationID string       `db:"organization_id" json:"organization_id"`
	CaseID         string       `db:"case_id" json:"case_id"`
	MemberID       string       `db:"member_id" json:"member_id"` // the leaver
	RecipientID    string       `db:"recipient_id" json:"recipient_id,omitempty"`
	Reason         NoticeReason `db:"reason" json:"reason,omitempty"`
	Documents      int          `db:"documents" json:"documents,omitempty"` // that wait for an owner and concern the recipient
	GraceEndsAt    time.Time    `db:"grace_ends_at" json:"grace_ends_at"`

	// Of an ownership request that nobody has decided.
	RequestID   string     `db:"request_id" json:"request_id,omitempty"`
	DocumentID  string     `db:"document_id" json:"document_id,omitempty"`
	RequesterID string     `db:"requester_id" json:"requester_id,omitempty"`
	RequestedAt *time.Time `db:"requested_at" json:"requested_at,omitempty"`

	// Of notices in the histories of earlier builds, which told the manager alone.
	ManagerID string `db:"-" json:"manager_id,omitempty"`
	Unowned   int    `db:"-" json:"unowned,omitempty"`
}

// Addressed is the notice in its present form, and false where there is nobody to
// tell: one of an earlier build names the manager where it now names its recipient.
func (n Notice) Addressed() (Notice, bool) {
	if n.RecipientID == "" {
		n.RecipientID, n.Reason, n.Documents = n.ManagerID, NoticeManager, n.Unowned
	}
	n.ManagerID, n.Unowned = "", 0
	return n, n.RecipientID != ""
}

// Reminded is what a reminder came to.
type Reminded struct {
	// Notice is the one that an earlier build left in a history or in the record
	// of a step; nil since notices are kept in a table.
	*Notice
	Unowned int `json:"waiting"` // documents that wait for an owner
	Notices int `json:"notices"` // recorded, to be handed to the notifier
}
