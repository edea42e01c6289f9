package client

import (
	"context"
	"encoding/json"
	"fmt"

	enums "go.temporal.io/api/enums/v1"

	"handover/offboarding"
)

// StartBulk starts a bulk offboarding under an ID that the caller chooses, and does
// not wait for anything. A run of that ID, running or finished, is answered and
// changes nothing; one that was refused whole may be started again (rule B1).
func (c *Client) StartBulk(ctx context.Context, bulkID string, r offboarding.BulkRequest) (Started, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return Started{}, fmt.Errorf("start the bulk run: %w", err)
	}
	if len(data) > offboarding.MaxBulkInput {
		return Started{}, offboarding.Refuse("B1", offboarding.CodeInvalidArgument, "members", fmt.Sprintf(
			"the list is %d bytes as JSON and Temporal takes %d; split it, or shorten its reasons", len(data), offboarding.MaxBulkInput))
	}
	options := findOrStart(offboarding.BulkWorkflowID(bulkID))
	options.WorkflowIDReusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	run, err := c.start(ctx, options, offboarding.WorkflowBulkOffboarding, r)
	if err != nil {
		return Started{}, clean("start the bulk run", err)
	}
	return Started{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// BulkStatus asks a bulk run how far it is.
func (c *Client) BulkStatus(ctx context.Context, bulkID string) (offboarding.BulkStatus, error) {
	var status offboarding.BulkStatus
	err := c.query(ctx, offboarding.BulkWorkflowID(bulkID), "", &status)
	return status, clean("ask the bulk run for its status", err)
}

// BulkResult waits until a bulk run has closed and answers with what it came to.
// One that was refused whole answers with the *offboarding.Refusal.
func (c *Client) BulkResult(ctx context.Context, bulkID string) (offboarding.BulkResult, error) {
	var result offboarding.BulkResult
	err := c.temporal.GetWorkflow(ctx, offboarding.BulkWorkflowID(bulkID), "").Get(ctx, &result)
	return result, clean("wait for the bulk run", err)
}

// CancelBulk takes off the list of a bulk run who has not been processed.
func (c *Client) CancelBulk(ctx context.Context, bulkID string, m offboarding.Cancel, opts ...Option) (offboarding.Outcome, error) {
	return c.update(ctx, offboarding.BulkWorkflowID(bulkID), offboarding.MessageCancel, m, opts)
}
