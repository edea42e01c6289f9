package postgres

import (
	"context"

	"handover/offboarding"
)

// accessChange changes the access of a batch of the leaver's documents with an
// event each. $1 leaver, $2 after, $3 up to, $4 case, $5 actor, $6 origin, $7 at.
func accessChange(event, set, where, before, after string) string {
	return `WITH changed AS (
		UPDATE documents d SET ` + set + `, updated_at = $7 WHERE` + accessWhere + `AND ` + where + `
		RETURNING d.organization_id, d.id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, '` + event + `', $5, $6, $1, id, $4, 'document', id,
		'{"access": "` + before + `"}', '{"access": "` + after + `"}', $7 FROM changed`
}

// scheduleChange changes the schedules that are so of those documents of a batch that
// are so. The documents go as an array: joined with the schedules, and with statistics
// from before the leaver had them, the plan may read all schedules for each.
func scheduleChange(event, set, schedules, documents, before, after string) string {
	return `WITH changed AS (
		UPDATE schedules s SET ` + set + `
		WHERE s.document_id = ANY (ARRAY(SELECT d.id FROM documents d WHERE` + accessWhere + `AND ` + documents + `)) AND ` + schedules + `
		RETURNING s.organization_id, s.id, s.document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, '` + event + `', $5, $6, $1, document_id, $4, 'schedule', id,
		'{"status": "` + before + `"}', '{"status": "` + after + `"}', $7 FROM changed`
}

// notOfRemoval leaves documents of a workspace that the leaver has been removed
// from to that case: it locks them when its own grace has ended. A removal that has
// not begun may never do so. They are asked for once, and not for each document.
const notOfRemoval = ` AND (d.workspace_id = ANY (ARRAY(SELECT r.workspace_id FROM cases r WHERE r.member_id = $1 AND r.workspace_id IS NOT NULL
	AND r.id <> $4 AND r.deactivated_at IS NOT NULL AND r.closed_at IS NULL))) IS NOT TRUE`

var (
	archiveDocuments = accessChange(offboarding.EventArchiveDocs,
		`access = 'archived', access_case_id = $4`, `d.access = 'editable' AND NOT d.held`, "editable", "archived")
	// What a removal from a workspace has locked, and its paused schedules.
	archiveLocked = accessChange(offboarding.EventArchiveDocs,
		`access = 'archived', access_case_id = $4`, `d.access = 'read_only' AND NOT d.held`, "read_only", "archived")
	archivePaused = scheduleChange(offboarding.EventArchiveSchedules,
		`status = 'archived', paused_by_case_id = NULL, archived_by_case_id = $4`, `s.status = 'paused'`, `d.access = 'archived'`, "paused", "archived")
	archiveSchedules = scheduleChange(offboarding.EventArchiveSchedules,
		`status = 'archived', archived_by_case_id = $4`, `s.status = 'active'`, `NOT d.held`, "active", "archived")
	lockDocuments = accessChange(offboarding.EventMarkDocsReadOnly,
		`access = 'read_only', access_case_id = $4`, `d.access = 'editable'`+notOfRemoval, "editable", "read_only")
	// The schedules of what the case has locked pause, and go on when somebody has the document.
	pauseSchedules = scheduleChange(offboarding.EventPauseSchedules,
		`status = 'paused', paused_by_case_id = $4`, `s.status = 'active'`, `d.access = 'read_only' AND d.access_case_id = $4`, "active", "paused")
	resumeSchedules = scheduleChange(offboarding.EventResumeSchedules,
		`status = 'active', paused_by_case_id = NULL`,
		`s.status = 'paused'`, `d.access <> 'read_only'`, "paused", "active")
	unlockDocuments = accessChange(offboarding.EventMarkDocsEditable,
		`access = 'editable', access_case_id = NULL`, `d.access = 'read_only' AND d.access_case_id = $4`, "read_only", "editable")
	unarchiveDocuments = accessChange(offboarding.EventUnarchiveDocs,
		`access = 'editable', access_case_id = NULL`, `d.access = 'archived' AND d.access_case_id = $4`, "archived", "editable")
	unarchiveSchedules = scheduleChange(offboarding.EventUnarchiveSchedules,
		`status = 'active', archived_by_case_id = NULL`, `s.archived_by_case_id = $4`, `true`, "archived", "active")
)

// part is one statement of a sweep, for batches with documents of an access, "" for all.
type part struct {
	access    offboarding.Access
	statement string
}

// parts of a sweep: those over documents come first.
type parts struct{ documents, schedules []part }

var (
	archiving = parts{
		[]part{{offboarding.AccessEditable, archiveDocuments}, {offboarding.AccessReadOnly, archiveLocked}},
		[]part{{"", archiveSchedules}, {offboarding.AccessReadOnly, archivePaused}},
	}
	locking   = parts{[]part{{offboarding.AccessEditable, lockDocuments}}, []part{{"", pauseSchedules}}}
	restoring = parts{
		[]part{{offboarding.AccessReadOnly, unlockDocuments}, {offboarding.AccessArchived, unarchiveDocuments}},
		[]part{{"", unarchiveSchedules}, {"", resumeSchedules}},
	}
)

// ArchiveBatch archives a batch of the leaver's documents and their schedules; what
// is under legal hold stays as it is (rule H1).
func (s *Store) ArchiveBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		switch c.Phase {
		case offboarding.PhaseTransferring, offboarding.PhaseGrace, offboarding.PhaseReadOnly: // the later ones after a refused reactivation
		default:
			return offboarding.Sweep{}, wrongPhase(c)
		}
		b, err := t.take(c, in, cursor)
		if err != nil || b.OwnerHeld {
			return b.swept(0, 0), err
		}
		return t.sweeps(c, in, b, archiving)
	})
}

// LockBatch makes read-only a batch of what is still the leaver's, and pauses its
// schedules.
func (s *Store) LockBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		if c.Phase != offboarding.PhaseReadOnly {
			return offboarding.Sweep{}, wrongPhase(c)
		}
		return t.takeAndSweep(c, in, cursor, locking)
	})
}

// RestoreBatch makes editable a batch of what the case locked or archived and is
// still the leaver's, with its schedules.
func (s *Store) RestoreBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		return t.takeAndSweep(c, in, cursor, restoring)
	})
}

func (t *tx) takeAndSweep(c *caseRow, in offboarding.SweepInput, cursor string, p parts) (offboarding.Sweep, error) {
	b, err := t.take(c, in, cursor)
	if err != nil {
		return offboarding.Sweep{}, err
	}
	return t.sweeps(c, in, b, p)
}

const accessWhere = ` d.owner_id = $1 AND d.id > $2 AND d.id <= $3` + scope

func (t *tx) sweep(c *caseRow, in offboarding.SweepInput, sp span, statement string) (int, error) {
	query, args := c.scoped(statement, []any{c.MemberID, sp.after, sp.upTo, c.ID, c.actor(in), c.Origin, in.At})
	return t.exec(query, args...)
}

// sweeps runs the parts of a sweep on a batch, and counts what they have changed.
func (t *tx) sweeps(c *caseRow, in offboarding.SweepInput, b portion, p parts) (offboarding.Sweep, error) {
	run := func(parts []part) (changed int, err error) {
		for _, p := range parts {
			if !b.has(p.access) {
				continue
			}
			n, err := t.sweep(c, in, b.span, p.statement)
			if err != nil {
				return changed, err
			}
			changed += n
		}
		return changed, nil
	}
	documents, err := run(p.documents)
	if err != nil {
		return offboarding.Sweep{}, err
	}
	schedules, err := run(p.schedules)
	return b.swept(documents, schedules), err
}
