package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

const updateTrouble = `UPDATE cases SET trouble_step = $2, trouble_attempt = $3, trouble_error = $4, trouble_since = $5 WHERE id = $1`

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
