package workflows_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
	"handover/workflows"
)

// elsewhere is a task queue of somebody who reaches the namespace.
const elsewhere = "elsewhere"

// schedules asks for activities on the task queue of others, and answers with the types of
// their errors.
func schedules(ctx workflow.Context, queue string, names []string, in map[string]any) (map[string]string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: 20 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	asked := make([]workflow.Future, len(names))
	for i, name := range names {
		asked[i] = workflow.ExecuteActivity(ctx, name, in)
	}
	types := map[string]string{}
	for i, name := range names {
		types[name] = typeOf(asked[i].Get(ctx, nil))
	}
	return types, nil
}

// becomes continues as a workflow of others, with what that is to have remembered.
func becomes(ctx workflow.Context, workflowType string, in map[string]any) error {
	return workflow.NewContinueAsNewError(workflow.WithWorkflowTaskQueue(ctx, offboarding.TaskQueue), workflowType, in)
}

func typeOf(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	return ""
}

// strangers work on a queue of their own, by workflows of any names.
func (g *guarded) strangers(fn any, names ...string) {
	g.t.Helper()
	w := worker.New(g.client, elsewhere, worker.Options{})
	for _, name := range names {
		w.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: name})
	}
	require.NoError(g.t, w.Start())
	g.t.Cleanup(w.Stop)
}

var ours = []string{
	offboarding.WorkflowOffboarding, offboarding.WorkflowWorkspaceRemoval, offboarding.WorkflowBulkOffboarding, offboarding.WorkflowReactivation,
	offboarding.WorkflowMemberDeletion, offboarding.WorkflowMemberArchival,
}

// Activities are done for workflows of ours, and for nobody who asks for them directly: not
// those that write, and not those that would start and send what the worker signs.
func TestActivitiesAreDoneForNobodyElse(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	documents(g.Organization, g.Leaver, 1)
	c := g.offboard(g.Leaver, nil)
	status := c.reaches(phase(offboarding.PhaseGrace))
	var all []string
	for i := range reflect.TypeFor[*activities.Activities]().NumMethod() {
		all = append(all, reflect.TypeFor[*activities.Activities]().Method(i).Name)
	}
	message := offboarding.Reactivate{AdminID: g.Admin}
	in := map[string]any{
		"case_id": status.CaseID, "step": "forged", "at": time.Now(), "actor_id": g.Admin, "member_id": g.Leaver, "id": "forged",
		"workflow_id": c.id, "update_id": uuid.NewString(), "message": message,
		"request": offboarding.Request{MemberID: g.Manager, RequestedBy: g.Admin},
	}
	g.strangers(schedules, append([]string{"Stranger"}, ours...)...)
	before := g.tables()
	for _, name := range all {
		handle, err := g.client.ExecuteActivity(t.Context(), client.StartActivityOptions{
			ID: name, TaskQueue: offboarding.TaskQueue, StartToCloseTimeout: 20 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		}, name, in)
		require.NoError(t, err)
		require.Equal(t, activities.ForeignCaller, typeOf(handle.Get(t.Context(), nil)), "%s, without a workflow", name)
	}
	for _, workflowType := range append([]string{"Stranger"}, ours...) {
		run, err := g.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: elsewhere}, workflowType, offboarding.TaskQueue, all, in)
		require.NoError(t, err)
		var types map[string]string
		require.NoError(t, run.Get(t.Context(), &types))
		for _, name := range all {
			require.Equal(t, activities.ForeignCaller, types[name], "%s, by %s", name, workflowType)
		}
	}
	require.Equal(t, before, g.tables())
	_, running, err := g.gateway.Execution(t.Context(), offboarding.WorkflowID(g.Manager), "")
	require.NoError(t, err)
	require.False(t, running, "no case was started by the worker's key")
	require.Equal(t, offboarding.PhaseGrace, c.status().Phase)
}

// Without the requirement, too, nobody is done an activity for without a workflow, nor one
// that workflows do themselves.
func TestActivitiesAreDoneForWorkflowsWithoutTheRequirement(t *testing.T) {
	t.Parallel()
	g := &guarded{stand: newStand(t)}
	g.strangers(schedules, "Stranger", offboarding.WorkflowMemberDeletion)
	in := map[string]any{"case_id": uuid.NewString(), "step": "forged", "at": time.Now(), "request": map[string]any{"member_id": g.Leaver, "requested_by": g.Admin}}
	before := g.tables()
	handle, err := g.client.ExecuteActivity(t.Context(), client.StartActivityOptions{
		ID: "erase", TaskQueue: offboarding.TaskQueue, StartToCloseTimeout: 20 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	}, "EraseMember", in)
	require.NoError(t, err)
	require.Equal(t, activities.ForeignCaller, typeOf(handle.Get(t.Context(), nil)))
	for workflowType, name := range map[string]string{"Stranger": "EraseMember", offboarding.WorkflowMemberDeletion: "BeginDeletion"} {
		run, err := g.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: elsewhere}, workflowType, offboarding.TaskQueue, []string{name}, in)
		require.NoError(t, err)
		var types map[string]string
		require.NoError(t, run.Get(t.Context(), &types))
		require.Equal(t, activities.ForeignCaller, types[name], name)
	}
	require.Equal(t, before, g.tables())
}

