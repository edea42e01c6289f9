package offboarding

import "time"

// WorkspaceRole is what a member is in a workspace.
type WorkspaceRole string

// The workspace roles; "" is no member of the workspace.
const (
	WorkspaceNone   WorkspaceRole = ""
	WorkspaceMember WorkspaceRole = "member"
	WorkspaceAdmin  WorkspaceRole = "admin"
)

// WorkspaceRoles lists every workspace role.
var WorkspaceRoles = []WorkspaceRole{WorkspaceAdmin, WorkspaceMember}

// Workspace is a part of an organization with members and documents of its own.
type Workspace struct {
	ID             string `db:"id" json:"workspace_id"`
	OrganizationID string `db:"organization_id" json:"organization_id"`
	ExternalID     string `db:"external_id" json:"external_id"`
	Name           string `db:"name" json:"name"`
}

// RemovalFacts is what the rules need to know to judge a removal from a
// workspace (rule W1).
type RemovalFacts struct {
	AdmissionFacts
	WorkspaceFound bool // in the leaver's organization
	Role           WorkspaceRole
}

// AdmitRemoval judges the start of a removal from one workspace (rule W1, seed
// 002). The account stays as it is, so that the rules about deactivating it
// (A3, E3 to E5) do not speak: contractors of another domain are removed too.
func AdmitRemoval(r Request, f RemovalFacts, now time.Time) (Plan, error) {
	violations := CheckRequest(r)
	violations = append(violations, JudgeAskerIn(r.WorkspaceID, f.Actor, r.Provider, f.Organization, f.Leaver)...)
	violations = append(violations, JudgeRemoval(f)...)
	if f.Leaver == nil {
		return Plan{}, RefusalOf(violations)
	}
	return makePlan(r, f.AdmissionFacts, now, violations)
}

// JudgeRemoval judges rule W1: an active member of the workspace.
func JudgeRemoval(f RemovalFacts) []Violation {
	switch {
	case f.Leaver == nil:
		return []Violation{{
			Rule: "E1", Code: CodeMemberNotFound, Field: "member_id", Message: "there is no such member in the actor's reach",
		}}
	case !f.Leaver.Active():
		return []Violation{{
			Rule: "W1", Code: CodeAlreadyInactive, Field: "member_id", Message: "the member is not active in the organization",
		}}
	case !f.WorkspaceFound:
		return []Violation{{
			Rule: "W1", Code: CodeWorkspaceNotFound, Field: "workspace_id", Message: "there is no such workspace in the member's organization",
		}}
	case f.Role == WorkspaceNone:
		return []Violation{{
			Rule: "W1", Code: CodeNotInWorkspace, Field: "member_id", Message: "the member does not belong to the workspace and has no open case there",
		}}
	}
	return nil
}

// RestorationFacts is what the rules need to know to put a member back into the
// workspace that a case removed them from.
type RestorationFacts struct {
	WorkspaceID  string
	Admin        Actor
	Provider     string // on whose behalf, "" for the admin's own
	Organization Organization
	Leaver       *Member
}

// JudgeRestoration judges rules A1, A2, A4, E5 and W1.
func JudgeRestoration(f RestorationFacts) error {
	violations := ofAdmin(JudgeAskerIn(f.WorkspaceID, f.Admin, f.Provider, f.Organization, f.Leaver))
	if !f.Leaver.Active() {
		violations = append(violations, Violation{
			Rule: "W1", Code: CodeAlreadyInactive, Field: "member_id", Message: "the member is not active in the organization",
		})
	}
	return RefusalOf(violations)
}
