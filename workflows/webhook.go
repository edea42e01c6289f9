package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// webhooks names the activities; it is never called.
var webhooks *activities.Webhooks

// webhookDelivery is a WebhookDelivery while a run of it lasts, and what it hands to
// the next.
type webhookDelivery struct {
	offboarding.WebhookDeliveryInput
	Troubles troubles `json:"troubles,omitempty"`

	sent offboarding.WebhooksSent // by this run; Next is the latest known
}

// WebhookDelivery sends what is due to one webhook, sleeps until the next attempt is
// due or something new has come, and ends when nothing is pending.
func WebhookDelivery(ctx workflow.Context, d webhookDelivery) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // as a case, it is not canceled from outside
	err := workflow.SetQueryHandler(ctx, offboarding.QueryStatus, func() (offboarding.WebhookDeliveryStatus, error) {
		return offboarding.WebhookDeliveryStatus{
			WebhookID: d.WebhookID, Attempts: d.sent.Attempts, Delivered: d.sent.Delivered, Next: d.sent.Next,
			Trouble: d.Troubles.worst(), WorkflowTime: now(ctx),
		}, nil
	})
	if err != nil {
		return err
	}
	due := workflow.GetSignalChannel(ctx, offboarding.MessageDue)
	for {
		for due.ReceiveAsync(nil) { // what they tell of is found now
		}
		sent, err := do[offboarding.WebhooksSent](ctx, &d, "send", delivering(d.WebhookID))
		if err == nil {
			d.sent.Attempts += sent.Attempts
			d.sent.Delivered += sent.Delivered
			d.sent.Next = sent.Next
		}
		switch {
		case errors.Is(err, errRollover), err == nil && d.givesWay(ctx) && (sent.Next != nil || due.Len() > 0):
			return workflow.NewContinueAsNewError(ctx, offboarding.WorkflowWebhookDelivery, d)
		case err != nil:
			return err
		case sent.Next == nil && due.Len() == 0:
			return nil
		case sent.Next == nil:
			continue
		}
		timed, cancel := workflow.WithCancel(ctx)
		_, err = workflow.AwaitWithTimeout(timed, sent.Next.Sub(now(ctx)), func() bool { return due.Len() > 0 })
		cancel() // as in a case's wait
		if err != nil {
			return err
		}
	}
}

// delivering sends what is due. It ends after a minute or so; a worker that died is
// missed within the heartbeat timeout, which is longer than an attempt lasts.
func delivering(webhookID string) func(workflow.Context) workflow.Future {
	return func(ctx workflow.Context) workflow.Future {
		in := offboarding.SendWebhooksInput{WebhookID: webhookID, At: now(ctx)}
		return remote(webhooks.SendWebhooks, in, workflow.ActivityOptions{
			StartToCloseTimeout: 10 * time.Minute, HeartbeatTimeout: 30 * time.Second,
		})(ctx)
	}
}

func (d *webhookDelivery) troubled(ctx workflow.Context, step string, err error) {
	d.Troubles.add(ctx, step, err, "webhook_id", d.WebhookID)
}

func (d *webhookDelivery) resolved(_ workflow.Context, step string) { d.Troubles.remove(step) }

func (d *webhookDelivery) givesWay(ctx workflow.Context) bool { return historyLong(ctx) }