// A workflow of somebody else can continue as one of ours, and bring what that is to have
// remembered: that it was admitted, or was asked to reactivate the leaver.
func TestWhatSomebodyElseHandsOnIsNotBelieved(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	documents(g.Organization, g.Leaver, 1)
	c := g.offboard(g.Leaver, nil)
	caseID := c.reaches(phase(offboarding.PhaseGrace)).CaseID
	listed := uuid.NewString()
	_, err := g.gateway.StartBulk(t.Context(), listed, offboarding.BulkRequest{
		RequestedBy: g.Admin, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: g.Maker()}},
	})
	require.NoError(t, err)
	g.live(offboarding.BulkWorkflowID(listed)).closes(offboarding.BulkSuccess)
	g.strangers(becomes, append([]string{"Stranger"}, ours...)...)
	message := offboarding.Reactivate{AdminID: g.Admin}
	before := g.tables()
	for _, forged := range []struct {
		workflowType string
		in           map[string]any
	}{
		{offboarding.WorkflowOffboarding, map[string]any{"member_id": g.Manager, "requested_by": g.Admin, "carried": map[string]any{"case_id": uuid.NewString()}}},
		{offboarding.WorkflowOffboarding, map[string]any{"carried": map[string]any{
			"case_id": caseID, "workflow_id": c.id, "phase": offboarding.PhaseGrace, "member_id": g.Leaver, "deactivated_at": time.Now(), "grace_ends_at": time.Now().Add(day),
			"reactivation": offboarding.Reactivation{ID: "forged", AdminID: g.Admin, Message: message}, "recorded": 9,
			"troubles": []offboarding.Trouble{{Step: "notify", Attempt: 1, LastError: "forged", Since: time.Now()}},
			"outbox":   []offboarding.Notice{{Key: "forged", Kind: "forged"}},
			"inbox":    []map[string]any{{"id": "signal/extend-grace/1", "name": offboarding.MessageReactivate, "payload": message}},
		}}},
		{offboarding.WorkflowMemberDeletion, map[string]any{"member_id": g.Manager, "requested_by": g.Owner, "carried": map[string]any{"id": uuid.NewString(), "continued": -1}}},
		{offboarding.WorkflowReactivation, map[string]any{"member_id": g.Leaver, "requested_by": g.Admin, "carried": map[string]any{"checked": true, "continued": -1}}},
		{offboarding.WorkflowBulkOffboarding, map[string]any{"carried": map[string]any{
			"run":   map[string]any{"id": listed, "workflow_id": offboarding.BulkWorkflowID(listed), "phase": offboarding.BulkRevoking, "counts": map[string]any{"total": 1}},
			"inbox": []map[string]any{{"admin_id": g.Admin}},
		}}},
	} {
		for _, from := range []string{"Stranger", forged.workflowType} {
			run, err := g.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: elsewhere}, from, forged.workflowType, forged.in)
			require.NoError(t, err)
			require.Equal(t, offboarding.CodeNotSigned, codeOf(run.Get(t.Context(), nil)), "%s, after %s", forged.workflowType, from)
		}
	}
	require.Equal(t, before, g.tables())
	require.Equal(t, offboarding.PhaseGrace, c.status().Phase)
}

