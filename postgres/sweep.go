package postgres

import (
	"context"

	"handover/offboarding"
)

// span is one batch: documents of the leaver after the cursor up to `upTo`.
type span struct {
	after, upTo string
	last        bool
}

// The first and the last document ID there can be.
const (
	firstID = "00000000-0000-0000-0000-000000000000"
	lastID  = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// batchEnd finds the upper end of a batch first; the batch is then worked on as
// a range of the index, which the planner cannot turn into a join over the table.
const batchEnd = `SELECT d.id FROM documents d WHERE d.owner_id = $1 AND d.id > $2` + scope + `ORDER BY d.id OFFSET $3 LIMIT 1`

func (t *tx) span(c *caseRow, query, key, cursor string) (span, error) {
	sp := span{after: cursor, upTo: lastID}
	if cursor == "" {
		sp.after = firstID
	}
	query, args := c.scoped(query, []any{key, sp.after, t.store.batchSize - 1})
	more, err := t.find(&sp.upTo, query, args...)
	sp.last = !more
	return sp, err
}

// Every sweep locks its documents first, in the order of their IDs, then changes
// what hangs on them. Messages do it in this order too, so that a sweep and a
// message, or two sweeps, wait for each other and never both; and what a message
// leaves behind it, such as a request just filed, is seen.
func lockBatch(where string) string {
	return `SELECT count(*) FROM (SELECT FROM documents d WHERE` + where + `ORDER BY d.id FOR NO KEY UPDATE) locked`
}

// swept is what a batch came to.
func (sp span) swept(documents, schedules int) offboarding.Sweep {
	return offboarding.Sweep{Documents: documents, Schedules: schedules, Cursor: sp.upTo, Done: sp.last}
}

// actor is who has a sweep done: who requested the case, unless a message says.
func (c *caseRow) actor(in offboarding.SweepInput) string {
	if in.ActorID == "" {
		return c.RequestedBy
	}
	return in.ActorID
}

// batch runs one batch of a sweep as a step of its own, named by its cursor.
func (s *Store) batch(
	ctx context.Context, in offboarding.SweepInput, cursor string, fn func(*tx, *caseRow) (offboarding.Sweep, error),
) (offboarding.Sweep, error) {
	step := in.Step
	step.Name += "/after:" + cursor
	return working(ctx, s, step, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		if in.ActorID != "" {
			c.Origin = in.Origin // asked for by a message, not by the start
		}
		return fn(t, c)
	})
}
