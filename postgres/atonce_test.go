package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// What a start that goes on at once leaves is what the steps leave: the same events,
// in the same order and with the same details, and the same rows.
func TestAtOnceIsStepByStep(t *testing.T) {
	t.Parallel()
	left := func(atOnce bool, newOwner func(*leaving) string) (events, rows string) {
		l := newLeaving(t)
		other := l.of(l.Maker())
		document := l.Document(other.member, "")
		other.inGrace().requested(document, l.member)
		l.Credential(l.member)
		l.Session(l.member)
		l.SSOSession(l.member, time.Hour)
		l.Document(l.member, "")
		r := l.request()
		r.NewOwnerID, r.Reason, r.GracePeriod = newOwner(l), "moves on", "72h0m0.9999999s"
		r.ArchiveSchedules = r.NewOwnerID != ""
		l.Exec(`UPDATE members SET managed_by = 'entra' WHERE id = $1`, l.member)
		l.Exec(`UPDATE organizations SET identity_provider = 'entra', provisioning_admin_id = $1`, l.Admin)
		r.Provider = "entra"
		if atOnce {
			a, err := l.store.Admit(t.Context(), l.atOnce(r))
			require.NoError(t, err)
			require.Equal(t, r.NewOwnerID == "", a.GraceBegun)
			again, err := l.store.Admit(t.Context(), l.atOnce(r))
			require.NoError(t, err, "the answer was lost")
			require.Equal(t, a.DeactivatedAt.UTC(), again.DeactivatedAt.UTC())
			require.True(t, again.Again)
			again.Again, again.DeactivatedAt = false, a.DeactivatedAt
			if a.GraceBegun {
				require.Equal(t, a.GraceEndsAt.UTC(), again.GraceEndsAt.UTC())
				again.GraceEndsAt, again.GraceBegun = a.GraceEndsAt, true
			}
			require.Equal(t, a, again)
		} else {
			at := l.at
			step := func(name string) offboarding.Step { return offboarding.Step{CaseID: l.id, Name: name, At: at} }
			l.admit(r)
			_, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: step("revoke")})
			require.NoError(t, err)
			_, err = l.store.Deactivate(t.Context(), step("deactivate"))
			require.NoError(t, err)
			if r.NewOwnerID == "" {
				ends := at.Add(72 * time.Hour)
				_, err = l.store.Settle(t.Context(), offboarding.SettleInput{Step: step("settle/1"), GraceEndsAt: &ends})
				require.NoError(t, err)
			}
		}
		invariantsHold(t, l.store)
		events = l.Text(`SELECT string_agg(concat_ws(' ', e.event, e.subject_kind, e.actor_id = e.member_id, e.case_id = $1, e.document_id IS NOT NULL, e.before,
			e.after - 'new_owner_id', e.origin, e.at), E'\n' ORDER BY e.id) FROM audit_events e JOIN cases c ON c.id = $1 WHERE e.member_id = c.member_id AND e.at >= $2`, l.id, l.at)
		return events, l.Text(`SELECT concat_ws(' ', phase, disposition, reason, origin, provider, archive_schedules, grace_period_seconds, created_at, effective_at, revoked_at,
			deactivated_at, grace_ends_at, (SELECT concat_ws(' ', m.status, m.deactivated_at) FROM members m WHERE m.id = c.member_id),
			(SELECT string_agg(r.status, ' ') FROM ownership_requests r WHERE r.member_id = c.member_id)) FROM cases c WHERE id = $1`, l.id)
	}
	for _, newOwner := range []func(*leaving) string{
		func(l *leaving) string { return l.Manager },
		func(*leaving) string { return "" }, // the documents are retained
	} {
		events, rows := left(false, newOwner)
		atOnceEvents, atOnceRows := left(true, newOwner)
		require.Equal(t, events, atOnceEvents)
		require.Equal(t, rows, atOnceRows)
	}
}

// However much a leaver owns, their grace begins at once: with their access where there is
// little to count, and right after it where there is more.
func TestAGraceBeginsAtOnceHoweverMuchIsOwned(t *testing.T) {
	t.Parallel()
	for documents, archived := range map[int]int{0: 0, 1: 1, 2: 1, 1000: 999, 1001: 0, 1200: 1} {
		l := newLeaving(t)
		l.Documents(l.member, documents)
		l.Exec(`UPDATE documents SET access = 'archived' WHERE id IN (SELECT id FROM documents WHERE owner_id = $1 LIMIT $2)`, l.member, archived)
		a, err := l.store.Admit(t.Context(), l.atOnce(l.request()))
		require.NoError(t, err)
		require.Equal(t, documents, a.Documents)
		require.Equal(t, documents-archived, a.Unowned)
		require.Equal(t, documents > archived, a.GraceBegun)
		phase := offboarding.PhaseDeactivated
		if a.GraceBegun {
			phase = offboarding.PhaseGrace
			require.Equal(t, a.DeactivatedAt.Add(a.Plan.GracePeriod), *a.GraceEndsAt)
		}
		require.Equal(t, phase, a.Phase)
		require.Equal(t, string(phase), l.Text(`SELECT phase FROM cases WHERE id = $1`, l.id))
		invariantsHold(t, l.store)
	}
}

// How long after the end of its grace a case acts is the same whichever answer tells it.
func TestTheSpreadOfAGraceOutlivesALostAnswer(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Document(l.member, "")
	a, err := l.store.Admit(t.Context(), l.atOnce(l.request()))
	require.NoError(t, err)
	require.True(t, a.GraceBegun)
	require.Positive(t, a.GraceSpread)
	settled, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("settle/1"), GraceEndsAt: a.GraceEndsAt})
	require.NoError(t, err)
	require.Equal(t, a.GraceSpread, settled.GraceSpread, "the case does not know that its grace has begun")
}

