package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/postgres"
)

// Rules C1 and C2 by what the database holds.
func TestWhoMayClaim(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, archived, foreign := l.Document(l.member, ""), l.Document(l.member, ""), l.Document(l.Admin, "")
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived)
	editor := l.Member(offboarding.RoleContributor, offboarding.AccountEditor)
	reader := l.Member(offboarding.RoleReader, offboarding.AccountViewer)
	gone := l.Maker()
	for _, member := range []string{l.Manager, editor, gone} {
		for _, d := range []string{document, archived, foreign} {
			l.Grant(d, member, offboarding.GrantEdit)
		}
	}
	l.Grant(document, reader, offboarding.GrantView)
	l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, gone, l.at)
	stranger := fixture.New(t, l.DB)
	elsewhere := stranger.Document(stranger.Owner, "")
	l.inGrace()

	for name, test := range map[string]struct {
		document, member string
		code             offboarding.Code
	}{
		"without a grant":                             {document, l.Admin, offboarding.CodeNoAccess},
		"somebody inactive":                           {document, gone, offboarding.CodeNoAccess},
		"nobody":                                      {document, newID(), offboarding.CodeNoAccess},
		"no ID at all":                                {document, "' OR true --", offboarding.CodeNoAccess},
		"a document that is no ID":                    {"d1", l.Manager, offboarding.CodeNoAccess},
		"no such document":                            {newID(), l.Manager, offboarding.CodeNoAccess},
		"another organization's member":               {document, stranger.Owner, offboarding.CodeNoAccess},
		"another organization's document":             {elsewhere, l.Manager, offboarding.CodeNoAccess},
		"another organization's document and member":  {elsewhere, stranger.Owner, offboarding.CodeNoAccess},
		"a document with an active owner":             {foreign, l.Manager, offboarding.CodeAlreadyOwned},
		"an archived document":                        {archived, l.Manager, offboarding.CodeNotEligibleToClaim},
		"an external ID that only others have in use": {document, "external:ghost", offboarding.CodeNoAccess},
	} {
		before := l.DocumentState(document)
		_, err := l.store.Claim(t.Context(), l.claimInput(test.document, test.member))
		require.Equal(t, test.code, offboarding.CodeOf(err), name)
		require.Equal(t, before, l.DocumentState(document), name)
	}

	require.Equal(t, offboarding.OutcomeRequested, l.claim(document, reader).Outcome, "a view grant")
	require.Equal(t, offboarding.OutcomeRequested, l.claim(document, editor).Outcome, "an account that cannot own")
	_, err := l.store.Claim(t.Context(), l.claimInput(document, reader))
	refused(t, offboarding.CodeAlreadyRequested, err)
	long := l.claimInput(document, reader)
	long.Message.Note = strings.Repeat("x", offboarding.MaxNote+1)
	_, err = l.store.Claim(t.Context(), long)
	require.Error(t, err)

	out := l.claim(document, "external:m3") // the manager, of both organizations
	require.Equal(t, offboarding.OutcomeClaimed, out.Outcome)
	require.Equal(t, l.Manager, out.OwnerID)
	require.Len(t, out.Superseded, 2)
	require.Equal(t, l.Manager+" editable", l.DocumentState(document))
	require.Equal(t, 2, l.Count(`SELECT count(*) FROM ownership_requests WHERE status = 'superseded'`))
	require.Equal(t, offboarding.OutcomeClaimed, l.claim(document, l.Manager).Outcome, "sent twice")
	require.Equal(t, 1, l.eventsOf(offboarding.EventClaimDocOwnership))
	_, err = l.store.Claim(t.Context(), l.claimInput(document, reader))
	refused(t, offboarding.CodeAlreadyOwned, err)
}

// With policy admin_approval every claim is a request.
func TestClaimUnderAdminApproval(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Exec(`UPDATE organizations SET claim_policy = 'admin_approval'`)
	document, maker := l.claimable()
	l.inGrace()
	require.Equal(t, offboarding.OutcomeRequested, l.claim(document, maker).Outcome)
	require.Equal(t, l.member+" editable", l.DocumentState(document))
}

// A claim after the grace makes the document editable; its event says so.
func TestClaimOrRequestAndNothingElse(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.claimable()
	l.inGrace()
	as := func(how string) (offboarding.Outcome, error) {
		in := l.claimInput(document, maker)
		in.Message.As = how
		return l.store.Claim(t.Context(), in)
	}
	out, err := as(offboarding.AsRequest)
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeRequested, out.Outcome, "an admin is to decide, though the policy would give it")
	l.Exec(`UPDATE organizations SET claim_policy = 'admin_approval'`)
	_, err = as(offboarding.AsClaim)
	refused(t, offboarding.CodeNotEligibleToClaim, err)
	l.Exec(`UPDATE organizations SET claim_policy = 'self_serve'`)
	for range 2 {
		out, err = as(offboarding.AsClaim)
		require.NoError(t, err)
		require.Equal(t, offboarding.OutcomeClaimed, out.Outcome)
	}
	_, err = as(offboarding.AsRequest)
	refused(t, offboarding.CodeAlreadyOwned, err)
	require.Equal(t, "superseded", l.Text(`SELECT status FROM ownership_requests`))
	invariantsHold(t, l.store)
}

