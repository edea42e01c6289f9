package postgres_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// hook makes a webhook for the events, none for all.
func (l *leaving) hook(events ...string) string {
	l.t.Helper()
	w, ref, err := l.store.CreateWebhook(l.t.Context(), l.hookChange(events...))
	require.NoError(l.t, err)
	require.Equal(l.t, "k.1", ref)
	return w.ID
}

func (l *leaving) hookChange(events ...string) offboarding.WebhookChange {
	url := "https://hooks.example.com/" + newID()
	return offboarding.WebhookChange{
		WebhookID: newID(), OrganizationID: l.ID, AdminID: l.Admin, Origin: "SCRIPT,Acme,setup", URL: &url, Events: &events, SecretRef: "k.1", At: l.at,
	}
}

// outbox is what is to be sent to a webhook, as it would be sent now.
func (l *leaving) outbox(webhook string) (bodies []map[string]any) {
	l.t.Helper()
	batch, err := l.store.DueDeliveries(l.t.Context(), webhook, l.at, 1000)
	require.NoError(l.t, err)
	for _, d := range batch.Due {
		var body map[string]any
		require.NoError(l.t, json.Unmarshal(d.Message.Body, &body))
		bodies = append(bodies, body)
	}
	return bodies
}

func types(bodies []map[string]any) (out []string) {
	for _, b := range bodies {
		out = append(out, b["type"].(string))
	}
	return out
}

// The outbox has each case and document event of the organization once, for each
// webhook that wants it, and nothing else.
func TestTheOutbox(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	other := newLeavingOn(t, fixture.New(t, l.DB), l.store)
	all, claims, disabled, foreign := l.hook(), l.hook(offboarding.EventClaimDocOwnership, offboarding.EventDeleteMember), l.hook(), other.hook()
	off := offboarding.WebhookDisabled
	_, err := l.store.UpdateWebhook(t.Context(), offboarding.WebhookChange{WebhookID: disabled, AdminID: l.Admin, Status: &off, At: l.at})
	require.NoError(t, err)
	setup := len(l.Events())

	document, maker := l.claimable()
	l.inGrace()
	l.claim(document, maker)
	l.hold(offboarding.Hold{MemberID: l.Manager})
	l.lift(l.Text(`SELECT id FROM legal_holds`))
	_, _, err = l.store.ChangeSettings(t.Context(), offboarding.SettingsChange{
		OrganizationID: l.ID, AdminID: l.Owner, Changes: map[string]string{"grace_period": "9d"}, At: l.at,
	})
	require.NoError(t, err)

	happened := l.Events()[setup:]
	require.Equal(t, offboarding.EventChangeSettings, happened[len(happened)-1])
	require.Equal(t, happened[:len(happened)-1], types(l.outbox(all)))
	for _, event := range types(l.outbox(all)) {
		require.Contains(t, offboarding.WebhookEvents, event)
	}
	require.Equal(t, []string{offboarding.EventClaimDocOwnership}, types(l.outbox(claims)))
	require.Empty(t, l.outbox(disabled))
	require.Zero(t, l.Count(`SELECT count(*) FROM webhook_deliveries WHERE webhook_id = ANY (ARRAY[$1, $2]::uuid[])`, disabled, foreign))

	claim := l.outbox(claims)[0]
	data := claim["data"].(map[string]any)
	require.Equal(t, l.Text(`SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') FROM audit_events WHERE event = 'ClaimDocOwnership'`), claim["timestamp"])
	require.Equal(t, []any{l.ID, l.id, l.member, document, "document", document},
		[]any{data["organization_id"], data["case_id"], data["member_id"], data["document_id"], data["subject_kind"], data["subject_id"]})
}

// What is not committed is not sent.
func TestTheOutboxIsPartOfTheTransaction(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	hook := l.hook()
	l.Document(l.member, "")
	l.inGrace()
	before := l.Count(`SELECT count(*) FROM webhook_deliveries`)
	require.Equal(t, before, l.Count(`SELECT count(*) FROM audit_events WHERE case_id = $1`, l.id))
	l.Exec(`CREATE FUNCTION refuse_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'at the very end'; END $$`)
	l.Exec(`CREATE CONSTRAINT TRIGGER refuse_step AFTER INSERT ON case_steps DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_step()`)
	_, err := l.store.Advance(t.Context(), offboarding.AdvanceInput{Step: l.step("advance"), Phase: offboarding.PhaseReadOnly})
	require.Error(t, err)
	require.Equal(t, before, l.Count(`SELECT count(*) FROM webhook_deliveries`))
	require.Len(t, l.outbox(hook), before)
}

