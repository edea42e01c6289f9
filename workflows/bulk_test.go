package workflows_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/internal/fixture"
	"handover/offboarding"
	"handover/postgres"
	"handover/workflows"
)

// bulkScene is a bulk run on the time-skipping test suite. Cases that it starts do
// what their workflow does first: they take the case over.
type bulkScene struct {
	*scene
	activities.Cases // but StartCase, nothing of it is asked for
	store            *postgres.Store
	members          []string
	mu               sync.Mutex
	started          map[string]int           // by member
	lose             func(member string) bool // a start that meets a workflow which is about to end
	failing          func() error
}

func newBulkScene(t *testing.T, members, batch int) *bulkScene {
	t.Helper()
	s := &bulkScene{scene: newScene(t), started: map[string]int{}}
	s.store = postgres.New(s.DB).WithBatchSize(batch)
	for range members {
		s.members = append(s.members, s.Maker())
	}
	s.stage()
	return s
}

func (s *bulkScene) stage() {
	s.staged(offboarding.BulkWorkflowID("run"), activities.New(s.store, s, s.notices, quiet))
}

// StartCase takes the case over, as the workflow that it starts does first.
func (s *bulkScene) StartCase(ctx context.Context, r offboarding.Request) error {
	s.mu.Lock()
	s.started[r.MemberID]++
	lost := s.lose != nil && s.lose(r.MemberID)
	var failed error
	if s.failing != nil {
		failed = s.failing()
	}
	s.mu.Unlock()
	if lost || failed != nil {
		return failed
	}
	_, err := s.store.Admit(ctx, offboarding.AdmitInput{
		CaseID: uuid.Must(uuid.NewV7()).String(), WorkflowID: offboarding.WorkflowID(r.MemberID), At: s.now, Request: r,
	})
	return err
}

// bulk runs the list; change alters the request.
func (s *bulkScene) bulk(change func(*offboarding.BulkRequest)) {
	r := offboarding.BulkRequest{RequestedBy: s.Admin, Confirmed: true, Rate: 1000}
	for _, member := range s.members {
		r.Members = append(r.Members, offboarding.BulkMember{MemberID: member})
	}
	if change != nil {
		change(&r)
	}
	s.env.ExecuteWorkflow(offboarding.WorkflowBulkOffboarding, workflows.BulkInput{BulkRequest: r})
}

func (s *bulkScene) bulkResult() offboarding.BulkResult {
	s.t.Helper()
	require.True(s.t, s.env.IsWorkflowCompleted())
	require.NoError(s.t, s.env.GetWorkflowError())
	var result offboarding.BulkResult
	require.NoError(s.t, s.env.GetWorkflowResult(&result))
	return result
}

func (s *bulkScene) bulkStatus() offboarding.BulkStatus {
	s.t.Helper()
	value, err := s.env.QueryWorkflow(offboarding.QueryStatus)
	require.NoError(s.t, err)
	var status offboarding.BulkStatus
	require.NoError(s.t, value.Get(&status))
	return status
}

func (s *bulkScene) active() int {
	return s.Count(`SELECT count(*) FROM members WHERE status = 'active' AND id::text = ANY (string_to_array($1, ','))`, join(s.members))
}

func join(ids []string) string {
	text := ""
	for i, id := range ids {
		if i > 0 {
			text += ","
		}
		text += id
	}
	return text
}

func (s *bulkScene) invariantsHold() {
	s.t.Helper()
	found, err := s.store.CheckInvariants(s.t.Context())
	require.NoError(s.t, err)
	for _, i := range found {
		require.True(s.t, i.Holds(), "%s: %s", i.Name, i.Sample)
	}
}

// Rule B1: first everybody loses access, then the cases run that have something
// left to settle.
func TestBulkTakesAccessFirstAndStartsWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 12, 3)
	for _, member := range s.members {
		s.Session(member)
	}
	s.Document(s.members[0], "")
	s.Document(s.members[7], "")
	s.Exec(`UPDATE members SET email = 'someone@gmail.com' WHERE id = $1`, s.members[3])
	activeAtStart := -1
	s.onStart("StartCases", func() { activeAtStart = s.active() })
	s.bulk(nil)

	require.Equal(t, 1, activeAtStart, "nobody but the refused one has access when the first case starts")
	require.Equal(t, offboarding.BulkResult{
		BulkID: "run", Message: offboarding.BulkPartialSuccess, ResultCode: 3,
		Counts: offboarding.BulkCounts{Total: 12, Started: 11, Refused: 1, Cases: 2, Running: 2},
	}, s.bulkResult())
	require.Equal(t, map[string]int{s.members[0]: 1, s.members[7]: 1}, s.started)
	status := s.bulkStatus()
	require.Equal(t, offboarding.BulkCompleted, status.Phase)
	require.NotNil(t, status.AccessGoneAt)
	require.Equal(t, 9, s.Count(`SELECT count(*) FROM cases WHERE phase = 'completed'`))
	require.Equal(t, 2, s.Count(`SELECT count(*) FROM cases WHERE phase = 'deactivated'`))
	require.Equal(t, 1, s.count(offboarding.EventStartBulk))
	require.Equal(t, 1, s.count(offboarding.EventCompleteBulk))
	s.invariantsHold()
}