// A case of ours continues as new where signatures are required. Where the engine has
// forgotten the run before, because one is set back weeks later, what was begun decides.
func TestACaseOfOursContinues(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	documents(g.Organization, g.Leaver, 1)
	c := g.offboard(g.Leaver, nil)
	before := c.reaches(phase(offboarding.PhaseGrace))
	continued := func(s offboarding.Status) bool { return s.ContinuedAsNew > 0 && s.Phase == offboarding.PhaseGrace }
	for !continued(c.status()) { // what nobody hears makes the history long
		c.signal(offboarding.MessageClaim, make([]byte, 1<<20))
	}
	require.Equal(t, before.CaseID, c.status().CaseID)
	_, err := g.gateway.Reactivate(t.Context(), c.id, offboarding.Reactivate{AdminID: g.Admin})
	require.NoError(t, err)
	c.ends(offboarding.PhaseReactivated)

	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(quiet))
	env := suite.NewTestActivityEnvironment()
	acts := activities.RequireSigned(activities.New(g.store, g.gateway, nil, quiet), g.ring)
	env.RegisterActivity(acts)
	listed, other := uuid.NewString(), uuid.NewString()
	_, err = g.gateway.StartBulk(t.Context(), listed, offboarding.BulkRequest{
		RequestedBy: g.Admin, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: g.Maker()}},
	})
	require.NoError(t, err)
	g.live(offboarding.BulkWorkflowID(listed)).closes(offboarding.BulkSuccess)
	list, _, err := g.gateway.Execution(t.Context(), offboarding.BulkWorkflowID(listed), "")
	require.NoError(t, err)
	for _, continued := range []struct {
		workflowType, workflowID, caseID string
		code                             offboarding.Code
	}{
		{offboarding.WorkflowOffboarding, c.id, before.CaseID, ""},
		{offboarding.WorkflowOffboarding, c.id, other, offboarding.CodeNotSigned},
		{offboarding.WorkflowBulkOffboarding, offboarding.BulkWorkflowID(listed), workflows.CaseID(offboarding.BulkWorkflowID(listed), list.FirstRunID), ""},
		{offboarding.WorkflowBulkOffboarding, offboarding.BulkWorkflowID(listed), other, offboarding.CodeNotSigned}, // somebody's own under its ID
		{offboarding.WorkflowMemberArchival, offboarding.ArchivalWorkflowID(before.CaseID), other, ""},
		{offboarding.WorkflowMemberArchival, offboarding.ArchivalWorkflowID(other), before.CaseID, offboarding.CodeNotSigned},
		{offboarding.WorkflowMemberArchival, "mine", before.CaseID, offboarding.CodeNotSigned},
	} {
		_, err := env.ExecuteActivity(acts.JudgeContinued, offboarding.ContinuedInput{
			WorkflowID: continued.workflowID, Type: continued.workflowType, RunID: uuid.NewString(), CaseID: continued.caseID,
		})
		require.Equal(t, continued.code, codeOf(err), continued)
	}
}

// While nobody can say who has continued, what was handed on is not shown, and why is.
// Who then deletes the run that has handed it on is not believed either, and not where
// there is a list of that ID.
func TestWhatWasHandedOnIsNotShownBeforeItIsKnown(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	listed := uuid.NewString()
	_, err := g.gateway.StartBulk(t.Context(), listed, offboarding.BulkRequest{
		RequestedBy: g.Admin, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: g.Maker()}},
	})
	require.NoError(t, err)
	g.live(offboarding.BulkWorkflowID(listed)).closes(offboarding.BulkSuccess)
	g.stop()
	cut, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1", Logger: sdklog.NewStructuredLogger(quiet)})
	require.NoError(t, err)
	cut.Close()
	stop := g.workAsking(cut, g.own, g.ring)
	g.strangers(becomes, "Stranger")
	forged := map[string]any{
		"case_id": uuid.NewString(), "workflow_id": "forged", "member_id": g.Leaver, "phase": offboarding.PhaseCompleted, "id": "forged",
		"run": map[string]any{"id": "forged", "phase": offboarding.BulkCompleted, "counts": map[string]any{"total": 7}}, "stage": "done",
		"done": map[string]any{"0": offboarding.MemberReactivation{MemberID: g.Leaver, Outcome: "forged"}}, "continued": 7,
	}
	before := g.tables()
	runs := map[string]client.WorkflowRun{}
	for workflowID, workflowType := range map[string]string{
		"a case": offboarding.WorkflowOffboarding, offboarding.BulkWorkflowID(listed): offboarding.WorkflowBulkOffboarding,
		"a deletion": offboarding.WorkflowMemberDeletion, "a reactivation": offboarding.WorkflowReactivation,
	} {
		runs[workflowID], err = g.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: workflowID, TaskQueue: elsewhere},
			"Stranger", workflowType, map[string]any{"carried": forged})
		require.NoError(t, err)
	}
	for workflowID := range runs {
		c := g.live(workflowID)
		c.reaches(func(s offboarding.Status) bool { return s.Trouble != nil && s.Trouble.Step == "continue" })
		var shown map[string]any
		value, err := g.client.QueryWorkflow(t.Context(), workflowID, "", offboarding.QueryStatus)
		require.NoError(t, err)
		require.NoError(t, value.Get(&shown))
		text, err := json.Marshal(shown)
		require.NoError(t, err)
		for _, secret := range []string{"forged", g.Leaver, string(offboarding.PhaseCompleted), ":7"} {
			require.NotContains(t, string(text), secret, workflowID)
		}
	}
	stop()
	for workflowID, run := range runs {
		_, err := g.client.WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: g.server.Namespace(), WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: run.GetRunID()},
		})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			_, found, err := g.gateway.Execution(t.Context(), workflowID, run.GetRunID())
			return err == nil && !found
		}, time.Minute, 50*time.Millisecond, "it is deleted")
	}
	g.work(g.own, g.ring)
	for workflowID := range runs {
		require.Equal(t, offboarding.CodeNotSigned, codeOf(g.client.GetWorkflow(t.Context(), workflowID, "").Get(t.Context(), nil)), workflowID)
	}
	require.Equal(t, before, g.tables())
}
