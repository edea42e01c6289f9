package postgres

import (
	"context"

	"handover/offboarding"
)

// claimFacts is what a claim-request is judged by, read at one moment and without a
// lock, and what of it was read when.
type claimFacts struct {
	documentRow
	OrganizationID string                  `db:"organization_id"`
	LeaverID       string                  `db:"leaver_id"`
	Phase          offboarding.Phase       `db:"phase"`
	Deactivated    bool                    `db:"deactivated"`
	Policy         offboarding.ClaimPolicy `db:"claim_policy"`
	Stored         string                  `db:"stored"` // outcome of the step, "" where it was not done before

	ClaimantID           string                   `db:"claimant_id"` // "" for nobody
	ClaimantOrganization string                   `db:"claimant_organization_id"`
	ClaimantStatus       offboarding.MemberStatus `db:"claimant_status"`
	ClaimantAccount      offboarding.AccountType  `db:"claimant_account"`

	Home     string `db:"home"`  // the folder that the document gets, "" for one that is still to be made
	Root     string `db:"root"`  // the claimant's Archived Users, likewise; not read where there is a home
	Alone    bool   `db:"alone"` // no request and no schedule waits for the document
	Case     string `db:"case_version"`
	Claimant string `db:"claimant_version"`
	Document string `db:"document_version"`
}

// A row's xmin is another one as soon as somebody has changed the row.
const selectClaimFacts = `SELECT c.organization_id, c.member_id AS leaver_id, c.phase, c.deactivated_at IS NOT NULL AS deactivated, o.claim_policy,
	coalesce((SELECT s.outcome::text FROM case_steps s WHERE s.case_id = c.id AND s.step = $2), '') AS stored,
	coalesce(m.id::text, '') AS claimant_id, coalesce(m.organization_id::text, '') AS claimant_organization_id,
	coalesce(m.status, '') AS claimant_status, coalesce(m.account_type, '') AS claimant_account,
	coalesce(d.id::text, '') AS id, coalesce(d.owner_id::text, '') AS owner_id, coalesce(d.folder_id::text, '') AS folder_id,
	coalesce(d.access, '') AS access, coalesce(d.moved_by_case_id::text, '') AS moved_by, coalesce(d.held OR ` + ownerHeld + `, false) AS held,
	d.folder_id IS NULL OR f.owner_id IS NOT DISTINCT FROM c.member_id AS personal,
	coalesce((SELECT g.level FROM grants g WHERE g.document_id = d.id AND g.member_id = m.id), '') AS level,
	EXISTS (SELECT 1 FROM ownership_requests r WHERE r.document_id = d.id AND r.member_id = m.id AND r.status = 'pending') AS pending,
	coalesce((CASE WHEN d.folder_id IS NULL THEN h.id WHEN f.owner_id = c.member_id THEN l.id ELSE d.folder_id END)::text, '') AS home,
	CASE WHEN h.id IS NULL THEN coalesce((SELECT r.id::text FROM folders r WHERE r.organization_id = m.organization_id AND r.owner_id = m.id
		AND r.parent_id IS NULL AND r.name = '` + offboarding.ArchivedUsersFolder + `'), '') ELSE '' END AS root,
	NOT EXISTS (SELECT 1 FROM ownership_requests r WHERE r.document_id = d.id AND r.status = 'pending')
		AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.document_id = d.id AND s.status = 'paused') AS alone,
	c.xmin::text AS case_version, coalesce(m.xmin::text, '') AS claimant_version, coalesce(d.xmin::text, '') AS document_version
	FROM cases c JOIN organizations o ON o.id = c.organization_id
	LEFT JOIN members m ON m.id = $3
	LEFT JOIN documents d ON d.id = $4 AND d.organization_id = c.organization_id AND (c.workspace_id IS NULL OR d.workspace_id = c.workspace_id)
	LEFT JOIN folders f ON f.id = d.folder_id
	LEFT JOIN folders h ON h.owner_id = m.id AND h.leaver_id = c.member_id
	LEFT JOIN folders l ON l.owner_id = m.id AND l.source_id = d.folder_id
	WHERE c.id = $1`

