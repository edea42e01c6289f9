package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
)

// bareRangeSize is how many documents bare SQL changes in one transaction: with more it is
// not quicker.
const bareRangeSize = 5000

// Bare SQL goes from range to range: $1 is the owner, then come the IDs after which
// and up to which. Of the others $4 is the case, $5 who asks, and $6 the time.
const (
	bareRange = `SELECT id FROM documents WHERE owner_id = $1 AND id > $2 ORDER BY id OFFSET $3 LIMIT 1`

	bareEvents = `INSERT INTO audit_events
		(organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)`
)

// bareSchedules changes the schedules of a range of documents with an event each.
func bareSchedules(set, event, before, after string) string {
	return `WITH changed AS (
		UPDATE schedules SET ` + set + ` WHERE document_id = ANY (ARRAY(SELECT id FROM documents WHERE owner_id = $1 AND id > $2 AND id <= $3))
			AND status = '` + before + `' RETURNING organization_id, id, document_id)
	` + bareEvents + `
	SELECT organization_id, '` + event + `', $5, '', $1, document_id, $4, 'schedule', id, '{"status": "` + before + `"}', '{"status": "` + after + `"}', $6
	FROM changed`
}

// bareAccess changes the access of a range of documents with an event each.
func bareAccess(access, event string) string {
	return `WITH changed AS (
		UPDATE documents SET access = '` + access + `', access_case_id = $4, updated_at = $6
		WHERE owner_id = $1 AND id > $2 AND id <= $3 AND access = 'editable' RETURNING organization_id, id)
	` + bareEvents + `
	SELECT organization_id, '` + event + `', $5, '', $1, id, $4, 'document', id, '{"access": "editable"}', '{"access": "` + access + `"}', $6 FROM changed`
}

// bareStatement is one that is run for each range; others says that it takes the new
// owner as $7 and their folder as $8 too.
type bareStatement struct {
	query  string
	others bool
}

// bareSweeps are the statements of each kind, in the order of sweepKinds.
var bareSweeps = [len(sweepKinds)][]bareStatement{
	{
		{bareAccess("read_only", offboarding.EventMarkDocsReadOnly), false},
		{bareSchedules(`status = 'paused', paused_by_case_id = $4`, offboarding.EventPauseSchedules, "active", "paused"), false},
	},
	{
		{bareSchedules(`status = 'active', paused_by_case_id = NULL`, offboarding.EventResumeSchedules, "paused", "active"), false},
		{bareEvents + `
		SELECT organization_id, 'TransferDocs', $5, '', owner_id, id, $4, 'document', id,
			jsonb_build_object('owner_id', owner_id, 'folder_id', folder_id, 'access', access),
			jsonb_build_object('owner_id', $7::uuid, 'folder_id', $8::uuid, 'access', 'editable'), $6
		FROM documents WHERE owner_id = $1 AND id > $2 AND id <= $3`, true},
		{`UPDATE documents SET owner_id = $7, prior_folder_id = folder_id, folder_id = $8, moved_by_case_id = $4, moved_to_id = $7,
			access = 'editable', access_case_id = NULL, updated_at = $6
		WHERE owner_id = $1 AND id > $2 AND id <= $3 AND $5::uuid IS NOT NULL`, true},
	},
	{
		{bareAccess("archived", offboarding.EventArchiveDocs), false},
		{bareSchedules(`status = 'archived', archived_by_case_id = $4`, offboarding.EventArchiveSchedules, "active", "archived"), false},
	},
}

// bare does what handover does. The cases are real ones, so that what is left behind is
// as it would be: of a leaver with one document, and of an heir with none yet.
func (s *sweeping) bare(ctx context.Context, documents int) (seconds sweepSeconds, err error) {
	leaver, heir := s.member(), s.member()
	if err := s.give(ctx, leaver, 1); err != nil {
		return seconds, err
	}
	left, err := s.leaves(ctx, offboarding.Request{MemberID: leaver, GracePeriod: "0s"})
	if err != nil {
		return seconds, err
	}
	if err := until(ctx, s.store.DB(), often, `SELECT phase = 'read_only' FROM cases WHERE id = $1`, left.CaseID); err != nil {
		return seconds, err
	}
	leaves, err := s.leaves(ctx, offboarding.Request{MemberID: heir, Disposition: offboarding.DispositionArchive})
	if err != nil {
		return seconds, err
	}
	if _, err := s.activity(ctx, heir, "ArchiveDocuments"); err != nil {
		return seconds, err
	}
	folder := uuid.NewString()
	_, err = s.store.DB().ExecContext(ctx, `INSERT INTO folders (id, organization_id, owner_id, name, leaver_id, created_at)
		VALUES ($1, $2, $3, 'Leaver', $4, now())`, folder, s.org.id, heir, leaver)
	if err != nil {
		return seconds, err
	}
	if err := s.give(ctx, leaver, documents); err != nil {
		return seconds, err
	}
	for i, owner := range []string{leaver, leaver, heir} {
		caseID := left.CaseID
		if owner == heir {
			caseID = leaves.CaseID
			if err := s.tidy(ctx); err != nil {
				return seconds, err
			}
		}
		seconds[i], err = timed(func() error { return s.bareSweep(ctx, bareSweeps[i], owner, caseID, heir, folder) })
		if err != nil {
			return seconds, fmt.Errorf("%s by bare SQL: %w", sweepKinds[i].what, err)
		}
	}
	return seconds, nil
}

// bareSweep is one sweep, with statements that are prepared once.
func (s *sweeping) bareSweep(ctx context.Context, statements []bareStatement, owner, caseID, heir, folder string) error {
	db := s.store.DB()
	find, err := db.PrepareContext(ctx, bareRange)
	if err != nil {
		return err
	}
	defer func() { _ = find.Close() }()
	prepared := make([]*sql.Stmt, len(statements))
	for i, statement := range statements {
		if prepared[i], err = db.PrepareContext(ctx, statement.query); err != nil { //nolint:sqlclosecheck // closed at the end of the sweep
			return err
		}
		defer func() { _ = prepared[i].Close() }()
	}
	after, upTo, last := uuid.Nil.String(), "", false
	for !last {
		err := find.QueryRowContext(ctx, owner, after, bareRangeSize-1).Scan(&upTo)
		if errors.Is(err, sql.ErrNoRows) {
			last, upTo, err = true, uuid.Max.String(), nil
		}
		if err != nil {
			return err
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for i, statement := range statements {
			args := []any{owner, after, upTo, caseID, s.org.admin, time.Now()}
			if statement.others {
				args = append(args, heir, folder)
			}
			if _, err := tx.StmtContext(ctx, prepared[i]).ExecContext(ctx, args...); err != nil { //nolint:sqlclosecheck // the transaction's end closes it
				return errors.Join(err, tx.Rollback())
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		after = upTo
	}
	return nil
}
