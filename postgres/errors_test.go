package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// What PostgreSQL never takes is refused: another try would end the same way.
func TestTextThatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	store := postgres.New(testdb.New(t))
	for _, ref := range []string{"external:\x00", "external:\xff"} {
		_, err := store.Admit(t.Context(), offboarding.AdmitInput{
			CaseID: "0199c2a0-0000-7000-8000-000000000001", WorkflowID: "w", At: importTime,
			Request: offboarding.Request{MemberID: ref, RequestedBy: ref},
		})
		require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(err), "%v", err)
	}
}
