package offboarding

import "io/fs"

func (i *importer) readWorkspaces(file string, f fs.File) {
	i.rows(file, f, []string{"external_id", "name"}, nil, func(t *table) {
		w := ImportWorkspace{ExternalID: t.name("external_id"), Name: t.required("name")}
		if first, ok := i.workspaces[w.ExternalID]; ok {
			t.fail("external_id", "%s is on line %d already", quote(w.ExternalID), first.line)
		} else if w.ExternalID != "" {
			i.workspaces[w.ExternalID] = importKey{line: int32(t.line)} //nolint:gosec // a line
		}
		i.in.Workspaces = append(i.in.Workspaces, w)
	})
}

func (i *importer) readWorkspaceMembers(file string, f fs.File) {
	type pair struct{ workspace, member string }
	pairs := map[pair]int{}
	i.rows(file, f, []string{"workspace_external_id", "member_external_id", "role"}, nil, func(t *table) {
		m := ImportWorkspaceMember{
			WorkspaceExternalID: t.required("workspace_external_id"),
			MemberExternalID:    t.required("member_external_id"),
			Role:                oneOf(t, "role", WorkspaceRoles),
		}
		i.refer(t, "workspace_external_id", m.WorkspaceExternalID, i.workspaces, WorkspacesFile)
		i.refer(t, "member_external_id", m.MemberExternalID, i.members, MembersFile)
		key := pair{m.WorkspaceExternalID, m.MemberExternalID}
		if first, ok := pairs[key]; ok && key.workspace != "" && key.member != "" {
			t.fail("", "the member is in this workspace on line %d already", first)
		} else {
			pairs[key] = t.line
		}
		i.in.WorkspaceMembers = append(i.in.WorkspaceMembers, m)
	})
}
