package postgres_test

import (
	"testing"

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

// An ID is used once for each thing that it can be about.
func TestASignatureIsUsedOnce(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	sent := offboarding.Sent{Namespace: "n", WorkflowID: "offboarding/m", RunID: "r", Kind: offboarding.KindSignal, At: l.at, HandledAs: "signal/1"}
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
