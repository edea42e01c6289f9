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

var (
	archiveDocuments = accessChange(offboarding.EventArchiveDocs,
		`access = 'archived', access_case_id = $4`, `d.access = 'editable'`, "editable", "archived")
	archiveSchedules = scheduleChange(offboarding.EventArchiveSchedules,
		`status = 'archived', archived_by_case_id = $4`, `s.status = 'active'`, "active", "archived")
	lockDocuments = accessChange(offboarding.EventMarkDocsReadOnly,
		`access = 'read_only', access_case_id = $4`, `d.access = 'editable'`, "editable", "read_only")
	unlockDocuments = accessChange(offboarding.EventMarkDocsEditable,
		`access = 'editable', access_case_id = NULL`, `d.access = 'read_only' AND d.access_case_id = $4`, "read_only", "editable")
	unarchiveDocuments = accessChange(offboarding.EventUnarchiveDocs,
		`access = 'editable', access_case_id = NULL`, `d.access = 'archived' AND d.access_case_id = $4`, "archived", "editable")
	unarchiveSchedules = scheduleChange(offboarding.EventUnarchiveSchedules,
		`status = 'active', archived_by_case_id = NULL`, `s.archived_by_case_id = $4 AND s.document_id > $2 AND s.document_id <= $3`, "archived", "active")
)

// ArchiveBatch archives a batch of the leaver's documents and their schedules.
func (s *Store) ArchiveBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.accessBatch(ctx, in, cursor, offboarding.PhaseTransferring, archiveDocuments, archiveSchedules)
}

// LockBatch makes read-only a batch of what is still the leaver's.
func (s *Store) LockBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.accessBatch(ctx, in, cursor, offboarding.PhaseReadOnly, lockDocuments, "")
}

// RestoreBatch makes editable a batch of what the case locked or archived and is
// still the leaver's, with its schedules.
func (s *Store) RestoreBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		sp, err := t.accessSpan(c, cursor)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		total := 0
		for _, statement := range []string{unlockDocuments, unarchiveDocuments} {
			n, err := t.sweep(c, in, sp, statement)
			if err != nil {
				return offboarding.Sweep{}, err
			}
			total += n
		}
		schedules, err := t.sweep(c, in, sp, unarchiveSchedules)
		return sp.swept(total, schedules), err
	})
}

// accessBatch runs one statement over documents, and one over schedules where
// given, in the only phase where it may happen.
func (s *Store) accessBatch(
	ctx context.Context, in offboarding.SweepInput, cursor string, phase offboarding.Phase, documents, schedules string,
) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		if c.Phase != phase {
			return offboarding.Sweep{}, wrongPhase(c)
		}
		sp, err := t.accessSpan(c, cursor)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		changed, err := t.sweep(c, in, sp, documents)
		if err != nil || schedules == "" {
			return sp.swept(changed, 0), err
		}
		paused, err := t.sweep(c, in, sp, schedules)
		return sp.swept(changed, paused), err
	})
}

const accessWhere = ` d.owner_id = $1 AND d.id > $2 AND d.id <= $3 `

var accessLock = lockBatch(accessWhere)

// accessSpan is the next batch of the leaver's documents, locked.
func (t *tx) accessSpan(c *caseRow, cursor string) (span, error) {
	sp, err := t.span(batchEnd, c.MemberID, cursor)
	if err == nil {
		_, err = t.exec(accessLock, c.MemberID, sp.after, sp.upTo)
	}
	return sp, err
}

func (t *tx) sweep(c *caseRow, in offboarding.SweepInput, sp span, statement string) (int, error) {
	return t.exec(statement, c.MemberID, sp.after, sp.upTo, c.ID, c.actor(in), c.Origin, in.At)
}
