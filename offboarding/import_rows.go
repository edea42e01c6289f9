package offboarding

import (
	"io/fs"
	"strings"
)

// importer reads the files of one organization. It remembers what later rows
// may refer to, bad rows included, so that one mistake is not reported twice.
type importer struct {
	in      Import
	errs    []RowError
	zones   map[string]string    // time zone to what is wrong with it
	members map[string]importKey // by external ID
	docs    map[string]importKey // by external ID

	workspaces map[string]importKey // by external ID

	folders map[string]int  // path to line
	known   map[string]bool // files whose rows could be read

	provisioningLine int // of the provisioning admin, 0 for none
}

// importKey is where a row that others refer to stands.
type importKey struct {
	line  int32
	maker bool // of a member
	admin bool // of a member: an owner or admin
}

func newImporter() *importer {
	return &importer{
		zones: map[string]string{}, members: map[string]importKey{}, docs: map[string]importKey{},
		workspaces: map[string]importKey{}, folders: map[string]int{}, known: map[string]bool{},
	}
}

func (i *importer) fail(file string, line int, field, reason string) {
	i.errs = append(i.errs, RowError{File: file, Line: line, Field: field, Reason: reason})
}

// rows reads a file with these columns, row by row.
func (i *importer) rows(file string, f fs.File, required, optional []string, row func(*table)) {
	t := openTable(file, f, required, optional)
	i.known[file] = t.csv != nil
	for t.next() {
		row(t)
	}
	i.errs = append(i.errs, t.errs...)
}

// zone checks a time zone, each only once: looking one up reads a file.
func (i *importer) zone(zone string) string {
	reason, ok := i.zones[zone]
	if !ok {
		reason = checkZone(zone)
		i.zones[zone] = reason
	}
	return reason
}

func (i *importer) readMembers(file string, f fs.File) {
	emails := map[string]int{}
	var lines []int
	required := []string{"external_id", "email", "display_name", "role", "account_type", "manager_external_id", "managed_by"}
	i.rows(file, f, required, []string{"time_zone"}, func(t *table) {
		m := ImportMember{
			ExternalID:        t.name("external_id"),
			Email:             t.checked("email", t.required("email"), checkEmail),
			DisplayName:       t.required("display_name"),
			Role:              oneOf(t, "role", Roles),
			AccountType:       oneOf(t, "account_type", AccountTypes),
			ManagerExternalID: t.text("manager_external_id", maxField),
			ManagedBy:         t.checked("managed_by", t.text("managed_by", maxField), i.checkManagedBy),
			TimeZone:          t.checked("time_zone", t.text("time_zone", maxField), i.zone),
		}
		if first, ok := i.members[m.ExternalID]; ok {
			t.fail("external_id", "%s is on line %d already", quote(m.ExternalID), first.line)
		} else if m.ExternalID != "" {
			// A type or role that cannot be read is not held against what refers to it.
			i.members[m.ExternalID] = importKey{
				line:  int32(t.line), //nolint:gosec // a line
				maker: m.AccountType == AccountMaker || m.AccountType == "",
				admin: m.Role.Admin() || m.Role == "",
			}
		}
		if first, ok := emails[strings.ToLower(m.Email)]; ok {
			t.fail("email", "%s is on line %d already", quote(m.Email), first)
		} else if m.Email != "" {
			emails[strings.ToLower(m.Email)] = t.line
		}
		if m.ManagerExternalID != "" && m.ManagerExternalID == m.ExternalID {
			t.fail("manager_external_id", "nobody is their own manager")
		}
		i.in.Members = append(i.in.Members, m)
		lines = append(lines, t.line)
	})
	if !i.known[file] {
		return
	}
	owner := false
	for n, m := range i.in.Members {
		if _, ok := i.members[m.ManagerExternalID]; m.ManagerExternalID != "" && !ok {
			i.fail(file, lines[n], "manager_external_id", quote(m.ManagerExternalID)+" is not in "+MembersFile)
		}
		owner = owner || m.Role == RoleOwner || m.Role == "" // reported already
	}
	if !owner {
		i.fail(file, 0, "role", "no member is an owner")
	}
	i.checkProvisioningAdmin()
}

func (i *importer) checkProvisioningAdmin() {
	if i.in.ProvisioningAdminExternalID == "" {
		return
	}
	const key = "provisioning_admin_external_id"
	switch m, ok := i.members[i.in.ProvisioningAdminExternalID]; {
	case !ok:
		i.fail(OrganizationFile, i.provisioningLine, key, quote(i.in.ProvisioningAdminExternalID)+" is not in "+MembersFile)
	case !m.admin:
		i.fail(OrganizationFile, i.provisioningLine, key, quote(i.in.ProvisioningAdminExternalID)+" is not an owner or admin")
	}
}

