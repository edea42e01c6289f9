package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// What the help pages state and no single rule says (docs/rules.md).

// Statements 000.16, 000.17 and 001.17: whatever its kind, a document changes its
// owner and nothing else, with its schedules of both kinds.
func TestDocumentsOfEveryKindChangeTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	for _, kind := range offboarding.DocumentKinds {
		document := l.Document(l.member, l.Folder("", "", "Team "+kind))
		l.Exec(`UPDATE documents SET kind = $2 WHERE id = $1`, document, kind)
		for _, schedule := range offboarding.ScheduleKinds {
			l.Exec(`UPDATE schedules SET kind = $2 WHERE id = $1`, l.Schedule(document), schedule)
		}
		l.Grant(document, l.Admin, offboarding.GrantView)
	}
	const asTheyAre = `SELECT string_agg(concat_ws(' ', d.id, d.kind, d.title, d.external_id, d.folder_id, d.access, s.id, s.kind, s.cron, s.status,
		g.member_id, g.level), ',' ORDER BY s.id) FROM documents d JOIN schedules s ON s.document_id = d.id JOIN grants g ON g.document_id = d.id`
	before := l.Text(asTheyAre)
	l.deactivated(l.request()).transfer(l.Manager)
	require.Equal(t, before, l.Text(asTheyAre))
	require.Equal(t, len(offboarding.DocumentKinds), l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, l.Manager))
}

// Statements 001.12 and 001.20: accounts of every role and type can be deactivated, an
// owner by another.
func TestMembersOfEveryRoleAndAccountLeave(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	for _, role := range offboarding.Roles {
		for _, account := range offboarding.AccountTypes {
			leaver := l.of(l.Member(role, account))
			l.Exec(`UPDATE sessions SET sso = true WHERE id = $1`, l.Session(leaver.member))
			leaver.deactivated(leaver.request())
			require.Equal(t, "inactive", l.Text(`SELECT status FROM members WHERE id = $1`, leaver.member), "%s %s", role, account)
		}
	}
}

// Statements 001.4 and 001.18: what a leaver did stays under the leaver's name.
func TestTheNameOfALeaverStaysInTheAudit(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	admin := l.of(l.Admin)
	r := l.request()
	r.RequestedBy = l.Admin
	l.deactivated(r)
	admin.deactivated(admin.request())
	page, err := l.store.AuditEvents(t.Context(), offboarding.AuditFilter{CaseID: l.id, Events: []string{offboarding.EventDeactivateMember}})
	require.NoError(t, err)
	require.Equal(t, "Member 2", page.Items[0].ActorName, "who has left since")
	require.Equal(t, "Member 4", page.Items[0].MemberName)
}

// Statement 000.20: the new owner may rename and move the leaver's folder; what comes
// later is put into it all the same.
func TestAFolderThatWasRenamedAndMovedIsFoundAgain(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	first, second := l.Document(l.member, ""), l.Document(l.member, "")
	l.inGrace().sweep(l.store.TransferBatch, offboarding.SweepInput{
		Step: l.step("first"), ActorID: l.Admin, NewOwnerID: l.Manager, DocumentIDs: []string{first},
	})
	l.Exec(`UPDATE folders SET name = 'From a friend', parent_id = $2 WHERE leaver_id = $1`, l.member, l.Folder(l.Manager, "", "Mine"))
	l.transfer(l.Manager)
	require.Equal(t, "Mine/From a friend", l.path(first))
	require.Equal(t, "Mine/From a friend", l.path(second))
}

