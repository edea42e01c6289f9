package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// Every change is another text, also that a case cannot go on, which has no event; what
// happens in another organization is not.
func TestLatestChanges(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	stranger := fixture.New(t, l.DB)
	latest := func() string {
		text, err := l.store.LatestChanges(t.Context(), []string{l.ID})
		require.NoError(t, err)
		return text
	}
	l.Document(l.Leaver, "")
	stranger.Document(stranger.Leaver, "")
	empty := latest()
	l.inGrace()
	begun := latest()
	require.NotEqual(t, empty, begun)
	require.Equal(t, begun, latest())
	require.NoError(t, l.store.RecordTrouble(t.Context(), offboarding.TroubleInput{
		CaseID: l.id, Trouble: &offboarding.Trouble{Step: "lock", Attempt: 3, LastError: "the database does not answer", Since: l.at},
	}))
	troubled := latest()
	require.NotEqual(t, begun, troubled)
	require.NoError(t, l.store.RecordTrouble(t.Context(), offboarding.TroubleInput{CaseID: l.id}))
	require.Equal(t, begun, latest())
	newLeavingOn(t, stranger, l.store).inGrace()
	require.Equal(t, begun, latest())
	both, err := l.store.LatestChanges(t.Context(), []string{l.ID, stranger.ID})
	require.NoError(t, err)
	require.NotEqual(t, begun, both)
}
