package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

const listWorkspaces = `SELECT w.id, w.organization_id, w.external_id, w.name,
	(SELECT count(*) FROM (SELECT FROM workspace_members wm WHERE wm.workspace_id = w.id` + countTo + ` AS members,
	(SELECT count(*) FROM (SELECT FROM documents d WHERE d.workspace_id = w.id` + countTo + ` AS documents FROM workspaces w`

// Workspaces lists workspaces, with counts that stop at CountLimit.
func (s *Store) Workspaces(ctx context.Context, f offboarding.WorkspaceFilter) (offboarding.Page[offboarding.WorkspaceRow], error) {
	c := &conditions{}
	c.id("w.organization_id", f.OrganizationID)
	c.within("w.organization_id", f.Reach)
	if err := c.after("w.id", f.Cursor); err != nil {
		return offboarding.Page[offboarding.WorkspaceRow]{}, err
	}
	limit := pageSize(f.Limit)
	return page(ctx, s, "list workspaces", listWorkspaces+c.where("w.id", limit+1), c, limit,
		func(*offboarding.WorkspaceRow) []*time.Time { return nil },
		func(row offboarding.WorkspaceRow) string { return row.ID })
}

const listWorkspaceMembers = `SELECT ` + memberColumns + `, wm.role AS workspace_role
	FROM workspace_members wm JOIN members m ON m.id = wm.member_id`

// WorkspaceMembers lists the members of a workspace, of every status.
func (s *Store) WorkspaceMembers(ctx context.Context, workspaceID, cursor string, limit int) (offboarding.Page[offboarding.WorkspaceMemberRow], error) {
	c := &conditions{}
	c.id("wm.workspace_id", workspaceID)
	if err := c.after("wm.member_id", cursor); err != nil {
		return offboarding.Page[offboarding.WorkspaceMemberRow]{}, err
	}
	limit = pageSize(limit)
	return page(ctx, s, "list the members of a workspace", listWorkspaceMembers+c.where("wm.member_id", limit+1), c, limit,
		func(*offboarding.WorkspaceMemberRow) []*time.Time { return nil },
		func(row offboarding.WorkspaceMemberRow) string { return row.ID })
}

const listOrganizations = `SELECT id, coalesce(parent_id::text, '') AS parent_id, slug, name, identity_provider
	FROM organizations WHERE id = ANY ($1::uuid[]) ORDER BY array_position($1::uuid[], id)`

// Organizations are the organizations with these IDs, in their order.
func (s *Store) Organizations(ctx context.Context, ids []string) ([]offboarding.OrganizationRow, error) {
	rows := []offboarding.OrganizationRow{}
	err := s.inTx(ctx, "list organizations", func(t *tx) error { return t.list(&rows, listOrganizations, uuidArray(ids)) })
	return rows, err
}
