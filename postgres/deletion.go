package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
)

// BeginDeletion judges a deletion and says whether the member is offboarded first.
func (s *Store) BeginDeletion(ctx context.Context, in offboarding.BeginDeletionInput) (offboarding.DeletionBegun, error) {
	return outside(ctx, s, in.Step, func(t *tx) (offboarding.DeletionBegun, error) {
		f, err := t.deletionFacts(in.Request, in.At)
		if err != nil {
			return offboarding.DeletionBegun{}, err
		}
		if err := offboarding.JudgeDeletion(in.Request, f, in.At); err != nil {
			return offboarding.DeletionBegun{}, err
		}
		if err := t.stillToDelete(in.CaseID, f.Leaver.ID); err != nil {
			return offboarding.DeletionBegun{}, err
		}
		open := f.OpenPhase != ""
		return offboarding.DeletionBegun{
			MemberID: f.Leaver.ID, Offboard: f.Leaver.Active() && !open, Wait: f.Leaver.Active() && open,
		}, nil
	})
}

// Whoever makes a member active again after their deletion was asked for wants them back:
// the deletion may have been terminated, and set back when nobody thinks of it any more.
const (
	askedAt  = `SELECT at FROM case_steps WHERE case_id = $1 ORDER BY at LIMIT 1`
	cameBack = `SELECT EXISTS (SELECT FROM audit_events WHERE organization_id = (SELECT organization_id FROM members WHERE id = $1)
	AND event = 'ReactivateMember' AND member_id = $1 AND at > $2)`
)

func (t *tx) stillToDelete(deletionID, memberID string) error {
	var asked time.Time
	if found, err := t.find(&asked, askedAt, deletionID); err != nil || !found {
		return err
	}
	var back bool
	if err := t.get(&back, cameBack, memberID, asked); err != nil || !back {
		return err
	}
	return offboarding.Refuse("X1", offboarding.CodeWrongPhase, "member_id", "the member has come back since this deletion was asked for; ask for it again")
}

// StillToDelete refuses where the member has come back since a deletion was asked for.
func (s *Store) StillToDelete(ctx context.Context, deletionID, memberID string) error {
	if deletionID == "" { // asked for by an older build
		return nil
	}
	return s.inTx(ctx, "look whether the member has come back", func(t *tx) error { return t.stillToDelete(deletionID, memberID) })
}

func (t *tx) deletionFacts(r offboarding.DeletionRequest, at time.Time) (offboarding.DeletionFacts, error) {
	var f offboarding.DeletionFacts
	var err error
	if f.AdmissionFacts, err = t.admissionFacts(r.Offboarding(), at); err != nil || f.Leaver == nil {
		return f, err
	}
	if _, err = t.find(&f.OpenPhase, `SELECT phase FROM cases WHERE member_id = $1 AND workspace_id IS NULL AND closed_at IS NULL`, f.Leaver.ID); err != nil {
		return f, err
	}
	f.Held, err = t.memberHeld(f.Leaver.ID)
	return f, err
}

const (
	lockTheirCases = `SELECT id FROM cases WHERE member_id = $1 ORDER BY id FOR NO KEY UPDATE`
	selectToDelete = selectMember + ` FOR NO KEY UPDATE`
)

// erasure is what is done about a member who is deleted, beside the account
// itself. $1 is the member in all of them; the others are named by args.
//
// Every column that can hold personal data of a member is treated here or named in
// TestDeletionLeavesNothingBehind with the reason why it is not.
type erasure struct {
	count     func(*offboarding.Erased) *int
	statement string
	args      []string // of "email", "external_id"
}

var erasures = []erasure{
	{func(e *offboarding.Erased) *int { return &e.Credentials }, `UPDATE credentials SET name = 'erased', secret_hash = NULL WHERE member_id = $1`, nil},
	{func(e *offboarding.Erased) *int { return &e.Reports }, `UPDATE members SET manager_id = NULL WHERE manager_id = $1`, nil},
	// An open case is still reached by its workflow ID, and answers from its steps; both go when it closes (cases_of_deleted).
	{func(e *offboarding.Erased) *int { return &e.Cases }, `UPDATE cases SET reason = '', failure = '', fallback_reason = '', trouble_error = '', reactivation = without_texts(reactivation),
		workflow_id = CASE WHEN closed_at IS NULL THEN workflow_id ELSE neutral_workflow_id(workflow_id, member_id) END
		WHERE member_id = $1`, nil},
	{func(e *offboarding.Erased) *int { return &e.Steps }, `DELETE FROM case_steps WHERE case_id IN (
		SELECT id FROM cases WHERE member_id = $1 AND closed_at IS NOT NULL)`, nil},
	// By them and about them.
	{func(e *offboarding.Erased) *int { return &e.Requests }, `UPDATE ownership_requests SET note = '', decision_note = '' WHERE id = ANY (ARRAY(
		SELECT id FROM ownership_requests WHERE id = ANY (ARRAY(
			SELECT id FROM ownership_requests WHERE member_id = $1 UNION SELECT id FROM ownership_requests WHERE decided_by = $1
			UNION SELECT r.id FROM cases c JOIN ownership_requests r ON r.case_id = c.id WHERE c.member_id = $1))
		AND (note <> '' OR decision_note <> '') ORDER BY id FOR NO KEY UPDATE))`, nil},
	{
		func(e *offboarding.Erased) *int { return &e.Bulk }, `UPDATE bulk_members SET reference = '', error = '',
		request = CASE WHEN request IS NOT NULL THEN without_texts(request) || jsonb_build_object('member_id', $1::uuid) END
		WHERE member_id = $1 OR reference <> '' AND lower(reference) IN (lower($2), lower('email:' || $2), lower($3), lower('external:' || $3))`,
		[]string{"email", "external_id"},
	},
	{func(e *offboarding.Erased) *int { return &e.Holds }, `UPDATE legal_holds SET reason = 'erased' WHERE member_id = $1`, nil},
}