// A start may meet a workflow of the same ID that is just about to end, or be
// terminated before it has done anything: the run sees that nothing has taken the
// case over, and starts it again.
func TestBulkStartsAgainWhatNothingRuns(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 3, 100)
	for _, member := range s.members {
		s.Document(member, "")
	}
	s.lose = func(member string) bool { return member == s.members[1] && s.started[member] < 3 }
	s.bulk(nil)
	require.Equal(t, offboarding.BulkSuccess, s.bulkResult().Message)
	require.Equal(t, map[string]int{s.members[0]: 1, s.members[1]: 3, s.members[2]: 1}, s.started)
}

// A case that has found its end another way is not started any more.
func TestBulkLeavesAloneWhatHasEndedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 2, 100)
	s.Document(s.members[0], "")
	s.lose = func(member string) bool {
		s.Exec(`UPDATE documents SET owner_id = $2 WHERE owner_id = $1`, member, s.Manager)
		s.Exec(`UPDATE cases SET phase = 'completed', closed_at = deactivated_at WHERE member_id = $1`, member)
		return true
	}
	s.bulk(nil)
	require.Equal(t, offboarding.BulkSuccess, s.bulkResult().Message)
	require.Equal(t, map[string]int{s.members[0]: 1}, s.started)
}

func TestBulkAllOrNothing(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 5, 2)
	s.Exec(`UPDATE members SET email = 'someone@gmail.com' WHERE id = $1`, s.members[4])
	s.bulk(func(r *offboarding.BulkRequest) { r.AllOrNothing = true })
	require.Equal(t, offboarding.BulkResult{
		BulkID: "run", Message: offboarding.BulkRefused, ResultCode: 4, Counts: offboarding.BulkCounts{Total: 5, Refused: 1, NotStarted: 4},
	}, s.bulkResult())
	require.Equal(t, []string{offboarding.EventStartBulk, offboarding.EventCompleteBulk}, s.Events())
	require.Equal(t, 5, s.active())

	s.Exec(`UPDATE members SET email = 'm99@acme.example' WHERE id = $1`, s.members[4])
	s.Exec(`DELETE FROM bulk_members`)
	s.Exec(`DELETE FROM bulk_runs`)
	s.stage()
	s.bulk(func(r *offboarding.BulkRequest) { r.AllOrNothing = true })
	require.Equal(t, offboarding.BulkSuccess, s.bulkResult().Message)
	require.Zero(t, s.active())
}

// The same ID again: the run that there was, and nothing is changed.
func TestBulkUnderTheSameIDChangesNothing(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 3, 100)
	s.bulk(nil)
	first, events := s.bulkResult(), s.Events()
	s.stage()
	s.bulk(func(r *offboarding.BulkRequest) {
		r.Members = append(r.Members, offboarding.BulkMember{MemberID: s.Manager})
	})
	require.Equal(t, first, s.bulkResult())
	require.Equal(t, events, s.Events())
}

// A run that somebody terminated goes on where it was.
func TestBulkTakesOverARunThatNothingRuns(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 9, 1)
	for _, member := range s.members {
		s.Document(member, "")
	}
	s.lose = func(string) bool {
		s.env.CancelWorkflow() // is ignored
		return false
	}
	request := offboarding.BulkRequest{RequestedBy: s.Admin, Confirmed: true, Rate: 1000}
	for _, member := range s.members {
		request.Members = append(request.Members, offboarding.BulkMember{MemberID: member})
	}
	_, err := s.store.AdmitBulk(t.Context(), offboarding.BulkAdmitInput{BulkID: "run", WorkflowID: offboarding.BulkWorkflowID("run"), At: s.now, Request: request})
	require.NoError(t, err)
	n, err := s.store.OffboardBatch(t.Context(), offboarding.BulkStep{BulkID: "run", At: s.now}, 0)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	s.bulk(nil)
	require.Equal(t, offboarding.BulkCounts{Total: 9, Started: 9, Cases: 9, Running: 9}, s.bulkResult().Counts)
	require.Equal(t, 9, s.count(offboarding.EventDeactivateMember))
	require.Equal(t, 1, s.count(offboarding.EventStartBulk))
	s.invariantsHold()
}

func TestBulkIsRefusedWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*bulkScene, *offboarding.BulkRequest)
		code   offboarding.Code
	}{
		"by nobody with authority": {func(s *bulkScene, r *offboarding.BulkRequest) { r.RequestedBy = s.Manager }, offboarding.CodeNotAuthorized},
		"too many at once":         {func(_ *bulkScene, r *offboarding.BulkRequest) { r.Confirmed = false }, offboarding.CodeBulkLimitExceeded},
		"no list":                  {func(_ *bulkScene, r *offboarding.BulkRequest) { r.Members = nil }, offboarding.CodeInvalidArgument},
		"malformed":                {func(_ *bulkScene, r *offboarding.BulkRequest) { r.Origin = "who knows" }, offboarding.CodeInvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newBulkScene(t, 11, 100)
			var a *answer
			s.after(0, func() { a = s.ask(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Admin}) })
			s.bulk(func(r *offboarding.BulkRequest) { c.change(s, r) })
			require.Equal(t, c.code, s.refusal().Code())
			require.Empty(t, s.Events())
			require.Zero(t, s.Count(`SELECT count(*) FROM bulk_runs`))
			require.Equal(t, c.code, a.code(), "a cancel hears why there is no run")
		})
	}
}

