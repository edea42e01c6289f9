package offboarding

import "time"

// heldViolation is rule H1: what a legal hold is on is not claimed, transferred
// or archived until the hold is lifted.
func heldViolation(field string) Violation {
	return Violation{Rule: "H1", Code: CodeLegalHold, Field: field, Message: "a legal hold keeps the documents with their owner"}
}

// Hold asks for a legal hold on a member, and so on all that the member owns, or
// on one document.
type Hold struct {
	ID         string // of the hold that is to be; placed twice it is the same hold, "" is a new one
	MemberID   string
	DocumentID string
	Reason     string
	Origin     string // TYPE,OrgName,SourceName (rule O1)
}

// HoldRow is a legal hold as lists show it to people.
type HoldRow struct {
	ID             string     `db:"id" json:"hold_id"`
	OrganizationID string     `db:"organization_id" json:"organization_id"`
	MemberID       string     `db:"member_id" json:"member_id,omitempty"`
	MemberName     string     `db:"member_name" json:"member_name,omitempty"`
	DocumentID     string     `db:"document_id" json:"document_id,omitempty"`
	DocumentTitle  string     `db:"document_title" json:"document_title,omitempty"`
	Reason         string     `db:"reason" json:"reason"`
	PlacedBy       string     `db:"placed_by" json:"placed_by"`
	PlacedByName   string     `db:"placed_by_name" json:"placed_by_name,omitempty"`
	PlacedAt       time.Time  `db:"placed_at" json:"placed_at"`
	LiftedBy       string     `db:"lifted_by" json:"lifted_by,omitempty"`
	LiftedByName   string     `db:"lifted_by_name" json:"lifted_by_name,omitempty"`
	LiftedAt       *time.Time `db:"lifted_at" json:"lifted_at,omitempty"`
}

// HoldFilter selects legal holds; what is empty does not narrow. Those in force
// come alone unless Lifted asks for the others too. The newest come first.
type HoldFilter struct {
	OrganizationID string
	Reach          []string // IDs of the organizations that may be seen at all; none for all
	MemberID       string
	DocumentID     string
	Lifted         bool
	Cursor         string
	Limit          int
}

// HoldFacts is what the rules need to know about placing or lifting a hold.
type HoldFacts struct {
	Actor Actor
	Found bool // the member, document or hold exists in the actor's reach
	Live  bool // of a hold to be lifted: it has not been yet
}

// JudgePlaceHold judges who may place a hold on what: an admin (rule A1), on a
// member or document in reach.
func JudgePlaceHold(h Hold, f HoldFacts) error {
	var form form
	if (h.MemberID == "") == (h.DocumentID == "") {
		form.bad("H1", "member_id", "a legal hold is on a member or on a document, on one of them")
	}
	form.required("reason", h.Reason)
	form = append(form, CheckOrigin(h.Origin)...)
	violations := append([]Violation(form), JudgeAdmin(f.Actor)...)
	if !f.Found && len(form) == 0 {
		code, field, what := CodeMemberNotFound, "member_id", "member"
		if h.DocumentID != "" {
			code, field, what = CodeNoAccess, "document_id", "document"
		}
		violations = append(violations, Violation{Rule: "H1", Code: code, Field: field, Message: "there is no such " + what + " in the actor's reach"})
	}
	return RefusalOf(violations)
}

// JudgeLiftHold judges who may lift a hold: an admin (rule A1).
func JudgeLiftHold(f HoldFacts) error {
	violations := JudgeAdmin(f.Actor)
	if !f.Found || !f.Live {
		violations = append(violations, Violation{
			Rule: "H1", Code: CodeHoldNotFound, Field: "hold_id", Message: "there is no such legal hold in force in the actor's reach",
		})
	}
	return RefusalOf(violations)
}
