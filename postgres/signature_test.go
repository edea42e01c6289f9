package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// A signed claim that was refused stays refused, whoever sends it again; one that nobody
// has signed is judged again.
func TestASignedClaimIsJudgedOnce(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document := l.Document(l.member, "")
	l.inGrace()
	plain := l.claimInput(document, l.Manager)
	signed := l.claimInput(document, l.Manager)
	signed.Sent = &offboarding.Sent{Signature: "whatever it is"}
	for _, in := range []offboarding.ClaimInput{plain, signed} {
		_, err := l.store.Claim(t.Context(), in)
		refused(t, offboarding.CodeNoAccess, err)
	}
	l.Grant(document, l.Manager, offboarding.GrantEdit)
	_, err := l.store.Claim(t.Context(), signed)
	refused(t, offboarding.CodeNoAccess, err)
	out, err := l.store.Claim(t.Context(), plain)
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeClaimed, out.Outcome)
}

// A signed cancel of a list stays refused, though the list has somebody to take off again.
func TestASignedCancelIsJudgedOnce(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.add(l.Maker(), offboarding.BulkPlan{})
	_, err := l.admitted(t, "run")
	require.NoError(t, err)
	cancel := func(id string) error {
		_, err := l.store.CancelBulk(t.Context(), offboarding.BulkCancelInput{
			BulkStep: offboarding.BulkStep{BulkID: "run", At: l.at}, Message: offboarding.Cancel{AdminID: l.actor},
			Sent: &offboarding.Sent{Kind: offboarding.KindUpdate, ID: id, HandledAs: "update/" + id, Signature: "whatever it is", Expires: time.Now()},
		})
		return err
	}
	request := l.Text(`SELECT request FROM bulk_members`)
	l.Exec(`UPDATE bulk_members SET result = 'not_started', request = NULL`)
	refused(t, offboarding.CodeWrongPhase, cancel("one"))
	l.Exec(`UPDATE bulk_members SET result = 'pending', request = $1`, request)
	refused(t, offboarding.CodeWrongPhase, cancel("one"))
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM bulk_members WHERE result = 'pending'`))
	require.NoError(t, cancel("another"))
	l.Exec(`UPDATE bulk_runs SET canceled_at = NULL`)
	l.Exec(`UPDATE bulk_members SET result = 'pending', request = $1`, request)
	require.NoError(t, cancel("another"))
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM bulk_members WHERE result = 'pending'`), "what was done is not done again")
}

// What was used is forgotten long after it has expired, and not before; and what may have
// been forgotten is not heard.
func TestWhatHasExpiredIsForgotten(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	use := func(id string, expires time.Time) error {
		_, err := l.store.UseSignature(t.Context(), id, offboarding.Sent{WorkflowID: id, Kind: offboarding.KindSignal, HandledAs: "signal/1", Expires: expires})
		return err
	}
	steps := func() int { return l.Count(`SELECT count(*) FROM case_steps`) }
	kept := steps()
	for i := range 12 {
		require.NoError(t, use(fmt.Sprint(i), time.Now()))
	}
	l.Exec(`UPDATE case_steps SET at = $1`, time.Now().Add(-91*24*time.Hour))
	for range 2 {
		require.NoError(t, use("expired", time.Now().Add(-80*24*time.Hour)))
		require.NoError(t, use("good", time.Now().Add(time.Hour)))
	}
	require.Equal(t, kept+2, steps(), "nobody forgets a step of a case")
	refused(t, offboarding.CodeNotSigned, use("0", time.Now().Add(-91*24*time.Hour)))
}

// An ID is used once for each thing that it can be about.
func TestASignatureIsUsedOnce(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	sent := offboarding.Sent{Namespace: "n", WorkflowID: "offboarding/m", RunID: "r", Kind: offboarding.KindSignal, At: l.at, Expires: time.Now(), HandledAs: "signal/1"}
	use := func(change func(*offboarding.Sent)) string {
		t.Helper()
		s := sent
		change(&s)
		first, err := l.store.UseSignature(t.Context(), "one", s)
		require.NoError(t, err)
		return first
	}
	require.Equal(t, "signal/1", use(func(*offboarding.Sent) {}))
	require.Equal(t, "signal/1", use(func(*offboarding.Sent) {}), "handled again")
	require.Equal(t, "signal/1", use(func(s *offboarding.Sent) { s.HandledAs = "signal/2" }))
	require.Equal(t, "signal/2", use(func(s *offboarding.Sent) { s.HandledAs, s.RunID = "signal/2", "later" }))
	require.Equal(t, "start", use(func(s *offboarding.Sent) { s.HandledAs, s.Kind = "start", offboarding.KindStart }))
	require.Equal(t, "signal/3", use(func(s *offboarding.Sent) { s.HandledAs, s.WorkflowID = "signal/3", "offboarding/n" }))
}
