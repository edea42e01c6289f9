package doctor_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/client"
	"handover/offboarding"
)

// elsewhere is a task queue of somebody's own.
const elsewhere = "elsewhere"

// strangers work on a queue of their own. Their workflows answer as they like, for ever.
func (c *clinic) strangers() {
	c.t.Helper()
	answers := func(ctx workflow.Context, status any) error {
		if err := workflow.SetQueryHandler(ctx, offboarding.QueryStatus, func() (any, error) { return status, nil }); err != nil {
			return err
		}
		return workflow.Await(ctx, func() bool { return false })
	}
	w := worker.New(c.temporal, elsewhere, worker.Options{WorkerStopTimeout: time.Second})
	for _, name := range []string{"Stranger", offboarding.WorkflowOffboarding, offboarding.WorkflowBulkOffboarding} {
		w.RegisterWorkflowWithOptions(answers, workflow.RegisterOptions{Name: name})
	}
	require.NoError(c.t, w.Start())
	c.t.Cleanup(w.Stop)
}

// takes terminates what runs under a workflow ID, and puts a workflow of somebody's own in
// its place. It returns its run.
func (c *clinic) takes(workflowID, workflowType, queue string, status any) (runID string) {
	c.t.Helper()
	options := c.under(workflowID)
	options.TaskQueue, options.WorkflowIDConflictPolicy = queue, enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	run, err := c.temporal.ExecuteWorkflow(c.t.Context(), options, workflowType, status)
	require.NoError(c.t, err)
	if queue == elsewhere {
		_, err = c.temporal.QueryWorkflow(c.t.Context(), workflowID, run.GetRunID(), offboarding.QueryStatus)
		require.NoError(c.t, err)
	}
	return run.GetRunID()
}

