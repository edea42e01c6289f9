package offboarding

// DecisionFacts is what rule C3 needs to know about an admin-approval.
type DecisionFacts struct {
	Admin    Actor
	Found    bool // the request exists in this case
	Status   RequestStatus
	Held     bool // a legal hold keeps the document where it is (rule H1)
	Leaver   *Member
	NewOwner *Member // whom the admin names, else the requester
}

// JudgeDecision judges rule C3.
func JudgeDecision(a AdminApproval, f DecisionFacts) error {
	violations := ofAdmin(JudgeAdmin(f.Admin))
	if !f.Found || f.Status != RequestPending {
		violations = append(violations, Violation{
			Rule: "C3", Code: CodeRequestNotPending, Field: "request_id", Message: "there is no such pending request in this case",
		})
	}
	switch a.Decision {
	case DecisionApprove:
		if f.Found {
			violations = append(violations, JudgeNewOwner(f.NewOwner, f.Leaver)...)
		}
		if f.Held {
			violations = append(violations, heldViolation("request_id"))
		}
	case DecisionReject:
		if a.NewOwnerID != "" {
			violations = append(violations, Violation{
				Rule: "C3", Code: CodeInvalidArgument, Field: "new_owner_id", Message: "new_owner_id goes with approve only",
			})
		}
	default:
		violations = append(violations, Violation{
			Rule: "C3", Code: CodeInvalidArgument, Field: "decision", Message: "decision must be approve or reject",
		})
	}
	return RefusalOf(violations)
}
