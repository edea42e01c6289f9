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
	return s.inTx(ctx, "record trouble", func(t *tx) error {
		var trouble offboarding.Trouble
		var since *time.Time
		if in.Trouble != nil {
			trouble, since = *in.Trouble, &in.Trouble.Since
		}
		_, err := t.exec(updateTrouble, in.CaseID, trouble.Step, trouble.Attempt, trouble.LastError, since)
		return err
	})
}
