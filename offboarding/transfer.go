package offboarding

// TransferFacts is what the rules need to know about a transfer-documents.
type TransferFacts struct {
	Admin    Actor
	Leaver   *Member
	NewOwner *Member // the admin where none is named (rule N2)
	NotOwned int     // of the documents named, those that the leaver does not own
	Removed  bool    // from the workspace that the documents are in (rule W1)
	Held     bool    // a legal hold is on the leaver, or on one of the documents named (rule H1)
}

// JudgeTransfer judges rules A1, N1 and T1 (seed 002).
func JudgeTransfer(f TransferFacts) error {
	violations := ofAdmin(JudgeAdmin(f.Admin))
	if f.Leaver.Active() && !f.Removed {
		violations = append(violations, Violation{
			Rule: "T1", Code: CodeMemberStillActive, Field: "member_id", Message: "documents are transferred only from a member who is not active",
		})
	}
	violations = append(violations, JudgeNewOwner(f.NewOwner, f.Leaver)...)
	if f.NotOwned > 0 {
		violations = append(violations, Violation{
			Rule: "T1", Code: CodeAlreadyOwned, Field: "document_ids", Message: "some of the documents are not the leaver's, or have found an owner already",
		})
	}
	if f.Held {
		violations = append(violations, heldViolation("document_ids"))
	}
	return RefusalOf(violations)
}

// ArchivedUsersFolder is the folder in the new owner's My Documents below which
// the documents of leavers are found (rule D1, seed 000).
const ArchivedUsersFolder = "Archived Users"
