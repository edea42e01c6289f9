package client

import (
	"context"

	enums "go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"

	"handover/offboarding"
)

// ReactivateMembers makes one member active again, or many, whether or not their
// cases have closed (rules R1, R2), and waits for the end. id names a request for
// many members; a second call under the same one waits for the first. One member
// who cannot come back answers with the *offboarding.Refusal, of many the result
// says so. When ctx ends first, the reactivation goes on by itself.
func (c *Client) ReactivateMembers(
	ctx context.Context, id string, r offboarding.ReactivationRequest,
) (offboarding.ReactivationResult, error) {
	if !r.Bulk() {
		id = r.MemberID
	}
	var result offboarding.ReactivationResult
	err := c.runToEnd(ctx, offboarding.ReactivationWorkflowID(id), offboarding.WorkflowReactivation, r, &result)
	return result, clean("reactivate", err)
}

// runToEnd starts a workflow, or finds it running, and waits for its result.
func (c *Client) runToEnd(ctx context.Context, id, workflowType string, in, result any) error {
	run, err := c.temporal.ExecuteWorkflow(ctx, temporal.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                offboarding.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, workflowType, in)
	if err != nil {
		return err
	}
	return run.Get(ctx, result)
}