// Statement 002.1: whoever is deactivated loses every workspace of the organization at
// once, as its admin too, and what they own in any of them waits in the one case.
func TestADeactivationIsOfAllWorkspaces(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	colleague, workspaces := l.Maker(), []string{l.Workspace(), l.Workspace()}
	for _, workspace := range workspaces {
		l.Join(workspace, l.member, offboarding.WorkspaceAdmin)
		l.Join(workspace, colleague, offboarding.WorkspaceMember)
		l.DocumentIn(workspace, l.member)
	}
	l.Credential(l.member)
	l.Session(l.member)
	removal := func(workspace string) []offboarding.Code {
		other := l.of(colleague)
		r := other.request()
		r.RequestedBy, r.WorkspaceID = l.member, workspace
		preview, err := l.store.Preview(t.Context(), r, l.at)
		require.NoError(t, err)
		return (&offboarding.Refusal{Violations: preview.Violations}).Codes()
	}
	for _, workspace := range workspaces {
		require.Empty(t, removal(workspace), "a workspace admin may")
	}
	l.inGrace()
	for _, workspace := range workspaces {
		require.Equal(t, []offboarding.Code{offboarding.CodeNotAuthorized}, removal(workspace))
	}
	require.Zero(t, l.Count(`SELECT (SELECT count(*) FROM credentials WHERE status = 'active') + (SELECT count(*) FROM sessions WHERE status = 'active')`))
	require.Equal(t, 2, l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1 AND access = 'editable'`, l.member))
	l.readOnly()
	require.Equal(t, 2, l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1 AND access_case_id = $2`, l.member, l.id))
	invariantsHold(t, l.store)
}

// Statements 000.22, 000.23, 002.9, 002.17 and 002.29: who has left is in the list of
// members where that is asked for, and so is what they own.
func TestWhoHasLeftIsListedWhereAsked(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	first, archived := l.Document(l.member, ""), l.Document(l.member, "")
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived)
	l.Document(l.Owner, "")
	l.inGrace()
	members := func(f offboarding.MemberFilter) (names []string) {
		t.Helper()
		f.OrganizationID, f.Limit = l.ID, 2
		for {
			page, err := l.store.Members(t.Context(), f)
			require.NoError(t, err)
			for _, m := range page.Items {
				names = append(names, m.DisplayName)
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return names
			}
		}
	}
	require.Equal(t, []string{"Member 1", "Member 2", "Member 3"}, members(offboarding.MemberFilter{}))
	require.Equal(t, []string{"Member 4"}, members(offboarding.MemberFilter{Status: offboarding.MemberInactive}))
	require.Len(t, members(offboarding.MemberFilter{AnyStatus: true}), 4)
	page, err := l.store.Members(t.Context(), offboarding.MemberFilter{OrganizationID: l.ID, Status: offboarding.MemberInactive})
	require.NoError(t, err)
	row := page.Items[0]
	require.Equal(t, []any{2, 1, l.id, offboarding.PhaseGrace}, []any{row.Documents, row.Unowned, row.OpenCaseID, row.CasePhase})
	require.Equal(t, 1, *page.Total)
	page, err = l.store.Members(t.Context(), offboarding.MemberFilter{OrganizationID: l.ID, Cursor: l.Owner, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []int{1, 3}, []int{len(page.Items), *page.Total}, "of a later page too the total is that of all pages")
	page, err = l.store.Members(t.Context(), offboarding.MemberFilter{OrganizationID: newID(), AnyStatus: true})
	require.NoError(t, err)
	require.Zero(t, *page.Total, "of another organization")

	documents, err := l.store.Documents(t.Context(), offboarding.DocumentFilter{OrganizationID: l.ID, OwnerID: l.member})
	require.NoError(t, err)
	require.Len(t, documents.Items, 2)
	documents, err = l.store.Documents(t.Context(), offboarding.DocumentFilter{OrganizationID: l.ID, Unowned: true})
	require.NoError(t, err)
	require.Len(t, documents.Items, 1)
	require.Equal(t, first, documents.Items[0].ID)
	_, err = l.store.Documents(t.Context(), offboarding.DocumentFilter{Cursor: "x"})
	refused(t, offboarding.CodeInvalidArgument, err)
}

// Statements 000.3 and 000.19: where a provider deactivates, the admin who set it up
// finds the documents at the same place.
func TestAProvidersLeaverIsFoundInArchivedUsers(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("okta", l.member)
	l.Exec(`UPDATE organizations SET default_disposition = 'transfer'`)
	document := l.Document(l.member, l.Folder(l.member, "", "Drafts"))
	l.deactivated(offboarding.Request{MemberID: l.member, Provider: "okta"})
	require.Equal(t, l.Admin, l.plan.NewOwnerID)
	l.transfer(l.plan.NewOwnerID)
	require.Equal(t, l.Admin+" editable", l.DocumentState(document))
	require.Equal(t, "Archived Users/Member 4/Drafts", l.path(document))
}
