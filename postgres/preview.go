package postgres

import (
	"context"
	"errors"
	"time"

	"handover/offboarding"
)

// Preview says what a start would do now: every rule that it breaks, or its
// plan, and what the leaver owns and can do. It changes nothing.
func (s *Store) Preview(ctx context.Context, r offboarding.Request, now time.Time) (offboarding.Preview, error) {
	out := noPreview()
	err := s.inTx(ctx, "preview", func(t *tx) error {
		if err := t.set(byIndex); err != nil { // what one member has, however much of all that is
			return err
		}
		facts, err := t.admissionFacts(r, now)
		if err == nil {
			err = t.judge(&out, r, facts, now)
		}
		return t.previewed(&out, facts, err)
	})
	out.Allowed = err == nil && len(out.Violations) == 0
	return out, err
}

// PreviewDeletion says what a deletion would do now: every rule that it breaks, or the
// plan of the offboarding that comes first, and what the member owns and can do. It
// changes nothing.
func (s *Store) PreviewDeletion(ctx context.Context, r offboarding.DeletionRequest, now time.Time) (offboarding.DeletionPreview, error) {
	out := offboarding.DeletionPreview{Preview: noPreview()}
	err := s.inTx(ctx, "preview a deletion", func(t *tx) error {
		if err := t.set(byIndex); err != nil {
			return err
		}
		f, err := t.deletionFacts(r, now)
		if err == nil {
			err = offboarding.JudgeDeletion(r, f, now)
		}
		if err == nil && f.Leaver.Active() {
			out.OffboardFirst = true
			err = t.judge(&out.Preview, r.Offboarding(), f.AdmissionFacts, now)
		}
		out.Attribution = f.Organization.Attribution
		return t.previewed(&out.Preview, f.AdmissionFacts, err)
	})
	out.Allowed = err == nil && len(out.Violations) == 0
	return out, err
}

// noPreview is a preview that says nothing yet.
func noPreview() offboarding.Preview {
	return offboarding.Preview{
		Violations: []offboarding.Violation{}, Credentials: map[string]int{},
		Documents: offboarding.PreviewDocuments{ByKind: map[string]int{}},
	}
}

// previewed says whom a preview is about, with the rules that were found broken.
func (t *tx) previewed(out *offboarding.Preview, f offboarding.AdmissionFacts, err error) error {
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		out.Violations, err = refusal.Violations, nil
	}
	if err != nil || f.Leaver == nil {
		return err
	}
	out.MemberID, out.OrganizationID = f.Leaver.ID, f.Leaver.OrganizationID
	out.MemberName, out.MemberEmail = f.Leaver.DisplayName, f.Leaver.Email
	return t.count(out)
}

const selectOpenCaseID = `SELECT id FROM cases WHERE member_id = $1 AND workspace_id IS NOT DISTINCT FROM nullif($2, '')::uuid AND closed_at IS NULL`

// judge fills in the plan. Where the member's case is open already, a start by
// somebody with authority answers with that case and judges nothing else (rule E2).
func (t *tx) judge(out *offboarding.Preview, r offboarding.Request, f offboarding.AdmissionFacts, now time.Time) error {
	judge, workspaceID, err := t.rules(r, &f)
	if err != nil {
		return err
	}
	out.WorkspaceID = workspaceID
	if f.Leaver != nil && len(offboarding.JudgeAskerIn(workspaceID, f.Actor, r.Provider, f.Organization, f.Leaver)) == 0 {
		if open, err := t.find(&out.OpenCaseID, selectOpenCaseID, f.Leaver.ID, workspaceID); err != nil || open {
			return err
		}
	}
	plan, err := judge(now)
	if err != nil {
		return err
	}
	out.Plan = &offboarding.PlannedCase{
		Disposition: plan.Disposition, NewOwnerID: plan.NewOwnerID, ArchiveSchedules: plan.ArchiveSchedules,
		FallbackReason: plan.FallbackReason, EffectiveAt: plan.EffectiveAt, GracePeriodSeconds: int64(plan.GracePeriod / time.Second),
	}
	owner, err := t.memberByID(plan.NewOwnerID, selectMember)
	if owner != nil {
		out.Plan.NewOwnerName, out.Plan.NewOwnerEmail = owner.DisplayName, owner.Email
	}
	return err
}

// A folder is personal when it has an owner; no folder at all is the top of the
// owner's My Documents.
const selectPreviewDocuments = `SELECT d.kind, d.folder_id IS NULL OR f.owner_id IS NOT NULL AS personal,
	d.access = 'archived' AS archived,
	d.held OR ` + leaverHeld + ` AS held,
	EXISTS (SELECT 1 FROM grants g JOIN members c ON c.id = g.member_id WHERE g.document_id = d.id AND g.level = 'edit'
		AND c.id <> d.owner_id AND c.status = 'active' AND c.account_type = 'maker') AS claimable,
	count(*) AS documents
	FROM documents d LEFT JOIN folders f ON f.id = d.folder_id WHERE d.owner_id = $1` + scope + `GROUP BY 1, 2, 3, 4, 5`

const (
	selectPreviewSchedules = `SELECT count(*) FILTER (WHERE s.status = 'active') AS active,
	count(*) FILTER (WHERE s.status = 'archived') AS archived
	FROM schedules s JOIN documents d ON d.id = s.document_id
	WHERE d.owner_id = $1` + scope

	selectPreviewCredentials = `SELECT kind, count(*) AS credentials FROM credentials
	WHERE member_id = $1 AND status = 'active' GROUP BY kind`

	selectPreviewSessions = `SELECT count(*) FROM sessions WHERE member_id = $1 AND status = 'active'`
)

func (t *tx) count(out *offboarding.Preview) error {
	if err := t.countDocuments(out); err != nil {
		return err
	}
	query, args := scoped(out.WorkspaceID, selectPreviewSchedules, []any{out.MemberID})
	if err := t.get(&out.Schedules, query, args...); err != nil {
		return err
	}
	if out.WorkspaceID != "" {
		return nil // the account keeps what it can do
	}
	var credentials []struct {
		Kind        string `db:"kind"`
		Credentials int    `db:"credentials"`
	}
	if err := t.list(&credentials, selectPreviewCredentials, out.MemberID); err != nil {
		return err
	}
	for _, c := range credentials {
		out.Credentials[c.Kind] = c.Credentials
	}
	return t.get(&out.Sessions, selectPreviewSessions, out.MemberID)
}

func (t *tx) countDocuments(out *offboarding.Preview) error {
	var groups []struct {
		Kind      string `db:"kind"`
		Personal  bool   `db:"personal"`
		Archived  bool   `db:"archived"`
		Held      bool   `db:"held"`
		Claimable bool   `db:"claimable"`
		Documents int    `db:"documents"`
	}
	query, args := scoped(out.WorkspaceID, selectPreviewDocuments, []any{out.MemberID})
	if err := t.list(&groups, query, args...); err != nil {
		return err
	}
	d := &out.Documents
	for _, g := range groups {
		if g.Archived {
			d.Archived += g.Documents
			continue
		}
		d.Total += g.Documents
		if g.Held {
			d.Held += g.Documents
		}
		d.ByKind[g.Kind] += g.Documents
		if g.Personal {
			d.MyDocuments += g.Documents
		} else {
			d.Shared += g.Documents
		}
		if g.Claimable {
			d.Claimable += g.Documents
		} else {
			d.Unclaimable += g.Documents
		}
	}
	return nil
}
