package doctor_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/client"
	"handover/offboarding"
)

func TestACaseWhoseWorkflowWasTerminatedGoesOn(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.finds()
	status, document := c.inGrace(c.Leaver)
	c.finds()
	c.terminate(status.WorkflowID)
	c.mends(offboarding.DriftCaseWithoutWorkflow)
	again := c.reaches(status.WorkflowID, offboarding.PhaseGrace)
	require.Equal(t, status.CaseID, again.CaseID)
	require.Equal(t, status.GraceEndsAt, again.GraceEndsAt)
	c.transfer(status.WorkflowID)
	require.Equal(t, c.Manager+" editable", c.DocumentState(document))
}

// A new Temporal is told of every case, list and archival that is under way.
func TestAnEmptyTemporalIsFilledFromTheDatabase(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	grace, _ := c.inGrace(c.Leaver)
	scheduled := c.leave(c.Maker(), func(r *offboarding.Request) {
		r.EffectiveAt = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	})
	own := offboarding.Request{MemberID: c.Maker(), RequestedBy: c.Admin}
	c.Document(own.MemberID, "")
	_, err := c.temporal.ExecuteWorkflow(t.Context(), c.under("hr/1"), offboarding.WorkflowOffboarding, own)
	require.NoError(t, err)
	c.reaches("hr/1", offboarding.PhaseGrace)
	workspace := c.Workspace()
	c.Join(workspace, c.Manager, offboarding.WorkspaceMember)
	c.DocumentIn(workspace, c.Manager)
	c.leave(c.Manager, func(r *offboarding.Request) { r.WorkspaceID = workspace })
	removal := c.reaches(offboarding.RemovalWorkflowID(workspace, c.Manager), offboarding.PhaseGrace)
	c.finds()

	c.worker.Stop()
	c.emptyTemporal()
	c.finds(offboarding.DriftNoWorker, offboarding.DriftCaseWithoutWorkflow)
	c.work()
	c.mends(offboarding.DriftCaseWithoutWorkflow)
	for _, was := range []offboarding.Status{grace, scheduled, removal} {
		is := c.reaches(was.WorkflowID, was.Phase)
		require.Equal(t, []any{was.CaseID, was.EffectiveAt, was.GraceEndsAt}, []any{is.CaseID, is.EffectiveAt, is.GraceEndsAt})
	}
	c.transfer("hr/1")
	c.transfer(grace.WorkflowID)
}

// A workflow that has something to do catches up by itself: it is not replaced.
func TestAWorkflowThatIsOnlyLateIsLetBe(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, document := c.inGrace(c.Leaver)
	c.worker.Stop()
	require.NoError(t, client.Signal(t.Context(), c.cases, status.WorkflowID, offboarding.Reactivate{AdminID: c.Admin}))
	e, _, err := c.cases.Execution(t.Context(), status.WorkflowID, "")
	require.NoError(t, err)
	require.True(t, e.Deciding)
	c.workAs(worker.Options{WorkerStopTimeout: time.Second, LocalActivityWorkerOnly: true}) // nobody restores documents
	c.eventually(func() bool {
		e, _, err = c.cases.Execution(t.Context(), status.WorkflowID, "")
		return err == nil && !e.Deciding && slices.Contains(e.Doing, "RestoreDocuments")
	}, "the case waits for its documents: %v %+v", &err, &e)
	c.Exec(`UPDATE cases SET grace_ends_at = grace_ends_at + interval '1 hour'`)
	c.finds()
	c.worker.Stop()
	c.work()
	require.Equal(t, offboarding.PhaseReactivated, c.closes(status.WorkflowID).Phase)
	require.Equal(t, c.Leaver+" editable", c.DocumentState(document))
	c.healthy()
}

func TestAnArchivalIsStartedAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.Provisioned(offboarding.IdentityProviderEntra, c.Leaver)
	status := c.leave(c.Leaver, func(r *offboarding.Request) { r.Provider, r.RequestedBy = offboarding.IdentityProviderEntra, "" })
	c.closes(status.WorkflowID)
	c.finds()
	archival := offboarding.ArchivalWorkflowID(status.CaseID)
	c.terminate(archival)
	c.mends(offboarding.DriftArchivalMissing)
	e, _, err := c.cases.Execution(t.Context(), archival, "")
	require.NoError(t, err)
	require.True(t, e.Running)
}

func TestAReactivationWithoutAWorkflowIsFinished(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, document := c.inGrace(c.Leaver)
	c.transfer(status.WorkflowID)
	id := offboarding.ReactivationWorkflowID(c.Leaver) // died after its first step
	begun, err := c.store.BeginReactivation(t.Context(), offboarding.BeginReactivationInput{
		Step: offboarding.Step{CaseID: uuid.NewString(), Name: "begin/0/1", At: time.Now().UTC()}, ID: "reactivation/1/0", MemberID: c.Leaver,
		Request: offboarding.ReactivationRequest{MemberID: c.Leaver, RequestedBy: c.Admin, ReturnDocuments: true}, WorkflowID: id, Messages: "update/x",
	})
	require.NoError(t, err)
	require.NotNil(t, begun.Reactivation)
	c.mends(offboarding.DriftSettlingWithout)
	c.eventually(func() bool { return c.Text(`SELECT closed_at::text FROM cases`) != "" }, "the case closes")
	require.Equal(t, c.Leaver+" editable", c.DocumentState(document))
	c.healthy()
}

