package client

import (
	"context"

	"handover/offboarding"
)

// Delete deletes a member for good (rule X1), and waits for the end: an active
// member is offboarded first. A deletion that the rules refuse answers with the
// *offboarding.Refusal. When ctx ends first, the deletion goes on by itself.
func (c *Client) Delete(ctx context.Context, r offboarding.DeletionRequest) (offboarding.DeletionResult, error) {
	return c.DeleteOnce(ctx, r, Once{})
}

// DeleteOnce is Delete for a request that may be sent again.
func (c *Client) DeleteOnce(ctx context.Context, r offboarding.DeletionRequest, once Once) (offboarding.DeletionResult, error) {
	var result offboarding.DeletionResult
	run, err := c.runOnce(ctx, offboarding.DeletionWorkflowID(r.MemberID), offboarding.WorkflowMemberDeletion, r, once)
	if err == nil {
		err = run.Get(ctx, &result)
	}
	return result, clean("delete the member", err)
}

// DeleteAsync is DeleteOnce without waiting for the end.
func (c *Client) DeleteAsync(ctx context.Context, r offboarding.DeletionRequest, once Once) (Started, error) {
	run, err := c.runOnce(ctx, offboarding.DeletionWorkflowID(r.MemberID), offboarding.WorkflowMemberDeletion, r, once)
	if err != nil {
		return Started{}, clean("delete the member", err)
	}
	return Started{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// DeletionStateOf says what has become of a deletion, also of one that was refused.
func (c *Client) DeletionStateOf(ctx context.Context, started Started) (offboarding.DeletionStatus, *offboarding.Refusal, error) {
	var status offboarding.DeletionStatus
	refusal, err := c.look(ctx, "look at the deletion", started, &status)
	return status, refusal, err
}
