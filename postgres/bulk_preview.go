package postgres

import (
	"context"
	"errors"
	"time"

	"handover/offboarding"
)

// PreviewBulk says what a run would do now: why it would not be admitted, and of each
// member of its list what would become of them. It changes nothing, and takes as many
// statements for a list of thousands as for one of a few.
func (s *Store) PreviewBulk(ctx context.Context, r offboarding.BulkRequest, now time.Time) (offboarding.BulkPreview, error) {
	out := offboarding.BulkPreview{
		Violations: []offboarding.Violation{}, Documents: map[offboarding.Disposition]int{}, Items: []offboarding.BulkPreviewRow{},
	}
	now = now.Truncate(time.Microsecond)
	err := s.inTx(ctx, "preview a bulk run", func(t *tx) error {
		actor, err := t.bulkActor(&r)
		if err != nil {
			return err
		}
		if refused := offboarding.JudgeAdmin(offboarding.Actor{Member: actor, Reach: offboarding.ReachOwn}); len(refused) > 0 {
			return offboarding.RefusalOf(refused)
		}
		list, err := t.resolve(actor, &r, now)
		if err != nil {
			return err
		}
		limit, err := t.judgeLimit(r.Confirmed, list)
		if err != nil {
			return err
		}
		out.Violations = append(out.Violations, limit...)
		leaving, err := t.judgeList(&out, list, actor.ID, now)
		if err != nil {
			return err
		}
		return t.countLeaving(&out, leaving)
	})
	out.Count(r.AllOrNothing)
	out.Allowed = err == nil && len(out.Violations) == 0
	return out, err
}

// judgeList judges everybody on a list, as if the run had come to them. It returns who
// would leave, by what would happen to their documents.
func (t *tx) judgeList(out *offboarding.BulkPreview, list list, actorID string, now time.Time) (map[offboarding.Disposition][]string, error) {
	var rows []bulkRow
	atOnce := map[string]bool{}
	for _, l := range list {
		if l.Result == offboarding.BulkMemberPending {
			rows = append(rows, bulkRow{Position: l.Position, Reference: l.Reference, MemberID: l.MemberID, start: *l.Request})
			atOnce[l.MemberID] = atOnce[l.MemberID] || l.AtOnce
		}
	}
	f, err := t.bulkFacts(bulkRun{BulkRun: offboarding.BulkRun{RequestedBy: actorID}}, rows, now, map[string]bool{}, false)
	if err != nil {
		return nil, err
	}
	f.leaving = atOnce // of a run they would be in the database
	leaving := map[offboarding.Disposition][]string{}
	for _, l := range list {
		row := offboarding.BulkPreviewRow{Position: l.Position, Reference: l.Reference, MemberID: l.MemberID, Outcome: l.Result, Violations: l.Violations}
		if m := f.members[l.MemberID]; m != nil {
			row.MemberName, row.Email = m.DisplayName, m.Email
		}
		if l.Result == offboarding.BulkMemberPending {
			plan, err := f.preview(&row, rows[0])
			if err != nil {
				return nil, err
			}
			rows = rows[1:]
			if plan != nil {
				leaving[plan.Disposition] = append(leaving[plan.Disposition], row.MemberID)
			}
		}
		out.Items = append(out.Items, row)
	}
	return leaving, nil
}

// preview says what would become of a row; the plan is nil where nothing would.
func (f *bulkFacts) preview(out *offboarding.BulkPreviewRow, row bulkRow) (*offboarding.Plan, error) {
	j, err := f.judge(row)
	var refusal *offboarding.Refusal
	switch {
	case errors.As(err, &refusal):
		out.Outcome, out.Violations = offboarding.BulkMemberRefused, refusal.Violations
		return nil, nil
	case err != nil:
		return nil, err
	case j.existing != "":
		out.Outcome, out.CaseID = offboarding.BulkMemberExisting, j.existing
		return nil, nil
	}
	out.Outcome = offboarding.BulkMemberScheduled
	if !j.plan.EffectiveAt.After(f.at) && !f.leavers[row.MemberID].SignedIn {
		out.Outcome = offboarding.BulkMemberStarted
	}
	out.EffectiveAt, out.Disposition, out.FallbackReason = &j.plan.EffectiveAt, j.plan.Disposition, j.plan.FallbackReason
	switch {
	case j.plan.NewOwnerID == "":
	case j.facts.NewOwner != nil:
		out.NewOwnerName = j.facts.NewOwner.DisplayName
	default:
		out.NewOwnerName = f.actor.DisplayName // rule N2
	}
	return &j.plan, nil
}

// What of the members of a list would be changed, counted along the indexes of what is
// theirs.
const (
	countDocumentsOf   = `SELECT count(*) FROM documents WHERE owner_id = ANY ($1::uuid[]) AND access <> 'archived'`
	countCredentialsOf = `SELECT count(*) FROM credentials WHERE member_id = ANY ($1::uuid[]) AND status = 'active'`
	countSessionsOf    = `SELECT count(*) FROM sessions WHERE member_id = ANY ($1::uuid[]) AND status = 'active'`
)

func (t *tx) countLeaving(out *offboarding.BulkPreview, leaving map[offboarding.Disposition][]string) error {
	if err := t.set(searching...); err != nil {
		return err
	}
	var all []string
	for disposition, members := range leaving {
		n := 0
		if err := t.get(&n, countDocumentsOf, uuidArray(members)); err != nil {
			return err
		}
		out.Documents[disposition] = n
		all = append(all, members...)
	}
	if err := t.get(&out.Credentials, countCredentialsOf, uuidArray(all)); err != nil {
		return err
	}
	return t.get(&out.Sessions, countSessionsOf, uuidArray(all))
}
