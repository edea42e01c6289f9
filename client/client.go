// Package client is the typed Go client of the Temporal contract in
// offboarding/contract.go: what the command line and the server start cases and
// send messages with.
//
// Errors are *offboarding.Refusal where a rule says no, case_not_found where
// nothing runs under the workflow ID, and *Error for everything else; the text
// of each can be shown to anybody.
package client

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	enums "go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"

	"handover/offboarding"
)

// Client starts cases and talks to them. It is safe for concurrent use.
type Client struct {
	temporal  temporal.Client
	key       *offboarding.SigningKey // nil where nothing is signed
	namespace string                  // that it signs for
}

// New returns a client on an open connection, which the caller closes.
func New(c temporal.Client) *Client { return &Client{temporal: c} }

// Started names a case that was started, or that was open already.
type Started struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
}

// Start starts the case of a member and does not wait for anything; the rules
// are judged by the case itself. A member whose case is open is answered with
// that case, and nothing changes (rule E2).
func (c *Client) Start(ctx context.Context, r offboarding.Request) (Started, error) {
	options := eagerly(startOptions(r))
	run, err := c.start(ctx, options, workflowOf(r), r)
	if err != nil {
		return Started{}, clean("start the case", err)
	}
	return Started{WorkflowID: run.GetID(), RunID: run.GetRunID()}, nil
}

// StartAndAwait starts the case and answers as soon as access is revoked and the
// member inactive, or the case waits for its effective time. A start that the
// rules refuse answers with the *offboarding.Refusal. When ctx ends first, the
// case goes on by itself.
func (c *Client) StartAndAwait(ctx context.Context, r offboarding.Request, opts ...Option) (offboarding.Status, error) {
	id := collect(opts).updateID
	var status offboarding.Status
	err := insist(ctx, func(ctx context.Context) error {
		handle, err := c.startAndAsk(ctx, startOptions(r), r, id)
		if err == nil {
			err = handle.Get(ctx, &status)
		}
		return clean("start the case", err)
	})
	return status, err
}

// startAndAsk starts the case and asks it, in one request, when access is revoked.
func (c *Client) startAndAsk(
	ctx context.Context, options temporal.StartWorkflowOptions, r offboarding.Request, updateID string,
) (temporal.WorkflowUpdateHandle, error) {
	in, err := c.signedStart(options.ID, workflowOf(r), r)
	if err != nil {
		return nil, err
	}
	return c.temporal.UpdateWithStartWorkflow(ctx, temporal.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: c.temporal.NewWithStartWorkflowOperation(options, workflowOf(r), in),
		UpdateOptions: temporal.UpdateWorkflowOptions{
			UpdateID: updateID, UpdateName: offboarding.UpdateAwaitRevoked, WaitForStage: temporal.WorkflowUpdateStageCompleted,
		},
	})
}

// StartCase starts the case of a member, or finds it running.
func (c *Client) StartCase(ctx context.Context, r offboarding.Request) error {
	_, err := c.Start(ctx, r)
	return err
}

// OffboardCase is StartAndAwait under an update ID of the caller's.
func (c *Client) OffboardCase(ctx context.Context, updateID string, r offboarding.Request) (offboarding.Status, error) {
	return c.StartAndAwait(ctx, r, WithUpdateID(updateID))
}

// Status asks a case how far it is. It works for closed cases too, as long as
// Temporal keeps their history.
func (c *Client) Status(ctx context.Context, workflowID string) (offboarding.Status, error) {
	var status offboarding.Status
	err := c.query(ctx, workflowID, "", &status)
	return status, clean("ask the case for its status", err)
}

// query asks a run, with runID "" the latest, for its status.
func (c *Client) query(ctx context.Context, workflowID, runID string, status any) error {
	value, err := c.temporal.QueryWorkflow(ctx, workflowID, runID, offboarding.QueryStatus)
	if err != nil {
		return err
	}
	return value.Get(status)
}

// Now is the case's own time where some of it was skipped, else the zero time: then it
// goes by the machine's.
func (c *Client) Now(ctx context.Context, workflowID string) (time.Time, error) {
	d, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return time.Time{}, clean("ask for the time of the case", err)
	}
	if now := d.GetWorkflowExtendedInfo().GetTimeSkippingInfo().GetCurrentTime(); now != nil {
		return now.AsTime(), nil
	}
	return time.Time{}, nil
}

// Result waits until the case has closed and answers with what became of it.
func (c *Client) Result(ctx context.Context, workflowID string) (offboarding.Result, error) {
	var result offboarding.Result
	err := c.temporal.GetWorkflow(ctx, workflowID, "").Get(ctx, &result)
	return result, clean("wait for the case", err)
}

// workflowOf is the workflow type of a start: a request that names a workspace is
// about that workspace alone (rule W1).
func workflowOf(r offboarding.Request) string {
	if r.WorkspaceID != "" {
		return offboarding.WorkflowWorkspaceRemoval
	}
	return offboarding.WorkflowOffboarding
}

func startOptions(r offboarding.Request) temporal.StartWorkflowOptions {
	id := offboarding.WorkflowID(r.MemberID)
	if r.WorkspaceID != "" {
		id = offboarding.RemovalWorkflowID(r.WorkspaceID, r.MemberID)
	}
	return findOrStart(id)
}

// findOrStart are the options of a workflow that is started where none of its ID runs,
// whatever has become of the one before; one that runs is the answer.
func findOrStart(workflowID string) temporal.StartWorkflowOptions {
	return temporal.StartWorkflowOptions{
		ID:                       workflowID,
		TaskQueue:                offboarding.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}
}

// eagerly lets a worker of this process that is on the same connection have the first
// task with the answer to the start; where there is none, nothing changes. A start that
// brings an update cannot ask for it.
func eagerly(options temporal.StartWorkflowOptions) temporal.StartWorkflowOptions {
	options.EnableEagerStart = true
	return options
}

// Option changes one call.
type Option func(*options)

type options struct{ updateID string }

// WithUpdateID names the update, so that sending it again while the case is open
// answers with what the first one came to instead of acting twice.
func WithUpdateID(id string) Option { return func(o *options) { o.updateID = id } }

func collect(opts []Option) options {
	o := options{updateID: uuid.NewString()}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// How long one try waits for an answer, and how long tries go on where the
// caller has set no deadline.
const (
	answerWithin = 10 * time.Second
	insistFor    = 2 * time.Minute
	tryPause     = 200 * time.Millisecond
)

// insist sends an update again, under the same ID, while it is not known what
// became of it: the engine acts on it once.
func insist(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, insistFor)
	defer cancel()
	for {
		once, done := context.WithTimeout(ctx, answerWithin)
		err := try(once)
		done()
		var failed *Error
		if !errors.As(err, &failed) || !failed.Unavailable || failed.away {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(tryPause):
		}
	}
}
