package client

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"handover/offboarding"
)

// Execution is a run of a workflow as the engine knows it.
type Execution struct {
	WorkflowID, RunID string
	FirstRunID        string // of those that continue each other; "" in a list
	Type, TaskQueue   string
	Running           bool
	Completed         bool // ended well, and not refused, terminated or timed out
	Terminated        bool // by somebody, or by a timeout
	ClosedAt          time.Time
	Doing             []string // types of the activities that are under way; none in a list
	Deciding          bool     // it has been told something that it has not acted on; false in a list
}

func executionOf(info *workflowpb.WorkflowExecutionInfo) Execution {
	status := info.GetStatus()
	return Execution{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), FirstRunID: info.GetFirstRunId(),
		Type: info.GetType().GetName(), TaskQueue: info.GetTaskQueue(), Running: status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Completed:  status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		Terminated: status == enums.WORKFLOW_EXECUTION_STATUS_TERMINATED || status == enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
		ClosedAt:   info.GetCloseTime().AsTime(),
	}
}

// Execution is a run, with runID "" the latest of a workflow ID; false where there is none.
func (c *Client) Execution(ctx context.Context, workflowID, runID string) (Execution, bool, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, runID)
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return Execution{}, false, nil
	}
	e := executionOf(described.GetWorkflowExecutionInfo())
	e.Deciding = described.GetPendingWorkflowTask() != nil
	for _, activity := range described.GetPendingActivities() {
		e.Doing = append(e.Doing, activity.GetActivityType().GetName())
	}
	return e, err == nil, clean("look at a workflow", err)
}

// Ran is the type of a run and the task queue that it is worked on, "" where there is none.
func (c *Client) Ran(ctx context.Context, workflowID, runID string) (workflowType, taskQueue string, err error) {
	e, _, err := c.Execution(ctx, workflowID, runID)
	return e.Type, e.TaskQueue, err
}

// Executions lists a page of the runs that a query of the engine's visibility finds, and
// the token of the next page, nil for none. What has just begun or ended may be listed as
// it was.
func (c *Client) Executions(ctx context.Context, query string, size int32, token []byte) ([]Execution, []byte, error) {
	listed, err := c.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: size, NextPageToken: token})
	if err != nil {
		return nil, nil, clean("list workflows", err)
	}
	found := make([]Execution, len(listed.GetExecutions()))
	for i, info := range listed.GetExecutions() {
		found[i] = executionOf(info)
	}
	return found, listed.GetNextPageToken(), nil
}

// HasWorkers says whether anybody has asked for the work of cases lately.
func (c *Client) HasWorkers(ctx context.Context) (bool, error) {
	described, err := c.temporal.DescribeTaskQueue(ctx, offboarding.TaskQueue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	return len(described.GetPollers()) > 0, clean("ask who works", err)
}

// StatusOfRun asks a run for its status: an offboarding.Status, or that of its type.
func (c *Client) StatusOfRun(ctx context.Context, e Execution, status any) error {
	return clean("ask a workflow for its status", c.query(ctx, e.WorkflowID, e.RunID, status))
}

// ResultOfRun is what the case of a run that has completed came to.
func (c *Client) ResultOfRun(ctx context.Context, e Execution) (offboarding.Result, error) {
	var result offboarding.Result
	err := c.temporal.GetWorkflow(ctx, e.WorkflowID, e.RunID).Get(ctx, &result)
	return result, clean("read what a case came to", err)
}

// TakeOver starts a workflow that takes an open case over as the database has it. One that
// runs already is let be, or terminated in the same moment.
func (c *Client) TakeOver(ctx context.Context, of offboarding.Case, replace bool) error {
	r := offboarding.Request{
		MemberID: of.MemberID, RequestedBy: of.RequestedBy, Provider: of.Provider, WorkspaceID: of.WorkspaceID, Origin: of.Origin, CaseID: of.ID,
	}
	options := findOrStart(of.WorkflowID)
	if replace {
		options.WorkflowIDConflictPolicy = enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	}
	_, err := c.start(ctx, options, workflowOf(r), r)
	return clean("start the case again", err)
}

// ReactivateAsync starts the reactivation of one member, or finds it running, and waits
// for nothing.
func (c *Client) ReactivateAsync(ctx context.Context, r offboarding.ReactivationRequest) error {
	_, err := c.start(ctx, findOrStart(offboarding.ReactivationWorkflowID(r.MemberID)), offboarding.WorkflowReactivation, r)
	return clean("reactivate", err)
}

// ResumeBulk starts the workflow of a run again; its list is in the database.
func (c *Client) ResumeBulk(ctx context.Context, workflowID, requestedBy string) error {
	in := offboarding.BulkRequest{RequestedBy: requestedBy}
	_, err := c.start(ctx, findOrStart(workflowID), offboarding.WorkflowBulkOffboarding, in)
	return clean("start the bulk run again", err)
}

// ArchiveLater starts the workflow that archives the leaver of a case.
func (c *Client) ArchiveLater(ctx context.Context, caseID string, at time.Time) error {
	in := offboarding.ArchivalInput{CaseID: caseID, At: at}
	_, err := c.start(ctx, findOrStart(offboarding.ArchivalWorkflowID(caseID)), offboarding.WorkflowMemberArchival, in)
	return clean("start an archival", err)
}

// Terminate ends a run, where it has not ended.
func (c *Client) Terminate(ctx context.Context, e Execution, reason string) error {
	err := c.temporal.TerminateWorkflow(ctx, e.WorkflowID, e.RunID, reason)
	var ended *serviceerror.NotFound
	if errors.As(err, &ended) {
		return nil
	}
	return clean("terminate a workflow", err)
}

// StartOver sets a workflow back to the beginning of the first of the runs that continue
// each other up to this one: it finds its case, or opens it, goes on where the database is,
// and is told all its messages again, which are answered from the records of steps as far
// as they have been done. namespace is the connection's.
func (c *Client) StartOver(ctx context.Context, namespace string, e Execution, reason string) error {
	const op = "set a workflow back to its beginning"
	for {
		before, task, err := c.beginning(ctx, e)
		switch {
		case err != nil:
			return clean(op, err)
		case before != "":
			e.RunID = before
			continue
		case task == 0:
			return &Error{Op: op, Reason: "it has done nothing yet"}
		}
		_, err = c.temporal.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
			Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: e.WorkflowID, RunId: e.RunID},
			Reason: reason, WorkflowTaskFinishEventId: task, RequestId: uuid.NewString(),
		})
		return clean(op, err)
	}
}

// beginning reads which run a run has continued, "" for none, and the event in which its
// first workflow task has ended, 0 for none. A run that was reset begins as the one before.
func (c *Client) beginning(ctx context.Context, e Execution) (before string, task int64, err error) {
	events := c.temporal.GetWorkflowHistory(ctx, e.WorkflowID, e.RunID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return "", 0, err
		}
		switch event.GetEventType() {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			if before := event.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId(); before != "" {
				return before, 0, nil
			}
		case enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, enums.EVENT_TYPE_WORKFLOW_TASK_FAILED, enums.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
			return "", event.GetEventId(), nil
		}
	}
	return "", 0, nil
}
