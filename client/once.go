package client

import (
	"context"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporal "go.temporal.io/sdk/client"

	"handover/offboarding"
)

// Once names a request that may be sent again, also by somebody else after its
// sender has died: what it has started is recognized and not started again, even
// where it has ended meanwhile.
type Once struct {
	ID       string // the same for every repeat
	Repeated bool   // it may have been sent before
}

// memo tells which request has started a workflow, by its name: values may be encrypted.
func (o Once) memo() map[string]any { return map[string]any{o.memoName(): true} }

func (o Once) memoName() string { return "started_by:" + o.ID }

// StartOnce is StartAndAwait for a request that may be sent again. created says
// whether this request has opened the case, or it was open already (rule E2).
func (c *Client) StartOnce(ctx context.Context, r offboarding.Request, once Once) (status offboarding.Status, created bool, err error) {
	options := startOptions(r)
	options.Memo = once.memo()
	err = insist(ctx, func(ctx context.Context) error {
		if once.Repeated {
			mine, err := c.startedAs(ctx, options.ID, once)
			if err != nil {
				return err
			}
			if mine != nil {
				created = true
				status, err = c.awaitRevoked(ctx, mine, once.ID)
				return clean("start the case", err)
			}
		}
		once.Repeated = true
		handle, err := c.startAndAsk(ctx, options, r, once.ID)
		if err == nil {
			err = handle.Get(ctx, &status)
		}
		if err == nil {
			created, err = c.created(ctx, options.ID, handle.RunID(), once)
		}
		return clean("start the case", err)
	})
	return status, created && !status.Existing, err
}

// StartAsync is StartOnce without waiting for the case to answer.
func (c *Client) StartAsync(ctx context.Context, r offboarding.Request, once Once) (Started, error) {
	options := startOptions(r)
	options.Memo = once.memo()
	if once.Repeated {
		mine, err := c.startedAs(ctx, options.ID, once)
		if err != nil {
			return Started{}, err
		}
		if mine != nil {
			return Started{WorkflowID: mine.GetWorkflowId(), RunID: mine.GetRunId()}, nil
		}
	}
	run, err := c.start(ctx, eagerly(options), workflowOf(r), r)
	if err != nil {
		return Started{}, clean("start the case", err)
	}
	return Started{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// StateOf says what has become of a start, whether or not the case has closed: its
// status, whose phase is "" until the start is judged, or why it was refused.
func (c *Client) StateOf(ctx context.Context, started Started) (offboarding.Status, *offboarding.Refusal, error) {
	var status offboarding.Status
	refusal, err := c.look(ctx, "look at the start", started, &status)
	return status, refusal, err
}

// look asks a run for its status, or a failed one for the refusal.
func (c *Client) look(ctx context.Context, op string, started Started, status any) (*offboarding.Refusal, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, started.WorkflowID, started.RunID)
	if err != nil {
		return nil, clean(op, err)
	}
	if described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_FAILED {
		err := clean(op, c.temporal.GetWorkflow(ctx, started.WorkflowID, started.RunID).Get(ctx, nil))
		var refusal *offboarding.Refusal
		if errors.As(err, &refusal) {
			return refusal, nil
		}
		return nil, err
	}
	return nil, clean(op, c.query(ctx, started.WorkflowID, started.RunID, status))
}

// awaitRevoked waits for the answer of a case that this request has started before.
func (c *Client) awaitRevoked(ctx context.Context, e *commonpb.WorkflowExecution, updateID string) (offboarding.Status, error) {
	var status offboarding.Status
	handle, err := c.temporal.UpdateWorkflow(ctx, temporal.UpdateWorkflowOptions{
		WorkflowID: e.GetWorkflowId(), RunID: e.GetRunId(), UpdateID: updateID, UpdateName: offboarding.UpdateAwaitRevoked,
		WaitForStage: temporal.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &status)
	}
	var closed *serviceerror.NotFound
	if !errors.As(err, &closed) {
		return status, err
	}
	if err := c.temporal.GetWorkflow(ctx, e.GetWorkflowId(), e.GetRunId()).Get(ctx, nil); err != nil {
		return status, err // the start was refused
	}
	err = c.query(ctx, e.GetWorkflowId(), e.GetRunId(), &status)
	return status, err
}

// startedAs is the latest run of a workflow where this request has started it.
func (c *Client) startedAs(ctx context.Context, workflowID string, once Once) (*commonpb.WorkflowExecution, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, clean("look for the workflow", err)
	}
	info := described.GetWorkflowExecutionInfo()
	if !isMemo(info.GetMemo(), once) {
		return nil, nil
	}
	return info.GetExecution(), nil
}

// created reports whether this request has started a run.
func (c *Client) created(ctx context.Context, workflowID, runID string, once Once) (bool, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, runID)
	return isMemo(described.GetWorkflowExecutionInfo().GetMemo(), once), err
}

func isMemo(memo *commonpb.Memo, once Once) bool {
	_, mine := memo.GetFields()[once.memoName()]
	return mine
}
