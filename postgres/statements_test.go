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
	page, err := l.store.AuditEvents(t.Context(), offboarding.AuditFilter{CaseID: l.id, Event: offboarding.EventDeactivateMember})
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
