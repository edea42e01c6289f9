package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/postgres"
)

// A grace is extended, never shortened, and only while it runs.
func TestExtendGrace(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Document(l.member, "")
	l.Exec(`UPDATE members SET time_zone = 'Asia/Tokyo' WHERE id = $1`, l.member)
	extend := func(admin, until string) (offboarding.Outcome, error) {
		return l.store.ExtendGrace(t.Context(), offboarding.ExtendGraceInput{
			Step: l.step("extend/" + newID()), Message: offboarding.ExtendGrace{AdminID: admin, Until: until},
		})
	}
	l.deactivated(l.request())
	_, err := extend(l.Admin, "2026-04-01")
	refused(t, offboarding.CodeWrongPhase, err)
	ends := l.at.Add(grace)
	_, err = l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("settle"), GraceEndsAt: &ends})
	require.NoError(t, err)
	for until, code := range map[string]offboarding.Code{
		"2026-03-05":           offboarding.CodeInvalidArgument, // before the present end
		"2026-03-01T00:00:00Z": offboarding.CodeInvalidArgument, // has passed
		"soon":                 offboarding.CodeInvalidArgument,
	} {
		_, err := extend(l.Admin, until)
		refused(t, code, err)
	}
	_, err = extend(l.Manager, "2026-04-01")
	refused(t, offboarding.CodeNotAuthorized, err)

	out, err := extend(l.Admin, "2026-04-01")
	require.NoError(t, err)
	want := time.Date(2026, 4, 1, 15, 0, 0, 0, time.UTC) // midnight in Tokyo
	require.True(t, out.At.Equal(want), "%v", out.At)
	var kept time.Time
	require.NoError(t, l.DB.Get(&kept, `SELECT grace_ends_at FROM cases WHERE id = $1`, l.id))
	require.True(t, kept.Equal(want), "%v", kept)
	require.Equal(t, 1, l.eventsOf(offboarding.EventExtendGrace))
	l.readOnly()
	_, err = extend(l.Admin, "2026-05-01")
	refused(t, offboarding.CodeWrongPhase, err)
}

// Only what waits for its effective time is moved or canceled.
func TestRescheduleAndCancel(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	r := l.request()
	r.EffectiveAt = "2026-04-01"
	l.admit(r)
	reschedule := offboarding.RescheduleInput{
		Step: l.step("reschedule"), Message: offboarding.Reschedule{AdminID: l.Admin, EffectiveAt: "2026-05-01"},
	}
	_, err := l.store.Reschedule(t.Context(), reschedule)
	require.NoError(t, err)
	require.Equal(t, `RescheduleOffboarding {"effective_at": "2026-04-02T00:00:00Z"} -> {"effective_at": "2026-05-02T00:00:00Z"}`, l.lastEvent())
	cancel := offboarding.CancelInput{Step: l.step("cancel"), Message: offboarding.Cancel{AdminID: l.Manager}}
	_, err = l.store.Cancel(t.Context(), cancel)
	refused(t, offboarding.CodeNotAuthorized, err)
	cancel = offboarding.CancelInput{Step: l.step("cancel again"), Message: offboarding.Cancel{AdminID: l.Admin, Reason: "stays"}}
	_, err = l.store.Cancel(t.Context(), cancel)
	require.NoError(t, err)
	require.Equal(t, "canceled", l.phase())
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM cases WHERE id = $1 AND closed_at = $2`, l.id, cancel.At))

	other := l.of(l.member).revoked(l.request())
	cancel.Step, reschedule.Step = other.step("cancel"), other.step("reschedule")
	_, err = l.store.Cancel(t.Context(), cancel)
	refused(t, offboarding.CodeWrongPhase, err)
	_, err = l.store.Reschedule(t.Context(), reschedule)
	refused(t, offboarding.CodeWrongPhase, err)
}

// Settle shows the oldest hundred requests, and counts all.
func TestPendingRequestsOfACase(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Documents(l.member, 120)
	l.inGrace()
	l.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
		SELECT gen_random_uuid(), organization_id, $1, id, $2, '', 'pending', $3 FROM documents`, l.id, l.Manager, l.at)
	s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("count")})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseGrace, s.Phase)
	require.Equal(t, 120, s.Unowned)
	require.Equal(t, 120, s.PendingCount)
	require.Len(t, s.Pending, 100)
}