// judge judges a claim-request by the facts (rules C1 and C2). A document that is the
// claimant's by this case already is none any more: the answer to a claim sent twice is
// the same.
func (f *claimFacts) judge(in offboarding.ClaimInput) (offboarding.Outcome, error) {
	facts := offboarding.ClaimFacts{
		DocumentFound: f.ID != "", OwnedByLeaver: f.OwnerID == f.LeaverID, LeaverActive: !f.Deactivated || f.Phase == offboarding.PhaseReactivated,
		Archived: f.Access == offboarding.AccessArchived, Held: f.Held, Grant: f.Grant, Pending: f.Pending, Policy: f.Policy, As: in.Message.As,
	}
	if f.ClaimantID != "" {
		facts.Claimant = &offboarding.Member{
			ID: f.ClaimantID, OrganizationID: f.ClaimantOrganization, Status: f.ClaimantStatus, AccountType: f.ClaimantAccount,
		}
		facts.SameOrganization, facts.IsLeaver = f.ClaimantOrganization == f.OrganizationID, f.ClaimantID == f.LeaverID
	}
	if f.ID != "" && f.ClaimantID != "" && f.OwnerID == f.ClaimantID && f.MovedBy == in.CaseID && facts.As != offboarding.AsRequest {
		return offboarding.Outcome{Outcome: offboarding.OutcomeClaimed, DocumentID: f.ID, OwnerID: f.OwnerID}, nil
	}
	outcome, err := offboarding.JudgeClaim(facts)
	switch {
	case err != nil:
		return offboarding.Outcome{}, err
	case outcome == offboarding.OutcomeRequested:
		due := offboarding.EscalationDue(in.At)
		return offboarding.Outcome{Outcome: outcome, DocumentID: f.ID, EscalateAt: &due}, nil
	}
	return offboarding.Outcome{Outcome: outcome, DocumentID: f.ID, OwnerID: f.ClaimantID, Documents: 1}, nil
}

// claimFacts locks the claimant's account and the document, then reads what the claim
// is judged by.
func (t *tx) claimFacts(c *caseRow, in offboarding.ClaimInput) (f claimFacts, err error) {
	claimant, err := t.sharedRef(in.Message.MemberID, c.OrganizationID, "member_id")
	if err != nil {
		return f, err
	}
	var member, document any // NULL for what is no ID
	if claimant != nil {
		member = claimant.ID
	}
	if isID(in.Message.DocumentID) {
		document = in.Message.DocumentID
		if _, err := t.exec(lockDocument, document, c.OrganizationID); err != nil {
			return f, err
		}
	}
	return f, t.get(&f, selectClaimFacts, c.ID, in.Name, member, document)
}

const lockDocument = `SELECT FROM documents WHERE id = $1 AND organization_id = $2 FOR NO KEY UPDATE`

// claimAsFound judges a claim without a lock, and takes a document that nothing else
// waits for in one statement, while all that it was judged by is as it was read. A
// refusal changes nothing and leaves no record. done is false where locks are needed.
func (s *Store) claimAsFound(ctx context.Context, in offboarding.ClaimInput) (out offboarding.Outcome, done bool, err error) {
	if !isID(in.Message.MemberID) || !isID(in.Message.DocumentID) {
		return out, false, nil
	}
	for range claimTries {
		var f claimFacts
		found, err := s.find(ctx, &f, selectClaimFacts, in.CaseID, in.Name, in.Message.MemberID, in.Message.DocumentID)
		if err != nil || !found {
			return out, false, clean(in.Name, err)
		}
		if f.Stored != "" {
			err := decode(f.Stored, &out)
			return out, true, err
		}
		if out, err = f.judge(in); err != nil || out.Outcome == offboarding.OutcomeClaimed && out.Documents == 0 {
			return out, true, err
		}
		if out.Outcome != offboarding.OutcomeClaimed || !f.Alone || f.FolderID != "" && f.Home == "" {
			return out, false, nil
		}
		if taken, err := s.take(ctx, in, &f, out); err != nil || taken {
			return out, true, err
		}
	}
	return out, false, nil
}

// claimTries is how often what has changed in between is read again before locks are taken.
const claimTries = 3

