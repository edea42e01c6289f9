package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

const selectAudit = `SELECT a.id, a.organization_id, a.event, coalesce(a.actor_id::text, '') AS actor_id, a.origin,
	coalesce(a.member_id::text, '') AS member_id, coalesce(a.document_id::text, '') AS document_id,
	coalesce(a.case_id::text, '') AS case_id, a.subject_kind, a.subject_id, a.before, a.after, a.at,
	coalesce(actor.display_name, name_above(a.actor_id), '') AS actor_name, coalesce(m.display_name, '') AS member_name,
	coalesce(d.title, '') AS document_title,
	coalesce((SELECT n.display_name FROM members n
		WHERE n.id = CASE WHEN a.subject_kind = 'document' THEN (a.after ->> 'owner_id')::uuid END), '') AS new_owner_name
	FROM audit_events a LEFT JOIN members actor ON actor.id = a.actor_id LEFT JOIN members m ON m.id = a.member_id
	LEFT JOIN documents d ON d.id = a.document_id`

// AuditEvents lists audit events in the order in which they were written, the
// newest first unless told otherwise. The cursor is the ID of the last event
// seen.
func (s *Store) AuditEvents(ctx context.Context, f offboarding.AuditFilter) (out offboarding.Page[offboarding.AuditRow], err error) {
	err = s.inTx(ctx, "list audit events", func(t *tx) (err error) {
		out, err = t.auditEvents(f)
		return err
	})
	return out, err
}

func (t *tx) auditEvents(f offboarding.AuditFilter) (offboarding.Page[offboarding.AuditRow], error) {
	c := &conditions{}
	c.id("a.organization_id", f.OrganizationID)
	c.within("a.organization_id", f.Reach)
	switch len(f.Events) {
	case 0:
	case 1: // by far the usual case; along its index it is in order
		c.equal("a.event", f.Events[0])
	default:
		c.add("a.event = ANY (?)", pq.Array(f.Events))
	}
	c.id("a.member_id", f.MemberID)
	c.id("a.document_id", f.DocumentID)
	c.id("a.case_id", f.CaseID)
	if !f.From.IsZero() {
		c.add("a.at >= ?", f.From)
	}
	if !f.To.IsZero() {
		c.add("a.at < ?", f.To)
	}
	if !f.From.IsZero() || !f.To.IsZero() {
		c.before = []string{asAsked} // a few days are found by their time, most of all time by the order
	}
	beyond, order := "a.id < ?", "a.id DESC"
	if f.OldestFirst {
		beyond, order = "a.id > ?", "a.id"
	}
	if f.Cursor != "" {
		last, err := readNumberCursor(f.Cursor, 64)
		if err != nil {
			return offboarding.Page[offboarding.AuditRow]{}, err
		}
		c.add(beyond, last)
	}
	limit := pageSize(f.Limit)
	query := selectAudit + c.where(order, limit+1)
	return pageIn(t, query, c, limit,
		func(row *offboarding.AuditRow) []*time.Time { return []*time.Time{&row.At} },
		func(row offboarding.AuditRow) string { return strconv.FormatInt(row.ID, 10) })
}
