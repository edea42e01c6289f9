package postgres

import (
	"context"
	"encoding/json"
	"io"
	"math"

	"handover/offboarding"
)

// AuditTrail is all that a filter selects of what had been written when it began, the
// oldest first.
type AuditTrail struct {
	store  *Store
	moment *tx // with proof: a deletion takes texts out of events and salts out of seals
	filter offboarding.AuditFilter
	last   int64 // event
	heads  []offboarding.AuditHead
	queues map[string]*sealQueue
}

// sealQueue is how far the seals of an organization have been handed out.
type sealQueue struct {
	number, upto int64
	covered      int64 // the last event of the seals so far
	read         []offboarding.AuditSeal
}

// BeginAuditTrail fixes where a trail ends; whoever begins it closes it. With proof it has
// the seals too, each before the events that it is of, and the filter selects nothing but
// organizations. All of that is then of one moment, and read in one transaction, which
// ends with ctx at the latest.
func (s *Store) BeginAuditTrail(ctx context.Context, f offboarding.AuditFilter, proof bool) (t *AuditTrail, err error) {
	t = &AuditTrail{store: s, filter: f, queues: map[string]*sealQueue{}}
	if proof {
		if t.moment, err = s.moment(ctx); err != nil {
			return nil, clean(readAudit, err)
		}
	}
	if err := t.read(ctx, t.begin); err != nil {
		t.Close()
		return nil, err
	}
	t.filter.OldestFirst, t.filter.Limit = true, offboarding.MaxLimit
	return t, nil
}

const readAudit = "read the audit"

// read reads in the transaction of the trail, or in one of its own.
func (t *AuditTrail) read(ctx context.Context, fn func(*tx) error) error {
	if t.moment != nil {
		return clean(readAudit, fn(t.moment))
	}
	return t.store.inTx(ctx, readAudit, fn)
}

// Close ends the trail.
func (t *AuditTrail) Close() {
	if t.moment != nil {
		t.moment.end()
	}
}

// begin reads where the trail ends.
func (t *AuditTrail) begin(x *tx) error {
	f := t.filter
	if t.moment != nil {
		ids := f.Reach
		if f.OrganizationID != "" {
			ids = []string{f.OrganizationID}
		}
		var err error
		if t.heads, err = x.heads(ids); err != nil {
			return err
		}
		for _, head := range t.heads {
			t.queues[head.OrganizationID] = &sealQueue{upto: head.Number}
		}
	}
	f.OldestFirst, f.Limit = false, 1
	newest, err := x.auditEvents(f)
	if err == nil && len(newest.Items) > 0 {
		t.last = newest.Items[0].ID
	}
	return err
}

// Each hands out the trail, a page at a time, and says how many events it had.
func (t *AuditTrail) Each(ctx context.Context, event func(offboarding.AuditRow) error, seal func(offboarding.AuditSeal) error) (n int, err error) {
	f := t.filter
	for more := t.last > 0; more; more = f.Cursor != "" {
		var page offboarding.Page[offboarding.AuditRow]
		err := t.read(ctx, func(x *tx) (err error) {
			page, err = x.auditEvents(f)
			return err
		})
		if err != nil {
			return n, err
		}
		for _, row := range page.Items {
			if row.ID > t.last {
				page.Next = ""
				break
			}
			if err := t.cover(ctx, row.OrganizationID, row.ID, seal); err != nil {
				return n, err
			}
			if err := event(row); err != nil {
				return n, err
			}
			n++
		}
		f.Cursor = page.Next
	}
	for _, head := range t.heads { // seals whose events are gone
		if err := t.cover(ctx, head.OrganizationID, math.MaxInt64, seal); err != nil {
			return n, err
		}
	}
	return n, nil
}

// WriteLines writes the trail as lines of JSON: an event each, seals between them where
// the trail has any, and how many events there were at the end.
func (t *AuditTrail) WriteLines(ctx context.Context, w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	n, err := t.Each(ctx, func(row offboarding.AuditRow) error { return encoder.Encode(row) },
		func(seal offboarding.AuditSeal) error {
			return encoder.Encode(offboarding.ExportSealLine{Event: offboarding.ExportSeal, Seal: seal})
		})
	if err != nil {
		return err
	}
	return encoder.Encode(offboarding.ExportEndLine{Event: offboarding.ExportEnd, Events: n, Heads: t.heads})
}

// cover hands out the seals of an organization up to the one that an event is in.
func (t *AuditTrail) cover(ctx context.Context, organizationID string, event int64, seal func(offboarding.AuditSeal) error) error {
	q := t.queues[organizationID]
	for q != nil && q.covered < event {
		if len(q.read) == 0 {
			err := t.read(ctx, func(x *tx) (err error) {
				q.read, err = x.seals(organizationID, q.number, q.upto)
				return err
			})
			if err != nil {
				return err
			}
		}
		if len(q.read) == 0 {
			delete(t.queues, organizationID)
			return nil
		}
		next := q.read[0]
		q.read, q.number, q.covered = q.read[1:], next.Number, max(q.covered, next.LastEvent)
		if err := seal(next); err != nil {
			return err
		}
	}
	return nil
}
