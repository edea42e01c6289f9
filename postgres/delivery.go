package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

const (
	selectDeliveries = `SELECT d.id, d.webhook_id, d.event_id, d.event, d.created_at, d.status, d.attempts, d.first_attempt_at, d.last_attempt_at,
	d.next_attempt_at, d.ended_at, d.last_status, d.last_error, d.last_ms FROM webhook_deliveries d`
	sendAgain = `UPDATE webhook_deliveries SET status = 'pending', attempts = 0, first_attempt_at = NULL, next_attempt_at = NULL, ended_at = NULL
	WHERE id = $1 AND webhook_id = $2 RETURNING event`
)

// Deliveries lists what was, or is to be, sent to a webhook, the newest first.
func (s *Store) Deliveries(ctx context.Context, f offboarding.DeliveryFilter) (offboarding.Page[offboarding.Delivery], error) {
	c := &conditions{}
	c.id("d.webhook_id", f.WebhookID)
	c.equal("d.status", string(f.Status))
	if f.Status != "" && f.Status != offboarding.DeliveryDelivered {
		c.text = append(c.text, "d.status <> '"+string(offboarding.DeliveryDelivered)+"'") // the index of the few
	}
	c.equal("d.event", f.Event)
	if f.Cursor != "" {
		last, ok := offboarding.ParseMessageID(f.Cursor)
		if !ok {
			return offboarding.Page[offboarding.Delivery]{}, badCursor()
		}
		c.add("d.id < ?", last)
	}
	limit := pageSize(f.Limit)
	out, err := page(ctx, s, "list deliveries", selectDeliveries+c.where("d.id DESC", limit+1), c, limit,
		func(d *offboarding.Delivery) []*time.Time {
			d.MessageID = offboarding.MessageID(d.ID)
			return []*time.Time{&d.CreatedAt, d.FirstAttemptAt, d.LastAttemptAt, d.NextAttemptAt, d.EndedAt}
		},
		func(d offboarding.Delivery) string { return d.MessageID })
	return out, err
}

// Redeliver has a delivery of an active webhook sent again, under the same ID, and
// retried as if it were new.
func (s *Store) Redeliver(ctx context.Context, webhookID string, delivery int64, adminID, origin string, at time.Time) error {
	at = at.Truncate(time.Microsecond)
	return s.usingWebhook(ctx, "redeliver", webhookID, adminID, origin, true, func(t *tx, f offboarding.WebhookFacts) error {
		var event string
		found, err := t.find(&event, sendAgain, delivery, webhookID)
		if err != nil {
			return err
		}
		if !found {
			return offboarding.Refuse("", offboarding.CodeDeliveryNotFound, "", "there is no such delivery of this webhook")
		}
		return t.webhookAudit(f.Webhook, origin, at, offboarding.EventRedeliverWebhook, f.Admin.Member.ID, nil,
			state{"delivery_id": offboarding.MessageID(delivery), "event": event})
	})
}

const (
	dueColumns = `d.id, d.event, d.attempts, d.first_attempt_at`
	// New ones and those to be tried again have an index each; of both together the
	// oldest. Texts are taken out as an erasure takes them out of the audit.
	selectDue = `SELECT d.id, d.event, d.attempts, d.first_attempt_at, a.id AS event_id, a.organization_id, coalesce(a.actor_id::text, '') AS actor_id,
	a.origin, coalesce(a.member_id::text, '') AS member_id, coalesce(a.document_id::text, '') AS document_id,
	coalesce(a.case_id::text, '') AS case_id, a.subject_kind, a.subject_id, without_texts(a.before) AS before, without_texts(a.after) AS after, a.at
	FROM (
		(SELECT ` + dueColumns + `, d.event_id FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.attempts = 0
			ORDER BY d.id LIMIT $3)
		UNION ALL
		(SELECT ` + dueColumns + `, d.event_id FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.attempts > 0
			AND d.next_attempt_at <= $2 ORDER BY d.next_attempt_at LIMIT $3)
		ORDER BY 1 LIMIT $3) d
	JOIN audit_events a ON a.id = d.event_id ORDER BY d.id`
	selectNext = `SELECT (SELECT d.next_attempt_at FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.attempts > 0
	ORDER BY d.next_attempt_at LIMIT 1)`
	selectNew = `SELECT coalesce((SELECT true FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.attempts = 0
	ORDER BY d.id LIMIT 1), false)` // EXISTS forgets an order, and may read the table
)

// dueRow is a delivery with its event.
type dueRow struct {
	ID             int64           `db:"id"`
	Kind           string          `db:"event"`
	Attempts       int             `db:"attempts"`
	FirstAttemptAt *time.Time      `db:"first_attempt_at"`
	EventID        int64           `db:"event_id"`
	OrganizationID string          `db:"organization_id"`
	ActorID        string          `db:"actor_id"`
	Origin         string          `db:"origin"`
	MemberID       string          `db:"member_id"`
	DocumentID     string          `db:"document_id"`
	CaseID         string          `db:"case_id"`
	SubjectKind    string          `db:"subject_kind"`
	SubjectID      string          `db:"subject_id"`
	Before         json.RawMessage `db:"before"`
	After          json.RawMessage `db:"after"`
	At             time.Time       `db:"at"`
}