func TestBulkCanceled(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 30, 1)
	for _, member := range s.members {
		s.Document(member, "")
	}
	var byNobody, canceled *answer
	s.onStart("OffboardMembers", func() {
		byNobody = s.ask(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Manager})
		canceled = s.ask(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Owner, Reason: "the wrong list"})
		s.signal(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Owner}) // once more
		s.signal(offboarding.MessageCancel, 7)
	})
	s.bulk(nil)
	result := s.bulkResult()
	require.Equal(t, offboarding.CodeNotAuthorized, byNobody.code())
	require.NoError(t, canceled.err)
	require.Equal(t, offboarding.OutcomeCanceled, canceled.outcome.Outcome)
	require.Positive(t, result.Counts.Canceled)
	require.Equal(t, 30, result.Counts.Canceled+result.Counts.Started)
	require.Equal(t, result.Counts.Canceled, s.active())
	require.Equal(t, result.Counts.Started, result.Counts.Running, "those who have lost access are settled all the same")
	require.Equal(t, 1, s.count(offboarding.EventCancelBulk))
	status := s.bulkStatus()
	require.NotNil(t, status.CanceledAt)
	require.Len(t, status.RefusedMessages, 2)
	s.invariantsHold()
}

// Invariant 7: a run that cannot go on says so, and goes on when it can.
func TestBulkInTrouble(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 2, 100)
	s.Document(s.members[0], "")
	broken := true
	s.failing = func() error {
		if broken {
			return errors.New("Temporal cannot be reached")
		}
		return nil
	}
	s.after(10*time.Minute, func() {
		status := s.bulkStatus()
		require.Equal(t, "start", status.Trouble.Step)
		require.Positive(t, status.Trouble.Attempt)
		rows, err := s.store.BulkRuns(t.Context(), offboarding.BulkFilter{OpenOnly: true})
		require.NoError(t, err)
		require.Equal(t, "start", rows.Items[0].TroubleStep)
		s.mu.Lock()
		defer s.mu.Unlock()
		broken = false
	})
	s.bulk(nil)
	require.Equal(t, offboarding.BulkSuccess, s.bulkResult().Message)
	require.Nil(t, s.bulkStatus().Trouble)
	row, err := s.store.FindBulkRun(t.Context(), "run", "")
	require.NoError(t, err)
	require.Empty(t, row.TroubleStep)
}

// Members whose time lies ahead, and those whom the organization lets sign out,
// go on in their own cases.
func TestBulkOpensTheCasesOfThoseWhoLeaveLater(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 3, 100)
	s.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
	s.Exec(`UPDATE sessions SET sso = true WHERE id = $1`, s.Session(s.members[1]))
	s.Exec(`UPDATE sessions SET sso = true, expires_at = $2 WHERE id = $1`, s.Session(s.members[2]), fixture.Start)
	s.bulk(func(r *offboarding.BulkRequest) { r.Members[0].EffectiveAt = at(3 * day) })
	require.Equal(t, offboarding.BulkCounts{Total: 3, Started: 1, Scheduled: 2, Cases: 2, Running: 2}, s.bulkResult().Counts)
	require.Equal(t, 2, s.active())
	require.Equal(t, 2, s.Count(`SELECT count(*) FROM cases WHERE phase = 'scheduled'`))
}

// A run whose history has grown long goes on in another one, which needs the ID
// alone: the list is in the database.
func TestBulkContinuesAsNew(t *testing.T) {
	t.Parallel()
	s := newBulkScene(t, 26, 1)
	for _, member := range s.members {
		s.Document(member, "")
	}
	s.onStart("OffboardMembers", func() { s.env.SetContinueAsNewSuggested(true) })
	s.bulk(nil)
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, s.env.GetWorkflowError(), &again)
	require.Less(t, len(again.Input.Payloads[0].Data), 2000, "what is handed on does not grow with the list")
	require.Equal(t, 2, s.active())
	var in workflows.BulkInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))

	s.stage()
	s.env.SetContinuedExecutionRunID("earlier")
	s.env.ExecuteWorkflow(offboarding.WorkflowBulkOffboarding, in)
	require.Equal(t, offboarding.BulkCounts{Total: 26, Started: 26, Cases: 26, Running: 26}, s.bulkResult().Counts)
	require.Equal(t, 1, s.bulkStatus().ContinuedAsNew)
	require.Equal(t, 26, s.count(offboarding.EventDeactivateMember))
	s.invariantsHold()
}
