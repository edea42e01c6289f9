package postgres

import (
	"context"
	"errors"

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

// batchEnd finds the upper end of a batch first; the batch is then worked on as
// a range of the index, which the planner cannot turn into a join over the table.
const batchEnd = `SELECT id FROM documents WHERE owner_id = $1 AND id > $2 ORDER BY id OFFSET $3 LIMIT 1`

func (t *tx) span(query, key, cursor string) (span, error) {
	sp := span{after: cursor, upTo: lastID}
	if cursor == "" {
		sp.after = firstID
	}
	more, err := t.find(&sp.upTo, query, key, sp.after, t.store.batchSize-1)
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
	return working(ctx, s, step, fn)
}

// transferWhere is what a transfer works on: the batch, or those of it that are
// named.
const transferWhere = ` d.owner_id = $1 AND d.id > $2 AND d.id <= $3 AND ($4::uuid[] IS NULL OR d.id = ANY ($4::uuid[])) `

var (
	transferLock = lockBatch(transferWhere)

	transferFolders = `SELECT DISTINCT coalesce(d.folder_id::text, '') FROM documents d LEFT JOIN folders f ON f.id = d.folder_id
	WHERE` + transferWhere + `AND (d.folder_id IS NULL OR f.owner_id = d.owner_id)`

	// What was in the leaver's own folders goes to their likeness, what was in none to the leaf.
	transferFolder = `CASE WHEN d.folder_id IS NULL THEN nullif($6, '')::uuid
		ELSE coalesce((SELECT l.id FROM folders l WHERE l.owner_id = $5::uuid AND l.source_id = d.folder_id), d.folder_id) END`

	transferAudit = `INSERT INTO audit_events
		(organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT d.organization_id, 'TransferDocs', $7, $8, d.owner_id, d.id, $9, 'document', d.id,
		jsonb_build_object('owner_id', d.owner_id, 'folder_id', d.folder_id, 'access', d.access),
		jsonb_build_object('owner_id', $5::uuid, 'folder_id', ` + transferFolder + `,
			'access', CASE WHEN d.access = 'read_only' THEN 'editable' ELSE d.access END), $10
	FROM documents d WHERE` + transferWhere

	transferUpdate = `UPDATE documents d SET owner_id = $5, prior_folder_id = d.folder_id, folder_id = ` + transferFolder + `,
		moved_by_case_id = $7, access = CASE WHEN d.access = 'read_only' THEN 'editable' ELSE d.access END,
		access_case_id = CASE WHEN d.access = 'read_only' THEN NULL ELSE d.access_case_id END, updated_at = $8
	WHERE` + transferWhere

	transferSchedules = `WITH archived AS (
		UPDATE schedules s SET status = 'archived', archived_by_case_id = $6 FROM documents d
		WHERE s.document_id = d.id AND s.status = 'active' AND` + transferWhere + ` RETURNING s.id, s.document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $5, 'ArchiveSchedules', $7, $8, $1, document_id, $6, 'schedule', id, '{"status": "active"}', '{"status": "archived"}', $9
	FROM archived`

	transferRequests = `WITH superseded AS (
		UPDATE ownership_requests SET status = 'superseded', decided_at = $9
		WHERE ` + pendingWhere(`document_id IN (SELECT d.id FROM documents d WHERE`+transferWhere+`)`) + ` RETURNING id, document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $5, 'SupersedeDocOwnership', $7, $8, $1, document_id, $6, 'request', id, '{"status": "pending"}', '{"status": "superseded"}', $9
	FROM superseded`
)

var errTornBatch = errors.New("a batch changed other documents than it recorded")

// TransferBatch gives a batch of the leaver's documents to the new owner, who is
// judged again and kept from leaving meanwhile (rule N1).
func (s *Store) TransferBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		owner, err := t.sharedMember(in.NewOwnerID)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		leaver, err := t.memberByID(c.MemberID, selectMember)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		if err := offboarding.RefusalOf(offboarding.JudgeNewOwner(owner, leaver)); err != nil {
			return offboarding.Sweep{}, err
		}
		if leaver.Active() {
			return offboarding.Sweep{}, offboarding.Refuse("T1", offboarding.CodeMemberStillActive, "member_id", "the member is active")
		}
		sp, err := t.span(batchEnd, c.MemberID, cursor)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		return t.transfer(c, in, sp)
	})
}

func (t *tx) transfer(c *caseRow, in offboarding.SweepInput, sp span) (offboarding.Sweep, error) {
	none := offboarding.Sweep{}
	var named any
	if len(in.DocumentIDs) > 0 {
		named = pq.Array(in.DocumentIDs)
	}
	actor := c.actor(in)
	var folders []string
	if _, err := t.exec(transferLock, c.MemberID, sp.after, sp.upTo, named); err != nil {
		return none, err
	}
	if err := t.list(&folders, transferFolders, c.MemberID, sp.after, sp.upTo, named); err != nil {
		return none, err
	}
	leaf := ""
	if len(folders) > 0 {
		own := make([]string, 0, len(folders))
		for _, f := range folders {
			if f != "" {
				own = append(own, f)
			}
		}
		var err error
		if leaf, err = t.home(c, in.NewOwnerID, own, in.At); err != nil {
			return none, err
		}
	}
	schedules := 0
	if in.ArchiveSchedules {
		var err error
		schedules, err = t.exec(transferSchedules, c.MemberID, sp.after, sp.upTo, named, c.OrganizationID, c.ID, actor, c.Origin, in.At)
		if err != nil {
			return none, err
		}
	}
	if _, err := t.exec(transferRequests, c.MemberID, sp.after, sp.upTo, named, c.OrganizationID, c.ID, actor, c.Origin, in.At); err != nil {
		return none, err
	}
	recorded, err := t.exec(transferAudit, c.MemberID, sp.after, sp.upTo, named, in.NewOwnerID, leaf, actor, c.Origin, c.ID, in.At)
	if err != nil {
		return none, err
	}
	moved, err := t.exec(transferUpdate, c.MemberID, sp.after, sp.upTo, named, in.NewOwnerID, leaf, c.ID, in.At)
	if err == nil && moved != recorded {
		err = errTornBatch
	}
	return sp.swept(moved, schedules), err
}
