package workflows

import (
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// Input is the request that starts a case. A case that continues as new hands
// itself what it has to remember; anybody else's is ignored.
type Input struct {
	offboarding.Request
	Carried *state `json:"carried,omitempty"`
}

// act names the activities; it is never called.
var act *activities.Activities

// Offboarding is one case, from start to end (docs/architecture.md walks
// through it). It ends when no document of the leaver is unowned.
func Offboarding(ctx workflow.Context, payload converter.RawValue) (offboarding.Result, error) {
	in, refusal := parseInput(payload)
	if refusal == nil && in.WorkspaceID != "" {
		refusal = offboarding.Refuse("W1", offboarding.CodeInvalidArgument, "workspace_id",
			"workspace_id goes with the workflow WorkspaceRemoval only")
	}
	if refusal != nil {
		return offboarding.Result{}, activities.RefusalError(refusal)
	}
	return runCase(ctx, in, startedBy(ctx, payload))
}

// runCase runs a case of the whole organization or of one workspace.
func runCase(ctx workflow.Context, in Input, start *offboarding.Sent) (offboarding.Result, error) {
	// A cancellation request from outside must not tear a case apart; the
	// message `cancel` ends one that has not begun.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	c, err := setup(ctx, in, start)
	if err != nil {
		return offboarding.Result{}, err
	}
	for err = c.run(ctx); errors.Is(err, errRollover); err = c.run(ctx) {
		if err := c.continueAsNew(ctx); err != nil {
			return offboarding.Result{}, err
		}
	}
	c.finish(ctx, err)
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		return offboarding.Result{}, activities.RefusalError(refusal)
	}
	return c.result(), err
}

// parseInput reads the workflow's input; a malformed one is refused like a start
// that breaks a rule, not tried again.
func parseInput(payload converter.RawValue) (Input, *offboarding.Refusal) {
	var in Input
	// Into structs and slices, without maps: the same bytes give the same input in every replay.
	//workflowcheck:ignore
	err := json.Unmarshal(payload.Payload().GetData(), &in)
	if err == nil {
		return in, nil
	}
	field := ""
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		field = wrong.Field
	}
	return in, offboarding.Refuse("", offboarding.CodeInvalidArgument, field, "the input is not the JSON object that the workflow takes")
}

// caseID is the same for every run of a case and for every reset of it, so that
// the steps of a case are recognized whichever run does them.
func caseID(info *workflow.Info) string { return CaseID(info.WorkflowExecution.ID, info.FirstRunID) }

// CaseID is the ID of the case that a workflow opens, from its ID and its first run.
func CaseID(workflowID, firstRunID string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("handover:"+workflowID+":"+firstRunID)).String()
}

// run tells the story: phase after phase until the case is closed.
func (c *offboardingCase) run(ctx workflow.Context) error {
	if c.unjudged != nil {
		err := judgeContinued(ctx, c.unjudged)
		c.unjudged = nil
		if err != nil {
			c.state = state{}
			return err
		}
	}
	for !c.closed() {
		var err error
		switch {
		case c.ArchiveAt != nil:
			err = c.archiveLater(ctx)
		case c.Reactivation != nil:
			err = c.reactivate(ctx)
		case c.Unarchived:
			err = c.archiveAgain(ctx)
		case c.Recount && c.parked:
			c.Recount = false
			err = c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
		case c.Phase == "":
			err = c.admit(ctx)
		case c.Phase == offboarding.PhaseScheduled:
			err = c.scheduled(ctx)
		case c.Phase == offboarding.PhaseRevoking && c.SessionsEndAt != nil:
			err = c.awaitSessions(ctx)
		case c.Phase == offboarding.PhaseRevoking:
			err = c.deactivate(ctx)
		case c.Phase == offboarding.PhaseDeactivated, c.Phase == offboarding.PhaseTransferring:
			err = c.dispose(ctx)
		case c.Phase == offboarding.PhaseGrace:
			err = c.grace(ctx)
		case c.Phase == offboarding.PhaseReadOnly:
			err = c.readOnly(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
