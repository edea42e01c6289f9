package workflows

import (
	"errors"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// archiveLater hands over to a workflow that outlives the case: the leaver becomes
// archived some time after the deactivation, when the case may long be completed.
// A case that was taken over finds that workflow there already.
func (c *offboardingCase) archiveLater(ctx workflow.Context) error {
	in := offboarding.ArchivalInput{CaseID: c.CaseID, At: *c.ArchiveAt}
	_, err := do[struct{}](ctx, c, offboarding.StepArchiveMember, func(ctx workflow.Context) workflow.Future {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID:            offboarding.ArchivalWorkflowID(c.CaseID),
			WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, // once, unless it was terminated
			ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		})
		started, settle := workflow.NewFuture(ctx)
		err := workflow.ExecuteChildWorkflow(ctx, offboarding.WorkflowMemberArchival, in).GetChildWorkflowExecution().Get(ctx, nil)
		if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			err = nil
		}
		settle.Set(struct{}{}, err)
		return started
	})
	if err == nil {
		c.ArchiveAt = nil
	}
	return err
}

// archival is a MemberArchival while a run of it lasts.
type archival struct {
	offboarding.ArchivalInput
	Troubles troubles `json:"troubles,omitempty"`
}

// MemberArchival makes the leaver of a case archived when the time has come.
func MemberArchival(ctx workflow.Context, a archival) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // as a case, it is not canceled from outside
	if !continued(workflow.GetInfo(ctx)) {
		a.Troubles = nil // somebody's who says so
	} else if err := judgeContinued(ctx, new(troubles)); err != nil {
		return failure(err)
	}
	if wait := a.At.Sub(now(ctx)); wait > 0 {
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
	}
	step := offboarding.Step{CaseID: a.CaseID, Name: offboarding.StepArchiveMember, At: now(ctx)}
	_, err := do[bool](ctx, &a, offboarding.StepArchiveMember, local(act.ArchiveMember, step))
	if errors.Is(err, errRollover) {
		return workflow.NewContinueAsNewError(ctx, offboarding.WorkflowMemberArchival, a)
	}
	return failure(err)
}

// failure is the error that a workflow ends with.
func failure(err error) error {
	if refusal := activities.RefusalFrom(err); refusal != nil {
		return activities.RefusalError(refusal)
	}
	return err
}

// troubled shows in the lists, at the case, that its leaver cannot be archived.
func (a *archival) troubled(ctx workflow.Context, step string, err error) {
	failing := a.Troubles.add(ctx, step, err, "case_id", a.CaseID)
	recordTrouble(ctx, a.CaseID, &failing)
}

func (a *archival) resolved(ctx workflow.Context, step string) {
	if a.Troubles.remove(step) {
		recordTrouble(ctx, a.CaseID, nil)
	}
}

func (a *archival) givesWay(ctx workflow.Context) bool { return historyLong(ctx) }
