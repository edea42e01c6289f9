package api_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
	"handover/webhook"
	"handover/workflows"
)

// posting is a stand whose server signs webhooks, and whose worker sends them.
func posting(t *testing.T) *stand {
	t.Helper()
	s := newStandWithoutWorker(t)
	keys, err := webhook.NewKeys([]byte("a key for tests, of 32 bytes at least"))
	require.NoError(t, err)
	s.webhooks = api.Webhooks{Keys: keys, AllowPrivate: true}
	s.url = s.serve(t)
	w := worker.New(s.temporal, offboarding.WebhookTaskQueue, worker.Options{WorkerStopTimeout: time.Second})
	workflows.RegisterWebhooks(w, activities.NewWebhooks(s.store, webhook.NewSender(webhook.Options{Keys: keys, AllowPrivate: true})))
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return s
}

// inbox verifies what it is sent with the secrets that it has.
type inbox struct {
	url      string
	mu       sync.Mutex
	secrets  []string
	verified []string // "<message ID> <how many of the secrets verify it>"
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		in.mu.Lock()
		defer in.mu.Unlock()
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		n := 0
		for _, secret := range in.secrets {
			verifier, err := standardwebhooks.NewWebhook(secret)
			if err == nil && verifier.Verify(body, r.Header) == nil {
				n++
			}
		}
		in.verified = append(in.verified, r.Header.Get("webhook-id")+" "+string(rune('0'+n)))
	}))
	t.Cleanup(server.Close)
	in.url = server.URL
	return in
}

func (in *inbox) trust(secret string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.secrets = append(in.secrets, secret)
}

func (in *inbox) got() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]string{}, in.verified...)
}

// sent waits until nothing is pending for a webhook.
func (s *stand) sent(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, s.cases.WakeWebhook(t.Context(), id))
	require.NoError(t, s.temporal.GetWorkflow(t.Context(), offboarding.WebhookWorkflowID(id), "").Get(t.Context(), nil))
}

type queued struct {
	DeliveryID string `json:"delivery_id"`
}

// A webhook from its creation to its end, over HTTP.
func TestAWebhookOverHTTP(t *testing.T) {
	t.Parallel()
	s := posting(t)
	in := newInbox(t)
	admin := s.as(s.Admin)
	create := admin.with("Idempotency-Key", "hook-1").with("Handover-Integration-Source", "SCRIPT,Acme,setup")
	var made, again api.WebhookSecret
	a := create.post(t, "/v1/webhooks", body{"url": in.url, "events": []string{"ClaimDocOwnership"}, "description": "HR"}).into(t, 201, &made)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, "/v1/webhooks/"+made.WebhookID, a.header.Get("Location"))
	require.Regexp(t, `^whsec_`, made.Secret)
	create.post(t, "/v1/webhooks", body{"url": in.url, "events": []string{"ClaimDocOwnership"}, "description": "HR"}).into(t, 201, &again)
	require.Equal(t, made.WebhookID, again.WebhookID)
	require.Equal(t, "SCRIPT,Acme,setup", s.Text(`SELECT origin FROM audit_events WHERE event = 'CreateWebhook'`))
	path := "/v1/webhooks/" + made.WebhookID

	var w offboarding.Webhook
	read := admin.get(t, path).into(t, 200, &w)
	require.NotContains(t, string(read.body), "secret")
	require.Equal(t, []any{in.url, "HR", offboarding.WebhookActive, s.Admin, []string{"ClaimDocOwnership"}}, []any{w.URL, w.Description, w.Status, w.CreatedBy, w.Events})
	var list offboarding.Page[offboarding.Webhook]
	admin.get(t, "/v1/webhooks").into(t, 200, &list)
	require.Equal(t, []offboarding.Webhook{w}, list.Items)

	in.trust(made.Secret)
	var first, second queued
	admin.post(t, path+"/test", nil).into(t, 202, &first)
	s.sent(t, w.ID)
	require.Equal(t, []string{first.DeliveryID + " 1"}, in.got())

	var rolled api.WebhookSecret
	admin.post(t, path+"/roll-secret", nil).into(t, 200, &rolled)
	require.NotEqual(t, made.Secret, rolled.Secret)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), *rolled.OldSecretUntil, time.Minute)
	in.trust(rolled.Secret)
	admin.post(t, path+"/test", nil).into(t, 202, &second)
	s.sent(t, w.ID)
	require.Equal(t, second.DeliveryID+" 2", in.got()[1], "the old and the new secret verify it")

	var page offboarding.Page[offboarding.Delivery]
	admin.get(t, path+"/deliveries?limit=1&status=delivered&event=webhook.test").into(t, 200, &page)
	require.Equal(t, []any{second.DeliveryID, 1, 200, offboarding.DeliveryDelivered},
		[]any{page.Items[0].MessageID, page.Items[0].Attempts, page.Items[0].LastStatus, page.Items[0].Status})
	var last offboarding.Page[offboarding.Delivery]
	admin.get(t, path+"/deliveries?limit=1&cursor="+page.Next).into(t, 200, &last)
	require.Equal(t, first.DeliveryID, last.Items[0].MessageID)
	require.Empty(t, last.Next)
	admin.get(t, path+"/deliveries?cursor=x").want(t, 400, offboarding.CodeInvalidArgument)
	admin.get(t, path+"/deliveries?status=lost").want(t, 400, offboarding.CodeInvalidArgument)
	admin.post(t, path+"/deliveries/"+first.DeliveryID+"/redeliver", nil).into(t, 202, &again)
	s.sent(t, w.ID)
	require.Equal(t, first.DeliveryID+" 2", in.got()[2], "the same ID")
	for _, id := range []string{"msg_0", "msg_99999999", "x"} {
		admin.post(t, path+"/deliveries/"+id+"/redeliver", nil).want(t, 404, offboarding.CodeDeliveryNotFound)
	}

	admin.patch(t, path, body{"status": "disabled", "events": []string{}}).into(t, 200, &w)
	require.Equal(t, []any{offboarding.WebhookDisabled, []string{}, "HR"}, []any{w.Status, w.Events, w.Description})
	admin.post(t, path+"/test", nil).want(t, 409, offboarding.CodeWebhookDisabled)
	admin.patch(t, path, body{"status": "deleted"}).want(t, 400, offboarding.CodeInvalidArgument)
	p := admin.patch(t, path, body{"url": "ftp://x.example", "events": []string{"Nothing", "DeleteMember"}}).want(t, 400, offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument)
	require.Equal(t, []string{"url", "events[0]"}, []string{p.Errors[0].Field, p.Errors[1].Field})
	admin.with("Handover-Integration-Source", "nobody").del(t, path, nil).want(t, 400, offboarding.CodeInvalidArgument)
	require.Equal(t, 204, admin.del(t, path, nil).status)
	admin.get(t, path).want(t, 404, offboarding.CodeWebhookNotFound)
	for _, secret := range []string{made.Secret, rolled.Secret} {
		require.NotContains(t, s.log.String(), secret)
		require.Zero(t, s.Count(`SELECT count(*) FROM webhooks w WHERE w::text LIKE '%' || $1 || '%'`, secret[6:]))
	}
	require.NotContains(t, s.log.String(), in.url)
}

