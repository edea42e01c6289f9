package client

import (
	"context"

	"handover/offboarding"
)

// Delete deletes a member for good (rule X1), and waits for the end: an active
// member is offboarded first. A deletion that the rules refuse answers with the
// *offboarding.Refusal. When ctx ends first, the deletion goes on by itself.
func (c *Client) Delete(ctx context.Context, r offboarding.DeletionRequest) (offboarding.DeletionResult, error) {
	var result offboarding.DeletionResult
	err := c.runToEnd(ctx, offboarding.DeletionWorkflowID(r.MemberID), offboarding.WorkflowMemberDeletion, r, &result)
	return result, clean("delete the member", err)
}
