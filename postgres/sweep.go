package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/lib/pq"

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

// span of a cursor: its upper end is found first, and the batch is then worked on as a
// range of the index, which the planner cannot turn into a join over the table.
func (t *tx) span(query, key, cursor string) (span, error) {
	sp := newSpan(cursor)
	more, err := t.find(&sp.upTo, query, key, sp.after, t.store.batchSize-1)
	sp.last = !more
	return sp, err
}

func newSpan(cursor string) span {
	if cursor == "" {
		cursor = firstID
	}
	return span{after: cursor, upTo: lastID}
}

// portion are the leaver's next documents after the cursor, locked, and what is to be
// known of them: what is not among them has no work to be looked for.
type portion struct {
	span
	Documents int            `db:"documents"`
	Last      string         `db:"last"`
	Editable  int            `db:"editable"`
	ReadOnly  int            `db:"read_only"`
	Archived  int            `db:"archived"`
	Loose     bool           `db:"loose"`      // some lie in My Documents and in no folder there
	Folders   pq.StringArray `db:"folders"`    // of My Documents, which hold the others
	OwnerHeld bool           `db:"owner_held"` // by a legal hold on the leaver (rule H1)
}

// takeDocuments finds the end of a batch and locks it in one pass. Pairs are compared, and
// sorted by, because only the index of owners can do that: where few members own much, the
// plan would go through everybody's documents in the order of their IDs. $1 leaver, $2
// after, $3 how many.
const takeDocuments = `WITH taken AS MATERIALIZED (
		SELECT d.id, d.access, d.folder_id FROM documents d
		WHERE (d.owner_id, d.id) > ($1::uuid, $2::uuid) AND (d.owner_id, d.id) <= ($1::uuid, '` + lastID + `'::uuid)` + named + scope + `
		ORDER BY d.owner_id, d.id LIMIT $3 FOR NO KEY UPDATE)
	SELECT count(*) AS documents, coalesce((SELECT t.id::text FROM taken t ORDER BY t.id DESC LIMIT 1), '') AS last,
		count(*) FILTER (WHERE access = 'editable') AS editable, count(*) FILTER (WHERE access = 'read_only') AS read_only,
		count(*) FILTER (WHERE access = 'archived') AS archived, coalesce(bool_or(folder_id IS NULL), false) AS loose,
		ARRAY(SELECT f.id FROM folders f WHERE f.owner_id = $1
			AND f.id = ANY (ARRAY(SELECT DISTINCT folder_id FROM taken WHERE folder_id IS NOT NULL))) AS folders,
		EXISTS (SELECT 1 FROM legal_holds h WHERE h.member_id = $1 AND h.lifted_at IS NULL) AS owner_held
	FROM taken`

// take takes the next batch of the leaver's documents, or of those that are named. Every
// sweep locks its documents first, in the order of their IDs, then changes what hangs on
// them. Messages do it in this order too, so that a sweep and a message, or two sweeps,
// wait for each other and never both; and what a message leaves behind it, such as a
// request just filed, is seen.
func (t *tx) take(c *caseRow, in offboarding.SweepInput, cursor string) (b portion, err error) {
	b.span = newSpan(cursor)
	size := t.store.batchSize
	if in.BatchSize > 0 {
		size = min(size, in.BatchSize)
	}
	query, args := chosen(takeDocuments, []any{c.MemberID, b.after, size}, in.DocumentIDs)
	query, args = c.scoped(query, args)
	err = t.get(&b, query, args...)
	if b.last = b.Documents < size; !b.last {
		b.upTo = b.Last
	}
	return b, err
}

// has says whether there is work on documents of an access, "" for any.
func (b portion) has(access offboarding.Access) bool {
	switch access {
	case offboarding.AccessEditable:
		return b.Editable > 0
	case offboarding.AccessReadOnly:
		return b.ReadOnly > 0
	case offboarding.AccessArchived:
		return b.Archived > 0
	}
	return true
}

// named stands in a statement's WHERE over documents d where a message may name some:
// without, the statement is planned as if there were no such thing.
const named = " /*named*/ "

// chosen is a statement and its values for the documents that are named, all if none are.
func chosen(query string, args []any, ids []string) (string, []any) {
	if len(ids) == 0 || !strings.Contains(query, named) {
		return strings.ReplaceAll(query, named, " "), args
	}
	args = append(args[:len(args):len(args)], pq.Array(ids))
	return strings.ReplaceAll(query, named, " AND d.id = ANY ($"+strconv.Itoa(len(args))+"::uuid[]) "), args
}

// lockBatch locks a batch that is known already.
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
