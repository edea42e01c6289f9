package postgres

import (
	"strings"

	"github.com/google/uuid"
)

func (l *loader) loadMembers() error {
	columns := []string{
		"id", "organization_id", "external_id", "email", "display_name", "role", "account_type", "status",
		"manager_id", "managed_by", "time_zone", "created_at",
	}
	return l.copyIn("members", len(l.in.Members), columns, func(i int) ([]any, error) {
		m := &l.in.Members[i]
		manager, err := optional(l.members, m.ManagerExternalID, "manager_external_id")
		return []any{
			l.members[m.ExternalID], l.organization, m.ExternalID, m.Email, m.DisplayName, string(m.Role), string(m.AccountType), "active",
			manager, m.ManagedBy, m.TimeZone, l.at,
		}, err
	})
}

func (l *loader) loadWorkspaces() error {
	columns := []string{"id", "organization_id", "external_id", "name", "created_at"}
	err := l.copyIn("workspaces", len(l.in.Workspaces), columns, func(i int) ([]any, error) {
		w := &l.in.Workspaces[i]
		return []any{l.workspaces[w.ExternalID], l.organization, w.ExternalID, w.Name, l.at}, nil
	})
	if err != nil {
		return err
	}
	columns = []string{"organization_id", "workspace_id", "member_id", "role"}
	return l.copyIn("workspace_members", len(l.in.WorkspaceMembers), columns, func(i int) ([]any, error) {
		m := &l.in.WorkspaceMembers[i]
		workspace, err := refer(l.workspaces, m.WorkspaceExternalID, "workspace_external_id")
		if err != nil {
			return nil, err
		}
		member, err := refer(l.members, m.MemberExternalID, "member_external_id")
		return []any{l.organization, workspace, member, string(m.Role)}, err
	})
}

func (l *loader) loadFolders() error {
	columns := []string{"id", "organization_id", "parent_id", "name", "created_at"}
	return l.copyIn("folders", len(l.paths), columns, func(i int) ([]any, error) {
		path := l.paths[i]
		parentPath, name := "", path
		if slash := strings.LastIndexByte(path, '/'); slash >= 0 {
			parentPath, name = path[:slash], path[slash+1:]
		}
		parent, err := optional(l.folders, parentPath, "path")
		return []any{l.folders[path], l.organization, parent, name, l.at}, err
	})
}

func (l *loader) loadDocuments() error {
	columns := []string{
		"id", "organization_id", "external_id", "title", "kind", "folder_id", "owner_id", "access", "created_at", "updated_at",
		"workspace_id",
	}
	return l.copyIn("documents", len(l.in.Documents), columns, func(i int) ([]any, error) {
		d := &l.in.Documents[i]
		owner, err := refer(l.members, d.OwnerExternalID, "owner_external_id")
		if err != nil {
			return nil, err
		}
		folder, err := optional(l.folders, d.FolderPath, "folder_path")
		if err != nil {
			return nil, err
		}
		workspace, err := optional(l.workspaces, d.WorkspaceExternalID, "workspace_external_id")
		return []any{
			l.documents[d.ExternalID], l.organization, d.ExternalID, d.Title, d.Kind, folder, owner, "editable", l.at, l.at, workspace,
		}, err
	})
}

func (l *loader) loadGrants() error {
	columns := []string{"organization_id", "document_id", "member_id", "level", "last_edited_at"}
	return l.copyIn("grants", len(l.in.Grants), columns, func(i int) ([]any, error) {
		g := &l.in.Grants[i]
		document, err := refer(l.documents, g.DocumentExternalID, "document_external_id")
		if err != nil {
			return nil, err
		}
		member, err := refer(l.members, g.MemberExternalID, "member_external_id")
		var edited any
		if !g.LastEditedAt.IsZero() {
			edited = g.LastEditedAt
		}
		return []any{l.organization, document, member, string(g.Level), edited}, err
	})
}

func (l *loader) loadSchedules() error {
	columns := []string{"id", "organization_id", "document_id", "kind", "cron", "status"}
	return l.copyIn("schedules", len(l.in.Schedules), columns, func(i int) ([]any, error) {
		s := &l.in.Schedules[i]
		document, err := refer(l.documents, s.DocumentExternalID, "document_external_id")
		return []any{newID(), l.organization, document, s.Kind, s.Cron, "active"}, err
	})
}

func (l *loader) loadCredentials() error {
	columns := []string{"id", "organization_id", "member_id", "kind", "name", "status", "created_at"}
	return l.copyIn("credentials", len(l.in.Credentials), columns, func(i int) ([]any, error) {
		c := &l.in.Credentials[i]
		member, err := refer(l.members, c.MemberExternalID, "member_external_id")
		return []any{newID(), l.organization, member, c.Kind, c.Name, "active", l.at}, err
	})
}

// optional is refer for a reference that may be empty: nil, which is NULL.
func optional(ids map[string]uuid.UUID, key, field string) (any, error) {
	if key == "" {
		return nil, nil
	}
	return refer(ids, key, field)
}