// Texts that people have written are not sent, and after an erasure nothing is left
// of a member in what is still to be sent.
func TestWebhooksTellNothingPersonal(t *testing.T) {
	t.Parallel()
	l := known(t)
	hook := l.hook()
	// What has happened before, as if the webhook had been there.
	l.Exec(`INSERT INTO webhook_deliveries (webhook_id, event_id, event, created_at) SELECT $1, id, event, at FROM audit_events`, hook)
	sent := func() string {
		text, err := json.Marshal(l.outbox(hook))
		require.NoError(t, err)
		return strings.ToLower(string(text))
	}
	require.Contains(t, strings.ToLower(l.Text(`SELECT string_agg(a::text, ' ') FROM audit_events a`)), marker)
	require.NotContains(t, sent(), marker)
	require.NotContains(t, sent(), "@acme.example")
	require.Contains(t, sent(), "erased")
	l.deleted()
	require.NotContains(t, sent(), marker)
	require.Equal(t, offboarding.EventDeleteMember, types(l.outbox(hook))[len(l.outbox(hook))-1])
}

// Every change is in the audit once; of the URL only the host is.
func TestWebhooksAreAudited(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	ctx := t.Context()
	c := l.hookChange()
	w, _, err := l.store.CreateWebhook(ctx, c)
	require.NoError(t, err)
	again, _, err := l.store.CreateWebhook(ctx, c)
	require.NoError(t, err)
	require.Equal(t, w.ID, again.ID, "a repeat")
	url, events, text := "https://other.example.com/secret-path", []string{"ClaimDocOwnership"}, "for HR"
	update := offboarding.WebhookChange{WebhookID: w.ID, AdminID: l.Owner, Origin: "AI,Acme,x", URL: &url, Events: &events, Description: &text, At: l.at}
	w, err = l.store.UpdateWebhook(ctx, update)
	require.NoError(t, err)
	_, err = l.store.UpdateWebhook(ctx, update) // which changes nothing
	require.NoError(t, err)
	_, err = l.store.RollWebhookSecret(ctx, w.ID, l.Owner, "", "k.2", l.at)
	require.NoError(t, err)
	_, err = l.store.RollWebhookSecret(ctx, w.ID, l.Owner, "", "k.2", l.at) // a repeat
	require.NoError(t, err)
	delivery, err := l.store.TestWebhook(ctx, w.ID, l.Owner, "", l.at)
	require.NoError(t, err)
	require.Equal(t, []string{offboarding.WebhookTest}, types(l.outbox(w.ID)), "though it wants claims only")
	require.NoError(t, l.store.Redeliver(ctx, w.ID, delivery, l.Owner, "", l.at))
	refused(t, offboarding.CodeDeliveryNotFound, l.store.Redeliver(ctx, w.ID, delivery+1, l.Owner, "", l.at))
	require.NoError(t, l.store.DeleteWebhook(ctx, w.ID, l.Owner, "", l.at))
	refused(t, offboarding.CodeWebhookNotFound, l.store.DeleteWebhook(ctx, w.ID, l.Owner, "", l.at))
	_, err = l.store.FindWebhook(ctx, w.ID, l.ID)
	refused(t, offboarding.CodeWebhookNotFound, err)

	require.Equal(t, []string{"CreateWebhook", "UpdateWebhook", "RollWebhookSecret", "TestWebhook", "RedeliverWebhook", "DeleteWebhook"}, l.Events())
	require.Equal(t, `{"host": "other.example.com", "events": ["ClaimDocOwnership"], "status": "active", "description": "changed"}`,
		l.Text(`SELECT after FROM audit_events WHERE event = 'UpdateWebhook'`))
	require.Zero(t, l.Count(`SELECT count(*) FROM audit_events WHERE subject_kind <> 'webhook' OR subject_id <> $1 OR (before::text || after::text) ~ 'secret-path'`, w.ID))
	require.Empty(t, l.outbox(w.ID), "what is pending is not sent any more")
	require.Zero(t, l.Count(`SELECT count(*) FROM webhooks WHERE url <> '' OR description <> ''`))
}

// Only admins in whose reach a webhook is do anything about it; for everybody else's
// admin it does not exist.
func TestWhoMayDoWhatAboutWebhooks(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	stranger := fixture.New(t, l.DB)
	hook := l.hook()
	ctx := t.Context()
	before := dump(t, l.DB)
	for admin, code := range map[string]offboarding.Code{
		l.Manager: offboarding.CodeNotAuthorized, stranger.Owner: offboarding.CodeWebhookNotFound, newID(): offboarding.CodeWebhookNotFound,
	} {
		c := l.hookChange()
		c.AdminID = admin
		_, _, err := l.store.CreateWebhook(ctx, c)
		refused(t, code, err)
		_, err = l.store.UpdateWebhook(ctx, offboarding.WebhookChange{WebhookID: hook, AdminID: admin, URL: c.URL, At: l.at})
		refused(t, code, err)
		refused(t, code, l.store.DeleteWebhook(ctx, hook, admin, "", l.at))
		_, err = l.store.RollWebhookSecret(ctx, hook, admin, "", "k.2", l.at)
		refused(t, code, err)
		_, err = l.store.TestWebhook(ctx, hook, admin, "", l.at)
		refused(t, code, err)
		refused(t, code, l.store.Redeliver(ctx, hook, 1, admin, "", l.at))
	}
	require.Equal(t, before, dump(t, l.DB))
	_, err := l.store.FindWebhook(ctx, hook, stranger.ID)
	refused(t, offboarding.CodeWebhookNotFound, err)
	_, err = l.store.FindWebhook(ctx, "no ID", l.ID)
	refused(t, offboarding.CodeWebhookNotFound, err)
	l.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, stranger.ID)
	l.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, l.ID, stranger.ID)
	require.NoError(t, l.store.DeleteWebhook(ctx, hook, stranger.Admin, "", l.at), "of an organization above")
}