// A case that is taken over before its grace has begun counts what it was asked until then,
// and has nothing to count where nobody has asked.
func TestACaseTakenOverBeginsItsGrace(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{false, true} {
		l := newLeaving(t)
		document := l.Document(l.member, "")
		l.deactivated(l.request())
		if asked {
			l.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
				VALUES ($1, $2, $3, $4, $5, '', 'pending', $6)`, newID(), l.ID, l.id, document, l.Manager, l.at)
		}
		in := l.atOnce(l.request())
		in.CaseID = newID()
		a, err := l.store.Admit(t.Context(), in)
		require.NoError(t, err)
		require.True(t, a.Resumed)
		require.Equal(t, !asked, a.GraceBegun, "the workflow would know of no request")
		require.Equal(t, offboarding.PhaseGrace, a.Phase)
		require.Equal(t, 1, a.Unowned)
		require.Equal(t, offboarding.GraceSpread(a.CaseID, a.Plan.GracePeriod), a.GraceSpread)
		invariantsHold(t, l.store)
	}
}

// What is to be waited for, or cannot be done, goes step by step.
func TestNotAtOnce(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*leaving, *offboarding.Request){
		"a day ahead":             func(_ *leaving, r *offboarding.Request) { r.EffectiveAt = "2027-01-01" },
		"sessions are waited for": func(l *leaving, _ *offboarding.Request) { l.Exec(`UPDATE organizations SET sso_sessions = 'wait'`) },
		"an owner": func(l *leaving, _ *offboarding.Request) {
			l.Member(offboarding.RoleOwner, offboarding.AccountMaker)
			l.Exec(`UPDATE members SET role = 'owner' WHERE id = $1`, l.member)
		},
		"credentials cannot be revoked": func(l *leaving, _ *offboarding.Request) { l.Exec(`ALTER TABLE credentials RENAME TO away`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			r := l.request()
			arrange(l, &r)
			a, err := l.store.Admit(t.Context(), l.atOnce(r))
			require.NoError(t, err)
			require.Equal(t, offboarding.PhaseScheduled, a.Phase)
			require.Len(t, l.Events(), 1)
			require.Equal(t, "active", l.Text(`SELECT status FROM members WHERE id = $1`, l.member))
		})
	}
}

// Whoever starts first opens the case; the others find it.
func TestStartsAtOnce(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Credential(l.member)
	answers := make([]offboarding.Admission, 8)
	starts := make([]func(), len(answers))
	for i := range starts {
		in := l.of(l.member).atOnce(l.request())
		starts[i] = func() {
			var err error
			answers[i], err = l.store.Admit(t.Context(), in)
			require.NoError(t, err)
		}
	}
	atOnce(starts...)
	opened := l.Text(`SELECT id FROM cases`)
	for _, a := range answers {
		require.Equal(t, opened, a.CaseID)
		require.Equal(t, offboarding.PhaseDeactivated, a.Phase)
	}
	require.Len(t, l.Events(), 4)
	invariantsHold(t, l.store)
}

// Whoever asks for a document while their own case begins has asked for nothing.
func TestARequestOfWhoLeavesAtOnceIsWithdrawn(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, asker := l.Document(l.member, ""), l.Maker()
	l.Grant(document, asker, offboarding.GrantView)
	in := l.inGrace().claimInput(document, asker)
	other := l.of(asker)
	start := other.atOnce(other.request())
	blocker, err := l.DB.Beginx()
	require.NoError(t, err)
	defer func() { _ = blocker.Rollback() }()
	_, err = blocker.Exec(`SELECT FROM documents WHERE id = $1 FOR UPDATE`, document)
	require.NoError(t, err)

	first, second := make(chan error), make(chan error)
	go func() {
		_, err := l.store.Claim(t.Context(), in)
		first <- err
	}()
	l.waiting(1)
	go func() {
		_, err := l.store.Admit(t.Context(), start)
		second <- err
	}()
	l.waiting(2)
	require.NoError(t, blocker.Rollback())
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.Equal(t, string(offboarding.PhaseDeactivated), other.phase())
	require.Equal(t, "withdrawn", l.Text(`SELECT status FROM ownership_requests WHERE member_id = $1`, asker))
	invariantsHold(t, l.store)
}

// A start that is repeated after its case has settled, because the worker died before
// the engine knew of either, counts what waits: of a removal what is in the workspace.
func TestARepeatedStartCountsWhatWaits(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		removal bool
		unowned int
	}{"an offboarding": {false, 2}, "a removal": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemoving(t)
			in := r.atOnce(r.leaving.request())
			if of.removal {
				in = r.atOnce(r.request())
			}
			first, err := r.store.Admit(t.Context(), in)
			require.NoError(t, err)
			require.False(t, first.Again)
			if of.removal {
				_, err = r.store.Revoke(t.Context(), offboarding.RevokeInput{Step: r.step("revoke")})
				require.NoError(t, err)
				_, err = r.store.Deactivate(t.Context(), r.step("deactivate"))
				require.NoError(t, err)
			}
			ends := in.At.Add(grace)
			_, err = r.store.Settle(t.Context(), offboarding.SettleInput{Step: r.step("settle/1"), GraceEndsAt: &ends})
			require.NoError(t, err)
			again, err := r.store.Admit(t.Context(), in)
			require.NoError(t, err)
			require.True(t, again.Again)
			require.Equal(t, offboarding.PhaseGrace, again.Phase)
			require.Equal(t, of.unowned, again.Unowned)
		})
	}
}
