package workflows_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"

	"handover/activities"
	cases "handover/client"
	"handover/offboarding"
	"handover/webhook"
	"handover/workflows"
)

// post is a stand that also sends webhooks.
type post struct {
	*stand
	keys  *webhook.Keys
	cases *cases.Client
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{stand: newStand(t)}
	p.cases = cases.New(p.client)
	p.startPost()
	return p
}

// startPost sends webhooks from now on.
func (s *post) startPost() {
	var err error
	s.keys, err = webhook.NewKeys([]byte("a key for tests, of 32 bytes at least"))
	require.NoError(s.t, err)
	w := worker.New(s.client, offboarding.WebhookTaskQueue, worker.Options{WorkerStopTimeout: time.Second})
	sender := webhook.NewSender(webhook.Options{Keys: s.keys, AllowPrivate: true, Timeout: 2 * time.Second})
	workflows.RegisterWebhooks(w, activities.NewWebhooks(s.store, sender))
	require.NoError(s.t, w.Start())
	s.t.Cleanup(w.Stop)
}

// message is what a receiver was sent.
type message struct {
	ID        string
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Version    int             `json:"version"`
		EventID    int64           `json:"event_id"`
		CaseID     string          `json:"case_id"`
		MemberID   string          `json:"member_id"`
		DocumentID string          `json:"document_id"`
		Before     json.RawMessage `json:"before"`
		After      json.RawMessage `json:"after"`
	} `json:"data"`
}

// receiver is an endpoint that verifies what it is sent, as the library of Standard
// Webhooks does.
type receiver struct {
	*post
	id, secret string
	mu         sync.Mutex
	got        []message
	answer     func(message) int // nil is 204
}