// The document is given to the claimant, with the events and the step, where the case,
// the claimant and the document are the versions that the claim was judged by. Locks are
// taken in the order of all steps. takeHome makes the folders first that are missing; one
// that another claim, or another leaver of that name, has meanwhile leaves all as it is.
const (
	unchanged = `WITH c AS (SELECT c.id, c.organization_id, c.member_id, c.requested_by FROM cases c WHERE c.id = $4 AND c.xmin = $6::xid FOR SHARE),
	m AS (SELECT m.id FROM c, members m WHERE m.id = $2 AND m.xmin = $7::xid FOR SHARE OF m),`

	recordTaken = ` INSERT INTO case_steps (case_id, step, outcome, at) SELECT $4, $12, $13::jsonb, $5 FROM given`

	takeDocument = unchanged + `
	given AS (UPDATE documents d SET ` + given + ` FROM m WHERE d.id = $1 AND d.xmin = $8::xid RETURNING d.id),
	event AS (INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
		SELECT c.organization_id, '` + offboarding.EventClaimDocOwnership + `', $2, $9, c.member_id, g.id, c.id, 'document', g.id, $10::jsonb, $11::jsonb, $5 FROM c, given g)` + recordTaken

	takeHome = unchanged + `
	d AS (SELECT d.id FROM m, documents d WHERE d.id = $1 AND d.xmin = $8::xid FOR NO KEY UPDATE OF d),
	root AS (INSERT INTO folders (id, organization_id, owner_id, name, created_at)
		SELECT $14, c.organization_id, $2, '` + offboarding.ArchivedUsersFolder + `', $5 FROM c, d WHERE $15 ON CONFLICT DO NOTHING RETURNING id),
	home AS (INSERT INTO folders (id, organization_id, owner_id, parent_id, name, leaver_id, created_at)
		SELECT $3::text::uuid, c.organization_id, $2, $14, l.display_name, l.id, $5 FROM c, d, members l
		WHERE l.id = c.member_id AND (NOT $15 OR EXISTS (SELECT FROM root)) ON CONFLICT DO NOTHING RETURNING id),
	given AS (UPDATE documents d SET ` + given + ` FROM home WHERE d.id = $1 RETURNING d.id),
	event AS (INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
		SELECT c.organization_id, e.event, e.actor, $9, c.member_id, e.document, c.id, e.kind, e.subject, e.before, e.after, $5 FROM c,
			(SELECT 1, 'CreateFolder', c.requested_by, NULL::uuid, 'folder', root.id, '{}'::jsonb, $16::jsonb FROM root, c
			UNION ALL SELECT 2, 'CreateFolder', c.requested_by, NULL, 'folder', home.id, '{}', $17 FROM home, c
			UNION ALL SELECT 3, '` + offboarding.EventClaimDocOwnership + `', $2, id, 'document', id, $10, $11 FROM given) e (n, event, actor, document, kind, subject, before, after)
		ORDER BY e.n)` + recordTaken
)

// take reports whether nothing that the claim was judged by has changed.
func (s *Store) take(ctx context.Context, in offboarding.ClaimInput, f *claimFacts, out offboarding.Outcome) (bool, error) {
	query, folder := takeDocument, f.Home
	if folder == "" {
		query, folder = takeHome, newID().String()
	}
	before, after := f.given(f.ClaimantID, folder)
	args := []any{
		f.ID, f.ClaimantID, folder, in.CaseID, in.At, f.Case, f.Claimant, f.Document,
		in.Message.Origin, string(mustJSON(before)), string(mustJSON(after)), in.Name, string(mustJSON(stored{OK: mustJSON(out)})),
	}
	if f.Home == "" {
		root := f.Root
		if root == "" {
			root = newID().String()
		}
		args = append(args, root, f.Root == "", folderMade(f.ClaimantID, "", folderKey{}), folderMade(f.ClaimantID, root, folderKey{leaver: f.LeaverID}))
	}
	n, err := s.exec(ctx, query, args...)
	if violates(err, "case_steps_pkey") {
		return false, nil // another run of the step was faster
	}
	return n == 1, clean(in.Name, err)
}

// folderMade is what the event says of a folder that was made.
func folderMade(owner, parent string, key folderKey) string {
	return string(mustJSON(state{"owner_id": owner, "parent_id": orNull(parent), "leaver_id": orNull(key.leaver), "source_id": orNull(key.source)}))
}
