package client

import (
	"context"

	enums "go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"

	"handover/offboarding"
)

// WakeWebhook tells the workflow of a webhook that something is due, and starts it
// where it does not run.
func (c *Client) WakeWebhook(ctx context.Context, webhookID string) error {
	id := offboarding.WebhookWorkflowID(webhookID)
	_, err := c.temporal.SignalWithStartWorkflow(ctx, id, offboarding.MessageDue, nil, temporal.StartWorkflowOptions{
		ID:                    id,
		TaskQueue:             offboarding.WebhookTaskQueue,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, offboarding.WorkflowWebhookDelivery, offboarding.WebhookDeliveryInput{WebhookID: webhookID})
	return clean("wake a webhook", err)
}
