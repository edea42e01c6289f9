package client

import (
	"context"

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
	return c.ReactivateOnce(ctx, id, r, Once{})
}

// ReactivateOnce is ReactivateMembers for a request that may be sent again.
func (c *Client) ReactivateOnce(
	ctx context.Context, id string, r offboarding.ReactivationRequest, once Once,
) (offboarding.ReactivationResult, error) {
	if !r.Bulk() {
		id = r.MemberID
	}
	var result offboarding.ReactivationResult
	run, err := c.runOnce(ctx, offboarding.ReactivationWorkflowID(id), offboarding.WorkflowReactivation, r, once)
	if err == nil {
		err = run.Get(ctx, &result)
	}
	return result, clean("reactivate", err)
}

// runOnce starts a workflow, or finds it running, or what the same request has
// started before.
func (c *Client) runOnce(ctx context.Context, id, workflowType string, in any, once Once) (temporal.WorkflowRun, error) {
	options := findOrStart(id)
	if once.ID != "" {
		options.Memo = once.memo()
	}
	if once.Repeated {
		mine, err := c.startedAs(ctx, id, once)
		if err != nil {
			return nil, err
		}
		if mine != nil {
			return c.temporal.GetWorkflow(ctx, id, mine.GetRunId()), nil
		}
	}
	return c.start(ctx, options, workflowType, in)
}