func TestClaimOfAReadOnlyDocument(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.claimable()
	l.inGrace().readOnly()
	l.claim(document, maker)
	require.Equal(t, maker+" editable", l.DocumentState(document))
	require.Equal(t, "read_only editable", l.Text(`SELECT (before->>'access') || ' ' || (after->>'access')
		FROM audit_events WHERE event = 'ClaimDocOwnership' AND actor_id = $1 AND document_id = $2`, maker, document))
	require.Equal(t, "Archived Users/Member 4", l.path(document))
	s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("settle again")})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, s.Phase)
	invariantsHold(t, l.store)
}

// Before the leaver is inactive there is nothing to claim.
func TestClaimTooEarly(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.claimable()
	l.revoked(l.request())
	_, err := l.store.Claim(t.Context(), l.claimInput(document, maker))
	refused(t, offboarding.CodeAlreadyOwned, err)
}

// claimElsewhere claims by a worker of its own: those of one worker take turns.
func (l *leaving) claimElsewhere(ctx context.Context, in offboarding.ClaimInput) (offboarding.Outcome, error) {
	return postgres.New(l.DB).Claim(ctx, in)
}

// waiting waits until so many of the database's transactions wait for a lock.
func (l *leaving) waiting(n int) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		return l.Count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == n
	}, 10*time.Second, time.Millisecond)
}

// A claim is judged without a lock. What comes between the judgment and the change, and
// changes nothing that the claim reads in a row of its own, is heeded all the same.
func TestWhatComesBetweenIsHeeded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		locked  string // what holds both up, in turn
		between func(l *leaving, document string) func() error
		code    offboarding.Code // of the claim
	}{
		"a hold on the leaver": {`SELECT FROM cases WHERE member_id = $1 FOR UPDATE`, func(l *leaving, _ string) func() error {
			return func() error {
				_, err := l.store.PlaceHold(l.t.Context(), offboarding.Hold{MemberID: l.member, Reason: "matter 12"}, l.Admin, l.at)
				return err
			}
		}, offboarding.CodeLegalHold},
		"a request": {`SELECT FROM documents WHERE owner_id = $1 FOR UPDATE`, func(l *leaving, document string) func() error {
			reader := l.Member(offboarding.RoleReader, offboarding.AccountViewer)
			l.Grant(document, reader, offboarding.GrantView)
			in := l.claimInput(document, reader)
			return func() error {
				_, err := l.claimElsewhere(l.t.Context(), in)
				return err
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			document, maker := l.claimable()
			earlier := l.Document(l.member, "")
			l.Grant(earlier, maker, offboarding.GrantEdit)
			l.inGrace().claim(earlier, maker) // who has a folder for the documents
			between, in := test.between(l, document), l.claimInput(document, maker)
			blocker, err := l.DB.Beginx()
			require.NoError(t, err)
			defer func() { _ = blocker.Rollback() }()
			_, err = blocker.Exec(test.locked, l.member)
			require.NoError(t, err)

			first, second := make(chan error), make(chan error)
			go func() { first <- between() }()
			l.waiting(1)
			go func() {
				_, err := l.store.Claim(l.t.Context(), in)
				second <- err
			}()
			l.waiting(2)
			require.NoError(t, blocker.Rollback())
			require.NoError(t, <-first)
			require.Equal(t, test.code, offboarding.CodeOf(<-second))
			require.Zero(t, l.Count(`SELECT count(*) FROM ownership_requests WHERE status = 'pending'`))
			invariantsHold(t, l.store)
		})
	}
}

// A refused claim changes nothing, and is judged anew when it is asked again.
func TestARefusedClaimLeavesNoRecord(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.claimable()
	l.inGrace()
	hold := l.hold(offboarding.Hold{DocumentID: document})
	in := l.claimInput(document, maker)
	steps := l.Count(`SELECT count(*) FROM case_steps`)
	_, err := l.store.Claim(t.Context(), in)
	refused(t, offboarding.CodeLegalHold, err)
	require.Equal(t, steps, l.Count(`SELECT count(*) FROM case_steps`))
	l.lift(hold)
	for range 2 { // and what was done is not
		out, err := l.store.Claim(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, 1, out.Documents)
	}
	require.Equal(t, 1, l.eventsOf(offboarding.EventClaimDocOwnership))
}
