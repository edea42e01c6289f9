package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestRetainGoesThroughGraceToReadOnlyAndCompletesWithTheLastClaim(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	colleague := s.Maker()
	credential, session := s.Credential(s.Leaver), s.Session(s.Leaver)
	early, late := s.Document(s.Leaver, ""), s.Document(s.Leaver, s.Folder("", "", "Shared"))
	s.Grant(early, colleague, offboarding.GrantEdit)
	s.Grant(late, colleague, offboarding.GrantEdit)

	var first, second *answer
	s.after(time.Hour, func() {
		require.Equal(t, offboarding.PhaseGrace, s.status().Phase)
		require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
		require.Equal(t, "revoked", s.Text(`SELECT status FROM sessions WHERE id = $1`, session))
		require.Equal(t, "inactive", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	})
	s.after(2*day, func() {
		first = s.update("1", offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: early, MemberID: colleague})
	})
	s.after(7*day-time.Minute, func() { require.Equal(t, s.Leaver+" editable", s.DocumentState(late)) })
	s.after(7*day+time.Minute, func() {
		require.Equal(t, s.Leaver+" read_only", s.DocumentState(late))
		require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase)
		require.Equal(t, 1, s.status().Documents.ReadOnly)
	})
	s.after(9*day, func() {
		second = s.update("2", offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: late, MemberID: colleague})
	})
	s.run(nil)

	require.NoError(t, s.env.GetWorkflowError())
	var result offboarding.Result
	require.NoError(t, s.env.GetWorkflowResult(&result))
	require.Equal(t, offboarding.PhaseCompleted, result.Phase)
	require.Equal(t, offboarding.Counts{Total: 2, Claimed: 2}, result.Documents)
	require.Equal(t, offboarding.OutcomeClaimed, first.outcome.Outcome)
	require.Equal(t, offboarding.OutcomeClaimed, second.outcome.Outcome)
	require.Equal(t, colleague+" editable", s.DocumentState(early))
	require.Equal(t, colleague+" editable", s.DocumentState(late))
	require.Equal(t, []string{
		"ScheduleOffboarding", "AdvanceOffboarding", "RevokeCredentials", "RevokeSessions", "DeactivateMember", "AdvanceOffboarding",
		"ClaimDocOwnership", "RemindGraceEnding", "RemindGraceEnding", "AdvanceOffboarding", "MarkDocsReadOnly", "ClaimDocOwnership",
		"CompleteOffboarding",
	}, s.Events())
}
