package offboarding

import "fmt"

// form collects what is wrong with the form of a message.
type form []Violation

func (f *form) bad(rule, field, message string) {
	*f = append(*f, Violation{Rule: rule, Code: CodeInvalidArgument, Field: field, Message: message})
}

func (f *form) required(field, value string) {
	if value == "" {
		f.bad("", field, field+" is required")
	}
	f.text(field, value)
}

// text is a text that may be empty: short, and one that the database keeps.
func (f *form) text(field, value string) {
	if reason := checkText(value, MaxNote); reason != "" {
		f.bad("", field, field+" "+reason)
	}
}

// Check judges the form of a claim-request.
func (m *ClaimRequest) Check() []Violation {
	var f form
	f.required("document_id", m.DocumentID)
	f.required("member_id", m.MemberID)
	f.text("note", m.Note)
	if m.As != "" && m.As != AsClaim && m.As != AsRequest {
		f.bad("C1", "as", "as must be claim or request, or left out")
	}
	return append(f, CheckOrigin(m.Origin)...)
}

// Check judges the form of an admin-approval.
func (m *AdminApproval) Check() []Violation {
	var f form
	f.required("request_id", m.RequestID)
	f.required("admin_id", m.AdminID)
	switch m.Decision {
	case DecisionApprove:
	case DecisionReject:
		if m.NewOwnerID != "" {
			f.bad("C3", "new_owner_id", "new_owner_id goes with approve only")
		}
	default:
		f.bad("C3", "decision", "decision must be approve or reject")
	}
	f.text("new_owner_id", m.NewOwnerID)
	f.text("note", m.Note)
	return append(f, CheckOrigin(m.Origin)...)
}

// MaxDocumentsNamed is how many documents one transfer-documents may name, so
// that messages fit into what a case hands on when it continues as new; all
// of them are meant by naming none.
const MaxDocumentsNamed = 1000

// Check judges the form of a transfer-documents.
func (m *TransferDocuments) Check() []Violation {
	var f form
	f.required("admin_id", m.AdminID)
	f.text("new_owner_id", m.NewOwnerID)
	if len(m.DocumentIDs) > MaxDocumentsNamed {
		f.bad("", "document_ids", fmt.Sprintf("at most %d documents can be named; name none for all", MaxDocumentsNamed))
	}
	for _, id := range m.DocumentIDs {
		if id == "" {
			f.bad("", "document_ids", "document_ids has an empty ID")
			break
		}
	}
	return append(f, CheckOrigin(m.Origin)...)
}

// Check judges the form of an extend-grace.
func (m *ExtendGrace) Check() []Violation {
	var f form
	f.required("admin_id", m.AdminID)
	f.required("until", m.Until)
	return append(f, CheckOrigin(m.Origin)...)
}

// Check judges the form of a reschedule.
func (m *Reschedule) Check() []Violation {
	var f form
	f.actor("admin_id", m.AdminID, m.Provider)
	f.required("effective_at", m.EffectiveAt)
	return append(f, CheckOrigin(m.Origin)...)
}

// Check judges the form of a cancel.
func (m *Cancel) Check() []Violation {
	var f form
	f.actor("admin_id", m.AdminID, m.Provider)
	f.text("reason", m.Reason)
	return append(f, CheckOrigin(m.Origin)...)
}

// Check judges the form of a reactivate.
func (m *Reactivate) Check() []Violation {
	var f form
	f.actor("admin_id", m.AdminID, m.Provider)
	return append(f, CheckOrigin(m.Origin)...)
}
