package postgres_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// Rules D1 and D2: what is in My Documents moves to the new owner's Archived
// Users, its folders kept; what is in a shared folder stays.
func TestTransferKeepsPlaces(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	drafts := l.Folder(l.member, "", "Drafts")
	inner := l.Folder(l.member, drafts, "2026")
	empty := l.Folder(l.member, "", "Empty")
	shared := l.Folder("", l.Folder("", "", "Team"), "Plans")
	root, nested, deep, public := l.Document(l.member, ""), l.Document(l.member, drafts), l.Document(l.member, inner), l.Document(l.member, shared)
	l.Document(l.Admin, "")

	s := l.deactivated(l.request()).transfer(l.Manager)
	require.Equal(t, offboarding.Sweep{Documents: 4, Cursor: s.Cursor, Done: true}, s)
	require.Equal(t, 4, l.eventsOf(offboarding.EventTransferDocs))
	require.Equal(t, "Archived Users/Member 4", l.path(root))
	require.Equal(t, "Archived Users/Member 4/Drafts", l.path(nested))
	require.Equal(t, "Archived Users/Member 4/Drafts/2026", l.path(deep))
	require.Equal(t, "Team/Plans", l.path(public))
	require.Zero(t, l.Count(`SELECT count(*) FROM folders WHERE source_id = $1`, empty), "a folder without documents is not made again")
	require.Zero(t, l.Count(`SELECT count(*) FROM documents WHERE owner_id <> $1 AND owner_id <> $2`, l.Manager, l.Admin))

	// The event says what the row says.
	require.Equal(t, 4, l.Count(`SELECT count(*) FROM audit_events e JOIN documents d ON d.id = e.document_id
		WHERE e.event = 'TransferDocs' AND e.member_id = $1 AND e.actor_id = $2 AND e.origin = 'SCRIPT,Acme,hr-sync'
		AND e.before->>'owner_id' = $1::text AND e.after->>'owner_id' = d.owner_id::text
		AND e.before->>'folder_id' IS NOT DISTINCT FROM d.prior_folder_id::text
		AND e.after->>'folder_id' = d.folder_id::text AND e.after->>'access' = d.access`, l.member, l.Owner))
	invariantsHold(t, l.store)
}

// A second transfer to the same owner finds the folders of the first, and a claim
// and an approval take the same way.
func TestFoldersAreFoundAgain(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	drafts := l.Folder(l.member, "", "Drafts")
	var documents []string
	for range 4 {
		documents = append(documents, l.Document(l.member, drafts))
	}
	l.Grant(documents[1], l.Manager, offboarding.GrantEdit)
	l.inGrace()

	some := offboarding.SweepInput{Step: l.step("some"), ActorID: l.Admin, NewOwnerID: l.Manager, DocumentIDs: documents[:1]}
	require.Equal(t, 1, l.sweep(l.store.TransferBatch, some).Documents)
	l.claim(documents[1], l.Manager)
	request := l.requested(documents[2], l.Maker())
	_, err := l.store.Decide(t.Context(), l.decideInput(request, offboarding.DecisionApprove, l.Manager))
	require.NoError(t, err)
	require.Equal(t, 1, l.transfer(l.Manager).Documents, "what is left")

	require.Equal(t, 3, l.Count(`SELECT count(*) FROM folders WHERE owner_id = $1`, l.Manager))
	for _, document := range documents {
		require.Equal(t, "Archived Users/Member 4/Drafts", l.path(document))
	}
	invariantsHold(t, l.store)
}

// Rule D1: two leavers of one name get two folders.
func TestTwoLeaversOfOneName(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	other := l.of(l.Maker())
	l.Exec(`UPDATE members SET display_name = 'Kim Lee' WHERE id = ANY (ARRAY[$1, $2]::uuid[])`, l.member, other.member)
	one, two := l.Document(l.member, ""), l.Document(other.member, "")
	l.deactivated(l.request()).transfer(l.Manager)
	other.deactivated(other.request()).transfer(l.Manager)
	require.Equal(t, "Archived Users/Kim Lee", l.path(one))
	require.Equal(t, "Archived Users/Kim Lee (2)", l.path(two))
}