// Webhooks are for admins, of organizations within their reach.
func TestWhoMayCallWebhooks(t *testing.T) {
	t.Parallel()
	s := posting(t)
	other := fixture.New(t, s.DB)
	var theirs api.WebhookSecret
	s.as(other.Owner).post(t, "/v1/webhooks", body{"url": "https://hooks.example.com/"}).into(t, 201, &theirs)
	s.as(s.Admin).post(t, "/v1/webhooks", body{"url": "https://hooks.example.com/", "organization_id": other.ID}).want(t, 404, offboarding.CodeWebhookNotFound)
	s.as(s.Admin).get(t, "/v1/webhooks?organization_id="+other.ID).want(t, 404, offboarding.CodeWebhookNotFound)
	for _, id := range []string{theirs.WebhookID, uuid.NewString(), "x"} {
		path := "/v1/webhooks/" + id
		for _, a := range []*answer{
			s.as(s.Admin).get(t, path), s.as(s.Admin).patch(t, path, body{}), s.as(s.Admin).del(t, path, nil), s.as(s.Admin).get(t, path+"/deliveries"),
			s.as(s.Admin).post(t, path+"/test", nil), s.as(s.Admin).post(t, path+"/roll-secret", nil), s.as(s.Admin).post(t, path+"/deliveries/msg_1/redeliver", nil),
		} {
			a.want(t, 404, offboarding.CodeWebhookNotFound)
		}
		s.as(s.Manager).get(t, path).want(t, 403, offboarding.CodeNotAuthorized)
		s.as("").get(t, path).want(t, 401, "unauthenticated")
	}
	require.Equal(t, []string{"CreateWebhook"}, other.Events())
	require.Empty(t, s.Events())
	s.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, s.ID)
	s.Exec(`UPDATE organizations SET parent_id = $1 WHERE id = $2`, s.ID, other.ID)
	var list offboarding.Page[offboarding.Webhook]
	s.as(s.Admin).get(t, "/v1/webhooks?organization_id="+other.ID).into(t, 200, &list)
	require.Equal(t, theirs.WebhookID, list.Items[0].ID)
}

// Without the setting, webhooks go to the internet and nowhere else; without a key,
// nowhere.
func TestWhereWebhooksMayGo(t *testing.T) {
	t.Parallel()
	s := posting(t)
	s.webhooks.AllowPrivate = false
	strict := s.as(s.Admin).at(s.serve(t))
	for _, url := range []string{"http://hooks.example.com/", "https://127.0.0.1/", "https://metadata.google.internal/", "https://[fd00:ec2::254]/"} {
		p := strict.post(t, "/v1/webhooks", body{"url": url}).want(t, 400, offboarding.CodeInvalidArgument)
		require.Equal(t, "url", p.Errors[0].Field)
	}
	var made api.WebhookSecret
	strict.post(t, "/v1/webhooks", body{"url": "https://hooks.example.com/"}).into(t, 201, &made)
	strict.patch(t, "/v1/webhooks/"+made.WebhookID, body{"url": "https://10.0.0.1/"}).want(t, 400, offboarding.CodeInvalidArgument)
	s.webhooks = api.Webhooks{}
	off := s.as(s.Admin).at(s.serve(t))
	off.post(t, "/v1/webhooks", body{"url": "https://hooks.example.com/"}).want(t, 409, offboarding.CodeWebhooksOff)
	off.post(t, "/v1/webhooks/"+made.WebhookID+"/roll-secret", nil).want(t, 409, offboarding.CodeWebhooksOff)
}
