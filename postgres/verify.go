package postgres

import (
	"context"
	"database/sql"
	"math"

	"handover/offboarding"
)

// eventsAtOnce is how many events a verification holds.
const eventsAtOnce = 5000

// selectSealed reads the next events of an organization up to one of them.
const selectSealed = `SELECT a.id, a.organization_id, a.event, coalesce(a.actor_id::text, '') AS actor_id, a.origin,
	coalesce(a.member_id::text, '') AS member_id, coalesce(a.document_id::text, '') AS document_id,
	coalesce(a.case_id::text, '') AS case_id, a.subject_kind, a.subject_id, a.before, a.after, a.at
	FROM audit_events a WHERE a.organization_id = $1 AND a.id > $2 AND a.id <= $3 ORDER BY a.organization_id, a.id LIMIT $4`

// VerifyAudit reads seals and events of one organization, or of all, for a verifier to
// judge. It is done some thousand events at a time, while others write; progress is told
// how many seals are done of how many.
func (s *Store) VerifyAudit(ctx context.Context, organizationID string, v *offboarding.AuditVerifier, progress func(done, total int)) error {
	var ids []string
	var total int64
	err := s.snapshot(ctx, func(t *tx) error {
		// Before anything else: what is sealed later is not missed.
		if err := t.get(&v.Settled, `SELECT coalesce((SELECT sealed_id FROM audit_horizon), 0)`); err != nil {
			return err
		}
		ids = []string{organizationID}
		if organizationID == "" {
			// Also those whose heads or seals are gone.
			ids = nil
			if err := t.list(&ids, `SELECT id FROM organizations UNION SELECT organization_id FROM audit_heads ORDER BY 1`); err != nil {
				return err
			}
		}
		heads, err := t.heads(ids)
		for _, head := range heads {
			v.Expect(head)
			total += head.Number
		}
		return err
	})
	if err != nil {
		return err
	}
	done := 0
	for _, id := range ids {
		if err := s.verifyOne(ctx, id, v, func(seals int) {
			done += seals
			if progress != nil {
				progress(done, int(total))
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// verifyOne hands out all seals and events of an organization.
func (s *Store) verifyOne(ctx context.Context, organizationID string, v *offboarding.AuditVerifier, verified func(seals int)) error {
	number, last := int64(0), int64(math.MinInt64)
	for {
		n := 0
		err := s.snapshot(ctx, func(t *tx) error { // seals, texts and events as of one moment
			seals, err := t.seals(organizationID, number, math.MaxInt64)
			n = len(seals)
			for _, seal := range seals {
				number = seal.Number
				v.Seal(seal)
				if err == nil {
					last, err = t.events(organizationID, last, seal.LastEvent, v)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		if verified(n); n == 0 {
			break
		}
	}
	return s.snapshot(ctx, func(t *tx) error {
		_, err := t.events(organizationID, last, math.MaxInt64, v) // what has no seal yet
		return err
	})
}

// events hands out events after one and up to another, and returns the last.
func (t *tx) events(organizationID string, after, upto int64, v *offboarding.AuditVerifier) (int64, error) {
	for {
		var events []offboarding.AuditEvent
		if err := t.list(&events, selectSealed, organizationID, after, upto, eventsAtOnce); err != nil {
			return after, err
		}
		for _, e := range events {
			e.At = e.At.UTC()
			v.Event(e)
			after = e.ID
		}
		if len(events) < eventsAtOnce {
			return max(after, min(upto, math.MaxInt64-1)), nil
		}
	}
}

// snapshot runs fn in a transaction that reads what there was at its beginning.
func (s *Store) snapshot(ctx context.Context, fn func(*tx) error) error {
	const op = "verify the audit"
	t, err := s.moment(ctx)
	if err != nil {
		return clean(op, err)
	}
	defer t.end()
	return clean(op, fn(t))
}

// moment begins a transaction that reads what there was at its beginning, until its end
// or that of ctx.
func (s *Store) moment(ctx context.Context) (*tx, error) {
	return s.begin(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
}
