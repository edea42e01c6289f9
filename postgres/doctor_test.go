package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a workflow says of itself may be anything: what is no ID is nobody's, and keeps
// nothing else from being found.
func TestWhatIsNoIDIsUnknown(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Document(l.member, "")
	l.inGrace()
	texts := []string{"", "x", `{"`, l.id, l.member}
	known, err := l.store.KnownCases(t.Context(), texts)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{l.id: true}, known)
	running, err := l.store.RunningFor(t.Context(), texts)
	require.NoError(t, err)
	require.Len(t, running, 1)
	members, err := l.store.MemberStates(t.Context(), texts)
	require.NoError(t, err)
	require.Len(t, members, 1)
	for _, caseID := range []string{"", "x", l.id} {
		settled, err := l.store.Settled(t.Context(), caseID, texts)
		require.NoError(t, err)
		require.Zero(t, settled)
	}
}
