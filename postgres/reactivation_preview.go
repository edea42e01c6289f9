package postgres

import (
	"context"
	"errors"

	"github.com/lib/pq"

	"handover/offboarding"
)

// selectReactivations counts what the reactivation of members would settle: in the
// member's open case, else in the one that made them inactive.
const selectReactivations = `SELECT ` + memberColumns + `, coalesce(c.id::text, '') AS case_id,
	(SELECT count(*) FROM documents d WHERE d.owner_id = m.id AND (d.access <> 'archived' OR d.access_case_id = c.id)) AS still_theirs,
	(SELECT count(*) FROM documents d WHERE d.moved_by_case_id = c.id AND d.owner_id <> m.id) AS moved,
	(SELECT count(*) FROM documents d WHERE d.moved_by_case_id = c.id AND d.owner_id <> m.id AND d.owner_id = d.moved_to_id
		AND NOT d.held AND NOT ` + ownerHeld + `) AS returnable,
	(SELECT count(*) FROM ownership_requests r WHERE r.case_id = c.id AND r.status = 'pending') AS pending_requests
	FROM members m LEFT JOIN LATERAL (SELECT x.id FROM cases x WHERE x.member_id = m.id AND x.workspace_id IS NULL
		AND (x.closed_at IS NULL AND x.phase <> 'scheduled' OR x.phase = 'completed' AND x.deactivated_at = m.deactivated_at)
		ORDER BY x.closed_at IS NULL DESC, x.created_at DESC, x.id LIMIT 1) c ON true
	WHERE m.id = ANY ($1::uuid[])`

// reactivationRow is a member with what their reactivation would settle.
type reactivationRow struct {
	offboarding.Member
	CaseID      string `db:"case_id"`
	StillTheirs int    `db:"still_theirs"`
	Moved       int    `db:"moved"`
	Returnable  int    `db:"returnable"`
	Requests    int    `db:"pending_requests"`
}

// PreviewReactivation says what the reactivation of members would come to now, who go
// by their IDs. It changes nothing.
func (s *Store) PreviewReactivation(ctx context.Context, r offboarding.ReactivationRequest) (offboarding.ReactivationPreview, error) {
	out := offboarding.ReactivationPreview{Violations: []offboarding.Violation{}, Members: []offboarding.PreviewedReactivation{}}
	err := s.inTx(ctx, "preview a reactivation", func(t *tx) error {
		organizations, err := t.organizationsOf(r)
		if err != nil {
			return err
		}
		if r.Bulk() {
			out.Violations = append(out.Violations, offboarding.CheckReactivation(r)...)
			out.Violations = append(out.Violations, offboarding.JudgeBulkReactivation(r, organizations)...)
		}
		judge, err := t.reactivationJudge(r, organizations)
		if err != nil {
			return err
		}
		return t.previewReactivations(r, judge, &out)
	})
	if len(out.Violations) > 0 {
		out.Allowed, out.Refused = 0, len(out.Members)
	}
	return out, err
}

// previewReactivations goes through the members as a reactivation would: who comes
// back takes a seat from those after them.
func (t *tx) previewReactivations(
	r offboarding.ReactivationRequest, judge func(m *offboarding.Member, leaving bool) error, out *offboarding.ReactivationPreview,
) error {
	var ids []string
	for _, id := range r.Members() {
		if isID(id) {
			ids = append(ids, id)
		}
	}
	var rows []reactivationRow
	if err := t.list(&rows, selectReactivations, pq.Array(ids)); err != nil {
		return err
	}
	known := map[string]*reactivationRow{}
	for i := range rows {
		known[rows[i].ID] = &rows[i]
	}
	for i, id := range r.Members() {
		row := known[id]
		var member *offboarding.Member
		if row != nil {
			member = &row.Member
		}
		one := offboarding.PreviewedReactivation{}
		err := judge(member, row != nil && member.Active() && row.CaseID != "") // which is open then
		var refusal *offboarding.Refusal
		switch {
		case err == nil:
			out.Allowed++
		case errors.As(err, &refusal):
			out.Refused++
			one.Violations = refusal.Violations
		default:
			return err
		}
		if row != nil && (refusal == nil || !refusal.Has(offboarding.CodeMemberNotFound)) {
			one.MemberName, one.Email, one.Status, one.CaseID = row.DisplayName, row.Email, row.Status, row.CaseID
			one.Documents, one.Moved, one.Returnable, one.Requests = row.StillTheirs, row.Moved, row.Returnable, row.Requests
		}
		one.Position, one.MemberID = i+1, id
		out.Members = append(out.Members, one)
	}
	return nil
}

// reactivationJudge judges members one after the other. Those who are not of the
// organizations, which are in the actor's reach, are nobody.
func (t *tx) reactivationJudge(r offboarding.ReactivationRequest, organizations []offboarding.Organization) (func(m *offboarding.Member, leaving bool) error, error) {
	actor, err := t.member(r.RequestedBy, "", "requested_by")
	if err != nil {
		return nil, err
	}
	facts := map[string]*offboarding.ReactivationFacts{}
	for _, o := range organizations {
		f := &offboarding.ReactivationFacts{Admin: offboarding.Actor{Member: actor}, Organization: o}
		if f.Admin.Reach, err = t.reach(actor, o.ID); err != nil {
			return nil, err
		}
		if err := t.get(&f.ActiveMembers, countSeats, o.ID); err != nil {
			return nil, err
		}
		facts[o.ID] = f
	}
	return func(m *offboarding.Member, leaving bool) error {
		nobody := offboarding.ReactivationFacts{Admin: offboarding.Actor{Member: actor, Reach: offboarding.ReachOwn}}
		if m == nil || facts[m.OrganizationID] == nil {
			return offboarding.JudgeReopening(r, nobody)
		}
		f := facts[m.OrganizationID]
		f.Leaver, f.Leaving = m, leaving
		err := offboarding.JudgeReopening(r, *f)
		if err == nil && !m.Active() {
			f.ActiveMembers++
		}
		return err
	}, nil
}
