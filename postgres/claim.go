package postgres

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"handover/offboarding"
)

// uuidArray is an array of IDs for the database. They are written as they are: of
// thousands, to quote what needs no quotes takes longer than to write them.
func uuidArray(ids []string) any {
	if slices.ContainsFunc(ids, func(id string) bool { return !isID(id) }) {
		return pq.Array(ids)
	}
	return "{" + strings.Join(ids, ",") + "}"
}

// documentRow is a document that a message asks for, locked.
type documentRow struct {
	ID       string                 `db:"id"`
	OwnerID  string                 `db:"owner_id"`
	FolderID string                 `db:"folder_id"`
	Personal bool                   `db:"personal"` // in the leaver's My Documents
	Access   offboarding.Access     `db:"access"`
	Grant    offboarding.GrantLevel `db:"level"`
	Pending  bool                   `db:"pending"`
	MovedBy  string                 `db:"moved_by"` // the case that gave it to its owner
	Held     bool                   `db:"held"`     // by a legal hold on it or on its owner
}

// selectDocument locks a document of the organization and reads what a member
// may do with it.
const selectDocument = `SELECT d.id, d.owner_id, coalesce(d.folder_id::text, '') AS folder_id, d.access,
	coalesce(d.moved_by_case_id::text, '') AS moved_by,
	d.held OR ` + ownerHeld + ` AS held,
	d.folder_id IS NULL OR EXISTS (SELECT 1 FROM folders f WHERE f.id = d.folder_id AND f.owner_id = $3) AS personal,
	coalesce((SELECT g.level FROM grants g WHERE g.document_id = d.id AND g.member_id = $4), '') AS level,
	EXISTS (SELECT 1 FROM ownership_requests r WHERE r.document_id = d.id AND r.member_id = $4 AND r.status = 'pending') AS pending
	FROM documents d WHERE d.id = $1 AND d.organization_id = $2` + scope + `FOR NO KEY UPDATE OF d`

func (t *tx) document(c *caseRow, documentID, memberID string) (documentRow, error) {
	var d documentRow
	if !isID(documentID) {
		return d, nil
	}
	query, args := c.scoped(selectDocument, []any{documentID, c.OrganizationID, c.MemberID, memberID})
	_, err := t.find(&d, query, args...)
	return d, err
}

// Claim gives a document to the claimant (rule C1) or files a request (rule C2).
func (s *Store) Claim(ctx context.Context, in offboarding.ClaimInput) (offboarding.Outcome, error) {
	done, err := s.claims.take(ctx, in.Message.DocumentID)
	if err != nil {
		return offboarding.Outcome{}, clean(in.Name, err)
	}
	defer done()
	out, answered, err := s.claimAsFound(ctx, in)
	if err != nil && in.Sent.Signed() && offboarding.CodeOf(err) != "" {
		answered, err = false, nil // is refused with a record: nobody else may send it again when it would be allowed
	}
	if answered || err != nil {
		return out, err
	}
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		c.Origin = in.Message.Origin
		f, err := t.claimFacts(c, in)
		if err != nil {
			return offboarding.Outcome{}, err
		}
		out, err := f.judge(in)
		switch {
		case err != nil:
			return offboarding.Outcome{}, err
		case out.Outcome == offboarding.OutcomeRequested:
			out.RequestID, err = t.request(c, in, f.ClaimantID)
		case out.Documents > 0:
			out.Superseded, err = t.give(c, f.documentRow, f.ClaimantID, in.At, change{event: offboarding.EventClaimDocOwnership, actor: f.ClaimantID})
		}
		return out, err
	})
}

const selectGiven = `SELECT count(*) FROM documents WHERE id = $1::uuid AND owner_id = $2::uuid AND moved_to_id = owner_id`

// GivenTo reports whether a member owns a document because a case, open or closed,
// gave it to them. Both are IDs.
func (s *Store) GivenTo(ctx context.Context, documentID, memberID string) (bool, error) {
	var n int
	err := s.inTx(ctx, "look up who was given a document", func(t *tx) error { return t.get(&n, selectGiven, documentID, memberID) })
	return n == 1, err
}

// sharedRef is member, and keeps the account as it is until the transaction ends.
func (t *tx) sharedRef(ref, organizationID, field string) (*offboarding.Member, error) {
	m, err := t.member(ref, organizationID, field)
	if err != nil || m == nil {
		return nil, err
	}
	return t.sharedMember(m.ID)
}

const (
	insertRequest = `INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7)`
	// A document that a request waits for is another one for who has read it without a lock.
	touchDocument = `UPDATE documents SET updated_at = updated_at WHERE id = $1`
)

