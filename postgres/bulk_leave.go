package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"handover/offboarding"
)

// bulkBatch is how many members of a list lose access in one transaction.
const bulkBatch = 500

// The rows of a list are taken by who locks them.
const (
	selectPending = `SELECT position, reference, coalesce(member_id::text, '') AS member_id, request FROM bulk_members
	WHERE bulk_id = $1 AND result = 'pending' AND position > $2 ORDER BY position LIMIT $3`
	lockPending = selectPending + ` FOR NO KEY UPDATE`
	takePending = lockPending + ` SKIP LOCKED`
)

func (t *tx) pendingRows(query string, run bulkRun, after, limit int) ([]bulkRow, error) {
	var rows []bulkRow
	if err := t.list(&rows, query, run.ID, after, limit); err != nil {
		return nil, err
	}
	return rows, read(rows)
}

// takeRows takes the next rows of the list behind a place. Where there are none it
// takes what a batch that failed has left before, and waits what becomes of the rows
// that other batches have.
func (t *tx) takeRows(run bulkRun, after, limit int) ([]bulkRow, error) {
	rows, err := t.pendingRows(takePending, run, after, limit)
	if err == nil && len(rows) == 0 {
		rows, err = t.pendingRows(lockPending, run, 0, limit)
	}
	return rows, err
}

// OffboardBatch takes the access of the next members of the list, behind the place
// that the caller's last batch came to: it judges each, opens the cases, revokes,
// deactivates, and completes what has nothing to settle. It answers the place that it
// has come to, 0 when nobody is left. Batches of a run may go on side by side. A row
// that the database refuses is found by halving the batch, and fails alone.
func (s *Store) OffboardBatch(ctx context.Context, in offboarding.BulkStep, after int) (int, error) {
	in.At = in.At.Truncate(time.Microsecond)
	for n := min(bulkBatch, s.batchSize); ; {
		first, last := 0, 0
		err := s.inTx(ctx, "offboard members", func(t *tx) error {
			run, err := t.run(in.BulkID, selectRun)
			if err != nil {
				return err
			}
			rows, err := t.takeRows(run, after, n)
			if err != nil || len(rows) == 0 {
				return err
			}
			first, last = rows[0].Position, rows[len(rows)-1].Position
			return t.offboard(run, rows, in.At)
		})
		switch {
		case errors.Is(err, errCaseOpened): // seen now
		case !rowFault(err):
			return last, err
		case n > 1:
			n /= 2
		default:
			return first, s.failRow(ctx, in, first, err)
		}
	}
}

// rowFault reports whether the data of some row has made a batch fail: another
// try would fail too, and the rest of the batch would not.
func rowFault(err error) bool {
	var failed *Error
	if errors.As(err, &failed) {
		return strings.HasPrefix(failed.State, "22") || strings.HasPrefix(failed.State, "23") || strings.HasPrefix(failed.State, "P0")
	}
	return offboarding.CodeOf(err) != "" && offboarding.CodeOf(err) != offboarding.CodeCaseNotFound
}

// failRow keeps why a row cannot be processed.
func (s *Store) failRow(ctx context.Context, in offboarding.BulkStep, position int, why error) error {
	done := bulkDone{Position: position, Result: offboarding.BulkMemberFailed, Error: why.Error()}
	var refusal *offboarding.Refusal
	if errors.As(why, &refusal) { // a guard of the database
		done = bulkDone{Position: position, Result: offboarding.BulkMemberRefused, Violations: refusal.Violations}
	}
	return s.inTx(ctx, "offboard members", func(t *tx) error { return t.processed(in.BulkID, []bulkDone{done}) })
}

const updateProcessed = `UPDATE bulk_members b SET result = x.result, case_id = x.case_id, to_start = x.to_start, violations = x.violations,
	error = x.error, request = NULL
	FROM jsonb_to_recordset($2::jsonb) AS x (position integer, result text, case_id uuid, to_start boolean, violations jsonb, error text)
	WHERE b.bulk_id = $1 AND b.position BETWEEN $3 AND $4 AND b.position = x.position AND b.result = 'pending'`

