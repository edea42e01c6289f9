package postgres

import (
	"context"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

const (
	selectUnsent = `SELECT n.key, n.kind, n.organization_id, n.case_id, c.member_id, n.recipient_id, n.reason, n.documents, n.grace_ends_at,
	coalesce(r.id::text, '') AS request_id, coalesce(r.document_id::text, '') AS document_id,
	coalesce(r.member_id::text, '') AS requester_id, r.created_at AS requested_at
	FROM notices n JOIN cases c ON c.id = n.case_id JOIN members m ON m.id = n.recipient_id AND m.status = 'active' LEFT JOIN ownership_requests r ON r.id = n.request_id
	WHERE n.case_id = $1 AND n.key > $2 AND n.sent_at IS NULL ORDER BY n.key LIMIT $3`
	countUnsent = `SELECT count(*) FROM notices WHERE case_id = $1 AND sent_at IS NULL`
	markSent    = `UPDATE notices SET sent_at = $2 WHERE key = ANY ($1::text[]) AND sent_at IS NULL`
)

// UnsentNotices lists the notices of a case that the notifier has not taken, in
// the order of their keys, after the cursor. Who has left since is told nothing.
func (s *Store) UnsentNotices(ctx context.Context, caseID, cursor string, limit int) ([]offboarding.Notice, error) {
	var out []offboarding.Notice
	err := s.inTx(ctx, "list unsent notices", func(t *tx) error { return t.list(&out, selectUnsent, caseID, cursor, limit) })
	for i := range out {
		utc([]*time.Time{&out[i].GraceEndsAt, out[i].RequestedAt})
	}
	return out, err
}

// MarkSent records that the notifier has taken notices. One that was marked before
// keeps its time.
func (s *Store) MarkSent(ctx context.Context, keys []string, at time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	return s.inTx(ctx, "mark notices as sent", func(t *tx) error {
		_, err := t.exec(markSent, pq.Array(keys), at)
		return err
	})
}
