package client

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"handover/offboarding"
)

// How long a signature is good: for a start and an update longer than anybody waits for
// their answer; for a signal, which nobody answers, over a day without workers.
const (
	signedFor       = 10 * time.Minute
	signalSignedFor = 24 * time.Hour
)

// SignedBy makes the client sign what it sends into a namespace; with nil it signs
// nothing.
func (c *Client) SignedBy(key *offboarding.SigningKey, namespace string) *Client {
	if namespace == "" {
		namespace = temporal.DefaultNamespace
	}
	c.key, c.namespace = key, namespace
	return c
}

// sign makes a signed payload of what is about to be sent.
func (c *Client) sign(s offboarding.Sent, in any, until time.Time) (any, error) {
	payload, err := converter.GetDefaultDataConverter().ToPayload(in)
	if err != nil {
		return nil, err
	}
	if !json.Valid(payload.GetData()) {
		return nil, &Error{Op: "sign", Reason: "what is sent is not JSON"}
	}
	s.Namespace, s.Digest = c.namespace, offboarding.Digest(payload.GetData())
	signature, err := c.key.Sign(s, until)
	if err != nil {
		return nil, err
	}
	payload.Metadata[offboarding.SignatureField] = []byte(signature)
	return converter.NewRawValue(payload), nil
}

// start starts a workflow, by a signed input where the client signs.
func (c *Client) start(ctx context.Context, options temporal.StartWorkflowOptions, workflowType string, in any) (temporal.WorkflowRun, error) {
	in, err := c.signedStart(options.ID, workflowType, in)
	if err != nil {
		return nil, err
	}
	return c.temporal.ExecuteWorkflow(ctx, options, workflowType, in)
}

func (c *Client) signedStart(workflowID, workflowType string, in any) (any, error) {
	if c.key == nil {
		return in, nil
	}
	s := offboarding.Sent{WorkflowID: workflowID, Kind: offboarding.KindStart, Name: workflowType, ID: uuid.NewString()}
	return c.sign(s, in, time.Now().Add(signedFor))
}

// signedMessage is a message for the workflow that runs, and no later one of its ID. An
// update has an ID, under which it is signed.
func (c *Client) signedMessage(ctx context.Context, workflowID, name, updateID string, in any) (any, error) {
	if c.key == nil {
		return in, nil
	}
	described, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return nil, err
	}
	s := offboarding.Sent{
		WorkflowID: workflowID, RunID: described.GetWorkflowExecutionInfo().GetFirstRunId(),
		Kind: offboarding.KindUpdate, Name: name, ID: updateID,
	}
	until := time.Now().Add(signedFor)
	if skipped := described.GetWorkflowExtendedInfo().GetTimeSkippingInfo().GetCurrentTime(); skipped != nil {
		until = skipped.AsTime().Add(signedFor)
	}
	if updateID == "" {
		s.Kind, s.ID, until = offboarding.KindSignal, uuid.NewString(), until.Add(signalSignedFor-signedFor)
	}
	return c.sign(s, in, until)
}