// A case that cannot go on shows it, and takes it back.
func TestRecordTrouble(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.admit(l.request())
	trouble := offboarding.Trouble{Step: "revoke", Attempt: 3, LastError: "no answer", Since: l.at}
	require.NoError(t, l.store.RecordTrouble(t.Context(), offboarding.TroubleInput{CaseID: l.id, Trouble: &trouble}))
	require.Equal(t, "revoke 3 no answer", l.Text(`SELECT trouble_step || ' ' || trouble_attempt || ' ' || trouble_error FROM cases WHERE id = $1`, l.id))
	require.NoError(t, l.store.RecordTrouble(t.Context(), offboarding.TroubleInput{CaseID: l.id}))
	require.Equal(t, " 0  ", l.Text(
		`SELECT trouble_step || ' ' || trouble_attempt || ' ' || trouble_error || coalesce(trouble_since::text, ' ') FROM cases WHERE id = $1`, l.id))
	require.Len(t, l.Events(), 1, "trouble is no change of the case")
}

// A case that closes goes on: the trouble that nobody could take back ends with it, and one
// that is recorded late is none.
func TestAClosedCaseHasNoTrouble(t *testing.T) {
	t.Parallel()
	trouble := offboarding.Trouble{Step: "settle", Attempt: 3, LastError: "no answer", Since: time.Now().UTC()}
	for name, closes := range map[string]func(l *leaving, document, maker string){
		"completed": func(l *leaving, document, maker string) {
			l.claim(document, maker)
			_, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("settled")})
			require.NoError(t, err)
		},
		"reactivated": func(l *leaving, _, _ string) { l.reactivate(false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			record := func() {
				require.NoError(t, l.store.RecordTrouble(t.Context(), offboarding.TroubleInput{CaseID: l.id, Trouble: &trouble}))
			}
			document, maker := l.claimable()
			l.inGrace()
			record()
			closes(l, document, maker)
			const closed = `SELECT count(*) FROM cases WHERE id = $1 AND closed_at IS NOT NULL AND trouble_step = '' AND trouble_since IS NULL`
			require.Equal(t, 1, l.Count(closed, l.id))
			record()
			require.Equal(t, 1, l.Count(closed, l.id))
		})
	}
}

func TestManyDocumentsAreLeftToTheSweepAtTheEndOfTheGrace(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	const documents = 500 // whoever claims one of them would wait too long
	l.Documents(l.member, documents)
	l.inGrace()
	l.at = l.at.Add(grace)
	l.store = postgres.New(l.DB)
	out, err := l.store.Advance(t.Context(), l.endGrace())
	require.NoError(t, err)
	require.Nil(t, out.Settled)
	require.Zero(t, l.Count(`SELECT count(*) FROM documents WHERE access = 'read_only'`))
	l.sweep(l.store.LockBatch, offboarding.SweepInput{Step: l.step("lock")})
	require.Equal(t, documents, l.Count(`SELECT count(*) FROM documents WHERE access = 'read_only'`))
}

// What a leaver owns is counted before the case is locked: nobody waits for a case
// because its documents are many. That the last one has found an owner meanwhile is seen
// the next time.
func TestACaseIsNotLockedWhileItsDocumentsAreCounted(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.claimable()
	l.inGrace()
	tx := l.DB.MustBegin()
	defer func() { _ = tx.Rollback() }()
	tx.MustExec(`LOCK TABLE documents IN ACCESS EXCLUSIVE MODE`) // counting them takes long
	type outcome struct {
		offboarding.Settled
		err error
	}
	settle := func(step string) <-chan outcome {
		settled := make(chan outcome, 1)
		go func() {
			s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step(step)})
			settled <- outcome{s, err}
		}()
		return settled
	}
	settled := settle("settle/2")
	l.waiting(1)
	var id string
	require.NoError(t, tx.Get(&id, `SELECT id FROM cases WHERE id = $1 FOR UPDATE NOWAIT`, l.id))
	require.NoError(t, tx.Rollback())
	first := <-settled
	require.NoError(t, first.err)
	require.Equal(t, 1, first.Unowned)
	require.Equal(t, offboarding.PhaseGrace, first.Phase)

	l.claim(document, maker)
	last := <-settle("settle/3")
	require.NoError(t, last.err)
	require.Zero(t, last.Unowned)
	require.Equal(t, offboarding.PhaseCompleted, last.Phase)
}
