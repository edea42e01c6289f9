package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handover/offboarding"
	"handover/server/problem"
)

const webhooksPath = settingsPath + "/webhooks"

// webhooks registers where an organization is told of events.
func (c *Console) webhooks(mux *http.ServeMux) {
	c.route(mux, "GET "+webhooksPath, AccessAdmin, func(v *visit) error { return v.listWebhooks(v.Query("organization")) })
	c.route(mux, "POST "+webhooksPath, AccessAdmin, (*visit).createWebhook)
	c.route(mux, "GET "+webhooksPath+"/{id}", AccessAdmin, (*visit).webhook)
	c.route(mux, "POST "+webhooksPath+"/{id}", AccessAdmin, (*visit).toWebhook)
	c.route(mux, "GET "+webhooksPath+"/{id}/edit", AccessAdmin, (*visit).editWebhook)
	c.route(mux, "POST "+webhooksPath+"/{id}/edit", AccessAdmin, (*visit).changeWebhook)
}

// webhookAt is the path in the API of the webhook that the page is about.
func (v *visit) webhookAt(below string) string {
	return at("/v1/webhooks/%s", v.r.PathValue("id")) + below
}

// webhookPage is its page here.
func (v *visit) webhookPage() string { return at(webhooksPath+"/%s", v.r.PathValue("id")) }

// webhookList is what the list of webhooks shows.
type webhookList struct {
	Organizations []Option
	Organization  string
	Items         []offboarding.Webhook
	Choices       []Option // events that a new one can be told of
}

// Wants reports whether a new one is told of an event by name.
func (webhookList) Wants(string) bool { return false }

func (v *visit) listWebhooks(organization string) error {
	if err := v.followOpened(); err != nil {
		return err
	}
	list := webhookList{Organization: organization, Choices: eventOptions(offboarding.WebhookEvents)}
	var err error
	if list.Organizations, err = v.organizations(); err != nil {
		return err
	}
	var page offboarding.Page[offboarding.Webhook]
	query := url.Values{}
	if organization != "" {
		query.Set("organization_id", organization)
	}
	if err := v.get("/v1/webhooks", query, &page); err != nil {
		return err
	}
	list.Items = page.Items
	return v.show("webhooks", list)
}

// eventOptions are events to choose from, by their names.
func eventOptions(events []string) []Option {
	out := make([]Option, len(events))
	for i, event := range events {
		out[i] = Option{Value: event, Label: event}
	}
	return out
}

// Secret is what a page shows once: the API does not know it any more when the form is
// sent again.
type Secret struct {
	Kind   string // of what it is
	ID     string // that goes with it, "" for none
	Secret string
	Until  *time.Time // until when the one before works too
	Back   string
}

// webhookSecret is what the API answers with a secret.
type webhookSecret struct {
	ID     string     `json:"webhook_id"`
	Secret string     `json:"secret"`
	Until  *time.Time `json:"old_secret_until"`
}

func (v *visit) createWebhook() error {
	organization := v.Value("organization")
	body := map[string]any{"url": strings.TrimSpace(v.Value("url")), "description": v.Value("description"), "events": v.events()}
	if organization != "" {
		body["organization_id"] = organization
	}
	var made webhookSecret
	return v.judged(v.post("/v1/webhooks", body, &made),
		func() error { return v.listWebhooks(organization) },
		func() error {
			return v.show("secret", Secret{Kind: "webhook", Secret: made.Secret, Back: at(webhooksPath+"/%s", made.ID)})
		}, eventFields()...)
}

// events are those that were ticked.
func (v *visit) events() []string { return append([]string{}, v.r.PostForm["events"]...) }

// eventFields puts what is wrong with an event beside all of them.
func eventFields() []string {
	var pairs []string
	for i := range offboarding.WebhookEvents {
		pairs = append(pairs, fmt.Sprintf("events[%d]", i), "events")
	}
	return pairs
}

// oneWebhook is what the page of a webhook shows.
type oneWebhook struct {
	offboarding.Webhook
	Choices    []Option // events that it can be told of
	Deliveries offboarding.Page[offboarding.Delivery]
	Statuses   []Option
	Pending    bool // something on the page is still to be sent
}

// Wants reports whether a webhook is told of an event by name.
func (w oneWebhook) Wants(event string) bool { return slices.Contains(w.Events, event) }

func (v *visit) webhook() error {
	var page oneWebhook
	if err := v.get(v.webhookAt(""), nil, &page.Webhook); err != nil {
		return err
	}
	query := url.Values{"limit": {pageSize}}
	for _, name := range []string{"status", "cursor"} {
		if value := v.Query(name); value != "" {
			query.Set(name, value)
		}
	}
	if err := v.get(v.webhookAt("/deliveries"), query, &page.Deliveries); err != nil {
		return err
	}
	page.Pending = page.Status == offboarding.WebhookActive && slices.ContainsFunc(page.Deliveries.Items, func(d offboarding.Delivery) bool {
		return d.Status == offboarding.DeliveryPending
	})
	page.Statuses = append([]Option{{Label: v.T("webhook.deliveries_all")}}, options(v, "delivery", offboarding.DeliveryStatuses...)...)
	return v.show("webhook", page)
}

// toWebhook does to a webhook what the button says that sent the form.
func (v *visit) toWebhook() error {
	var made webhookSecret
	switch v.Value("do") {
	case "test":
		return v.judged(v.post(v.webhookAt("/test"), map[string]any{}, nil), v.webhook,
			func() error { return v.done(v.webhookPage(), "webhook_tested") })
	case "redeliver":
		return v.judged(v.post(v.webhookAt(at("/deliveries/%s/redeliver", v.Value("delivery"))), map[string]any{}, nil), v.webhook,
			func() error { return v.done(v.webhookPage(), "delivery_queued") })
	case "roll":
		return v.judged(v.post(v.webhookAt("/roll-secret"), map[string]any{}, &made), v.webhook, func() error {
			return v.show("secret", Secret{Kind: "webhook", Secret: made.Secret, Until: made.Until, Back: v.webhookPage()})
		})
	case "delete":
		return v.judged(v.call(http.MethodDelete, v.webhookAt(""), nil, nil, nil), v.webhook,
			func() error { return v.done(webhooksPath, "webhook_deleted") })
	case "enable", "disable":
		status := offboarding.WebhookActive
		if v.Value("do") == "disable" {
			status = offboarding.WebhookDisabled
		}
		return v.judged(v.call(http.MethodPatch, v.webhookAt(""), nil, map[string]any{"status": status}, nil), v.webhook,
			func() error { return v.done(v.webhookPage(), "webhook_changed") })
	}
	return problem.New(v.r.Context(), offboarding.CodeInvalidArgument, v.T("error.form"))
}

func (v *visit) editWebhook() error {
	page := oneWebhook{Choices: eventOptions(offboarding.WebhookEvents)}
	if err := v.get(v.webhookAt(""), nil, &page.Webhook); err != nil {
		return err
	}
	return v.show("webhook-edit", page)
}

func (v *visit) changeWebhook() error {
	body := map[string]any{"url": strings.TrimSpace(v.Value("url")), "description": v.Value("description"), "events": v.events()}
	return v.judged(v.call(http.MethodPatch, v.webhookAt(""), nil, body, nil), v.editWebhook,
		func() error { return v.done(v.webhookPage(), "webhook_changed") }, eventFields()...)
}
