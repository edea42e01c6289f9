package postgres

import (
	"context"
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
const transferWhere = ` d.owner_id = $1 AND d.id > $2 AND d.id <= $3 AND NOT d.held` + named + scope

// Of all statements of a transfer $1 is the leaver, then come the IDs after which and up
// to which, the case, actor, origin and time; $8 is the new owner, $9 the leaver's folder
// there.
var (
	// What was in the leaver's own folders goes to their likeness, what was in none to the leaf.
	transferFolder = `CASE WHEN d.folder_id IS NULL THEN nullif($9, '')::uuid
		ELSE coalesce((SELECT l.id FROM folders l WHERE l.owner_id = $8::uuid AND l.source_id = d.folder_id), d.folder_id) END`

	// What is read-only is editable again; what is not keeps its access.
	transferLocked = transferDocuments(`access = 'editable', access_case_id = NULL`, `d.access = 'read_only'`, `'read_only'`)
	transferOthers = transferDocuments(`access = d.access`, `d.access <> 'read_only'`, `access`)

	transferResume = transferSchedules(offboarding.EventResumeSchedules,
		`status = 'active', paused_by_case_id = NULL`, "paused", "active")
	transferArchive = transferSchedules(offboarding.EventArchiveSchedules,
		`status = 'archived', archived_by_case_id = $4`, "active", "archived")

	transferRequests = `WITH superseded AS (
		UPDATE ownership_requests SET status = 'superseded', decided_at = $7
		WHERE ` + pendingWhere(`document_id = ANY (ARRAY(SELECT d.id FROM documents d WHERE`+transferWhere+`))`) + ` RETURNING organization_id, id, document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, 'SupersedeDocOwnership', $5, $6, $1, document_id, $4, 'request', id, '{"status": "pending"}', '{"status": "superseded"}', $7
	FROM superseded`
)

// transferDocuments gives documents of the batch to the new owner, with an event each.
func transferDocuments(set, where, before string) string {
	return `WITH moved AS (
		UPDATE documents d SET owner_id = $8, prior_folder_id = d.folder_id, folder_id = ` + transferFolder + `,
			moved_by_case_id = $4, moved_to_id = $8, ` + set + `, updated_at = $7
		WHERE` + transferWhere + `AND ` + where + ` RETURNING d.organization_id, d.id, d.prior_folder_id, d.folder_id, d.access)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, 'TransferDocs', $5, $6, $1, id, $4, 'document', id,
		jsonb_build_object('owner_id', $1::uuid, 'folder_id', prior_folder_id, 'access', ` + before + `),
		jsonb_build_object('owner_id', $8::uuid, 'folder_id', folder_id, 'access', access), $7 FROM moved`
}

// transferSchedules changes the schedules of what is transferred, with an event each.
func transferSchedules(event, set, before, after string) string {
	return `WITH changed AS (
		UPDATE schedules s SET ` + set + `
		WHERE s.document_id = ANY (ARRAY(SELECT d.id FROM documents d WHERE` + transferWhere + `)) AND s.status = '` + before + `'
		RETURNING s.organization_id, s.id, s.document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, '` + event + `', $5, $6, $1, document_id, $4, 'schedule', id,
		'{"status": "` + before + `"}', '{"status": "` + after + `"}', $7 FROM changed`
}

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
		b, err := t.take(c, in, cursor)
		if err != nil || b.OwnerHeld { // then the documents wait until the hold is lifted (rule H1)
			return b.swept(0, 0), err
		}
		return t.transfer(c, in, b)
	})
}

func (t *tx) transfer(c *caseRow, in offboarding.SweepInput, b portion) (offboarding.Sweep, error) {
	leaf := ""
	if b.Loose || len(b.Folders) > 0 {
		var err error
		if leaf, err = t.home(c, in.NewOwnerID, b.Folders, in.At); err != nil {
			return offboarding.Sweep{}, err
		}
	}
	run := func(to *int, statement string, more ...any) error {
		args := append([]any{c.MemberID, b.after, b.upTo, c.ID, c.actor(in), c.Origin, in.At}, more...)
		query, args := chosen(statement, args, in.DocumentIDs)
		query, args = c.scoped(query, args)
		n, err := t.exec(query, args...)
		*to += n
		return err
	}
	var moved, resumed, archived, superseded int
	if b.ReadOnly > 0 { // or nothing is paused
		if err := run(&resumed, transferResume); err != nil {
			return offboarding.Sweep{}, err
		}
	}
	if in.ArchiveSchedules {
		if err := run(&archived, transferArchive); err != nil {
			return offboarding.Sweep{}, err
		}
	}
	if err := run(&superseded, transferRequests); err != nil {
		return offboarding.Sweep{}, err
	}
	if b.ReadOnly > 0 {
		if err := run(&moved, transferLocked, in.NewOwnerID, leaf); err != nil {
			return offboarding.Sweep{}, err
		}
	}
	if b.Editable+b.Archived > 0 {
		if err := run(&moved, transferOthers, in.NewOwnerID, leaf); err != nil {
			return offboarding.Sweep{}, err
		}
	}
	schedules := resumed
	if in.ArchiveSchedules {
		schedules = archived
	}
	return b.swept(moved, schedules), nil
}