// receiver registers an endpoint for the events, none for all.
func (s *post) receiver(events ...string) *receiver {
	s.t.Helper()
	r := &receiver{post: s}
	server := httptest.NewServer(r)
	s.t.Cleanup(server.Close)
	url := server.URL + "/hooks"
	w, ref, err := s.store.CreateWebhook(s.t.Context(), offboarding.WebhookChange{
		WebhookID: uuid.NewString(), OrganizationID: s.ID, AdminID: s.Admin, URL: &url, Events: &events,
		SecretRef: s.keys.Ref(uuid.NewString()), AllowPrivate: true, At: time.Now(),
	})
	require.NoError(s.t, err)
	r.id = w.ID
	r.secret, err = s.keys.Secret(w.ID, ref)
	require.NoError(s.t, err)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	verifier, badSecret := standardwebhooks.NewWebhook(r.secret)
	if err != nil || badSecret != nil || verifier.Verify(body, request.Header) != nil {
		r.t.Errorf("not signed as it should be: %s", body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m := message{ID: request.Header.Get(standardwebhooks.HeaderWebhookID)}
	if err := json.Unmarshal(body, &m); err != nil {
		r.t.Errorf("%s: %v", body, err)
	}
	r.mu.Lock()
	r.got = append(r.got, m)
	answer := r.answer
	r.mu.Unlock()
	status := http.StatusNoContent
	if answer != nil {
		status = answer(m)
	}
	w.WriteHeader(status)
}

// answers changes what the receiver answers from now on.
func (r *receiver) answers(answer func(message) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func always(status int) func(message) int { return func(message) int { return status } }

func (r *receiver) messages() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// wake does what the relay does.
func (r *receiver) wake() {
	r.t.Helper()
	require.NoError(r.t, r.cases.WakeWebhook(r.t.Context(), r.id))
}

// live is the workflow.
func (r *receiver) live() *live { return r.stand.live(offboarding.WebhookWorkflowID(r.id)) }

// sends waits until the workflow has ended: nothing is pending.
func (r *receiver) sends() {
	r.t.Helper()
	require.NoError(r.t, r.client.GetWorkflow(r.t.Context(), offboarding.WebhookWorkflowID(r.id), "").Get(r.t.Context(), nil))
}

func (r *receiver) forward(d time.Duration) {
	r.t.Helper()
	r.live().forward(d)
}

// becomes waits until a look at the database has this answer.
func (r *receiver) becomes(want, query string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return r.Text(query, r.id) == want }, time.Minute, 20*time.Millisecond, "%s is not %s", query, want)
}

// statuses counts the deliveries of the webhook.
const statuses = `SELECT concat_ws(' ', count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'delivered'),
	count(*) FILTER (WHERE status = 'failed')) FROM webhook_deliveries WHERE webhook_id = $1`

// event writes audit events of the organization, about a case each of its own unless
// one is named.
func (s *post) events(n int, caseID string) {
	s.t.Helper()
	s.Exec(`INSERT INTO audit_events (organization_id, event, case_id, origin, subject_kind, subject_id, before, after, at)
		SELECT $1, 'ExtendGrace', coalesce(nullif($3, '')::uuid, gen_random_uuid()), '', 'case', 'x', '{}', '{}', now() FROM generate_series(1, $2)`, s.ID, n, caseID)
}

// A case, from start to end, as a receiver learns of it: each event once, in its
// order, signed, and without what people have written.
func TestAReceiverIsToldOfACase(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	all, claims := s.receiver(), s.receiver(offboarding.EventClaimDocOwnership)
	document := documents(s.Organization, s.Leaver, 1)[0]
	c := s.start(s.Leaver, func(r *offboarding.Request) { r.Reason = "Ada is ill" })
	c.reaches(phase(offboarding.PhaseGrace))
	all.wake()
	c.claim(document, s.Manager)
	c.ends(offboarding.PhaseCompleted)
	for _, r := range []*receiver{all, claims} {
		r.wake()
		r.sends()
	}

	var told, ids []string
	for _, m := range all.messages() {
		require.NotContains(t, string(m.Data.Before)+string(m.Data.After), "Ada")
		require.Equal(t, []any{1, s.Leaver}, []any{m.Data.Version, m.Data.MemberID})
		told, ids = append(told, m.Type), append(ids, m.ID)
	}
	var happened []string
	require.NoError(t, s.DB.Select(&happened, `SELECT event FROM audit_events WHERE organization_id = $1 AND event <> 'CreateWebhook' ORDER BY id`, s.ID))
	require.Equal(t, happened, told)
	require.Contains(t, told, offboarding.EventDeactivateMember)
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), len(told), "IDs tell them apart")

	got := claims.messages()
	require.Len(t, got, 1)
	require.Equal(t, document, got[0].Data.DocumentID)
	require.JSONEq(t, s.Text(`SELECT after FROM audit_events WHERE event = 'ClaimDocOwnership'`), string(got[0].Data.After))
	require.Equal(t, s.Text(`SELECT id FROM audit_events WHERE event = 'ClaimDocOwnership'`), s.Text(`SELECT $1::bigint`, got[0].Data.EventID))
}

// A receiver that was down is told when it is back, under the same ID.
func TestAReceiverThatIsBackIsTold(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	r := s.receiver()
	r.answers(always(http.StatusBadGateway))
	s.events(1, "")
	r.wake()
	r.becomes("1 502 status", `SELECT concat_ws(' ', attempts, last_status, last_error) FROM webhook_deliveries WHERE webhook_id = $1`)
	r.forward(10 * time.Second)
	r.becomes("2", `SELECT attempts FROM webhook_deliveries WHERE webhook_id = $1`)
	r.answers(nil)
	r.forward(10 * time.Minute)
	r.sends()
	require.Equal(t, "0 1 0", s.Text(statuses, r.id))
	got := r.messages()
	require.Len(t, got, 3)
	require.Equal(t, []message{got[0], got[0]}, got[1:])
	require.Equal(t, "0 ", s.Text(`SELECT failures || ' ' || coalesce(failing_since::text, '') FROM webhooks WHERE id = $1`, r.id))
}

