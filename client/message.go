package client

import (
	"context"

	temporal "go.temporal.io/sdk/client"

	"handover/offboarding"
)

// Claim asks for an unowned document: claimed where rule C1 allows it, requested
// where only rule C2 does.
func (c *Client) Claim(
	ctx context.Context, workflowID string, m offboarding.ClaimRequest, opts ...Option,
) (offboarding.Outcome, error) {
	return c.update(ctx, workflowID, offboarding.MessageClaim, m, opts)
}

// Decide approves or rejects an ownership request (rule C3).
func (c *Client) Decide(
	ctx context.Context, workflowID string, m offboarding.AdminApproval, opts ...Option,
) (offboarding.Outcome, error) {
	return c.update(ctx, workflowID, offboarding.MessageDecision, m, opts)
}

// Transfer moves some or all of what the leaver still owns (rules T1, N1, N2).
func (c *Client) Transfer(
	ctx context.Context, workflowID string, m offboarding.TransferDocuments, opts ...Option,
) (offboarding.Outcome, error) {
	return c.update(ctx, workflowID, offboarding.MessageTransfer, m, opts)
}

// Extend moves the end of the grace period.
func (c *Client) Extend(
	ctx context.Context, workflowID string, m offboarding.ExtendGrace, opts ...Option,
) (offboarding.Outcome, error) {
	return c.update(ctx, workflowID, offboarding.MessageExtend, m, opts)
}

// Reschedule moves the effective time of a case that still waits for it.
func (c *Client) Reschedule(
	ctx context.Context, workflowID string, m offboarding.Reschedule, opts ...Option,
) (offboarding.Outcome, error) {
	return c.update(ctx, workflowID, offboarding.MessageReschedule, m, opts)
}

// Cancel ends a case that still waits for its effective time.
func (c *Client) Cancel(
	ctx context.Context, workflowID string, m offboarding.Cancel, opts ...Option,
) (offboarding.Outcome, error) {
	return c.update(ctx, workflowID, offboarding.MessageCancel, m, opts)
}

// Reactivate makes the leaver active again (rule R1).
func (c *Client) Reactivate(
	ctx context.Context, workflowID string, m offboarding.Reactivate, opts ...Option,
) (offboarding.Outcome, error) {
	return c.update(ctx, workflowID, offboarding.MessageReactivate, m, opts)
}

// ReactivateCase is Reactivate under an update ID of the caller's.
func (c *Client) ReactivateCase(
	ctx context.Context, workflowID, updateID string, m offboarding.Reactivate,
) (offboarding.Outcome, error) {
	return c.Reactivate(ctx, workflowID, m, WithUpdateID(updateID))
}

// Payload is what a message can carry.
type Payload interface {
	offboarding.ClaimRequest | offboarding.AdminApproval | offboarding.TransferDocuments | offboarding.ExtendGrace |
		offboarding.Reschedule | offboarding.Cancel | offboarding.Reactivate
}

// Signal sends a message without waiting for what it comes to. The payload's
// type decides which message it is. A signal that breaks a rule changes nothing
// and is found in the status, under refused_messages.
func Signal[P Payload](ctx context.Context, c *Client, workflowID string, payload P) error {
	name := messageOf(payload)
	in, err := c.signedMessage(ctx, workflowID, name, "", payload)
	if err == nil {
		err = c.temporal.SignalWorkflow(ctx, workflowID, "", name, in)
	}
	return clean("send "+name, err)
}

func messageOf(payload any) string {
	switch payload.(type) {
	case offboarding.ClaimRequest:
		return offboarding.MessageClaim
	case offboarding.AdminApproval:
		return offboarding.MessageDecision
	case offboarding.TransferDocuments:
		return offboarding.MessageTransfer
	case offboarding.ExtendGrace:
		return offboarding.MessageExtend
	case offboarding.Reschedule:
		return offboarding.MessageReschedule
	case offboarding.Cancel:
		return offboarding.MessageCancel
	}
	return offboarding.MessageReactivate
}

func (c *Client) update(
	ctx context.Context, workflowID, name string, payload any, opts []Option,
) (offboarding.Outcome, error) {
	id := collect(opts).updateID
	var outcome offboarding.Outcome
	err := insist(ctx, func(ctx context.Context) error {
		in, err := c.signedMessage(ctx, workflowID, name, id, payload)
		if err != nil {
			return clean("send "+name, err)
		}
		handle, err := c.temporal.UpdateWorkflow(ctx, temporal.UpdateWorkflowOptions{
			WorkflowID:   workflowID,
			UpdateID:     id,
			UpdateName:   name,
			Args:         []any{in},
			WaitForStage: temporal.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(ctx, &outcome)
		}
		return clean("send "+name, err)
	})
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound {
		err = c.whyClosed(ctx, workflowID, name, err)
	}
	return outcome, err
}

// whyClosed answers for a case that had closed when the message came: a claim's
// document has an active owner then, every other message is too late.
func (c *Client) whyClosed(ctx context.Context, workflowID, name string, notFound error) error {
	status, err := c.Status(ctx, workflowID)
	switch {
	case err != nil || !status.Phase.Closed():
		return notFound
	case name == offboarding.MessageClaim && (status.Phase == offboarding.PhaseCompleted || status.Phase == offboarding.PhaseReactivated):
		return offboarding.Refuse("C1", offboarding.CodeAlreadyOwned, "document_id", "the case is "+string(status.Phase)+"; nothing is unowned")
	}
	return offboarding.Refuse("", offboarding.CodeWrongPhase, "", "the case is "+string(status.Phase))
}
