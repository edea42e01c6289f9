package offboarding

// ReactivationFacts is what the rules need to know about a reactivation.
type ReactivationFacts struct {
	Admin         Actor
	Provider      string // on whose behalf, "" for the admin's own
	Organization  Organization
	Leaver        *Member
	ActiveMembers int // of the organization
}

// JudgeReactivation judges rules A1, A2, A4, E5, R1 and X1.
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
	if f.Leaver.ManagedBy != "" && f.Provider == "" {
		violations = append(violations, Violation{
			Rule: "E5", Code: CodeExternallyManaged, Message: "the member is managed by an identity provider and is reactivated from there",
		})
	}
	return RefusalOf(violations)
}