// Three days are enough: the delivery is given up, and the webhook disabled. An admin
// makes it active again, and sends the delivery again.
func TestThreeDays(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	r := s.receiver()
	r.answers(always(http.StatusInternalServerError))
	s.events(1, "")
	r.wake()
	r.becomes("1", `SELECT attempts FROM webhook_deliveries WHERE webhook_id = $1`)
	r.forward(71 * time.Hour)
	require.Equal(t, "pending", s.Text(`SELECT status FROM webhook_deliveries`))
	s.events(1, "") // which has not been tried for three days
	r.forward(25 * time.Hour)
	r.sends()
	require.Equal(t, "disabled failing", s.Text(`SELECT status || ' ' || disabled_reason FROM webhooks WHERE id = $1`, r.id))
	require.Equal(t, "1 0 1", s.Text(statuses, r.id), "what is new waits")
	require.Equal(t, "3 days", s.Text(`SELECT date_trunc('minute', ended_at - first_attempt_at) FROM webhook_deliveries WHERE status = 'failed'`))
	attempts := s.Count(`SELECT attempts FROM webhook_deliveries WHERE status = 'failed'`)
	require.Equal(t, 10, attempts)
	require.Equal(t, `UpdateWebhook {"host": "`+s.Text(`SELECT split_part(url, '/', 3) FROM webhooks`)+`", "events": [], "status": "disabled", "disabled": "failing"}`,
		s.Text(`SELECT event || ' ' || after FROM audit_events ORDER BY id DESC LIMIT 1`))

	s.events(1, "")
	require.Equal(t, "1 0 1", s.Text(statuses, r.id), "nothing new is kept for a webhook that is disabled")
	failed := s.Count(`SELECT id FROM webhook_deliveries WHERE status = 'failed'`)
	err := s.store.Redeliver(t.Context(), r.id, int64(failed), s.Admin, "", time.Now())
	require.Equal(t, offboarding.CodeWebhookDisabled, offboarding.CodeOf(err))
	active := offboarding.WebhookActive
	w, err := s.store.UpdateWebhook(t.Context(), offboarding.WebhookChange{WebhookID: r.id, AdminID: s.Admin, Status: &active, At: time.Now()})
	require.NoError(t, err)
	require.Equal(t, offboarding.WebhookHealth{}, w.WebhookHealth)
	require.NoError(t, s.store.Redeliver(t.Context(), r.id, int64(failed), s.Admin, "", time.Now()))
	r.answers(nil)
	r.wake()
	r.sends()
	require.Equal(t, "0 2 0", s.Text(statuses, r.id))
	got := r.messages()
	last := got[len(got)-2:] // of two cases, so in any order
	require.Contains(t, []string{last[0].ID, last[1].ID}, got[0].ID, "the same ID")
}

// Who says that it is gone is told nothing more.
func TestAReceiverThatIsGone(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	r := s.receiver()
	r.answers(always(http.StatusGone))
	s.events(20, uuid.NewString())
	r.wake()
	r.sends()
	require.Len(t, r.messages(), 1)
	require.Equal(t, "disabled gone", s.Text(`SELECT status || ' ' || disabled_reason FROM webhooks WHERE id = $1`, r.id))
}

// What was sent and could not be marked is sent again under the same ID.
func TestWhatIsNotMarkedIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	r := s.receiver()
	s.Exec(`CREATE FUNCTION refuse_marks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the database fails'; END $$`)
	s.Exec(`CREATE TRIGGER refuse_marks BEFORE UPDATE ON webhook_deliveries FOR EACH STATEMENT EXECUTE FUNCTION refuse_marks()`)
	s.events(2, uuid.NewString())
	r.wake()
	require.Eventually(t, func() bool { return len(r.messages()) >= 4 }, time.Minute, 10*time.Millisecond)
	s.Exec(`DROP TRIGGER refuse_marks ON webhook_deliveries`)
	r.sends()
	require.Equal(t, "0 2 0", s.Text(statuses, r.id))
	got := r.messages()
	for i, m := range got {
		require.Equal(t, got[i%2], m, "the same two, again and again")
	}
	require.Equal(t, 2, s.Count(`SELECT sum(attempts) FROM webhook_deliveries`), "those that are known")
}

