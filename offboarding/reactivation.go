package offboarding

// ReactivationFacts is what the rules need to know about a reactivation.
type ReactivationFacts struct {
	Admin         Actor
	Provider      string // on whose behalf, "" for the admin's own
	Organization  Organization
	Leaver        *Member
	ActiveMembers int  // of the organization, as far as it has seats
	Leaving       bool // an open case has begun, which reactivates its leaver itself, active or not
}

// JudgeReactivation judges rules A1, A2, A4, E4, E5, R1 and X1.
func JudgeReactivation(f ReactivationFacts) error {
	violations := ofAdmin(JudgeAsker(f.Admin, f.Provider, f.Organization, f.Leaver))
	if f.Leaver.Status == MemberDeleted {
		violations = append(violations, Violation{
			Rule: "X1", Code: CodeMemberNotFound, Message: "the member has been deleted",
		})
	}
	if f.Organization.SeatLimit > 0 && f.ActiveMembers >= f.Organization.SeatLimit && !f.Leaver.Active() {
		violations = append(violations, Violation{
			Rule: "R1", Code: CodeSeatLimitExceeded, Message: "no seat is free",
		})
	}
	if f.Provider == "" && f.Leaver.Status != MemberDeleted && !f.Organization.HasDomain(EmailDomain(f.Leaver.Email)) {
		violations = append(violations, Violation{
			Rule: "E4", Code: CodeDomainNotAssociated, Message: "the domain of the member's primary email is not one of the organization's",
		})
	}
	if f.Leaver.ManagedBy != "" && f.Provider == "" {
		violations = append(violations, Violation{
			Rule: "E5", Code: CodeExternallyManaged, Message: "the member is managed by an identity provider and is reactivated from there",
		})
	}
	return RefusalOf(violations)
}

// ReactivationPreview is what a reactivation would come to, judged by the rules as they
// stand now; nothing is changed.
type ReactivationPreview struct {
	Allowed    int                     `json:"allowed"`    // members who would be active again
	Refused    int                     `json:"refused"`    // members who would not
	Violations []Violation             `json:"violations"` // rules that the request breaks as a whole: nobody would be (rule R2)
	Members    []PreviewedReactivation `json:"members"`    // in the order of the request
}

// PreviewedReactivation is what a reactivation would come to for one member.
type PreviewedReactivation struct {
	Position   int          `json:"position"` // place in the request, from 1
	MemberID   string       `json:"member_id"`
	MemberName string       `json:"member_name,omitempty"`
	Email      string       `json:"member_email,omitempty"`
	Status     MemberStatus `json:"status,omitempty"`
	CaseID     string       `json:"case_id,omitempty"`    // the case whose documents would be settled
	Documents  int          `json:"documents"`            // still theirs: editable again, with their schedules
	Moved      int          `json:"moved"`                // found a new owner by the case: they stay there, and the member may edit them
	Returnable int          `json:"returnable"`           // of those, what return_documents would give back
	Requests   int          `json:"requests"`             // that wait, and would be withdrawn
	Violations []Violation  `json:"violations,omitempty"` // why the member would be refused
}
