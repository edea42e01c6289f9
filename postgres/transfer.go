package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/lib/pq"

	"handover/offboarding"
)

// AuthorizeTransfer judges a transfer-documents and changes nothing.
func (s *Store) AuthorizeTransfer(
	ctx context.Context, in offboarding.AuthorizeTransferInput,
) (offboarding.TransferAuthorized, error) {
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.TransferAuthorized, error) {
		var out offboarding.TransferAuthorized
		m := in.Message
		var f offboarding.TransferFacts
		var err error
		if f.Admin, err = t.actorOn(c, m.AdminID); err != nil {
			return out, err
		}
		if f.Leaver, err = t.memberByID(c.MemberID, selectMember); err != nil {
			return out, err
		}
		if f.NewOwner, err = t.newOwner(m.NewOwnerID, c, f); err != nil {
			return out, err
		}
		f.Removed = c.WorkspaceID != "" && c.DeactivatedAt != nil
		if f.NotOwned, err = t.notOwned(c, m.DocumentIDs); err != nil {
			return out, err
		}
		if f.Held, err = t.anyHeld(c, m.DocumentIDs); err != nil {
			return out, err
		}
		if err := offboarding.JudgeTransfer(f); err != nil {
			return out, err
		}
		return offboarding.TransferAuthorized{AdminID: f.Admin.Member.ID, NewOwnerID: f.NewOwner.ID}, nil
	})
}

// newOwner is whom a transfer names: the admin where nobody is named, the
// leaver's manager for "manager" (rule N2).
func (t *tx) newOwner(ref string, c *caseRow, f offboarding.TransferFacts) (*offboarding.Member, error) {
	switch ref {
	case "":
		return f.Admin.Member, nil
	case offboarding.NewOwnerManager:
		return t.memberByID(f.Leaver.ManagerID, selectMember)
	}
	return t.member(ref, c.OrganizationID, "new_owner_id")
}

// notOwned counts those of the documents that the leaver does not own.
func (t *tx) notOwned(c *caseRow, ids []string) (int, error) {
	distinct := map[string]bool{}
	for _, id := range ids {
		if !isID(id) {
			return len(ids), nil
		}
		distinct[strings.ToLower(id)] = true
	}
	if len(ids) == 0 {
		return 0, nil
	}
	var owned int
	query, args := c.scoped(`SELECT count(*) FROM documents d WHERE owner_id = $1 AND id = ANY ($2::uuid[])`+scope, []any{c.MemberID, pq.Array(ids)})
	err := t.get(&owned, query, args...)
	return len(distinct) - owned, err
}

// transferWhere is what a transfer works on: the batch, or those of it that are
// named, but for those under legal hold (rule H1).
const transferWhere = ` d.owner_id = $1 AND d.id > $2 AND d.id <= $3 AND ($4::uuid[] IS NULL OR d.id = ANY ($4::uuid[]))
	AND NOT d.held` + scope

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
		moved_by_case_id = $7, moved_to_id = $5, access = CASE WHEN d.access = 'read_only' THEN 'editable' ELSE d.access END,
		access_case_id = CASE WHEN d.access = 'read_only' THEN NULL ELSE d.access_case_id END, updated_at = $8
	WHERE` + transferWhere

	transferResume = `WITH resumed AS (
		UPDATE schedules s SET status = 'active', paused_by_case_id = NULL FROM documents d
		WHERE s.document_id = d.id AND s.status = 'paused' AND s.document_id > $2 AND s.document_id <= $3 AND` + transferWhere + `
		RETURNING s.id, s.document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $5, 'ResumeSchedules', $7, $8, $1, document_id, $6, 'schedule', id, '{"status": "paused"}', '{"status": "active"}', $9
	FROM resumed`

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
		if leaver.Active() && (c.WorkspaceID == "" || c.Phase == offboarding.PhaseReactivated) {
			return offboarding.Sweep{}, offboarding.Refuse("T1", offboarding.CodeMemberStillActive, "member_id", "the member is active")
		}
		sp, err := t.span(c, batchEnd, c.MemberID, cursor)
		if err != nil {
			return offboarding.Sweep{}, err
		}
		if held, err := t.memberHeld(c.MemberID); err != nil || held {
			return sp.swept(0, 0), err // the documents wait until the hold is lifted (rule H1)
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
	run := func(statement string, args ...any) (int, error) {
		query, args := c.scoped(statement, args)
		return t.exec(query, args...)
	}
	var folders []string
	if _, err := run(transferLock, c.MemberID, sp.after, sp.upTo, named); err != nil {
		return none, err
	}
	query, args := c.scoped(transferFolders, []any{c.MemberID, sp.after, sp.upTo, named})
	if err := t.list(&folders, query, args...); err != nil {
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
	schedules, err := run(transferResume, c.MemberID, sp.after, sp.upTo, named, c.OrganizationID, c.ID, actor, c.Origin, in.At)
	if err != nil {
		return none, err
	}
	if in.ArchiveSchedules {
		schedules, err = run(transferSchedules, c.MemberID, sp.after, sp.upTo, named, c.OrganizationID, c.ID, actor, c.Origin, in.At)
		if err != nil {
			return none, err
		}
	}
	if _, err := run(transferRequests, c.MemberID, sp.after, sp.upTo, named, c.OrganizationID, c.ID, actor, c.Origin, in.At); err != nil {
		return none, err
	}
	recorded, err := run(transferAudit, c.MemberID, sp.after, sp.upTo, named, in.NewOwnerID, leaf, actor, c.Origin, c.ID, in.At)
	if err != nil {
		return none, err
	}
	moved, err := run(transferUpdate, c.MemberID, sp.after, sp.upTo, named, in.NewOwnerID, leaf, c.ID, in.At)
	if err == nil && moved != recorded {
		err = errTornBatch
	}
	return sp.swept(moved, schedules), err
}