// An event that the receiver never takes holds up none that come after it, and a
// receiver that hangs holds up no other.
func TestNobodyIsHeldUp(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	picky, hangs, other := s.receiver(), s.receiver(), s.receiver()
	release := make(chan struct{})
	s.t.Cleanup(func() { close(release) })
	hangs.answers(func(message) int { <-release; return http.StatusNoContent })
	s.events(30, uuid.NewString())
	bad := offboarding.MessageID(int64(s.Count(`SELECT min(id) FROM webhook_deliveries WHERE webhook_id = $1`, picky.id)))
	picky.answers(func(m message) int {
		if m.ID == bad {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	for _, r := range []*receiver{hangs, picky, other} {
		r.wake()
	}
	other.sends()
	require.Equal(t, "0 30 0", s.Text(statuses, other.id))
	picky.becomes("1 29 0", statuses)
	hangs.becomes("timeout", `SELECT last_error FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY id LIMIT 1`)
}

// A receiver that is down uses up the attempts of few deliveries, and gets all when
// it is back.
func TestAReceiverThatIsDownIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	r := s.receiver()
	r.answers(always(http.StatusServiceUnavailable))
	s.events(500, "")
	r.wake()
	r.becomes("true", `SELECT paused_until IS NOT NULL FROM webhooks WHERE id = $1`)
	r.forward(time.Hour)
	attempts := s.Count(`SELECT sum(attempts) FROM webhook_deliveries`)
	require.Less(t, attempts, 30, "eight at once, then one by one, ever more seldom")
	require.Greater(t, attempts, 10)
	r.answers(nil)
	r.forward(time.Hour)
	r.sends()
	require.Equal(t, "0 500 0", s.Text(statuses, r.id))
}

// Both secrets sign for a day after a roll, then the new one alone.
func TestARolledSecret(t *testing.T) {
	t.Parallel()
	s := newPost(t)
	r := s.receiver()
	ref := s.keys.Ref(uuid.NewString())
	until, err := s.store.RollWebhookSecret(t.Context(), r.id, s.Admin, "", ref, time.Now())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), until, time.Minute)
	again, err := s.store.RollWebhookSecret(t.Context(), r.id, s.Admin, "", ref, time.Now())
	require.NoError(t, err)
	require.Equal(t, until, again.UTC(), "a repeat changes nothing")
	s.events(1, "")
	r.wake()
	r.sends() // verified with the old one
	r.answers(always(http.StatusInternalServerError))
	r.mu.Lock()
	r.secret, err = s.keys.Secret(r.id, ref)
	r.mu.Unlock()
	require.NoError(t, err)
	s.events(1, "")
	r.wake()
	r.becomes("0", `SELECT count(*) FROM webhook_deliveries WHERE webhook_id = $1 AND attempts = 0`)
	r.answers(nil)
	r.forward(30 * time.Hour)
	r.sends() // and both with the new one
	require.Equal(t, "0 2 0", s.Text(statuses, r.id))
	batch, err := s.store.DueDeliveries(t.Context(), r.id, until.Add(-time.Second), 1)
	require.NoError(t, err)
	require.Len(t, batch.Target.SecretRefs, 2)
	batch, err = s.store.DueDeliveries(t.Context(), r.id, until, 1)
	require.NoError(t, err)
	require.Equal(t, []string{ref}, batch.Target.SecretRefs)
}

// A webhook that is woken again and again while a delivery waits continues as new,
// and the delivery is sent when its time comes.
func TestManyWakeUps(t *testing.T) {
	t.Parallel()
	runs := wokenOften(newPost(t)).histories()
	require.Greater(t, len(runs), 1)
	for _, run := range runs {
		require.Less(t, len(run.Events), 2500)
	}
}

