package workflows

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// WorkspaceRemoval removes a member from one workspace (rule W1): the case of an
// offboarding, with its phases and messages, about the documents there alone.
// The account and what it can do stay as they are.
func WorkspaceRemoval(ctx workflow.Context, payload converter.RawValue) (offboarding.Result, error) {
	in, refusal := parseInput(payload)
	if refusal == nil && in.WorkspaceID == "" {
		refusal = offboarding.Refuse("W1", offboarding.CodeInvalidArgument, "workspace_id", "workspace_id is required")
	}
	if refusal != nil {
		return offboarding.Result{}, activities.RefusalError(refusal)
	}
	return runCase(ctx, in, startedBy(ctx, payload))
}
