package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
	"handover/webhook"
)

// Webhooks says what their secrets are made of, and where they may go.
type Webhooks struct {
	Keys         *webhook.Keys // nil switches webhooks off
	AllowPrivate bool          // plain HTTP and private addresses are fine
}

// WebhookPath names a webhook.
type WebhookPath struct {
	ID string `path:"id" maxLength:"36" doc:"The webhook's ID" example:"01a1ffde-c038-72a2-abd3-2ee046c7cc2d"`
}

// WebhookWrite does something with a webhook.
type WebhookWrite struct {
	WebhookPath
	OriginInput
}

// DeliveryPath names a delivery of a webhook, to be sent again.
type DeliveryPath struct {
	WebhookWrite
	DeliveryID string `path:"delivery_id" maxLength:"40" doc:"The delivery's ID, the same as the webhook-id header" example:"msg_1041"`
}

// WebhooksInput says whose webhooks are listed.
type WebhooksInput struct {
	OrganizationID string `query:"organization_id" maxLength:"36" doc:"An organization within reach; none is the caller's own"`
}

// WebhookFields are what a webhook is created with.
type WebhookFields struct {
	OrganizationID string    `json:"organization_id,omitempty" maxLength:"36" doc:"An organization within reach; none is the caller's own"`
	URL            string    `json:"url" maxLength:"2000" doc:"Where events are sent" example:"https://hooks.example.com/handover"`
	Description    *string   `json:"description,omitempty" maxLength:"2000" doc:"For people"`
	Events         *[]string `json:"events,omitempty" maxItems:"100" doc:"What to be told of; none is every case and document event" example:"[\"ClaimDocOwnership\"]"`
}

// CreateWebhookInput creates a webhook.
type CreateWebhookInput struct {
	OriginInput
	Body WebhookFields
}