func wokenOften(s *post) *live {
	r := s.receiver()
	r.answers(always(http.StatusInternalServerError))
	s.events(1, "")
	r.wake()
	r.becomes("1", `SELECT attempts FROM webhook_deliveries WHERE webhook_id = $1`)
	r.forward(10 * time.Second) // the next attempt is minutes ahead
	for range 24 {
		var wakers sync.WaitGroup
		for range 8 {
			wakers.Go(func() {
				for range 12 {
					if err := s.cases.WakeWebhook(s.t.Context(), r.id); err != nil {
						s.t.Error(err)
					}
				}
			})
		}
		wakers.Wait()
		r.status() // once all have been heard: Temporal lets no run end while more arrive
	}
	r.answers(nil)
	r.forward(10 * time.Minute)
	r.sends()
	require.Equal(s.t, "0 1 0", s.Text(statuses, r.id))
	return r.live()
}

func init() {
	posted := func(s *stand) *post {
		p := &post{stand: s, cases: cases.New(s.client)}
		p.startPost()
		return p
	}
	recorded["webhook-sent"] = func(_ *testing.T, s *stand, _ string) *live {
		p := posted(s)
		r := p.receiver()
		p.events(3, "")
		r.wake()
		r.sends()
		return r.live()
	}
	recorded["webhook-given-up"] = func(_ *testing.T, s *stand, _ string) *live {
		p := posted(s)
		r := p.receiver()
		r.answers(always(http.StatusInternalServerError))
		p.events(1, "")
		r.wake()
		r.becomes("1", `SELECT attempts FROM webhook_deliveries WHERE webhook_id = $1`)
		r.forward(96 * time.Hour)
		r.sends()
		return r.live()
	}
	recorded["webhook-woken-often"] = func(_ *testing.T, s *stand, _ string) *live { return wokenOften(posted(s)) }
	recorded["webhook-in-trouble"] = func(_ *testing.T, s *stand, _ string) *live {
		p := posted(s)
		r := p.receiver()
		p.events(1, "")
		s.Exec(`ALTER TABLE webhooks RENAME COLUMN secret_ref TO away`)
		r.wake()
		require.Eventually(s.t, func() bool { return r.status().Trouble != nil }, 2*time.Minute, 20*time.Millisecond)
		s.Exec(`ALTER TABLE webhooks RENAME COLUMN away TO secret_ref`)
		r.sends()
		return r.live()
	}
}

// status asks the workflow.
func (r *receiver) status() (status offboarding.WebhookDeliveryStatus) {
	value, err := r.client.QueryWorkflow(r.t.Context(), offboarding.WebhookWorkflowID(r.id), "", offboarding.QueryStatus)
	if err == nil {
		err = value.Get(&status)
	}
	require.NoError(r.t, err)
	return status
}

var measureWebhooks = flag.Int("measure-webhooks", 0, "send so many events to one webhook, and say how long it took")

// TestMeasureWebhooks says how fast one webhook is sent what a list of leavers comes
// to, and how long the histories are.
//
//	go test -run TestMeasureWebhooks ./workflows -measure-webhooks 100000 -v
func TestMeasureWebhooks(t *testing.T) {
	if *measureWebhooks == 0 {
		t.Skip("measures only with -measure-webhooks")
	}
	s := newPost(t)
	r := s.receiver()
	s.events(*measureWebhooks, "")
	start := time.Now()
	r.wake()
	r.sends()
	took := time.Since(start)
	require.Equal(t, fmt.Sprintf("0 %d 0", *measureWebhooks), s.Text(statuses, r.id))
	runs := r.live().histories()
	events, bytes := 0, 0
	for _, run := range runs {
		events, bytes = events+len(run.Events), bytes+proto.Size(run)
	}
	fmt.Printf("%d events in %v, %.0f a second; %d runs, %d events and %d bytes of history\n",
		*measureWebhooks, took, float64(*measureWebhooks)/took.Seconds(), len(runs), events, bytes)
}