func (t *tx) request(c *caseRow, in offboarding.ClaimInput, memberID string) (string, error) {
	id := uuid.Must(uuid.NewV7()).String()
	m := in.Message
	if len(m.Note) > offboarding.MaxNote {
		return "", offboarding.Refuse("C2", offboarding.CodeInvalidArgument, "note", "note is too long")
	}
	if _, err := t.exec(touchDocument, m.DocumentID); err != nil {
		return "", err
	}
	if _, err := t.exec(insertRequest, id, c.OrganizationID, c.ID, m.DocumentID, memberID, m.Note, in.At); err != nil {
		return "", err
	}
	return id, t.audit(c, in.At, change{
		event: offboarding.EventRequestDocOwnership, actor: memberID, document: m.DocumentID,
		kind: offboarding.SubjectRequest, subject: id, after: state{"status": offboarding.RequestPending, "member_id": memberID},
	})
}

// given is how a document changes that is given to a new owner.
const given = `owner_id = $2, prior_folder_id = folder_id, folder_id = nullif($3, '')::uuid, moved_by_case_id = $4, moved_to_id = $2,
	access = CASE WHEN access = 'read_only' THEN 'editable' ELSE access END,
	access_case_id = CASE WHEN access = 'read_only' THEN NULL ELSE access_case_id END, updated_at = $5`

var (
	giveDocument = `UPDATE documents SET ` + given + ` WHERE id = $1`
	resumeGiven  = `WITH resumed AS (
		UPDATE schedules SET status = 'active', paused_by_case_id = NULL WHERE document_id = $1 AND status = 'paused' RETURNING id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $3, 'ResumeSchedules', $4, $5, $6, $1, $7, 'schedule', id, '{"status": "paused"}', '{"status": "active"}', $2 FROM resumed`
	supersedeOthers = `UPDATE ownership_requests SET status = 'superseded', decided_at = $2
	WHERE ` + pendingWhere("document_id = $1 AND id::text <> $3") + ` RETURNING id`
)

// given is what the event says of a document that is given to a new owner.
func (d *documentRow) given(newOwner, folder string) (before, after state) {
	before = state{"owner_id": d.OwnerID, "folder_id": orNull(d.FolderID), "access": d.Access}
	after = state{"owner_id": newOwner, "folder_id": orNull(folder), "access": d.Access}
	if d.Access == offboarding.AccessReadOnly {
		after["access"] = offboarding.AccessEditable
	}
	return before, after
}

// give gives one of the leaver's documents to a new owner, editable again, and
// supersedes the requests on it but for the one that it fulfills, which is
// ch.subject. The documents of My Documents move to the new owner's (rules D1, D2).
func (t *tx) give(c *caseRow, d documentRow, newOwner string, at time.Time, ch change) (superseded []string, err error) {
	folder := d.FolderID
	if d.Personal {
		var folders []string
		if d.FolderID != "" {
			folders = []string{d.FolderID}
		}
		if folder, err = t.home(c, newOwner, folders, at); err != nil {
			return nil, err
		}
		if d.FolderID != "" {
			if err := t.get(&folder, selectFolderBySource, c.OrganizationID, newOwner, d.FolderID); err != nil {
				return nil, err
			}
		}
	}
	if _, err := t.exec(giveDocument, d.ID, newOwner, folder, c.ID, at); err != nil {
		return nil, err
	}
	if d.Access == offboarding.AccessReadOnly {
		if _, err := t.exec(resumeGiven, d.ID, at, c.OrganizationID, ch.actor, c.Origin, c.MemberID, c.ID); err != nil {
			return nil, err
		}
	}
	fulfilled := ch.subject
	ch.document, ch.kind, ch.subject = d.ID, offboarding.SubjectDocument, d.ID
	ch.before, ch.after = d.given(newOwner, folder)
	if err := t.audit(c, at, ch); err != nil {
		return nil, err
	}
	if err := t.list(&superseded, supersedeOthers, d.ID, at, fulfilled); err != nil {
		return nil, err
	}
	for _, id := range superseded {
		err := t.audit(c, at, change{
			event: offboarding.EventSupersedeDocOwnership, actor: ch.actor, document: d.ID, kind: offboarding.SubjectRequest, subject: id,
			before: state{"status": offboarding.RequestPending}, after: state{"status": offboarding.RequestSuperseded},
		})
		if err != nil {
			return nil, err
		}
	}
	return superseded, nil
}

func orNull(id string) any {
	if id == "" {
		return nil
	}
	return id
}
