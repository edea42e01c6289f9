package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// What is left is the member's again; what has found an owner stays there, with
// an edit grant; credentials stay revoked.
func TestReactivation(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	credential, session := l.Credential(l.member), l.Session(l.member)
	kept, archived := l.Document(l.member, ""), l.Document(l.member, "")
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived) // not by the case
	claimed, maker := l.claimable()
	approved, transferred := l.Document(l.member, ""), l.Document(l.member, "")
	l.Grant(transferred, l.member, offboarding.GrantView)
	l.inGrace()
	l.claim(claimed, maker)
	request := l.requested(approved, l.Maker())
	_, err := l.store.Decide(t.Context(), l.decideInput(request, offboarding.DecisionApprove, l.Manager))
	require.NoError(t, err)
	l.sweep(l.store.TransferBatch, offboarding.SweepInput{
		Step: l.step("some"), ActorID: l.Admin, NewOwnerID: l.Admin, DocumentIDs: []string{transferred},
	})
	pending := l.requested(kept, l.Maker())
	l.readOnly()
	require.Equal(t, l.member+" read_only", l.DocumentState(kept))

	l.reactivate(false)
	require.Equal(t, "active ", l.Text(`SELECT status || ' ' || coalesce(deactivated_at::text, '') FROM members WHERE id = $1`, l.member))
	require.Equal(t, "reactivated", l.phase())
	require.Equal(t, l.member+" editable", l.DocumentState(kept))
	require.Equal(t, l.member+" archived", l.DocumentState(archived))
	require.Equal(t, "withdrawn", l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, pending))
	for document, owner := range map[string]string{claimed: maker, approved: l.Manager, transferred: l.Admin} {
		require.Equal(t, owner+" editable", l.DocumentState(document))
		require.Equal(t, "edit", l.Text(`SELECT level FROM grants WHERE document_id = $1 AND member_id = $2`, document, l.member))
	}
	require.Equal(t, 3, l.eventsOf(offboarding.EventGrantEdit))
	require.Equal(t, 2, l.Count(`SELECT count(*) FROM (SELECT id FROM credentials WHERE id = $1 AND status = 'revoked'
		UNION ALL SELECT id FROM sessions WHERE id = $2 AND status = 'revoked') revoked`, credential, session))
	invariantsHold(t, l.store)

	// The member can be offboarded again.
	again := l.of(l.member)
	again.inGrace().readOnly()
	require.Equal(t, l.member+" read_only", l.DocumentState(kept))
}

// With return_documents, what the case moved comes back to its place with its
// schedules, unless the new owner has passed it on.
func TestReactivationReturnsDocuments(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	drafts, team := l.Folder(l.member, "", "Drafts"), l.Folder("", "", "Team")
	root, nested, shared, passedOn := l.Document(l.member, ""), l.Document(l.member, drafts), l.Document(l.member, team), l.Document(l.member, "")
	schedule := l.Schedule(nested)
	paused := l.Schedule(nested)
	l.Exec(`UPDATE schedules SET status = 'archived' WHERE id = $1`, paused) // before the case
	next := l.of(l.Maker())
	r := l.request()
	r.NewOwnerID, r.ArchiveSchedules = l.Manager, true
	l.deactivated(r)
	l.sweep(l.store.TransferBatch, offboarding.SweepInput{
		Step: l.step("passed on"), NewOwnerID: next.member, DocumentIDs: []string{passedOn},
	})
	l.sweep(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("rest"), NewOwnerID: l.Manager, ArchiveSchedules: true})
	next.deactivated(next.request()).transfer(l.Admin)

	l.reactivate(true)
	for document, path := range map[string]string{root: "", nested: "Drafts", shared: "Team"} {
		require.Equal(t, l.member+" editable", l.DocumentState(document))
		require.Equal(t, path, l.path(document))
		require.Empty(t, l.Text(`SELECT moved_by_case_id FROM documents WHERE id = $1`, document))
	}
	require.Equal(t, l.Admin+" editable", l.DocumentState(passedOn))
	require.Equal(t, "edit", l.Text(`SELECT level FROM grants WHERE document_id = $1 AND member_id = $2`, passedOn, l.member))
	require.Equal(t, 1, l.eventsOf(offboarding.EventGrantEdit))
	require.Equal(t, "active", l.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	require.Equal(t, "archived", l.Text(`SELECT status FROM schedules WHERE id = $1`, paused))
	require.Equal(t, 3, l.eventsOf(offboarding.EventReturnDocs))
	invariantsHold(t, l.store)
}

// What the case archived is editable again, with its schedules, at the member or
// returned to the member.
func TestReactivationAfterAnArchive(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	var documents []string
	for range 5 {
		document := l.Document(l.member, "")
		l.Schedule(document)
		documents = append(documents, document)
	}
	r := l.request()
	r.Disposition = offboarding.DispositionArchive
	l.deactivated(r).advance(offboarding.PhaseTransferring)
	s := l.sweep(l.store.ArchiveBatch, offboarding.SweepInput{Step: l.step("archive")})
	require.Equal(t, 5, s.Documents)
	require.Equal(t, 5, s.Schedules)
	require.Equal(t, l.member+" archived", l.DocumentState(documents[0]))
	l.sweep(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("some"), NewOwnerID: l.Manager, DocumentIDs: documents[:2]})
	require.Equal(t, l.Manager+" archived", l.DocumentState(documents[0]))

	l.reactivate(true)
	for _, document := range documents {
		require.Equal(t, l.member+" editable", l.DocumentState(document))
	}
	require.Equal(t, 5, l.Count(`SELECT count(*) FROM schedules WHERE status = 'active' AND archived_by_case_id IS NULL`))
	require.Equal(t, 5, l.eventsOf(offboarding.EventUnarchiveDocs))
	require.Equal(t, 5, l.eventsOf(offboarding.EventUnarchiveSchedules))
	invariantsHold(t, l.store)
}