// Whoever reaches the namespace can take the ID of a workflow with one of their own, which
// answers like it. Nobody is deceived by that, and what it stood for goes on.
func TestAStrangerUnderAWorkflowIDIsNotBelieved(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.strangers()
	webhook := uuid.NewString()
	c.Exec(`INSERT INTO webhooks (id, organization_id, url, description, events, status, secret_ref, created_by, created_at)
		VALUES ($1, $2, 'https://hooks.example', '', '{DeactivateMember}', 'active', 'x', $3, now())`, webhook, c.ID, c.Admin)
	var cases []offboarding.Status
	for _, member := range []string{c.Leaver, c.Maker()} {
		status, _ := c.inGrace(member)
		cases = append(cases, status)
	}
	const quoted = `hr/"1's"\`
	own := offboarding.Request{MemberID: c.Maker(), RequestedBy: c.Admin}
	c.Document(own.MemberID, "")
	_, err := c.temporal.ExecuteWorkflow(t.Context(), c.under(quoted), offboarding.WorkflowOffboarding, own)
	require.NoError(t, err)
	cases = append(cases, c.reaches(quoted, offboarding.PhaseGrace))
	workspace := c.Workspace()
	c.Join(workspace, c.Manager, offboarding.WorkspaceMember)
	c.DocumentIn(workspace, c.Manager)
	c.leave(c.Manager, func(r *offboarding.Request) { r.WorkspaceID = workspace })
	cases = append(cases, c.reaches(offboarding.RemovalWorkflowID(workspace, c.Manager), offboarding.PhaseGrace))

	provided := c.Maker()
	c.Provisioned(offboarding.IdentityProviderEntra, provided)
	archived := c.leave(provided, func(r *offboarding.Request) { r.Provider, r.RequestedBy = offboarding.IdentityProviderEntra, "" })
	c.closes(archived.WorkflowID)

	back := c.Maker()
	returning, _ := c.inGrace(back)
	_, err = c.cases.Transfer(t.Context(), returning.WorkflowID, offboarding.TransferDocuments{AdminID: c.Admin, NewOwnerID: c.Owner})
	require.NoError(t, err)
	c.closes(returning.WorkflowID)
	_, err = c.store.BeginReactivation(t.Context(), offboarding.BeginReactivationInput{
		Step: offboarding.Step{CaseID: uuid.NewString(), Name: "begin/0/1", At: time.Now().UTC()}, ID: "reactivation/1/0", MemberID: back,
		Request:    offboarding.ReactivationRequest{MemberID: back, RequestedBy: c.Admin, ReturnDocuments: true},
		WorkflowID: offboarding.ReactivationWorkflowID(back), Messages: "update/x",
	})
	require.NoError(t, err)

	listed := c.Maker()
	_, err = c.store.AdmitBulk(t.Context(), offboarding.BulkAdmitInput{
		BulkID: "leavers", WorkflowID: offboarding.BulkWorkflowID("leavers"), At: time.Now().UTC(),
		Request: offboarding.BulkRequest{RequestedBy: c.Admin, Members: []offboarding.BulkMember{{MemberID: listed}}},
	})
	require.NoError(t, err)

	taken := map[string]string{}
	for i, as := range []struct{ workflowType, queue string }{
		{"Stranger", elsewhere},
		{offboarding.WorkflowOffboarding, elsewhere},
		{"Stranger", offboarding.TaskQueue},
		{"Stranger", elsewhere}, // of a removal
	} {
		id := cases[i].WorkflowID
		taken[id] = c.takes(id, as.workflowType, as.queue, cases[i])
	}
	for _, id := range []string{
		offboarding.ArchivalWorkflowID(archived.CaseID), offboarding.ReactivationWorkflowID(back), offboarding.BulkWorkflowID("leavers"),
		offboarding.WebhookWorkflowID(webhook),
	} {
		taken[id] = c.takes(id, "Stranger", elsewhere, nil)
	}
	c.takes("theirs/1", offboarding.WorkflowOffboarding, elsewhere, offboarding.Status{CaseID: uuid.NewString(), MemberID: c.Leaver, Phase: offboarding.PhaseGrace})
	c.takes("theirs/2", offboarding.WorkflowBulkOffboarding, elsewhere, nil)
	for _, theirs := range []string{"theirs/1", "theirs/2"} { // they are in nobody's way
		c.listed(theirs, "Running")
	}
	r := c.mends(offboarding.DriftCaseWithoutWorkflow, offboarding.DriftArchivalMissing, offboarding.DriftSettlingWithout,
		offboarding.DriftBulkWithoutWorkflow, offboarding.DriftWebhookBehind)
	require.Equal(t, len(taken), r.Mended, "%+v", r.Checks)
	for id, run := range taken {
		e, there, err := c.cases.Execution(t.Context(), id, run)
		require.NoError(t, err)
		require.True(t, there && e.Terminated, id)
		e, _, err = c.cases.Execution(t.Context(), id, "")
		require.NoError(t, err)
		require.NotEqual(t, run, e.RunID, id)
		require.NotEqual(t, "Stranger", e.Type, id)
	}
	for _, was := range cases {
		is := c.reaches(was.WorkflowID, was.Phase)
		require.Equal(t, []any{was.CaseID, was.GraceEndsAt}, []any{is.CaseID, is.GraceEndsAt})
	}
	result, err := c.cases.BulkResult(t.Context(), "leavers")
	require.NoError(t, err)
	require.Equal(t, 1, result.Counts.Started)
	c.eventually(func() bool {
		return c.Count(`SELECT count(*) FROM cases WHERE member_id = $1 AND closed_at IS NOT NULL`, back) == 1
	}, "the reactivation is finished")
	_, err = c.cases.Transfer(t.Context(), cases[0].WorkflowID, offboarding.TransferDocuments{AdminID: c.Admin, NewOwnerID: c.Owner})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, c.closes(cases[0].WorkflowID).Phase)
	c.healthy()
}

// A deletion that was broken off is not hidden by who has taken its ID since.
func TestAStrangerHidesNoDeletion(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.strangers()
	c.worker.Stop()
	_, err := c.cases.DeleteAsync(t.Context(), offboarding.DeletionRequest{MemberID: c.Leaver, RequestedBy: c.Admin}, client.Once{})
	require.NoError(t, err)
	id := offboarding.DeletionWorkflowID(c.Leaver)
	c.takes(id, "Stranger", elsewhere, nil)
	c.work()
	c.listed(id, "Terminated")
	c.finds(offboarding.DriftDeletionBrokenOff)
}
