package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	cases "handover/client"
	"handover/offboarding"
	"handover/postgres"
)

// A terminated workflow leaves its case open in the database. Starting the
// workflow again under its ID takes the case over; nothing is done twice.
func TestStartUnderTheIDOfATerminatedCaseTakesItOver(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	colleague := s.Maker()
	var documents []string
	for range 4 {
		documents = append(documents, s.Document(s.Leaver, ""))
		s.Grant(documents[len(documents)-1], colleague, offboarding.GrantEdit)
	}
	claim := func(c *live, document string) {
		t.Helper()
		claimed := c.status().Documents.Claimed
		c.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: colleague})
		c.reaches(func(st offboarding.Status) bool { return st.Documents.Claimed == claimed+1 })
	}

	c := s.start(s.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	claim(c, documents[0])
	before := c.status()
	require.NoError(t, s.client.TerminateWorkflow(t.Context(), c.id, "", "a mistake"))

	c = s.start(s.Leaver, nil)
	after := c.reaches(func(st offboarding.Status) bool {
		return st.Phase == offboarding.PhaseGrace && st.Documents.Unowned == 3
	})
	require.Equal(t, before.CaseID, after.CaseID)
	require.Equal(t, before.GraceEndsAt, after.GraceEndsAt)
	require.False(t, after.Existing)
	claim(c, documents[1]) // the first signal of this workflow, as documents[0] was of the other
	claim(c, documents[2])

	c.forward(8 * 24 * time.Hour)
	c.reaches(phase(offboarding.PhaseReadOnly))
	require.NoError(t, s.client.TerminateWorkflow(t.Context(), c.id, "", "another mistake"))
	c = s.start(s.Leaver, nil)
	c.reaches(func(st offboarding.Status) bool {
		return st.Phase == offboarding.PhaseReadOnly && st.Documents.ReadOnly == 1
	})
	claim(c, documents[3])
	result, err := c.result()
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, result.Phase)
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases`))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'DeactivateMember'`))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'MarkDocsReadOnly'`))
	invariants, err := s.store.CheckInvariants(t.Context())
	require.NoError(t, err)
	for _, i := range invariants {
		require.True(t, i.Holds(), "%s: %s", i.Name, i.Sample)
	}
}

// A workflow that was reset finds its case, is told its messages again, and counts what
// waits anew, however often.
func TestACaseThatWasSetBackToItsBeginningGoesOn(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	colleague := s.Maker()
	var documents []string
	for range 3 {
		documents = append(documents, s.Document(s.Leaver, ""))
		s.Grant(documents[len(documents)-1], colleague, offboarding.GrantEdit)
	}
	c := s.start(s.Leaver, nil)
	before := c.reaches(phase(offboarding.PhaseGrace))
	for i, document := range documents {
		c.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: colleague})
		if i == len(documents)-1 {
			break
		}
		c.reaches(func(st offboarding.Status) bool { return st.Documents.Claimed == i+1 })
		require.NoError(t, cases.New(s.client).StartOver(t.Context(), s.server.Namespace(), cases.Execution{WorkflowID: c.id}, "a test"))
		after := c.reaches(func(st offboarding.Status) bool {
			return st.Phase == offboarding.PhaseGrace && st.MessagesHandled == i+1 && st.Documents.Unowned == len(documents)-i-1
		})
		require.Equal(t, before.CaseID, after.CaseID)
	}
	result, err := c.result()
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, result.Phase)
	require.Equal(t, 3, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ClaimDocOwnership'`))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'DeactivateMember'`))
}

// Signals of several names are known again by a workflow that was set back, which finds
// them all at once, also where it has taken its case over.
func TestSignalsAreKnownAgainAfterAReset(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	offered := documents(s.Organization, s.Leaver, 3)
	handled := func(c *live, n int) offboarding.Status {
		t.Helper()
		return c.reaches(func(st offboarding.Status) bool {
			return st.Phase == offboarding.PhaseGrace && st.MessagesHandled == n && st.Documents.Unowned == 3-n/2
		})
	}
	extend := func(c *live) {
		c.signal(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: time.Now().Add(20 * day).Format(time.RFC3339)})
	}
	startOver := func(c *live) {
		t.Helper()
		require.NoError(t, cases.New(s.client).StartOver(t.Context(), s.server.Namespace(), cases.Execution{WorkflowID: c.id}, "a test"))
	}

	c := s.start(s.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	extend(c)
	handled(c, 1)
	c.claim(offered[0], s.Manager)
	before := handled(c, 2)
	startOver(c)
	after := handled(c, 2)
	require.Equal(t, before.GraceEndsAt, after.GraceEndsAt)
	require.Empty(t, after.RefusedMessages)

	// The first signal comes together with the start that takes the case over.
	require.NoError(t, s.client.TerminateWorkflow(t.Context(), c.id, "", "a mistake"))
	_, err := s.client.SignalWithStartWorkflow(t.Context(), c.id, offboarding.MessageClaim,
		offboarding.ClaimRequest{DocumentID: offered[1], MemberID: s.Manager},
		client.StartWorkflowOptions{TaskQueue: offboarding.TaskQueue}, offboarding.WorkflowOffboarding,
		offboarding.Request{MemberID: s.Leaver, RequestedBy: s.Admin})
	require.NoError(t, err)
	taken := c.reaches(func(st offboarding.Status) bool { return st.MessagesHandled == 1 && st.Documents.Unowned == 1 })
	require.Equal(t, before.CaseID, taken.CaseID)
	startOver(c)
	again := c.reaches(func(st offboarding.Status) bool { return st.MessagesHandled == 1 && st.Documents.Unowned == 1 })
	require.Empty(t, again.RefusedMessages)
	c.claim(offered[2], s.Manager)
	result, err := c.result()
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, result.Phase)
	require.Equal(t, 3, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ClaimDocOwnership'`))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ExtendGrace'`))
}

// A case that was stopped after its member became active again, and before the
// documents were settled, is carried to its end.
func TestAReactivationCutShortIsCarriedOut(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	colleague, document := s.Maker(), s.Document(s.Leaver, "")
	s.Grant(document, colleague, offboarding.GrantEdit)
	s.after(time.Hour, func() {
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: colleague})
	})
	s.Document(s.Leaver, "")
	s.lasting(day)
	s.run(nil)
	open := s.status()
	_, err := postgres.New(s.DB).ReactivateMember(t.Context(), offboarding.ReactivateInput{
		Step:    offboarding.Step{CaseID: open.CaseID, Name: "signal/2/member", At: open.WorkflowTime},
		ID:      "signal/2",
		Message: offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: true},
	})
	require.NoError(t, err)

	s.now = s.env.Now()
	s.stage(open.WorkflowID)
	s.run(nil)
	require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
	require.NotEmpty(t, s.Text(`SELECT closed_at::text FROM cases WHERE id = $1`, open.CaseID))
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document), "return_documents is remembered")
	require.Equal(t, 1, s.count(offboarding.EventReactivateMember))
}

func TestAMalformedStartIsRefused(t *testing.T) {
	t.Parallel()
	for _, input := range []any{map[string]any{"member_id": 7, "requested_by": "x"}, "nonsense", []int{1}} {
		s := newScene(t)
		s.env.ExecuteWorkflow(offboarding.WorkflowOffboarding, input)
		require.Equal(t, offboarding.CodeInvalidArgument, s.refusal().Code())
	}
}