func (i *importer) readFolders(file string, f fs.File) {
	i.rows(file, f, []string{"path", "kind"}, nil, func(t *table) {
		path := t.checked("path", t.required("path"), checkPath)
		oneOf(t, "kind", []string{"shared"})
		if first, ok := i.folders[path]; ok {
			t.fail("path", "%s is on line %d already", quote(path), first)
		} else if path != "" {
			i.folders[path] = t.line
		}
		i.in.Folders = append(i.in.Folders, ImportFolder{Path: path})
	})
}

func (i *importer) readDocuments(file string, f fs.File) {
	required := []string{"external_id", "title", "kind", "folder_path", "owner_external_id"}
	i.rows(file, f, required, []string{"workspace_external_id"}, func(t *table) {
		d := ImportDocument{
			ExternalID:      t.name("external_id"),
			Title:           t.required("title"),
			Kind:            oneOf(t, "kind", DocumentKinds),
			FolderPath:      t.text("folder_path", maxField),
			OwnerExternalID: t.required("owner_external_id"),

			WorkspaceExternalID: t.text("workspace_external_id", maxField),
		}
		i.refer(t, "workspace_external_id", d.WorkspaceExternalID, i.workspaces, WorkspacesFile)
		if first, ok := i.docs[d.ExternalID]; ok {
			t.fail("external_id", "%s is on line %d already", quote(d.ExternalID), first.line)
		} else if d.ExternalID != "" {
			i.docs[d.ExternalID] = importKey{line: int32(t.line)} //nolint:gosec // a line
		}
		if _, ok := i.folders[d.FolderPath]; d.FolderPath != "" && !ok && i.known[FoldersFile] {
			t.fail("folder_path", "%s is not in %s", quote(d.FolderPath), FoldersFile)
		}
		if owner, ok := i.refer(t, "owner_external_id", d.OwnerExternalID, i.members, MembersFile); ok && !owner.maker {
			t.fail("owner_external_id", "%s is not a maker; only makers own documents", quote(d.OwnerExternalID))
		}
		i.in.Documents = append(i.in.Documents, d)
	})
}

// refer looks up a row of another file.
func (i *importer) refer(t *table, column, id string, rows map[string]importKey, file string) (importKey, bool) {
	key, ok := rows[id]
	if !ok && id != "" && i.known[file] {
		t.fail(column, "%s is not in %s", quote(id), file)
	}
	return key, ok
}

func (i *importer) readGrants(file string, f fs.File) {
	type pair struct{ document, member int32 } // their lines: small, and a million of them fit
	pairs := map[pair]int{}
	i.rows(file, f, []string{"document_external_id", "member_external_id", "level"}, []string{"last_edited_at"}, func(t *table) {
		g := ImportGrant{
			DocumentExternalID: t.required("document_external_id"),
			MemberExternalID:   t.required("member_external_id"),
			Level:              oneOf(t, "level", []GrantLevel{GrantEdit, GrantView}),
			LastEditedAt:       t.moment("last_edited_at"),
		}
		document, known := i.refer(t, "document_external_id", g.DocumentExternalID, i.docs, DocumentsFile)
		member, alsoKnown := i.refer(t, "member_external_id", g.MemberExternalID, i.members, MembersFile)
		if known && alsoKnown {
			key := pair{document.line, member.line}
			if first, ok := pairs[key]; ok {
				t.fail("", "the member's grant on this document is on line %d already", first)
			} else {
				pairs[key] = t.line
			}
		}
		i.in.Grants = append(i.in.Grants, g)
	})
}

func (i *importer) readSchedules(file string, f fs.File) {
	i.rows(file, f, []string{"document_external_id", "kind", "cron"}, nil, func(t *table) {
		s := ImportSchedule{
			DocumentExternalID: t.required("document_external_id"),
			Kind:               oneOf(t, "kind", ScheduleKinds),
			Cron:               t.checked("cron", t.required("cron"), checkCron),
		}
		i.refer(t, "document_external_id", s.DocumentExternalID, i.docs, DocumentsFile)
		i.in.Schedules = append(i.in.Schedules, s)
	})
}

func (i *importer) readCredentials(file string, f fs.File) {
	i.rows(file, f, []string{"member_external_id", "kind", "name"}, nil, func(t *table) {
		c := ImportCredential{
			MemberExternalID: t.required("member_external_id"),
			Kind:             oneOf(t, "kind", CredentialKinds),
			Name:             t.required("name"),
		}
		i.refer(t, "member_external_id", c.MemberExternalID, i.members, MembersFile)
		i.in.Credentials = append(i.in.Credentials, c)
	})
}
