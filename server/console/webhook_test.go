package console_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	"handover/internal/fixture"
	"handover/offboarding"
	"handover/webhook"
	"handover/workflows"
)

// send runs what sends the webhooks of a desk.
func (d *desk) send(t *testing.T) {
	t.Helper()
	keys, err := webhook.NewKeys([]byte("a key for tests, of 32 bytes at least"))
	require.NoError(t, err)
	w := worker.New(d.temporal, offboarding.WebhookTaskQueue, worker.Options{WorkerStopTimeout: time.Second})
	workflows.RegisterWebhooks(w, activities.NewWebhooks(d.store, webhook.NewSender(webhook.Options{Keys: keys, AllowPrivate: true})))
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

// sent waits until nothing is pending for a webhook.
func (d *desk) sent(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, d.cases.WakeWebhook(t.Context(), id))
	require.NoError(t, d.temporal.GetWorkflow(t.Context(), offboarding.WebhookWorkflowID(id), "").Get(t.Context(), nil))
}

// A webhook from its creation to its end: the secret that the page shows verifies what
// arrives.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.send(t)
	var secret atomic.Value
	var verified atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := secret.Load().(string)
		verifier, err := standardwebhooks.NewWebhook(text)
		body, readErr := io.ReadAll(r.Body)
		if err == nil && readErr == nil && verifier.Verify(body, r.Header) == nil {
			verified.Add(1)
		}
	}))
	t.Cleanup(receiver.Close)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/settings/webhooks")
	require.Equal(t, "Nobody is told of events yet.", list.text(".empty"))
	form := url.Values{"key": {"once"}, "url": {receiver.URL}, "description": {"HR"}, "events": {"ClaimDocOwnership", "TransferDocs"}}
	made := admin.open(t, http.MethodPost, "/console/settings/webhooks", form, "Sec-Fetch-Site", "same-origin")
	word := made.Find("#secret").AttrOr("value", "")
	require.Regexp(t, `^whsec_`, word, made.text("main"))
	secret.Store(word)
	again := admin.open(t, http.MethodPost, "/console/settings/webhooks", form, "Sec-Fetch-Site", "same-origin")
	require.Zero(t, again.Find("#secret").Length())
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM webhooks`))

	list = admin.get(t, "/console/settings/webhooks")
	require.Contains(t, list.text("tbody tr"), "HR 2 events Active")
	at := list.Find("tbody a").AttrOr("href", "")
	id := path.Base(at)
	one := admin.get(t, at).submit(t, "form#test", nil)
	require.Equal(t, "A test event is on its way.", one.text(".notice"))
	d.sent(t, id)
	require.EqualValues(t, 1, verified.Load())
	one = admin.get(t, at)
	require.Contains(t, one.text("#deliveries tbody tr"), "webhook.test")
	require.Contains(t, one.text("#deliveries tbody tr"), "Delivered Arrived Answer 200")
	require.Zero(t, one.Find("#deliveries[hx-trigger]").Length(), "nothing is pending")
	require.Zero(t, admin.get(t, at+"?status=failed").Find("#deliveries tbody tr").Length())

	one = one.submit(t, "#deliveries tbody form", nil)
	require.Equal(t, "It is sent again.", one.text(".notice"))
	d.sent(t, id)
	require.EqualValues(t, 2, verified.Load())
	rolled := admin.open(t, http.MethodPost, at, url.Values{"do": {"roll"}}, "Sec-Fetch-Site", "same-origin")
	require.NotEqual(t, word, rolled.Find("#secret").AttrOr("value", word))
	require.Contains(t, rolled.text("main"), "The secret before signs too until")

	edit := admin.get(t, at+"/edit")
	require.Equal(t, 2, edit.Find("[name=events][checked]").Length())
	one = edit.submit(t, "form#edit", url.Values{"description": {"Payroll"}, "events": nil})
	require.Contains(t, one.text(".facts"), "Payroll")
	require.Contains(t, one.text(".facts"), "All of cases and documents")
	one = one.submit(t, "form#disable", nil)
	require.Contains(t, one.text(".facts"), "Disabled")
	require.Zero(t, one.Find("form#test").Length())
	refused := admin.open(t, http.MethodPost, at, url.Values{"do": {"test"}}, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusConflict, refused.status)
	require.Contains(t, refused.text(".faults"), "disabled")
	one = one.submit(t, "form#enable", nil)
	require.Contains(t, one.text(".facts"), "Active")

	deleted := one.submit(t, `form:has([name=do][value=delete])`, nil)
	require.Equal(t, "The webhook is deleted.", deleted.text(".notice"))
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, at, nil).status)
	require.NotContains(t, d.log.String(), word)
}

// Mistakes stand beside their field; another tenant's webhooks are not there.
func TestMistakesInWebhooks(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stranger := fixture.New(t, d.DB)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/settings/webhooks")
	wrong := page.submit(t, "form#create", url.Values{"url": {"ftp://x.example"}, "description": {"HR"}, "events": {"TransferDocs", "Nothing"}})
	require.Equal(t, http.StatusBadRequest, wrong.status)
	require.NotEmpty(t, wrong.text("#fault-url"))
	require.NotEmpty(t, wrong.text("#fault-events"))
	require.Equal(t, "ftp://x.example", wrong.Find("[name=url]").AttrOr("value", ""))
	require.Equal(t, "TransferDocs", wrong.Find("[name=events][checked]").AttrOr("value", ""))
	require.Zero(t, d.Count(`SELECT count(*) FROM webhooks`))

	theirs := d.as(stranger.Admin).get(t, "/console/settings/webhooks").submit(t, "form#create", url.Values{"url": {"https://hooks.example.com/"}})
	at := theirs.Find("main a.button").AttrOr("href", "")
	require.Contains(t, at, "/console/settings/webhooks/")
	for _, below := range []string{"", "/edit"} {
		require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, at+below, nil).status)
	}
	for _, do := range []string{"test", "roll", "delete", "disable", "enable", "redeliver"} {
		got := admin.open(t, http.MethodPost, at, url.Values{"do": {do}, "delivery": {"msg_1"}}, "Sec-Fetch-Site", "same-origin")
		require.Equal(t, http.StatusNotFound, got.status, do)
	}
	require.Equal(t, http.StatusBadRequest, admin.open(t, http.MethodPost, at, url.Values{"do": {"nothing"}}, "Sec-Fetch-Site", "same-origin").status)
	require.Equal(t, "CreateWebhook", d.Text(`SELECT string_agg(event, ' ') FROM audit_events WHERE subject_kind = 'webhook'`))
}
