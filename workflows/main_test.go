package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/workflows"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// day is short for tests that read like a calendar.
const day = 24 * time.Hour

// scene is a case on the SDK's time-skipping test suite, with the real
// activities on a real database.
type scene struct {
	*fixture.Organization
	t       *testing.T
	env     *testsuite.TestWorkflowEnvironment
	notices *notices
	timers  *timers
	now     time.Time
	asked   int
}

// notices are those that the notifier has been handed; it fails while broken.
type notices struct {
	mu      sync.Mutex
	handed  []offboarding.Notice
	broken  bool
	refuses func(offboarding.Notice) bool // those that it does not take
}

func (n *notices) Notify(_ context.Context, notice offboarding.Notice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken || n.refuses != nil && n.refuses(notice) {
		return errors.New("the mail server does not answer")
	}
	n.handed = append(n.handed, notice)
	return nil
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{Organization: fixture.New(t, testdb.New(t)), t: t, notices: &notices{}, timers: &timers{}, now: fixture.Start}
	s.stage(offboarding.WorkflowID(s.Leaver))
	return s
}

// stage makes a new environment for a run on the same organization.
func (s *scene) stage(workflowID string) {
	s.staged(workflowID, activities.New(postgres.New(s.DB), nil, s.notices, quiet))
}

// quiet is where the logs of tests go.
var quiet = slog.New(slog.DiscardHandler)

// staged makes a new environment with activities of its own.
func (s *scene) staged(workflowID string, acts *activities.Activities) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet)
	suite.SetMetricsHandler(s.timers)
	s.env = suite.NewTestWorkflowEnvironment()
	s.env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // many tests share a machine
	workflows.Register(s.env, acts)
	s.env.SetStartTime(s.now)
	s.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflowID, TaskQueue: offboarding.TaskQueue})
	s.env.SetTestTimeout(time.Minute)
}

// store is the database that the activities work on.
func (s *scene) store() *postgres.Store { return postgres.New(s.DB) }

// request is a start by the admin; change alters it.
func (s *scene) request(change func(*offboarding.Request)) offboarding.Request {
	r := offboarding.Request{MemberID: s.Leaver, RequestedBy: s.Admin}
	if change != nil {
		change(&r)
	}
	return r
}

// run runs the case to its end, or to the test environment's.
func (s *scene) run(change func(*offboarding.Request)) {
	s.t.Helper()
	s.env.ExecuteWorkflow(offboarding.WorkflowOffboarding, workflows.Input{Request: s.request(change)})
}

// after does something when so much of the workflow's time has passed.
func (s *scene) after(d time.Duration, fn func()) { s.env.RegisterDelayedCallback(fn, d) }

// status asks the case.
func (s *scene) status() offboarding.Status {
	s.t.Helper()
	value, err := s.env.QueryWorkflow(offboarding.QueryStatus)
	require.NoError(s.t, err)
	var status offboarding.Status
	require.NoError(s.t, value.Get(&status))
	return status
}

// answer is what an update came to.
type answer struct {
	outcome offboarding.Outcome
	err     error
}

// code is the code of the refusal, "" where there is none.
func (a *answer) code() offboarding.Code {
	if refusal := activities.RefusalFrom(a.err); refusal != nil {
		return refusal.Code()
	}
	return ""
}

// update sends an update and returns where its answer will be found.
func (s *scene) update(id, name string, payload any) *answer {
	a := &answer{}
	s.env.UpdateWorkflow(name, id, &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { a.err = err },
		OnComplete: func(result any, err error) {
			a.err = err
			if out, ok := result.(offboarding.Outcome); ok {
				a.outcome = out
			}
		},
	}, payload)
	return a
}

// signal sends a signal.
func (s *scene) signal(name string, payload any) { s.env.SignalWorkflow(name, payload) }

// result is what a case that has ended well came to.
func (s *scene) result() offboarding.Result {
	s.t.Helper()
	require.True(s.t, s.env.IsWorkflowCompleted(), "the case has not ended")
	require.NoError(s.t, s.env.GetWorkflowError())
	var result offboarding.Result
	require.NoError(s.t, s.env.GetWorkflowResult(&result))
	return result
}

// refusal is why the case ended with an error.
func (s *scene) refusal() *offboarding.Refusal {
	s.t.Helper()
	require.True(s.t, s.env.IsWorkflowCompleted(), "the case has not ended")
	refusal := activities.RefusalFrom(s.env.GetWorkflowError())
	require.NotNil(s.t, refusal, "want a refusal, got %v", s.env.GetWorkflowError())
	return refusal
}

// fixtureTime is so long after the start.
func fixtureTime(d time.Duration) time.Time { return fixture.Start.Add(d) }

// at is that time as a message carries it.
func at(d time.Duration) string { return fixtureTime(d).Format(time.RFC3339) }

// ask sends an update under an ID of its own.
func (s *scene) ask(name string, payload any) *answer {
	s.asked++
	return s.update(fmt.Sprintf("ask-%d", s.asked), name, payload)
}

// lasting bounds a case that a test leaves open.
func (s *scene) lasting(d time.Duration) { s.env.SetWorkflowRunTimeout(d) }

// onStart does something when an activity starts for the first time.
func (s *scene) onStart(activityName string, fn func()) {
	s.onStarts(map[string]func(){activityName: fn})
}

// onStarts is onStart for several activities.
func (s *scene) onStarts(fns map[string]func()) {
	var mu sync.Mutex
	started := func(info *activity.Info) {
		mu.Lock()
		fn := fns[info.ActivityType.Name]
		delete(fns, info.ActivityType.Name)
		mu.Unlock()
		if fn != nil {
			fn()
		}
	}
	s.env.SetOnLocalActivityStartedListener(func(info *activity.Info, _ context.Context, _ []any) { started(info) })
	s.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) { started(info) })
}

// deactivateOutside makes a member inactive without a case.
func (s *scene) deactivateOutside(member string) {
	s.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, member, fixture.Start)
}

// count is how many audit events of a name there are.
func (s *scene) count(event string) int {
	return s.Count(`SELECT count(*) FROM audit_events WHERE event = $1`, event)
}

// awaitRevoked sends the update of that name; its status goes to out.
func (s *scene) awaitRevoked(out *offboarding.Status) *answer {
	a := &answer{}
	s.asked++
	s.env.UpdateWorkflow(offboarding.UpdateAwaitRevoked, fmt.Sprintf("await-%d", s.asked), &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { a.err = err },
		OnComplete: func(result any, err error) {
			a.err = err
			if status, ok := result.(offboarding.Status); ok && out != nil {
				*out = status
			}
		},
	})
	return a
}

// mend lets notices through again.
func (n *notices) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = false
}

// refuse makes the notifier take all but some, until it is called with nil.
func (n *notices) refuse(some func(offboarding.Notice) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuses = some
}

// documents are some of a leaver's that the manager may claim.
func documents(o *fixture.Organization, leaver string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = o.Document(leaver, "")
		o.Grant(ids[i], o.Manager, offboarding.GrantEdit)
	}
	return ids
}
