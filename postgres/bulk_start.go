package postgres

import (
	"context"

	"github.com/lib/pq"

	"handover/offboarding"
)

// Cases of a run whose workflows are to be started: those that were not, or those
// that were before a moment and have not been taken over. First those whose members
// still have access, until their time or a session's end.
const selectStartable = `SELECT b.position, b.member_id, c.id AS case_id, c.requested_by FROM bulk_members b
	JOIN cases c ON c.id = b.case_id AND c.closed_at IS NULL
	WHERE b.bulk_id = $1 AND b.to_start AND b.running_at IS NULL AND (b.started_at IS NULL OR $2 AND b.started_at < $3)
	ORDER BY b.result = 'scheduled' DESC, b.position LIMIT $4`

const markStarted = `UPDATE bulk_members SET started_at = $2 WHERE bulk_id = $1 AND position = ANY ($3)`

// StartableCases finds cases of the run to start, the first of the list first.
func (s *Store) StartableCases(ctx context.Context, in offboarding.BulkStartInput, limit int) ([]offboarding.BulkStart, error) {
	var out []offboarding.BulkStart
	err := s.inTx(ctx, "find cases to start", func(t *tx) error {
		return t.list(&out, selectStartable, in.BulkID, in.Again, in.At, limit)
	})
	return out, err
}

// CasesStarted keeps that the cases at these places of the list were started, and
// says how far the run is.
func (s *Store) CasesStarted(ctx context.Context, in offboarding.BulkStep, positions []int) (offboarding.BulkRun, error) {
	return s.bulkStep(ctx, "keep what was started", in, func(t *tx, run bulkRun) error {
		_, err := t.exec(markStarted, run.ID, in.At, pq.Array(positions))
		return err
	})
}