// The application's role may not change the audit: a function of the owner does this, in
// the transaction that deletes the member and in no other.
const eraseAuditTexts = `SELECT erase_audit_texts($1)`

const deleteMember = `UPDATE members SET status = 'deleted', email = 'deleted-' || id || '@deleted.invalid', external_id = 'deleted:' || id,
	display_name = CASE WHEN $2 = 'anonymous' THEN $3 ELSE display_name END, manager_id = NULL, managed_by = '', time_zone = '',
	user_name = NULL, provider_id = NULL, profile = '{}'
	WHERE id = $1`

// EraseMember deletes a member who is not active: the account is a tombstone from
// here on, and the personal data is gone from everything else (rule X1). It is one
// transaction, so that nothing is left half erased.
func (s *Store) EraseMember(ctx context.Context, in offboarding.BeginDeletionInput) (offboarding.Erased, error) {
	return outside(ctx, s, in.Step, func(t *tx) (offboarding.Erased, error) {
		out := offboarding.Erased{}
		var cases []string
		if err := t.list(&cases, lockTheirCases, in.Request.MemberID); err != nil {
			return out, err
		}
		m, err := t.memberByID(in.Request.MemberID, selectToDelete)
		if err != nil {
			return out, err
		}
		if m == nil || m.Status == offboarding.MemberDeleted {
			return out, offboarding.Refuse("E1", offboarding.CodeMemberNotFound, "member_id", "there is no such member")
		}
		if m.Active() {
			return offboarding.Erased{Active: true}, nil
		}
		if held, err := t.memberHeld(m.ID); err != nil {
			return out, err
		} else if held {
			return out, offboarding.Refuse("H1", offboarding.CodeLegalHold, "member_id", "a legal hold is on the member")
		}
		return out, t.erase(in, m, &out)
	})
}

func (t *tx) erase(in offboarding.BeginDeletionInput, m *offboarding.Member, out *offboarding.Erased) error {
	o, err := t.organization(m.OrganizationID)
	if err != nil {
		return err
	}
	out.Attribution = o.Attribution
	actor, err := t.deleter(in.Request, o)
	if err != nil {
		return err
	}
	if _, err := t.exec(deleteMember, m.ID, o.Attribution, offboarding.DeletedName); err != nil {
		return err
	}
	for _, e := range erasures {
		args := []any{m.ID}
		for _, arg := range e.args {
			args = append(args, map[string]string{"email": m.Email, "external_id": m.ExternalID}[arg])
		}
		if *e.count(out), err = t.exec(e.statement, args...); err != nil {
			return err
		}
	}
	if err := t.get(&out.Events, eraseAuditTexts, m.ID); err != nil {
		return err
	}
	if o.Attribution == offboarding.AttributionAnonymous {
		if out.Folders, err = t.renameFolders(m.ID); err != nil {
			return err
		}
	}
	if err := t.get(&out.Documents, `SELECT count(*) FROM documents WHERE owner_id = $1`, m.ID); err != nil {
		return err
	}
	if _, err := t.find(&out.CaseID, selectOpenCaseID, m.ID, ""); err != nil {
		return err
	}
	return t.auditOf(m.OrganizationID, in.Request.Origin, in.At, change{
		event: offboarding.EventDeleteMember, actor: actor, member: m.ID, kind: offboarding.SubjectMember, subject: m.ID,
		before: state{"status": m.Status}, after: state{"status": offboarding.MemberDeleted, "attribution": o.Attribution},
	})
}

// deleter is whom the audit names: who was judged when the deletion began.
func (t *tx) deleter(r offboarding.DeletionRequest, o offboarding.Organization) (string, error) {
	if r.RequestedBy == "" {
		return o.ProvisioningAdminID, nil
	}
	actor, err := t.actor(r.RequestedBy, o.ID, "requested_by")
	if err != nil || actor.Member == nil {
		return "", err // deleted meanwhile
	}
	return actor.Member.ID, nil
}

// renameFolders gives the folders that stand for the member in other people's My
// Documents, and their likenesses at the heirs of these, a name that says nothing; two
// of one owner get two names. A likeness is younger than what it stands for: the way
// from one to the next has an end.
func (t *tx) renameFolders(memberID string) (renamed int, err error) {
	const (
		ofLeaver = `SELECT id FROM folders WHERE leaver_id = $1 ORDER BY id FOR NO KEY UPDATE`
		ofSource = `SELECT id FROM folders WHERE source_id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`
	)
	var folders []string
	for err = t.list(&folders, ofLeaver, memberID); err == nil && len(folders) > 0; {
		for _, id := range folders {
			if err := t.renameFolder(id); err != nil {
				return 0, err
			}
		}
		renamed += len(folders)
		sources := uuidArray(folders)
		folders = nil
		err = t.list(&folders, ofSource, sources)
	}
	return renamed, err
}

func (t *tx) renameFolder(id string) error {
	const rename = `UPDATE folders f SET name = $2 WHERE f.id = $1 AND NOT EXISTS (SELECT 1 FROM folders o WHERE o.organization_id = f.organization_id
		AND o.owner_id = f.owner_id AND o.parent_id IS NOT DISTINCT FROM f.parent_id AND o.name = $2 AND o.id <> f.id)`
	renamed, err := t.exec(rename, id, offboarding.DeletedName)
	if err == nil && renamed == 0 {
		_, err = t.exec(rename, id, offboarding.DeletedName+" "+uuid.NewString()[:8])
	}
	return err
}
