package postgres

import (
	"context"
	"net/url"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// webhookRow is a webhook with what names its secrets.
type webhookRow struct {
	offboarding.Webhook
	EventList   pq.StringArray `db:"events"`
	SecretRef   string         `db:"secret_ref"`
	PreviousRef string         `db:"previous_ref"`
}

func (r *webhookRow) webhook() offboarding.Webhook {
	w := r.Webhook
	w.Events = append([]string{}, r.EventList...)
	utc([]*time.Time{&w.CreatedAt, w.OldSecretUntil, w.FailingSince, w.PausedUntil})
	return w
}

const (
	webhookColumns = `w.id, w.organization_id, w.url, w.description, w.events, w.status, w.disabled_reason, w.secret_ref, w.previous_ref,
	w.previous_until, w.created_by, w.created_at, w.failures, w.failing_since, w.paused_until`
	findWebhook   = `SELECT ` + webhookColumns + ` FROM webhooks w WHERE w.id = $1::uuid AND w.status <> 'deleted'`
	lockWebhook   = findWebhook + ` FOR NO KEY UPDATE`
	listWebhooks  = `SELECT ` + webhookColumns + ` FROM webhooks w WHERE w.organization_id = $1::uuid AND w.status <> 'deleted' ORDER BY w.id`
	countWebhooks = `SELECT count(*) FROM webhooks WHERE organization_id = $1 AND status <> 'deleted'`
	insertWebhook = `INSERT INTO webhooks (id, organization_id, url, description, events, status, secret_ref, created_by, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	updateWebhook = `UPDATE webhooks SET url = $2, description = $3, events = $4, status = $5, disabled_reason = $6,
	failures = $7, failing_since = $8, paused_until = $9 WHERE id = $1`
	rollSecret    = `UPDATE webhooks SET previous_ref = secret_ref, previous_until = $3, secret_ref = $2 WHERE id = $1 AND secret_ref <> $2`
	deleteWebhook = `UPDATE webhooks SET status = 'deleted', disabled_reason = '', deleted_at = $2, url = '', description = '' WHERE id = $1`
	// The audit event of this transaction is the one that was written last.
	insertTest = `INSERT INTO webhook_deliveries (webhook_id, event_id, event, created_at)
	SELECT $1, id, $2, at FROM audit_events WHERE id = currval(pg_get_serial_sequence('audit_events', 'id')) RETURNING id`
)

// Webhooks lists the webhooks of an organization, the oldest first.
func (s *Store) Webhooks(ctx context.Context, organizationID string) ([]offboarding.Webhook, error) {
	var rows []webhookRow
	err := s.inTx(ctx, "list webhooks", func(t *tx) error { return t.list(&rows, listWebhooks, organizationID) })
	out := make([]offboarding.Webhook, len(rows))
	for i := range rows {
		out[i] = rows[i].webhook()
	}
	return out, err
}

// FindWebhook finds a webhook of one of the organizations (slugs or IDs, none for
// all); one that does not exist is refused as one that is out of reach.
func (s *Store) FindWebhook(ctx context.Context, id string, organizations ...string) (offboarding.Webhook, error) {
	var rows []webhookRow
	err := s.inTx(ctx, "look up a webhook", func(t *tx) error {
		if !isID(id) {
			return nil
		}
		return t.look(&rows, findWebhook, "w.organization_id", id, organizations)
	})
	switch {
	case err != nil:
		return offboarding.Webhook{}, err
	case len(rows) == 0:
		return offboarding.Webhook{}, offboarding.Refuse("", offboarding.CodeWebhookNotFound, "", "there is no such webhook in reach")
	}
	return rows[0].webhook(), nil
}

// CreateWebhook makes a webhook of an organization, and answers with what names its
// secret. One that is there under the ID is the answer, and nothing changes.
func (s *Store) CreateWebhook(ctx context.Context, c offboarding.WebhookChange) (w offboarding.Webhook, secretRef string, err error) {
	c.At, secretRef = c.At.Truncate(time.Microsecond), c.SecretRef
	err = s.inTx(ctx, "create a webhook", func(t *tx) error {
		var f offboarding.WebhookFacts
		var id string
		if isID(c.OrganizationID) { // locked, so that two at a time are not one too many
			if f.Found, err = t.find(&id, lockOrganization, c.OrganizationID); err != nil {
				return err
			}
		}
		if f.Found {
			if f.Admin, err = t.actor(c.AdminID, id, "admin_id"); err != nil {
				return err
			}
			if err = t.get(&f.Webhooks, countWebhooks, id); err != nil {
				return err
			}
		}
		var there webhookRow
		found, err := t.find(&there, findWebhook, c.WebhookID)
		if err != nil {
			return err
		}
		if found = found && there.OrganizationID == id; found {
			f.Webhooks--
		}
		if w, err = offboarding.JudgeWebhook(c, f); err != nil {
			return err
		}
		if found {
			w, secretRef = there.webhook(), there.SecretRef
			return nil
		}
		if _, err := t.exec(insertWebhook, w.ID, id, w.URL, w.Description, pq.Array(w.Events), w.Status, c.SecretRef, w.CreatedBy, w.CreatedAt); err != nil {
			return err
		}
		return t.webhookAudit(w, c.Origin, c.At, offboarding.EventCreateWebhook, f.Admin.Member.ID, nil, settingsOf(w))
	})
	return w, secretRef, err
}

// UpdateWebhook changes a webhook; what is nil stays as it is.
func (s *Store) UpdateWebhook(ctx context.Context, c offboarding.WebhookChange) (w offboarding.Webhook, err error) {
	c.At = c.At.Truncate(time.Microsecond)
	err = s.inTx(ctx, "change a webhook", func(t *tx) error {
		f, err := t.webhookFacts(c.WebhookID, c.AdminID)
		if err != nil {
			return err
		}
		if w, err = offboarding.JudgeWebhook(c, f); err != nil {
			return err
		}
		before, after := settingsOf(f.Webhook), settingsOf(w)
		if f.Webhook.URL != w.URL && before["host"] == after["host"] {
			after["path"] = "changed" // without what may be a secret in it
		}
		if f.Webhook.Description != w.Description {
			after["description"] = "changed"
		}
		if string(mustJSON(before)) == string(mustJSON(after)) {
			return nil // as it was
		}
		if _, err := t.exec(updateWebhook, w.ID, w.URL, w.Description, pq.Array(w.Events), w.Status, w.DisabledReason,
			w.Failures, w.FailingSince, w.PausedUntil); err != nil {
			return err
		}
		return t.webhookAudit(w, c.Origin, c.At, offboarding.EventUpdateWebhook, f.Admin.Member.ID, before, after)
	})
	return w, err
}

// DeleteWebhook deletes a webhook. What is pending is not sent any more.
func (s *Store) DeleteWebhook(ctx context.Context, id, adminID, origin string, at time.Time) error {
	at = at.Truncate(time.Microsecond)
	return s.usingWebhook(ctx, "delete a webhook", id, adminID, origin, false, func(t *tx, f offboarding.WebhookFacts) error {
		if _, err := t.exec(deleteWebhook, id, at); err != nil {
			return err
		}
		return t.webhookAudit(f.Webhook, origin, at, offboarding.EventDeleteWebhook, f.Admin.Member.ID, settingsOf(f.Webhook), nil)
	})
}

// RollWebhookSecret gives a webhook another secret; the one before signs too for
// SecretOverlap, the one before that no more. Rolling to the secret that it has
// changes nothing.
func (s *Store) RollWebhookSecret(ctx context.Context, id, adminID, origin, secretRef string, at time.Time) (until time.Time, err error) {
	at = at.Truncate(time.Microsecond)
	until = at.Add(offboarding.SecretOverlap)
	err = s.usingWebhook(ctx, "roll a webhook's secret", id, adminID, origin, false, func(t *tx, f offboarding.WebhookFacts) error {
		rolled, err := t.exec(rollSecret, id, secretRef, until)
		if err != nil {
			return err
		}
		if rolled == 0 {
			return t.get(&until, `SELECT previous_until FROM webhooks WHERE id = $1`, id)
		}
		return t.webhookAudit(f.Webhook, origin, at, offboarding.EventRollWebhookSecret, f.Admin.Member.ID, nil, state{"old_secret_until": until})
	})
	return until.UTC(), err
}

// TestWebhook puts a test event into the outbox of an active webhook, and answers
// with the delivery's ID.
func (s *Store) TestWebhook(ctx context.Context, id, adminID, origin string, at time.Time) (delivery int64, err error) {
	at = at.Truncate(time.Microsecond)
	err = s.usingWebhook(ctx, "test a webhook", id, adminID, origin, true, func(t *tx, f offboarding.WebhookFacts) error {
		if err := t.webhookAudit(f.Webhook, origin, at, offboarding.EventTestWebhook, f.Admin.Member.ID, nil, nil); err != nil {
			return err
		}
		return t.get(&delivery, insertTest, id, offboarding.WebhookTest)
	})
	return delivery, err
}

// usingWebhook does something with a webhook that its admins may do.
func (s *Store) usingWebhook(ctx context.Context, op, id, adminID, origin string, live bool, do func(*tx, offboarding.WebhookFacts) error) error {
	return s.inTx(ctx, op, func(t *tx) error {
		f, err := t.webhookFacts(id, adminID)
		if err == nil {
			err = offboarding.JudgeWebhookUse(f, origin, live)
		}
		if err != nil {
			return err
		}
		return do(t, f)
	})
}

// webhookFacts locks a webhook and loads what the rules need.
func (t *tx) webhookFacts(id, adminID string) (f offboarding.WebhookFacts, err error) {
	var row webhookRow
	if isID(id) {
		f.Found, err = t.find(&row, lockWebhook, id)
	}
	if err != nil || !f.Found {
		return f, err
	}
	f.Webhook = row.webhook()
	f.Admin, err = t.actor(adminID, f.Webhook.OrganizationID, "admin_id")
	return f, err
}

// webhookAudit writes an event about a webhook; actor "" is nobody.
func (t *tx) webhookAudit(w offboarding.Webhook, origin string, at time.Time, event, actor string, before, after state) error {
	return t.auditOf(w.OrganizationID, origin, at, change{
		event: event, actor: actor, kind: offboarding.SubjectWebhook, subject: w.ID, before: before, after: after,
	})
}

// settingsOf is what the audit keeps of a webhook: of the URL the host, for the rest
// may have a secret of the receiver's in it.
func settingsOf(w offboarding.Webhook) state {
	out := state{"status": w.Status, "events": w.Events}
	if u, err := url.Parse(w.URL); err == nil {
		out["host"] = u.Host
	}
	if w.DisabledReason != "" {
		out["disabled"] = w.DisabledReason
	}
	return out
}