// Twenty are enough, also where they come at once.
func TestTwentyWebhooks(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	for range offboarding.MaxWebhooks - 3 {
		l.hook()
	}
	var made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, _, err := l.store.CreateWebhook(t.Context(), l.hookChange())
			if err == nil {
				made.Add(1)
			} else if offboarding.CodeOf(err) != offboarding.CodeWebhookLimit {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Equal(t, int32(3), made.Load())
}

func (l *leaving) record(hook string, at time.Time, status int, due ...offboarding.DueDelivery) {
	l.t.Helper()
	attempt := offboarding.WebhookAttempt{Status: status}
	if status >= 300 {
		attempt.Error = offboarding.FailedStatus
	}
	var results []offboarding.DeliveryResult
	for _, d := range due {
		results = append(results, offboarding.DeliveryResult{DueDelivery: d, WebhookAttempt: attempt, At: at})
	}
	require.NoError(l.t, l.store.RecordDeliveries(l.t.Context(), hook, results))
}

func (l *leaving) due(hook string, at time.Time) offboarding.WebhookBatch {
	l.t.Helper()
	batch, err := l.store.DueDeliveries(l.t.Context(), hook, at, 100)
	require.NoError(l.t, err)
	return batch
}

// An attempt is marked once, whoever marks it, and not over somebody who has asked
// for the delivery again meanwhile.
func TestAttemptsAreMarkedOnce(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	hook := l.hook()
	delivery, err := l.store.TestWebhook(t.Context(), hook, l.Admin, "", l.at)
	require.NoError(t, err)
	d := l.due(hook, l.at).Due[0]
	l.record(hook, l.at, http.StatusInternalServerError, d)
	l.record(hook, l.at, http.StatusOK, d) // of another attempt of the activity, which took longer
	const state = `SELECT concat_ws(' ', status, attempts, last_status) FROM webhook_deliveries`
	require.Equal(t, "pending 1 500", l.Text(state))

	batch := l.due(hook, l.at)
	require.Empty(t, batch.Due)
	require.Equal(t, l.at.Add(5*time.Second), *batch.Next)
	d = l.due(hook, *batch.Next).Due[0]
	require.NoError(t, l.store.Redeliver(t.Context(), hook, delivery, l.Admin, "", l.at))
	l.record(hook, l.at, http.StatusOK, d)
	require.Equal(t, "pending 0 500", l.Text(state))
	l.record(hook, l.at, http.StatusOK, l.due(hook, l.at).Due[0])
	require.Equal(t, "delivered 1 200", l.Text(state))
	require.Nil(t, l.due(hook, l.at).Next, "nothing is pending")
}

// What arrives between as many failures as before begins their time anew: a receiver
// that takes something every day is never disabled.
func TestASuccessBetweenFailures(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	hook := l.hook()
	for range 3 {
		_, err := l.store.TestWebhook(t.Context(), hook, l.Admin, "", l.at)
		require.NoError(t, err)
	}
	due := l.due(hook, l.at).Due
	l.record(hook, l.at, http.StatusInternalServerError, due[0])
	later := l.at.Add(24 * time.Hour)
	arrived, failed := offboarding.WebhookAttempt{Status: http.StatusOK}, offboarding.WebhookAttempt{Status: 500, Error: offboarding.FailedStatus}
	require.NoError(t, l.store.RecordDeliveries(t.Context(), hook, []offboarding.DeliveryResult{
		{DueDelivery: due[1], WebhookAttempt: arrived, At: later}, {DueDelivery: due[2], WebhookAttempt: failed, At: later},
	}))
	w, err := l.store.FindWebhook(t.Context(), hook)
	require.NoError(t, err)
	require.Equal(t, 1, w.Failures)
	require.Equal(t, later, *w.FailingSince)
	l.record(hook, l.at.Add(offboarding.DeliverFor+time.Hour), http.StatusInternalServerError, l.due(hook, later.Add(time.Hour)).Due[0])
	w, err = l.store.FindWebhook(t.Context(), hook)
	require.NoError(t, err)
	require.Equal(t, offboarding.WebhookActive, w.Status)
}

// What has ended is kept for thirty days, and nothing of a deleted webhook.
func TestPruning(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	kept, deleted, disabled := l.hook(), l.hook(), l.hook()
	for range 3 {
		for _, hook := range []string{kept, deleted, disabled} {
			_, err := l.store.TestWebhook(t.Context(), hook, l.Admin, "", l.at)
			require.NoError(t, err)
		}
	}
	due := l.due(kept, l.at).Due
	l.record(kept, l.at, http.StatusOK, due[0])
	l.record(kept, l.at.Add(time.Hour), http.StatusOK, due[1])
	require.NoError(t, l.store.DeleteWebhook(t.Context(), deleted, l.Admin, "", l.at))
	off := offboarding.WebhookDisabled
	_, err := l.store.UpdateWebhook(t.Context(), offboarding.WebhookChange{WebhookID: disabled, AdminID: l.Admin, Status: &off, At: l.at})
	require.NoError(t, err)

	prune := func(at time.Time) (rounds int) {
		for more := true; more; rounds++ {
			var err error
			more, err = l.store.PruneDeliveries(t.Context(), at, 2)
			require.NoError(t, err)
		}
		return rounds
	}
	left := func(want ...int) {
		t.Helper()
		for i, hook := range []string{kept, deleted, disabled} {
			require.Equal(t, want[i], l.Count(`SELECT count(*) FROM webhook_deliveries WHERE webhook_id = $1`, hook))
		}
		require.Equal(t, want[3], l.Count(`SELECT count(*) FROM webhooks`))
	}
	prune(l.at)
	left(3, 3, 3, 3)
	require.Greater(t, prune(l.at.Add(time.Minute)), 1)
	left(3, 0, 3, 3)
	prune(l.at.Add(2 * time.Hour))
	left(3, 0, 3, 2)
	prune(l.at.Add(offboarding.KeepDeliveries + time.Minute))
	left(2, 0, 0, 2)
	prune(l.at.Add(offboarding.KeepDeliveries + 2*time.Hour))
	left(1, 0, 0, 2)
}

// However much waits, it is found by an index.
func TestTheOutboxIsReadByIndexes(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	db.SetMaxOpenConns(1)
	l := newLeavingOn(t, fixture.New(t, db), postgres.New(db))
	leaveAuditAlone(l.Organization)
	hook, other := l.hook(), l.hook()
	l.Exec(`INSERT INTO audit_events (organization_id, event, case_id, origin, subject_kind, subject_id, before, after, at)
		SELECT $1, 'ExtendGrace', $1::uuid, '', 'case', 'x', '{}', '{}', $2 FROM generate_series(1, 60000)`, l.ID, l.at)
	l.Exec(`UPDATE webhook_deliveries SET status = 'delivered', attempts = 1, first_attempt_at = $2, ended_at = $2 WHERE webhook_id = $1`, other, l.at)
	l.Exec(`UPDATE webhook_deliveries SET attempts = 1, first_attempt_at = $2, next_attempt_at = $2::timestamptz + interval '1 hour'
		WHERE webhook_id = $1 AND id % 2 = 0`, hook, l.at)
	l.Exec(`ANALYZE`)
	scans := func() int {
		l.Exec(`SELECT pg_stat_force_next_flush()`)
		l.Exec(`SELECT pg_stat_clear_snapshot()`)
		return l.Count(`SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('webhook_deliveries', 'audit_events')`)
	}
	before := scans()
	for range 7 { // the later ones with a plan made for any webhook
		batch := l.due(hook, l.at)
		require.Len(t, batch.Due, 100)
		require.Equal(t, before, scans(), "what is due")
		l.record(hook, l.at, http.StatusOK, batch.Due...)
		require.Equal(t, before, scans(), "marks")
		require.Empty(t, l.due(other, l.at).Due)
		require.Equal(t, before, scans(), "when there is something")
		waiting, err := l.store.WebhooksWaiting(t.Context(), l.at)
		require.NoError(t, err)
		require.Equal(t, []string{hook}, waiting)
		require.Equal(t, before, scans(), "the relay's look")
		_, err = l.store.PruneDeliveries(t.Context(), l.at, 1000)
		require.NoError(t, err)
		require.Equal(t, before, scans(), "pruning")
		page, err := l.store.Deliveries(t.Context(), offboarding.DeliveryFilter{WebhookID: hook, Status: offboarding.DeliveryPending, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Items, 10)
		require.Equal(t, before, scans(), "a list")
	}
	l.Count(`SELECT count(*) FROM webhook_deliveries WHERE last_ms = 7`)
	require.NotEqual(t, before, scans(), "the check sees a scan where there is one")
}