func TestAListWithoutAWorkflowGoesOn(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	other := c.Maker()
	c.Document(c.Leaver, "")
	r := offboarding.BulkRequest{RequestedBy: c.Admin, Members: []offboarding.BulkMember{{MemberID: c.Leaver}, {MemberID: other}}}
	_, err := c.store.AdmitBulk(t.Context(), offboarding.BulkAdmitInput{BulkID: "leavers", WorkflowID: offboarding.BulkWorkflowID("leavers"), At: time.Now().UTC(), Request: r})
	require.NoError(t, err)
	c.mends(offboarding.DriftBulkWithoutWorkflow)
	result, err := c.cases.BulkResult(t.Context(), "leavers")
	require.NoError(t, err)
	require.Equal(t, 2, result.Counts.Started)
	c.reaches(offboarding.WorkflowID(c.Leaver), offboarding.PhaseGrace)
	c.transfer(offboarding.WorkflowID(c.Leaver))
}

func TestATroubleIsShownAndForgottenWhenItIsOver(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, document := c.inGrace(c.Leaver)
	c.Exec(`ALTER TABLE grants RENAME TO grants_away`)
	require.NoError(t, client.Signal(t.Context(), c.cases, status.WorkflowID, offboarding.ClaimRequest{DocumentID: document, MemberID: c.Manager}))
	c.eventually(func() bool { return c.Text(`SELECT trouble_step FROM cases`) != "" }, "the case is in trouble")
	r := c.finds(offboarding.DriftStuck)
	require.Contains(t, r.Checks[0].Findings[0].Detail, "42P01 (undefined_table)")
	c.terminate(status.WorkflowID)
	c.Exec(`ALTER TABLE grants_away RENAME TO grants`)
	c.mends(offboarding.DriftCaseWithoutWorkflow)
	require.Empty(t, c.Text(`SELECT trouble_step FROM cases`))
	c.transfer(status.WorkflowID)
}

// What is left of a trouble in the lists, while the case and its workflow know of none.
func TestATroubleThatIsOverIsForgotten(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	open, _ := c.inGrace(c.Leaver)
	closed := c.leave(c.Maker(), nil)
	c.closes(closed.WorkflowID)
	c.Exec(`UPDATE cases SET trouble_step = 'lock', trouble_attempt = 7, trouble_error = 'no answer', trouble_since = now()`)
	r := c.mends(offboarding.DriftStaleTrouble)
	require.Equal(t, 2, r.Mended)
	require.Zero(t, c.Count(`SELECT count(*) FROM cases WHERE trouble_step <> '' OR trouble_attempt > 0 OR trouble_error <> '' OR trouble_since IS NOT NULL`))
	c.transfer(open.WorkflowID)
}

// A workflow that the worker cannot run is a person's to look at; it goes on with one that can.
func TestAWorkflowThatDoesNotAnswerIsAPersonsToJudge(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, _ := c.inGrace(c.Leaver)
	c.terminate(status.WorkflowID)
	c.worker.Stop()
	broken := worker.New(c.temporal, offboarding.TaskQueue, worker.Options{WorkerStopTimeout: time.Second})
	broken.RegisterWorkflowWithOptions(func(workflow.Context, offboarding.Request) error { panic("a build with a mistake") },
		workflow.RegisterOptions{Name: offboarding.WorkflowOffboarding})
	require.NoError(t, broken.Start())
	_, err := c.temporal.ExecuteWorkflow(t.Context(), c.under(status.WorkflowID), offboarding.WorkflowOffboarding,
		offboarding.Request{MemberID: c.Leaver, RequestedBy: c.Admin})
	require.NoError(t, err)
	c.finds(offboarding.DriftNoAnswer)
	require.Zero(t, c.repairs().Mended)
	broken.Stop()
	c.work()
	require.Equal(t, status.CaseID, c.reaches(status.WorkflowID, offboarding.PhaseGrace).CaseID)
	c.transfer(status.WorkflowID)
}

func TestADeletionThatWasTerminatedIsAPersonsToJudge(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.Document(c.Leaver, "")
	c.worker.Stop()
	_, err := c.cases.DeleteAsync(t.Context(), offboarding.DeletionRequest{MemberID: c.Leaver, RequestedBy: c.Admin}, client.Once{})
	require.NoError(t, err)
	c.terminate(offboarding.DeletionWorkflowID(c.Leaver))
	c.work()
	c.listed(offboarding.DeletionWorkflowID(c.Leaver), "Terminated")
	c.finds(offboarding.DriftDeletionBrokenOff)
}

func TestAWebhookThatNobodySendsToIsWoken(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	webhook := uuid.NewString()
	c.Exec(`INSERT INTO webhooks (id, organization_id, url, description, events, status, secret_ref, created_by, created_at)
		VALUES ($1, $2, 'https://hooks.example', '', '{DeactivateMember}', 'active', 'x', $3, now())`, webhook, c.ID, c.Admin)
	c.closes(c.leave(c.Leaver, nil).WorkflowID)
	c.mends(offboarding.DriftWebhookBehind)
	e, _, err := c.cases.Execution(t.Context(), offboarding.WebhookWorkflowID(webhook), "")
	require.NoError(t, err)
	require.True(t, e.Running)
}