// DueDeliveries is what is to be sent to a webhook at a time, the oldest first; of a
// webhook that fails, one.
func (s *Store) DueDeliveries(ctx context.Context, webhookID string, at time.Time, limit int) (offboarding.WebhookBatch, error) {
	var batch offboarding.WebhookBatch
	err := s.inTx(ctx, "list due deliveries", func(t *tx) error {
		var w webhookRow
		found, err := t.find(&w, findWebhook, webhookID)
		if err != nil || !found || w.Status != offboarding.WebhookActive {
			return err
		}
		batch.Health = w.webhook().WebhookHealth
		batch.Target = &offboarding.WebhookTarget{WebhookID: w.ID, URL: w.URL, SecretRefs: []string{w.SecretRef}}
		if w.OldSecretUntil != nil && at.Before(*w.OldSecretUntil) {
			batch.Target.SecretRefs = append(batch.Target.SecretRefs, w.PreviousRef)
		}
		var rows []dueRow
		if batch.Health.Failing() {
			limit = 1
		}
		if !batch.Health.Paused(at) {
			if err := t.list(&rows, selectDue, webhookID, at, limit); err != nil {
				return err
			}
		}
		for _, r := range rows {
			batch.Due = append(batch.Due, r.due())
		}
		if len(rows) == 0 {
			batch.Next, err = t.nextDelivery(webhookID, at, batch.Health)
		}
		return err
	})
	return batch, err
}

// nextDelivery is when there is something to send, nil where nothing is pending.
func (t *tx) nextDelivery(webhookID string, at time.Time, h offboarding.WebhookHealth) (*time.Time, error) {
	var next *time.Time
	if err := t.get(&next, selectNext, webhookID); err != nil {
		return nil, err
	}
	var fresh bool
	if err := t.get(&fresh, selectNew, webhookID); err != nil {
		return nil, err
	}
	if fresh {
		next = &at
	}
	if next != nil && h.Paused(*next) {
		next = h.PausedUntil
	}
	utc([]*time.Time{next})
	return next, nil
}

func (r dueRow) due() offboarding.DueDelivery {
	lane := r.CaseID
	for _, id := range []string{r.DocumentID, r.MemberID} {
		if lane == "" {
			lane = id
		}
	}
	utc([]*time.Time{r.FirstAttemptAt})
	return offboarding.DueDelivery{
		ID: r.ID, Attempts: r.Attempts, FirstAttemptAt: r.FirstAttemptAt, Lane: lane,
		Message: offboarding.WebhookMessage{ID: offboarding.MessageID(r.ID), Body: offboarding.PayloadOf(r.Kind, offboarding.AuditEvent{
			ID: r.EventID, OrganizationID: r.OrganizationID, ActorID: r.ActorID, Origin: r.Origin, MemberID: r.MemberID, DocumentID: r.DocumentID,
			CaseID: r.CaseID, SubjectKind: offboarding.Subject(r.SubjectKind), SubjectID: r.SubjectID, Before: r.Before, After: r.After, At: r.At,
		})},
	}
}

const (
	// Of a delivery that somebody has asked for again meanwhile, or that another
	// attempt of the activity has marked, nothing is kept.
	markAttempts = `UPDATE webhook_deliveries d SET status = r.status, attempts = d.attempts + 1, first_attempt_at = coalesce(d.first_attempt_at, r.at),
	last_attempt_at = r.at, next_attempt_at = r.next, ended_at = CASE WHEN r.next IS NULL THEN r.at END,
	last_status = r.code, last_error = r.error, last_ms = r.ms
	FROM unnest($2::bigint[], $3::integer[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::integer[], $8::text[], $9::integer[])
		r (id, attempts, status, at, next, code, error, ms)
	WHERE d.id = r.id AND d.webhook_id = $1 AND d.status = 'pending' AND d.attempts = r.attempts`
	updateHealth   = `UPDATE webhooks SET failures = $2, failing_since = $3, paused_until = $4 WHERE id = $1`
	disableWebhook = `UPDATE webhooks SET status = 'disabled', disabled_reason = $2 WHERE id = $1`
)