// What a leaver has from an earlier one keeps its path inside.
func TestAChainOfLeavers(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document := l.Document(l.member, l.Folder(l.member, "", "Drafts"))
	next := l.of(l.Maker())
	l.deactivated(l.request()).transfer(next.member)
	next.deactivated(next.request()).transfer(l.Manager)
	require.Equal(t, "Archived Users/Member 6/Archived Users/Member 4/Drafts", l.path(document))
	require.Equal(t, l.Manager+" editable", l.DocumentState(document))
}

func TestSchedulesOfATransfer(t *testing.T) {
	t.Parallel()
	for archive, status := range map[bool]string{true: "archived", false: "active"} {
		l := newLeaving(t)
		for range 5 {
			document := l.Document(l.member, "")
			l.Schedule(document)
			l.Schedule(document)
		}
		l.deactivated(l.request())
		s := l.sweep(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager, ArchiveSchedules: archive})
		require.Equal(t, 5, s.Documents)
		require.Equal(t, 10, l.Count(`SELECT count(*) FROM schedules WHERE status = $1`, status))
		require.Equal(t, s.Schedules, l.eventsOf(offboarding.EventArchiveSchedules))
		require.Equal(t, archive, s.Schedules == 10)
	}
}

// A document that finds an active owner is editable again; an archived one stays archived.
func TestAccessAfterATransfer(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	locked, archived := l.Document(l.member, ""), l.Document(l.member, "")
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived)
	l.inGrace().readOnly()
	require.Equal(t, l.member+" read_only", l.DocumentState(locked))
	require.Equal(t, 2, l.transfer(l.Manager).Documents)
	require.Equal(t, l.Manager+" editable", l.DocumentState(locked))
	require.Equal(t, l.Manager+" archived", l.DocumentState(archived))
	invariantsHold(t, l.store)
}

// Rule T1, and what else a transfer-documents may break.
func TestAuthorizeTransfer(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, foreign := l.Document(l.member, ""), l.Document(l.Admin, "")
	authorize := func(m offboarding.TransferDocuments) (offboarding.TransferAuthorized, error) {
		return l.store.AuthorizeTransfer(t.Context(), offboarding.AuthorizeTransferInput{Step: l.step("authorize/" + newID()), Message: m})
	}
	l.admit(l.request())
	_, err := authorize(offboarding.TransferDocuments{AdminID: l.Admin})
	refused(t, offboarding.CodeMemberStillActive, err)

	_, err = l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke")})
	require.NoError(t, err)
	_, err = l.store.Deactivate(t.Context(), l.step("deactivate"))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		m    offboarding.TransferDocuments
		code offboarding.Code
		want string
	}{
		"the admin, where nobody is named":  {m: offboarding.TransferDocuments{AdminID: l.Admin}, want: l.Admin},
		"the leaver's manager":              {m: offboarding.TransferDocuments{AdminID: l.Admin, NewOwnerID: "manager"}, want: l.Manager},
		"by external IDs":                   {m: offboarding.TransferDocuments{AdminID: "external:m2", NewOwnerID: "external:m3"}, want: l.Manager},
		"one document, named twice":         {m: offboarding.TransferDocuments{AdminID: l.Admin, DocumentIDs: []string{document, document}}, want: l.Admin},
		"not an admin":                      {m: offboarding.TransferDocuments{AdminID: l.Manager}, code: offboarding.CodeNotAuthorized},
		"to the leaver":                     {m: offboarding.TransferDocuments{AdminID: l.Admin, NewOwnerID: l.member}, code: offboarding.CodeNewOwnerNotEligible},
		"somebody else's document":          {m: offboarding.TransferDocuments{AdminID: l.Admin, DocumentIDs: []string{document, foreign}}, code: offboarding.CodeAlreadyOwned},
		"a document that is no ID":          {m: offboarding.TransferDocuments{AdminID: l.Admin, DocumentIDs: []string{"d1"}}, code: offboarding.CodeAlreadyOwned},
		"one document, in two ways of case": {m: offboarding.TransferDocuments{AdminID: l.Admin, DocumentIDs: upperAndLower(document)}, want: l.Admin},
	} {
		allowed, err := authorize(test.m)
		if test.code != "" {
			refused(t, test.code, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, test.want, allowed.NewOwnerID, name)
	}
}

func upperAndLower(id string) []string { return []string{strings.ToUpper(id), id} }
