package workflows_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	cases "handover/client"
	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/workflows"
)

// stand is an organization with a worker on a real Temporal server, whose cases
// are moved through their days by fast-forward.
type stand struct {
	*fixture.Organization
	t      *testing.T
	server *temporalserver.Server
	client client.Client
	store  *postgres.Store
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := newStage(t)
	s.work(nil, nil)
	return s
}

// newStage is a stand on which nobody works yet.
func newStage(t *testing.T) *stand {
	t.Helper()
	server, err := temporalserver.Start(t.Context(), temporalserver.Options{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	s := &stand{t: t, server: server}
	db := testdb.New(t)
	s.store = postgres.New(db)
	s.Organization = fixture.New(t, db)
	s.client, err = server.Client(t.Context(), client.Options{Logger: sdklog.NewStructuredLogger(quiet)})
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	return s
}

// work runs a worker until the test's end, or until it is stopped. Its messages are signed
// by a key, and those that it hears by one of the required; nil for neither.
func (s *stand) work(key *offboarding.SigningKey, required offboarding.Keyring) (stop func()) {
	s.t.Helper()
	return s.workAsking(s.client, key, required)
}

// workAsking works by another connection than that on which activities start, send and ask.
func (s *stand) workAsking(asked client.Client, key *offboarding.SigningKey, required offboarding.Keyring) (stop func()) {
	s.t.Helper()
	sender := cases.New(asked).SignedBy(key, s.server.Namespace())
	w := worker.New(s.client, offboarding.TaskQueue, worker.Options{
		MaxHeartbeatThrottleInterval: 200 * time.Millisecond, // sooner than the default of 80 % of what the engine waits for
		Interceptors:                 []interceptor.WorkerInterceptor{activities.Guard(sender, required, quiet)},
	})
	workflows.Register(w, activities.RequireSigned(activities.New(s.store, sender, activities.LogNotifier{Log: quiet}, quiet), required))
	require.NoError(s.t, w.Start())
	stop = sync.OnceFunc(w.Stop)
	s.t.Cleanup(stop)
	return stop
}

// live is a case on the server.
type live struct {
	*stand
	id string
}

// start starts the case of a leaver of its own; change alters the request.
func (s *stand) start(member string, change func(*offboarding.Request)) *live {
	s.t.Helper()
	r := offboarding.Request{MemberID: member, RequestedBy: s.Admin}
	if change != nil {
		change(&r)
	}
	c := &live{stand: s, id: offboarding.WorkflowID(member)}
	kind := offboarding.WorkflowOffboarding
	if r.WorkspaceID != "" {
		c.id, kind = offboarding.RemovalWorkflowID(r.WorkspaceID, member), offboarding.WorkflowWorkspaceRemoval
	}
	_, err := s.client.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{ID: c.id, TaskQueue: offboarding.TaskQueue}, kind, r)
	require.NoError(s.t, err)
	return c
}

func (c *live) signal(name string, payload any) {
	c.t.Helper()
	require.NoError(c.t, c.client.SignalWorkflow(c.t.Context(), c.id, "", name, payload))
}

func (c *live) ask(name string, payload any) (offboarding.Outcome, error) {
	var out offboarding.Outcome
	handle, err := c.client.UpdateWorkflow(c.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: c.id, UpdateName: name, Args: []any{payload}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(c.t.Context(), &out)
	}
	return out, err
}

func (c *live) status() offboarding.Status {
	c.t.Helper()
	status, err := c.query()
	require.NoError(c.t, err)
	return status
}

func (c *live) query() (status offboarding.Status, err error) {
	value, err := c.client.QueryWorkflow(c.t.Context(), c.id, "", offboarding.QueryStatus)
	if err == nil {
		err = value.Get(&status)
	}
	return status, err
}

// reaches waits until the status is as wanted. A query may fail meanwhile: where
// more than a hundred signals come during one workflow task, the server gives
// that task up, and refuses queries until the next one.
func (c *live) reaches(want func(offboarding.Status) bool) offboarding.Status {
	c.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		status, err := c.query()
		switch {
		case err == nil && want(status):
			return status
		case time.Now().After(deadline):
			require.FailNow(c.t, "the case does not get there", "%v %+v", err, status)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func phase(want offboarding.Phase) func(offboarding.Status) bool {
	return func(s offboarding.Status) bool { return s.Phase == want }
}

func (c *live) forward(d time.Duration) {
	c.t.Helper()
	require.NoError(c.t, temporalserver.FastForward(c.t.Context(), c.client, c.server.Namespace(), c.id, d))
}

func (c *live) result() (offboarding.Result, error) {
	var result offboarding.Result
	err := c.client.GetWorkflow(c.t.Context(), c.id, "").Get(c.t.Context(), &result)
	return result, err
}

// histories are those of all runs of the case, the first one first.
func (c *live) histories() []*historypb.History {
	c.t.Helper()
	ctx := context.Background()
	var runs []*historypb.History
	for run := ""; ; {
		h := &historypb.History{}
		events := c.client.GetWorkflowHistory(ctx, c.id, run, false, 0)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(c.t, err)
			h.Events = append(h.Events, event)
		}
		runs = append([]*historypb.History{h}, runs...)
		if run = h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId(); run == "" {
			return runs
		}
	}
}

func TestStatusOnAServerSaysWhatFails(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	document := s.Document(s.Leaver, "")
	c := s.start(s.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	s.Exec(`ALTER TABLE grants RENAME TO grants_away`)
	c.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: s.Manager})
	status := c.reaches(func(s offboarding.Status) bool { return s.Trouble != nil })
	require.Equal(t, offboarding.MessageClaim, status.Trouble.Step)
	require.Contains(t, status.Trouble.LastError, "42P01 (undefined_table)")
	s.Exec(`ALTER TABLE grants_away RENAME TO grants`)
	status = c.reaches(func(s offboarding.Status) bool { return s.Trouble == nil })
	require.Equal(t, offboarding.CodeNoAccess, status.RefusedMessages[0].Code)
	require.Equal(t, "", s.Text(`SELECT trouble_error FROM cases`))
}