// RecordDeliveries keeps what attempts came to, in the order in which they ended, and
// how the webhook is; one that is gone, or has failed for too long, is disabled.
func (s *Store) RecordDeliveries(ctx context.Context, webhookID string, results []offboarding.DeliveryResult) error {
	return s.inTx(ctx, "record deliveries", func(t *tx) error {
		var w webhookRow
		found, err := t.find(&w, lockWebhook, webhookID)
		if err != nil || !found {
			return err
		}
		before := w.webhook()
		after := before
		var reason string
		m := marked{}
		for _, r := range results {
			m.add(r)
			after.WebhookHealth = after.After(r.WebhookAttempt, r.At)
			if reason == "" {
				reason = after.Disable(r.WebhookAttempt, r.At)
			}
		}
		if _, err := t.exec(markAttempts, append([]any{webhookID}, m.arrays()...)...); err != nil {
			return err
		}
		if after.WebhookHealth != before.WebhookHealth { // also where a success lies between as many failures
			if _, err := t.exec(updateHealth, webhookID, after.Failures, after.FailingSince, after.PausedUntil); err != nil {
				return err
			}
		}
		if reason == "" || before.Status != offboarding.WebhookActive {
			return nil
		}
		after.Status, after.DisabledReason = offboarding.WebhookDisabled, reason
		if _, err := t.exec(disableWebhook, webhookID, reason); err != nil {
			return err
		}
		return t.webhookAudit(after, "", results[len(results)-1].At, offboarding.EventUpdateWebhook, "", settingsOf(before), settingsOf(after))
	})
}

// marked are the columns of what is marked at once.
type marked struct {
	ids, attempts, codes, ms pq.Int64Array
	statuses, errors         pq.StringArray
	at                       pq.StringArray
	next                     []*string // NULL where it has ended
}

func (m *marked) add(r offboarding.DeliveryResult) {
	const format = time.RFC3339Nano
	status := offboarding.DeliveryDelivered
	var next *string
	if !r.Arrived() {
		first := r.At
		if r.FirstAttemptAt != nil {
			first = *r.FirstAttemptAt
		}
		status = offboarding.DeliveryFailed
		if again, ok := offboarding.NextAttempt(r.Attempts+1, first, r.At, r.RetryAfter, r.Jitter); ok {
			text := again.Format(format)
			status, next = offboarding.DeliveryPending, &text
		}
	}
	m.ids = append(m.ids, r.ID)
	m.attempts = append(m.attempts, int64(r.Attempts))
	m.statuses = append(m.statuses, string(status))
	m.at = append(m.at, r.At.Format(format))
	m.next = append(m.next, next)
	m.codes = append(m.codes, int64(r.Status))
	m.errors = append(m.errors, r.Error)
	m.ms = append(m.ms, r.Took.Milliseconds())
}

func (m *marked) arrays() []any {
	return []any{m.ids, m.attempts, m.statuses, m.at, pq.Array(m.next), m.codes, m.errors, m.ms}
}

// Subqueries with an order, so that no plan reads the outbox to hash it.
const selectWaiting = `SELECT w.id FROM webhooks w WHERE w.status = 'active' AND (w.paused_until IS NULL OR w.paused_until <= $1) AND coalesce(
	(SELECT true FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.attempts = 0 ORDER BY d.id LIMIT 1),
	(SELECT d.next_attempt_at <= $1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.attempts > 0
		ORDER BY d.next_attempt_at LIMIT 1))`

// WebhooksWaiting lists the webhooks that something is due to.
func (s *Store) WebhooksWaiting(ctx context.Context, at time.Time) ([]string, error) {
	var ids []string
	err := s.inTx(ctx, "look for due deliveries", func(t *tx) error { return t.list(&ids, selectWaiting, at) })
	return ids, err
}

// deletedFor is how long the row of a deleted webhook stays, longer than any
// transaction that still saw it active and writes to its outbox.
const deletedFor = time.Hour

// prunings delete what is kept no longer; $1 is since when it is not, $2 how many rows
// at most. Arrays and orders, so that no plan reads the whole outbox.
var prunings = []struct {
	after     time.Duration
	statement string
}{
	{offboarding.KeepDeliveries, `DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY (
		SELECT id FROM webhook_deliveries WHERE ended_at < $1 ORDER BY ended_at LIMIT $2))`},
	// What waits for a webhook that nobody has made active for as long.
	{offboarding.KeepDeliveries, pruneOf + `'disabled' AND d.status = 'pending' AND d.created_at < $1 ORDER BY d.id LIMIT $2) d LIMIT $2))`},
	{0, pruneOf + `'deleted' AND w.deleted_at < $1 ORDER BY d.id LIMIT $2) d LIMIT $2))`},
	{deletedFor, `DELETE FROM webhooks w WHERE w.id IN (SELECT id FROM webhooks WHERE status = 'deleted' AND deleted_at < $1 LIMIT $2)
		AND (SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = w.id ORDER BY d.id LIMIT 1) IS NULL`},
}

const pruneOf = `DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY (SELECT d.id FROM webhooks w CROSS JOIN LATERAL (
	SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = w.id AND w.status = `

// PruneDeliveries deletes what is kept no longer, so many rows of a kind at most, and
// says whether there may be more.
func (s *Store) PruneDeliveries(ctx context.Context, at time.Time, limit int) (more bool, err error) {
	for _, p := range prunings {
		err = s.inTx(ctx, "prune deliveries", func(t *tx) error {
			n, err := t.exec(p.statement, at.Add(-p.after), limit)
			more = more || n == limit
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return more, nil
}
