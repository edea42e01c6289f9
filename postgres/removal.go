package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"handover/offboarding"
)

// scope stands in a statement's WHERE over documents d where a removal from a
// workspace works on the documents there alone (rule W1). A case of the whole
// organization runs the statement without it, planned as if there were none.
const scope = " /*scope*/ "

// scoped is a statement and its values for a case.
func (c *caseRow) scoped(query string, args []any) (string, []any) {
	return scoped(c.WorkspaceID, query, args)
}

func scoped(workspaceID, query string, args []any) (string, []any) {
	if workspaceID == "" || !strings.Contains(query, scope) {
		return strings.ReplaceAll(query, scope, " "), args
	}
	args = append(args[:len(args):len(args)], workspaceID)
	return strings.ReplaceAll(query, scope, " AND d.workspace_id = $"+strconv.Itoa(len(args))+"::uuid "), args
}

const (
	selectWorkspace     = `SELECT id FROM workspaces WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL`
	selectWorkspaceBy   = `SELECT id FROM workspaces WHERE organization_id = $1 AND external_id = $2 AND deleted_at IS NULL`
	selectWorkspaceRole = `SELECT role FROM workspace_members WHERE workspace_id = $1 AND member_id = $2`
)

// workspace finds a workspace of the organization by ID or "external:<external
// id>"; "" when there is none.
func (t *tx) workspace(ref, organizationID string) (id string, err error) {
	query, key := selectWorkspace, ref
	if external, ok := strings.CutPrefix(ref, externalPrefix); ok {
		query, key = selectWorkspaceBy, external
	} else if !isID(ref) {
		return "", nil
	}
	_, err = t.find(&id, query, organizationID, key)
	return id, err
}

func (t *tx) workspaceRole(workspaceID, memberID string) (role offboarding.WorkspaceRole, err error) {
	_, err = t.find(&role, selectWorkspaceRole, workspaceID, memberID)
	return role, err
}

// removalFacts completes the facts of a start with the workspace that it is about.
func (t *tx) removalFacts(r offboarding.Request, f offboarding.AdmissionFacts) (removal offboarding.RemovalFacts, workspaceID string, err error) {
	removal.AdmissionFacts = f
	if f.Leaver == nil {
		return removal, "", nil
	}
	if workspaceID, err = t.workspace(r.WorkspaceID, f.Leaver.OrganizationID); err != nil || workspaceID == "" {
		return removal, "", err
	}
	removal.WorkspaceFound = true
	if removal.Role, err = t.workspaceRole(workspaceID, f.Leaver.ID); err != nil {
		return removal, "", err
	}
	err = t.workspaceAdmin(&removal.Actor, workspaceID)
	return removal, workspaceID, err
}

// rules are those that judge a start: of the whole organization, or of the
// workspace that it names.
func (t *tx) rules(
	r offboarding.Request, f *offboarding.AdmissionFacts,
) (judge func(time.Time) (offboarding.Plan, error), workspaceID string, err error) {
	if r.WorkspaceID == "" {
		return func(now time.Time) (offboarding.Plan, error) { return offboarding.Admit(r, *f, now) }, "", nil
	}
	removal, workspaceID, err := t.removalFacts(r, *f)
	f.Actor = removal.Actor
	return func(now time.Time) (offboarding.Plan, error) { return offboarding.AdmitRemoval(r, removal, now) }, workspaceID, err
}

// workspaceAdmin says whether the actor is an admin of the workspace.
func (t *tx) workspaceAdmin(actor *offboarding.Actor, workspaceID string) error {
	if workspaceID == "" || actor.Member == nil {
		return nil
	}
	role, err := t.workspaceRole(workspaceID, actor.Member.ID)
	actor.WorkspaceAdmin = role == offboarding.WorkspaceAdmin
	return err
}

// actorOn finds who sends a message to a case, and how they stand to it.
func (t *tx) actorOn(c *caseRow, ref string) (offboarding.Actor, error) {
	actor, err := t.actor(ref, c.OrganizationID, "admin_id")
	if err == nil {
		err = t.workspaceAdmin(&actor, c.WorkspaceID)
	}
	return actor, err
}

// lookAgain judges whether the member can still be removed from the workspace.
func (t *tx) lookAgain(c *caseRow, f offboarding.AdmissionFacts) error {
	role, err := t.workspaceRole(c.WorkspaceID, c.MemberID)
	if err != nil {
		return err
	}
	return offboarding.RefusalOf(offboarding.JudgeRemoval(offboarding.RemovalFacts{AdmissionFacts: f, WorkspaceFound: true, Role: role}))
}

const (
	removeFromWorkspace = `DELETE FROM workspace_members WHERE workspace_id = $1 AND member_id = $2 RETURNING role`
	markRemoved         = `UPDATE cases SET phase = 'deactivated', deactivated_at = $2, workspace_role = $3 WHERE id = $1`
	returnToWorkspace   = `INSERT INTO workspace_members (organization_id, workspace_id, member_id, role)
	SELECT organization_id, workspace_id, member_id, workspace_role FROM cases WHERE id = $1 ON CONFLICT DO NOTHING RETURNING role`
)

// remove takes the member out of the workspace; the account stays as it is.
func (t *tx) remove(c *caseRow, at time.Time) error {
	var role offboarding.WorkspaceRole
	found, err := t.find(&role, removeFromWorkspace, c.WorkspaceID, c.MemberID)
	if err != nil {
		return err
	}
	if !found {
		return offboarding.Refuse("W1", offboarding.CodeNotInWorkspace, "member_id", "the member does not belong to the workspace any more")
	}
	if _, err := t.exec(markRemoved, c.ID, at, role); err != nil {
		return err
	}
	return t.audit(c, at, change{
		event: offboarding.EventRemoveFromWorkspace, kind: offboarding.SubjectWorkspace, subject: c.WorkspaceID,
		before: state{"role": role, "phase": c.Phase}, after: state{"role": "", "phase": offboarding.PhaseDeactivated},
	})
}

// putBack makes the member what they were in the workspace.
func (t *tx) putBack(c *caseRow, in offboarding.ReactivateInput, admin string) error {
	var role offboarding.WorkspaceRole
	if _, err := t.find(&role, returnToWorkspace, c.ID); err != nil {
		return err
	}
	return t.audit(c, in.At, change{
		event: offboarding.EventReturnToWorkspace, actor: admin, kind: offboarding.SubjectWorkspace, subject: c.WorkspaceID,
		before: state{"role": "", "phase": c.Phase}, after: state{"role": role, "phase": offboarding.PhaseReactivated},
	})
}

// judgeReturn judges who may put the member back, and answers with the admin.
func (t *tx) judgeReturn(c *caseRow, m offboarding.Reactivate) (adminID string, err error) {
	a, err := t.asking(c, m.AdminID, m.Provider)
	if err != nil {
		return "", err
	}
	f := offboarding.RestorationFacts{
		WorkspaceID: c.WorkspaceID, Admin: a.Actor, Provider: m.Provider, Organization: a.organization, Leaver: a.leaver,
	}
	if err := offboarding.JudgeRestoration(f); err != nil {
		return "", err
	}
	return a.Member.ID, nil
}

// IsWorkspaceAdmin reports whether a member is an admin of a workspace.
func (s *Store) IsWorkspaceAdmin(ctx context.Context, workspaceID, memberID string) (bool, error) {
	var role offboarding.WorkspaceRole
	err := s.inTx(ctx, "look up a role in a workspace", func(t *tx) error {
		_, err := t.find(&role, selectWorkspaceRole, workspaceID, memberID)
		return err
	})
	return role == offboarding.WorkspaceAdmin, err
}