// WebhookSecret is a webhook's secret, which is shown this once.
type WebhookSecret struct {
	WebhookID      string     `json:"webhook_id"`
	Secret         string     `json:"secret" doc:"What verifies signatures; it is not shown again" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	OldSecretUntil *time.Time `json:"old_secret_until,omitempty" doc:"Until when the secret before signs too"`
}

// WebhookSecretOutput shows a secret.
type WebhookSecretOutput struct {
	Location     string `header:"Location"`
	CacheControl string `header:"Cache-Control"`
	Body         WebhookSecret
}

// ChangeWebhookInput changes a webhook; what is left out stays as it is.
type ChangeWebhookInput struct {
	WebhookWrite
	Body struct {
		URL         *string                    `json:"url,omitempty" maxLength:"2000" doc:"Where events are sent"`
		Description *string                    `json:"description,omitempty" maxLength:"2000" doc:"For people"`
		Events      *[]string                  `json:"events,omitempty" maxItems:"100" doc:"What to be told of; an empty list is every case and document event"`
		Status      *offboarding.WebhookStatus `json:"status,omitempty" enum:"active,disabled" doc:"Whether anything is sent"`
	}
}

// WebhookOutput is a webhook.
type WebhookOutput struct{ Body offboarding.Webhook }

// WebhooksOutput lists webhooks.
type WebhooksOutput struct {
	Body offboarding.Page[offboarding.Webhook]
}

// DeliveriesInput says which deliveries are listed.
type DeliveriesInput struct {
	WebhookPath
	PageInput
	Status offboarding.DeliveryStatus `query:"status" enum:"pending,delivered,failed" doc:"How far they are"`
	Event  string                     `query:"event" maxLength:"100" doc:"The event, or webhook.test" example:"ClaimDocOwnership"`
}

// DeliveriesOutput lists deliveries.
type DeliveriesOutput struct {
	Body offboarding.Page[offboarding.Delivery]
}

// QueuedOutput names a delivery that is sent as soon as can be.
type QueuedOutput struct {
	Body struct {
		DeliveryID string `json:"delivery_id" example:"msg_1041"`
	}
}

// queued is the answer of what puts a delivery into the outbox.
func queued(id string, err error) (*QueuedOutput, error) {
	out := &QueuedOutput{}
	out.Body.DeliveryID = id
	return out, err
}

func (a *API) webhookRoutes() {
	op := func(method, path, id, summary, description string, errors ...int) huma.Operation {
		return huma.Operation{
			Method: method, Path: "/v1/webhooks" + path, OperationID: id, Summary: summary, Description: description,
			Tags: []string{"Webhooks"}, Errors: errors,
		}
	}
	const one, many = "/{id}", ""
	register(a, AccessAdmin, op(http.MethodGet, many, "list-webhooks", "List webhooks",
		"The webhooks of an organization, the oldest first, with how they have been answering. An organization has 20 at most.",
		http.StatusNotFound), a.listWebhooks)

	creating := op(http.MethodPost, many, "create-webhook", "Create a webhook",
		"Registers a URL for events of an organization. The answer has the secret, which is shown this once.",
		http.StatusNotFound, http.StatusConflict)
	creating.DefaultStatus = http.StatusCreated
	register(a, AccessAdmin, creating, a.createWebhook)

	register(a, AccessAdmin, op(http.MethodGet, one, "get-webhook", "Read a webhook",
		"A webhook without its secret, with how it has been answering.", http.StatusNotFound),
		func(ctx context.Context, c *auth.Caller, in *WebhookPath) (*WebhookOutput, error) {
			w, err := a.store.FindWebhook(ctx, in.ID, c.Organizations...)
			return &WebhookOutput{w}, err
		})

	register(a, AccessAdmin, op(http.MethodPatch, one, "update-webhook", "Change a webhook",
		"Changes what the body names. A disabled webhook is sent nothing, and nothing new is kept for it; what is pending waits until it is active again.",
		http.StatusNotFound), a.changeWebhook)

	deleting := op(http.MethodDelete, one, "delete-webhook", "Delete a webhook", "What is pending is not sent any more.", http.StatusNotFound)
	deleting.DefaultStatus = http.StatusNoContent
	register(a, AccessAdmin, deleting, func(ctx context.Context, c *auth.Caller, in *WebhookWrite) (*struct{}, error) {
		origin, err := a.writing(ctx, c, in)
		if err != nil {
			return nil, err
		}
		return nil, a.store.DeleteWebhook(ctx, in.ID, c.Member.ID, origin, a.now())
	})

	register(a, AccessAdmin, op(http.MethodPost, one+"/roll-secret", "roll-webhook-secret", "Roll a webhook's secret",
		"Makes a new secret, shown this once. The one before signs too for 24 hours: messages have both signatures meanwhile.",
		http.StatusNotFound, http.StatusConflict), a.rollSecret)

	testing := op(http.MethodPost, one+"/test", "test-webhook", "Send a test event",
		"Sends `webhook.test` as any other event is sent, whatever events the webhook wants.", http.StatusNotFound, http.StatusConflict)
	testing.DefaultStatus = http.StatusAccepted
	register(a, AccessAdmin, testing, func(ctx context.Context, c *auth.Caller, in *WebhookWrite) (*QueuedOutput, error) {
		origin, err := a.writing(ctx, c, in)
		if err != nil {
			return nil, err
		}
		delivery, err := a.store.TestWebhook(ctx, in.ID, c.Member.ID, origin, a.now())
		return queued(offboarding.MessageID(delivery), err)
	})

	register(a, AccessAdmin, op(http.MethodGet, one+"/deliveries", "list-deliveries", "List deliveries",
		"What was, or is to be, sent to a webhook, the newest first. What has ended is kept for 30 days.", http.StatusNotFound), a.deliveries)

	again := op(http.MethodPost, one+"/deliveries/{delivery_id}/redeliver", "redeliver", "Send a delivery again",
		"Sends it again under the same ID, and retries it as if it were new.", http.StatusNotFound, http.StatusConflict)
	again.DefaultStatus = http.StatusAccepted
	register(a, AccessAdmin, again, func(ctx context.Context, c *auth.Caller, in *DeliveryPath) (*QueuedOutput, error) {
		origin, err := a.writing(ctx, c, &in.WebhookWrite)
		if err != nil {
			return nil, err
		}
		delivery, _ := offboarding.ParseMessageID(in.DeliveryID) // 0 is none
		return queued(in.DeliveryID, a.store.Redeliver(ctx, in.ID, delivery, c.Member.ID, origin, a.now()))
	})
}

// writing finds out whether a webhook that is to be changed is within reach, and where
// the request comes from.
func (a *API) writing(ctx context.Context, c *auth.Caller, in *WebhookWrite) (origin string, err error) {
	if _, err := a.store.FindWebhook(ctx, in.ID, c.Organizations...); err != nil {
		return "", err
	}
	origin, violations := in.origin()
	return origin, offboarding.RefusalOf(violations)
}

// webhookOwner is the organization that a request about webhooks means.
func webhookOwner(c *auth.Caller, id string) (string, error) {
	switch {
	case id == "":
		return c.Organizations[0], nil
	case c.Reaches(id):
		return id, nil
	}
	return "", offboarding.Refuse("", offboarding.CodeWebhookNotFound, "organization_id", "there is no such organization in reach")
}

func (a *API) listWebhooks(ctx context.Context, c *auth.Caller, in *WebhooksInput) (*WebhooksOutput, error) {
	organization, err := webhookOwner(c, in.OrganizationID)
	if err != nil {
		return nil, err
	}
	out := &WebhooksOutput{}
	out.Body.Items, err = a.store.Webhooks(ctx, organization)
	return out, err
}

func (a *API) createWebhook(ctx context.Context, c *auth.Caller, in *CreateWebhookInput) (*WebhookSecretOutput, error) {
	origin, violations := in.origin()
	organization, err := webhookOwner(c, in.Body.OrganizationID)
	if len(violations) > 0 && err == nil {
		err = offboarding.RefusalOf(violations)
	}
	if err != nil {
		return nil, err
	}
	keys, err := a.webhookKeys()
	if err != nil {
		return nil, err
	}
	w, ref, err := a.store.CreateWebhook(ctx, offboarding.WebhookChange{
		WebhookID: a.newID(ctx, "webhook"), OrganizationID: organization, AdminID: c.Member.ID, Origin: origin,
		URL: &in.Body.URL, Description: in.Body.Description, Events: in.Body.Events,
		SecretRef: keys.Ref(a.newID(ctx, "secret")), AllowPrivate: a.webhooks.AllowPrivate, At: a.now(),
	})
	if err != nil {
		return nil, err
	}
	return shown(keys, WebhookSecret{WebhookID: w.ID}, ref)
}

func (a *API) changeWebhook(ctx context.Context, c *auth.Caller, in *ChangeWebhookInput) (*WebhookOutput, error) {
	origin, err := a.writing(ctx, c, &in.WebhookWrite)
	if err != nil {
		return nil, err
	}
	w, err := a.store.UpdateWebhook(ctx, offboarding.WebhookChange{
		WebhookID: in.ID, AdminID: c.Member.ID, Origin: origin, URL: in.Body.URL, Description: in.Body.Description, Events: in.Body.Events,
		Status: in.Body.Status, AllowPrivate: a.webhooks.AllowPrivate, At: a.now(),
	})
	return &WebhookOutput{w}, err
}

func (a *API) rollSecret(ctx context.Context, c *auth.Caller, in *WebhookWrite) (*WebhookSecretOutput, error) {
	origin, err := a.writing(ctx, c, in)
	if err != nil {
		return nil, err
	}
	keys, err := a.webhookKeys()
	if err != nil {
		return nil, err
	}
	ref := keys.Ref(a.newID(ctx, "secret"))
	until, err := a.store.RollWebhookSecret(ctx, in.ID, c.Member.ID, origin, ref, a.now())
	if err != nil {
		return nil, err
	}
	return shown(keys, WebhookSecret{WebhookID: in.ID, OldSecretUntil: &until}, ref)
}

func (a *API) deliveries(ctx context.Context, c *auth.Caller, in *DeliveriesInput) (*DeliveriesOutput, error) {
	if _, err := a.store.FindWebhook(ctx, in.ID, c.Organizations...); err != nil {
		return nil, err
	}
	out, err := a.store.Deliveries(ctx, offboarding.DeliveryFilter{
		WebhookID: in.ID, Status: in.Status, Event: in.Event, Cursor: in.Cursor, Limit: in.Limit,
	})
	return &DeliveriesOutput{out}, err
}

// webhookKeys are what secrets are made of.
func (a *API) webhookKeys() (*webhook.Keys, error) {
	if a.webhooks.Keys == nil {
		return nil, offboarding.Refuse("", offboarding.CodeWebhooksOff, "", "whoever runs the server has to set HANDOVER_SECRET_KEY first")
	}
	return a.webhooks.Keys, nil
}

// shown answers with a secret, which nobody on the way may keep.
func shown(keys *webhook.Keys, s WebhookSecret, ref string) (*WebhookSecretOutput, error) {
	var err error
	if s.Secret, err = keys.Secret(s.WebhookID, ref); err != nil {
		return nil, err
	}
	return &WebhookSecretOutput{Location: "/v1/webhooks/" + s.WebhookID, CacheControl: "no-store", Body: s}, nil
}

// WithoutSecret is what repeats of the request are answered: the secret is kept
// nowhere, not with an idempotency key either.
func (o *WebhookSecretOutput) WithoutSecret() any {
	body := o.Body
	body.Secret = ""
	return body
}
