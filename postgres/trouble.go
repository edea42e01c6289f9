package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// What is closed has no trouble any more, but for an archival, which outlives the case: a
// record that comes late says nothing.
const (
	updateTrouble = `UPDATE cases SET trouble_step = $2, trouble_attempt = $3, trouble_error = $4, trouble_since = $5
	WHERE id = $1 AND (closed_at IS NULL OR $2 IN ('', '` + offboarding.StepArchiveMember + `'))`
	endTrouble = `UPDATE cases SET trouble_step = '', trouble_attempt = 0, trouble_error = '', trouble_since = NULL
	WHERE id = $1 AND trouble_step NOT IN ('', '` + offboarding.StepArchiveMember + `')`
)

// endTrouble takes back what could not be taken back while the database was away, from a
// case that closes.
func (t *tx) endTrouble(caseID string) error {
	_, err := t.exec(endTrouble, caseID)
	return err
}

// RecordTrouble shows in the lists that a case cannot go on, or with nil that it
// does again. It is no change of the case and has no event.
func (s *Store) RecordTrouble(ctx context.Context, in offboarding.TroubleInput) error {
	return s.recordTrouble(ctx, updateTrouble, in.CaseID, in.Trouble)
}

// recordTrouble writes a trouble, or that there is none, to the row with that ID.
func (s *Store) recordTrouble(ctx context.Context, update, id string, worst *offboarding.Trouble) error {
	return s.inTx(ctx, "record trouble", func(t *tx) error {
		var trouble offboarding.Trouble
		var since *time.Time
		if worst != nil {
			trouble, since = *worst, &worst.Since
		}
		_, err := t.exec(update, id, trouble.Step, trouble.Attempt, trouble.LastError, since)
		return err
	})
}