// processed keeps what became of rows, in the order of the list.
func (t *tx) processed(bulkID string, done []bulkDone) error {
	if len(done) == 0 {
		return nil
	}
	_, err := t.exec(updateProcessed, bulkID, string(mustJSON(done)), done[0].Position, done[len(done)-1].Position)
	return err
}

// offboard processes rows of the list.
func (t *tx) offboard(run bulkRun, rows []bulkRow, at time.Time) error {
	f, err := t.bulkFacts(run, rows, at, map[string]bool{}, true)
	if err != nil {
		return err
	}
	done := make([]bulkDone, 0, len(rows))
	cases := openings{known: map[opening]int{}}
	for _, row := range rows {
		j, err := f.judge(row)
		d := bulkDone{Position: row.Position, CaseID: j.existing, Result: offboarding.BulkMemberExisting}
		var refusal *offboarding.Refusal
		switch {
		case errors.As(err, &refusal):
			d.Result, d.Violations = offboarding.BulkMemberRefused, refusal.Violations
		case err != nil:
			return err
		case j.existing == "":
			member := j.facts.Leaver.ID
			c := plannedCase(bulkCaseID(run.ID, member), offboarding.WorkflowID(member), j.request, j.facts, j.plan)
			phase := f.phase(j)
			cases.add(&c, j.request.Reason, phase)
			d.CaseID, d.ToStart, d.Result = c.ID, phase != offboarding.PhaseCompleted, offboarding.BulkMemberStarted
			if phase == offboarding.PhaseScheduled {
				d.Result = offboarding.BulkMemberScheduled
			}
		}
		done = append(done, d)
	}
	if err := t.openAll(run, cases, at); err != nil {
		return err
	}
	return t.processed(run.ID, done)
}

// phase is what the batch takes a case to that the rules allow.
func (f *bulkFacts) phase(j judged) offboarding.Phase {
	leaver := f.leavers[j.facts.Leaver.ID]
	switch {
	case j.plan.EffectiveAt.After(f.at) || leaver.SignedIn:
		return offboarding.PhaseScheduled
	case !leaver.Owns || j.plan.Disposition == offboarding.DispositionRetain && !leaver.Unowned: // nothing to settle
		return offboarding.PhaseCompleted
	}
	return offboarding.PhaseDeactivated
}

// JudgeBulk judges everybody on the list before anything happens: one refusal
// refuses all.
func (s *Store) JudgeBulk(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	in.At = in.At.Truncate(time.Microsecond)
	return s.bulkStep(ctx, "judge a bulk run", in, func(t *tx, run bulkRun) error {
		if run.Phase != offboarding.BulkJudging {
			return nil // judged before
		}
		refused, err := t.refusals(run, in.At)
		if err != nil {
			return err
		}
		if err := t.processed(run.ID, refused); err != nil {
			return err
		}
		const refuseAll = `UPDATE bulk_members SET result = 'not_started', request = NULL WHERE bulk_id = $1 AND result = 'pending'
			AND EXISTS (SELECT 1 FROM bulk_members WHERE bulk_id = $1 AND result = 'refused')`
		if _, err := t.exec(refuseAll, run.ID); err != nil {
			return err
		}
		_, err = t.exec(markRun, run.ID, offboarding.BulkRevoking, in.At)
		return err
	})
}

// refusals are the rows of the list that the rules refuse.
func (t *tx) refusals(run bulkRun, at time.Time) ([]bulkDone, error) {
	var refused []bulkDone
	left := map[string]bool{}
	for after := 0; ; {
		rows, err := t.pendingRows(selectPending, run, after, bulkBatch)
		if err != nil || len(rows) == 0 {
			return refused, err
		}
		after = rows[len(rows)-1].Position
		f, err := t.bulkFacts(run, rows, at, left, false)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			_, err := f.judge(row)
			var refusal *offboarding.Refusal
			if errors.As(err, &refusal) {
				refused = append(refused, bulkDone{Position: row.Position, Result: offboarding.BulkMemberRefused, Violations: refusal.Violations})
			} else if err != nil {
				return nil, err
			}
		}
	}
}
