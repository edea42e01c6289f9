package offboarding

// ReactivationFacts is what the rules need to know about a reactivation.
type ReactivationFacts struct {
	Admin         Actor
	Leaver        *Member
	ActiveMembers int // of the organization
	SeatLimit     int // 0 for no limit
	FromProvider  bool
}

// JudgeReactivation judges rules A1, A2, A4, E5 and R1.
func JudgeReactivation(f ReactivationFacts) error {
	violations := renameField(JudgeAuthority(f.Admin, f.Leaver), "admin_id")
	if f.SeatLimit > 0 && f.ActiveMembers >= f.SeatLimit && !f.Leaver.Active() {
		violations = append(violations, Violation{
			Rule: "R1", Code: CodeSeatLimitExceeded, Message: "no seat is free",
		})
	}
	if f.Leaver.ManagedBy != "" && !f.FromProvider {
		violations = append(violations, Violation{
			Rule: "E5", Code: CodeExternallyManaged, Message: "the member is managed by an identity provider and is reactivated from there",
		})
	}
	return RefusalOf(violations)
}