// What the new owner's own case has archived is editable again too when it returns, with
// its schedules; what an admin has archived stays so.
func TestReactivationReturnsWhatTheHeirsCaseHasArchived(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	archived, before := l.Document(l.member, ""), l.Document(l.member, "")
	schedule := l.Schedule(archived)
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, before)
	heir := l.of(l.Maker())
	l.Document(l.member, "")
	l.deactivated(l.request())
	l.sweep(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("some"), NewOwnerID: heir.member, DocumentIDs: []string{archived, before}})
	r := heir.request()
	r.Disposition = offboarding.DispositionArchive
	heir.deactivated(r).advance(offboarding.PhaseTransferring)
	own := l.Document(heir.member, "")
	heir.sweep(l.store.ArchiveBatch, offboarding.SweepInput{Step: heir.step("archive")})
	require.Equal(t, heir.member+" archived", l.DocumentState(archived))
	require.Equal(t, "archived", l.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))

	l.reactivate(true)
	require.Equal(t, l.member+" editable", l.DocumentState(archived))
	require.Equal(t, "active", l.Text(`SELECT status FROM schedules WHERE id = $1 AND archived_by_case_id IS NULL`, schedule))
	require.Equal(t, l.member+" archived", l.DocumentState(before))
	require.Equal(t, heir.member+" archived", l.DocumentState(own))
	invariantsHold(t, l.store)
}

func TestWhoMayReactivate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*leaving)
		admin   func(*leaving) string
		code    offboarding.Code
	}{
		"not an admin": {admin: func(l *leaving) string { return l.Manager }, code: offboarding.CodeNotAuthorized},
		"no seat": {
			prepare: func(l *leaving) { l.Exec(`UPDATE organizations SET seat_limit = 3`) }, code: offboarding.CodeSeatLimitExceeded,
		},
		"on a domain that the organization has given up": {
			prepare: func(l *leaving) { l.Exec(`UPDATE organizations SET domains = '{other.example}'`) }, code: offboarding.CodeDomainNotAssociated,
		},
		"managed elsewhere": {
			prepare: func(l *leaving) { l.Exec(`UPDATE members SET managed_by = 'entra' WHERE id = $1`, l.member) },
			code:    offboarding.CodeExternallyManaged,
		},
		"an owner, by external ID": {admin: func(*leaving) string { return "external:m1" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			l.Document(l.member, "")
			l.inGrace()
			if test.prepare != nil {
				test.prepare(l)
			}
			in := reactivateInput(l)
			if test.admin != nil {
				in.Message.AdminID = test.admin(l)
			}
			_, err := l.store.AuthorizeReactivation(t.Context(), in)
			in.Step = l.step("member")
			_, again := l.store.ReactivateMember(t.Context(), in)
			if test.code == "" {
				require.NoError(t, err)
				require.NoError(t, again)
				return
			}
			refused(t, test.code, err)
			refused(t, test.code, again)
			require.Equal(t, "grace", l.phase())
		})
	}
}

// Steps out of their turn change nothing.
func TestWrongPhase(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Document(l.member, "")
	ctx := t.Context()
	waits := l.admit(l.request())
	ends := l.at
	_, err := waits.store.Settle(ctx, offboarding.SettleInput{Step: l.step("1"), GraceEndsAt: &ends})
	refused(t, offboarding.CodeWrongPhase, err)
	_, err = waits.store.ReactivateMember(ctx, reactivateInput(l))
	refused(t, offboarding.CodeWrongPhase, err)
	_, err = waits.store.Deactivate(ctx, l.step("2"))
	refused(t, offboarding.CodeWrongPhase, err)
	refused(t, offboarding.CodeWrongPhase, waits.store.CloseReactivated(ctx, l.step("3")))
	for _, phase := range offboarding.Phases {
		_, err := waits.store.Advance(ctx, offboarding.AdvanceInput{Step: l.step("to " + string(phase)), Phase: phase})
		refused(t, offboarding.CodeWrongPhase, err)
	}

	other := l.of(l.Maker())
	other.deactivated(other.request())
	s, err := other.store.Settle(ctx, offboarding.SettleInput{Step: other.step("settle")})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, s.Phase)
	before := l.Text(`SELECT to_jsonb(c) FROM cases c WHERE id = $1`, other.id)
	for _, phase := range offboarding.Phases {
		_, err := other.store.Advance(ctx, offboarding.AdvanceInput{Step: other.step("again to " + string(phase)), Phase: phase})
		refused(t, offboarding.CodeWrongPhase, err)
	}
	_, err = other.store.ReactivateMember(ctx, reactivateInput(other))
	refused(t, offboarding.CodeWrongPhase, err)
	for _, do := range []batch{other.store.ArchiveBatch, other.store.LockBatch, other.store.ReturnBatch, other.store.GrantBatch} {
		_, err := do(ctx, offboarding.SweepInput{Step: other.step(newID()), ActorID: l.Admin}, "")
		refused(t, offboarding.CodeWrongPhase, err)
	}
	require.Equal(t, before, l.Text(`SELECT to_jsonb(c) FROM cases c WHERE id = $1`, other.id), "a closed case stays as it was")

	_, err = l.store.Revoke(ctx, offboarding.RevokeInput{Step: offboarding.Step{CaseID: newID(), Name: "revoke", At: l.at}})
	refused(t, offboarding.CodeCaseNotFound, err)
}
