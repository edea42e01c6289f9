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

// scheduleChange changes the schedules of a batch of the leaver's documents.
func scheduleChange(event, set, where, before, after string) string {
	return `WITH changed AS (
		UPDATE schedules s SET ` + set + ` FROM documents d
		WHERE s.document_id = d.id AND` + accessWhere + `AND ` + where + `
		RETURNING s.organization_id, s.id, s.document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, '` + event + `', $5, $6, $1, document_id, $4, 'schedule', id,
		'{"status": "` + before + `"}', '{"status": "` + after + `"}', $7 FROM changed`
}

// notOfRemoval leaves documents of a workspace that the leaver has been removed
// from to that case: it locks them when its own grace has ended. A removal that has
// not begun may never do so.
const notOfRemoval = ` AND NOT EXISTS (SELECT 1 FROM cases r
	WHERE r.member_id = $1 AND r.workspace_id = d.workspace_id AND r.id <> $4 AND r.deactivated_at IS NOT NULL AND r.closed_at IS NULL)`

var (
	archiveDocuments = accessChange(offboarding.EventArchiveDocs,
		`access = 'archived', access_case_id = $4`, `d.access = 'editable' AND NOT d.held`, "editable", "archived")
	// What a removal from a workspace has locked, and its paused schedules.
	archiveLocked = accessChange(offboarding.EventArchiveDocs,
		`access = 'archived', access_case_id = $4`, `d.access = 'read_only' AND NOT d.held`, "read_only", "archived")
	archivePaused = scheduleChange(offboarding.EventArchiveSchedules,
		`status = 'archived', paused_by_case_id = NULL, archived_by_case_id = $4`, `s.status = 'paused' AND d.access = 'archived'`, "paused", "archived")
	archiveSchedules = scheduleChange(offboarding.EventArchiveSchedules,
		`status = 'archived', archived_by_case_id = $4`, `s.status = 'active' AND NOT d.held`, "active", "archived")
	lockDocuments = accessChange(offboarding.EventMarkDocsReadOnly,
		`access = 'read_only', access_case_id = $4`, `d.access = 'editable'`+notOfRemoval, "editable", "read_only")
	// The schedules of what the case has locked pause, and go on when somebody has the document.
	pauseSchedules = scheduleChange(offboarding.EventPauseSchedules,
		`status = 'paused', paused_by_case_id = $4`, `s.status = 'active' AND d.access = 'read_only' AND d.access_case_id = $4`, "active", "paused")
	resumeSchedules = scheduleChange(offboarding.EventResumeSchedules,
		`status = 'active', paused_by_case_id = NULL`,
		`s.status = 'paused' AND s.document_id > $2 AND s.document_id <= $3 AND d.access <> 'read_only'`, "paused", "active")
	unlockDocuments = accessChange(offboarding.EventMarkDocsEditable,
		`access = 'editable', access_case_id = NULL`, `d.access = 'read_only' AND d.access_case_id = $4`, "read_only", "editable")
	unarchiveDocuments = accessChange(offboarding.EventUnarchiveDocs,
		`access = 'editable', access_case_id = NULL`, `d.access = 'archived' AND d.access_case_id = $4`, "archived", "editable")
	unarchiveSchedules = scheduleChange(offboarding.EventUnarchiveSchedules,
		`status = 'active', archived_by_case_id = NULL`, `s.archived_by_case_id = $4 AND s.document_id > $2 AND s.document_id <= $3`, "archived", "active")
)

// ArchiveBatch archives a batch of the leaver's documents and their schedules; what
// is under legal hold stays as it is (rule H1).
func (s *Store) ArchiveBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.accessBatch(ctx, in, cursor, offboarding.PhaseTransferring, []string{archiveDocuments, archiveLocked}, []string{archiveSchedules, archivePaused})
}

// LockBatch makes read-only a batch of what is still the leaver's, and pauses its
// schedules.
func (s *Store) LockBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.accessBatch(ctx, in, cursor, offboarding.PhaseReadOnly, []string{lockDocuments}, []string{pauseSchedules})
}

// RestoreBatch makes editable a batch of what the case locked or archived and is
// still the leaver's, with its schedules.
func (s *Store) RestoreBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		sp, err := t.accessSpan(c, cursor)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		documents, err := t.sweeps(c, in, sp, unlockDocuments, unarchiveDocuments)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		schedules, err := t.sweeps(c, in, sp, unarchiveSchedules, resumeSchedules)
		return sp.swept(documents, schedules), err
	})
}

// accessBatch runs statements over documents, then over their schedules, in the
// only phase where it may happen.
func (s *Store) accessBatch(
	ctx context.Context, in offboarding.SweepInput, cursor string, phase offboarding.Phase, documents, schedules []string,
) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		if c.Phase != phase {
			return offboarding.Sweep{}, wrongPhase(c)
		}
		sp, err := t.accessSpan(c, cursor)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		if phase == offboarding.PhaseTransferring { // archiving
			if held, err := t.memberHeld(c.MemberID); err != nil || held {
				return sp.swept(0, 0), err
			}
		}
		changed, err := t.sweeps(c, in, sp, documents...)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		stopped, err := t.sweeps(c, in, sp, schedules...)
		return sp.swept(changed, stopped), err
	})
}

const accessWhere = ` d.owner_id = $1 AND d.id > $2 AND d.id <= $3` + scope

var accessLock = lockBatch(accessWhere)

// accessSpan is the next batch of the leaver's documents, locked.
func (t *tx) accessSpan(c *caseRow, cursor string) (span, error) {
	sp, err := t.span(c, batchEnd, c.MemberID, cursor)
	if err == nil {
		query, args := c.scoped(accessLock, []any{c.MemberID, sp.after, sp.upTo})
		_, err = t.exec(query, args...)
	}
	return sp, err
}

func (t *tx) sweep(c *caseRow, in offboarding.SweepInput, sp span, statement string) (int, error) {
	query, args := c.scoped(statement, []any{c.MemberID, sp.after, sp.upTo, c.ID, c.actor(in), c.Origin, in.At})
	return t.exec(query, args...)
}

// sweeps runs statements one after the other, and adds up what they have changed.
func (t *tx) sweeps(c *caseRow, in offboarding.SweepInput, sp span, statements ...string) (total int, err error) {
	for _, statement := range statements {
		n, err := t.sweep(c, in, sp, statement)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
