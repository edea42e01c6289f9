package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lib/pq"

	"handover/offboarding"
)

// CheckReactivation judges what concerns a request for many members as a whole
// (rule R2); each member is judged alone afterwards.
func (s *Store) CheckReactivation(ctx context.Context, in offboarding.BeginReactivationInput) error {
	_, err := outside(ctx, s, in.Step, func(t *tx) (struct{}, error) {
		violations := offboarding.CheckReactivation(in.Request)
		organizations, err := t.organizationsOf(in.Request)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, offboarding.RefusalOf(append(violations, offboarding.JudgeBulkReactivation(in.Request, organizations)...))
	})
	return err
}

// Those in the actor's reach (rule A1) of all whom a request names: other tenants'
// members are nobody, and say nothing about their organizations.
const selectOrganizationsOf = `WITH RECURSIVE down AS (
		SELECT o.id, o.enterprise_plan_manager AS manager FROM members m JOIN organizations o ON o.id = m.organization_id
		WHERE m.id = nullif($1, '')::uuid OR m.external_id = $2
		UNION SELECT o.id, down.manager FROM organizations o JOIN down ON o.parent_id = down.id AND down.manager)
	SELECT DISTINCT m.organization_id FROM members m
	WHERE (m.id = ANY ($3::uuid[]) OR m.external_id = ANY ($4::text[])) AND m.organization_id IN (SELECT id FROM down)`

// organizationsOf are the organizations that the members of a request belong to.
func (t *tx) organizationsOf(r offboarding.ReactivationRequest) ([]offboarding.Organization, error) {
	var ids, externals []string
	for _, ref := range r.Members() {
		if external, ok := strings.CutPrefix(ref, externalPrefix); ok {
			externals = append(externals, external)
		} else if isID(ref) {
			ids = append(ids, ref)
		}
	}
	actor, external := r.RequestedBy, ""
	if e, ok := strings.CutPrefix(actor, externalPrefix); ok {
		actor, external = "", e
	} else if !isID(actor) {
		actor = "" // nobody
	}
	var found []string
	if err := t.list(&found, selectOrganizationsOf, actor, external, pq.Array(ids), pq.Array(externals)); err != nil {
		return nil, err
	}
	organizations := make([]offboarding.Organization, len(found))
	for i, id := range found {
		var err error
		if organizations[i], err = t.organization(id); err != nil {
			return nil, err
		}
	}
	return organizations, nil
}

// selectLatestCase locks the case that a reactivation is about: the member's open
// one, else the one that made the member inactive. Another may have done so since
// it closed, or nobody's case: then there is none.
const selectLatestCase = `SELECT ` + caseColumns + ` FROM cases c WHERE c.member_id = $1 AND c.workspace_id IS NULL
	AND (c.closed_at IS NULL OR c.phase = 'reactivated'
		OR c.phase = 'completed' AND c.deactivated_at = (SELECT m.deactivated_at FROM members m WHERE m.id = c.member_id))
	ORDER BY c.closed_at IS NULL DESC, c.created_at DESC, c.id LIMIT 1 FOR NO KEY UPDATE`

// BeginReactivation judges the reactivation of a member and makes the member
// active, with the case that made them inactive open again until its documents
// are settled. Where the case has not closed it says which one, and changes
// nothing: the case reactivates its leaver itself.
func (s *Store) BeginReactivation(ctx context.Context, in offboarding.BeginReactivationInput) (offboarding.ReactivationBegun, error) {
	return outside(ctx, s, in.Step, func(t *tx) (offboarding.ReactivationBegun, error) { return t.beginReactivation(in) })
}

func (t *tx) beginReactivation(in offboarding.BeginReactivationInput) (offboarding.ReactivationBegun, error) {
	out := offboarding.ReactivationBegun{}
	f := offboarding.ReactivationFacts{Provider: in.Request.Provider}
	var err error
	if f.Admin, f.Leaver, err = t.asker(in.MemberID, in.Request.RequestedBy, in.Request.Provider); err != nil {
		return out, err
	}
	if f.Leaver == nil {
		return out, offboarding.JudgeReopening(in.Request, f)
	}
	out.MemberID = f.Leaver.ID
	var c caseRow
	found, err := t.find(&c, selectLatestCase, f.Leaver.ID)
	if err != nil {
		return out, err
	}
	// What another transaction did while this one waited for the case counts.
	if f.Leaver, err = t.memberByID(f.Leaver.ID, selectMember); err != nil {
		return out, err
	}
	if f.Organization, err = t.organization(f.Leaver.OrganizationID); err != nil {
		return out, err
	}
	if err := t.get(&f.ActiveMembers, countSeats, f.Leaver.OrganizationID); err != nil {
		return out, err
	}
	if f.Admin.Member != nil {
		out.Message = offboarding.Reactivate{
			AdminID: f.Admin.Member.ID, Provider: in.Request.Provider, ReturnDocuments: in.Request.ReturnDocuments,
			Origin: in.Request.Origin,
		}
	}
	switch {
	case in.About != "" && (!found || c.ID != in.About):
		return out, offboarding.Refuse("R1", offboarding.CodeWrongPhase, "member_id", "the member has left again since this was asked for")
	case found && c.Phase == offboarding.PhaseReactivated && (c.ClosedAt == nil || f.Leaver.Active()):
		return t.joinReactivation(&c, f, in, out)
	case found && c.ClosedAt == nil && (c.Phase != offboarding.PhaseScheduled):
		out.CaseID, out.OpenCase = c.ID, c.WorkflowID
		return out, offboarding.RefusalOf(offboarding.JudgeAsker(f.Admin, f.Provider, f.Organization, f.Leaver))
	}
	if err := offboarding.JudgeReopening(in.Request, f); err != nil {
		return out, err
	}
	if found && c.Phase == offboarding.PhaseCompleted {
		return t.reopen(&c, f, in, out)
	}
	return out, t.activateAlone(f, in)
}

// joinReactivation answers for a member whom a reactivation has made active
// already: it may be this one, whose message to the open case was carried out
// before its answer was lost, or one whose documents are still to be settled,
// which this one does too.
func (t *tx) joinReactivation(
	c *caseRow, f offboarding.ReactivationFacts, in offboarding.BeginReactivationInput, out offboarding.ReactivationBegun,
) (offboarding.ReactivationBegun, error) {
	if violations := offboarding.JudgeAsker(f.Admin, f.Provider, f.Organization, f.Leaver); len(violations) > 0 {
		return out, offboarding.RefusalOf(violations)
	}
	var r offboarding.Reactivation
	if err := json.Unmarshal([]byte(c.Reactivation), &r); err != nil {
		return out, fmt.Errorf("the reactivation of a case cannot be read: %w", err)
	}
	out.CaseID = c.ID
	if c.ClosedAt == nil {
		out.Reactivation = &r
		return out, nil
	}
	if strings.HasPrefix(r.ID, in.Messages) {
		return out, nil
	}
	return out, offboarding.JudgeReopening(in.Request, f)
}

// reopen makes the member active and opens the case again for its documents.
func (t *tx) reopen(
	c *caseRow, f offboarding.ReactivationFacts, in offboarding.BeginReactivationInput, out offboarding.ReactivationBegun,
) (offboarding.ReactivationBegun, error) {
	c.Origin = in.Request.Origin
	out.CaseID = c.ID
	out.Reactivation = &offboarding.Reactivation{
		ID: in.ID, AdminID: f.Admin.Member.ID, Message: out.Message, WorkflowID: in.WorkflowID, Origin: in.Request.Origin,
	}
	if err := t.activate(c, f, in.At); err != nil {
		return out, err
	}
	return out, t.markReactivated(c, *out.Reactivation, in.At)
}

// activateAlone makes active a member whom no case has made inactive: one who was
// imported so, or whom somebody else deactivated.
func (t *tx) activateAlone(f offboarding.ReactivationFacts, in offboarding.BeginReactivationInput) error {
	if n, err := t.exec(reactivateMember, f.Leaver.ID); err != nil {
		return err
	} else if n == 0 { // another reactivation was faster
		f.Leaver.Status = offboarding.MemberActive
		return offboarding.JudgeReopening(in.Request, f)
	}
	return t.auditOf(f.Leaver.OrganizationID, in.Request.Origin, in.At, change{
		event: offboarding.EventReactivateMember, actor: f.Admin.Member.ID, member: f.Leaver.ID,
		kind: offboarding.SubjectMember, subject: f.Leaver.ID,
		before: state{"status": f.Leaver.Status}, after: state{"status": offboarding.MemberActive},
	})
}

// asker finds who asks and the member whom it is about; a member out of the
// actor's reach is nil, as if there were none (rule E1).
func (t *tx) asker(memberRef, actorRef, provider string) (offboarding.Actor, *offboarding.Member, error) {
	if provider != "" {
		return t.providersLeaver(offboarding.Request{MemberID: memberRef, RequestedBy: actorRef, Provider: provider})
	}
	actor, member, err := t.actorAndLeaver(offboarding.Request{MemberID: memberRef, RequestedBy: actorRef})
	out := offboarding.Actor{Member: actor, Reach: offboarding.ReachOwn} // of a member out of reach, the role alone is judged
	if err != nil || actor == nil || member == nil {
		return out, nil, err
	}
	reach, err := t.reach(actor, member.OrganizationID)
	if err != nil || reach == offboarding.ReachNone {
		return out, nil, err
	}
	out.Reach = reach
	return out, member, nil
}
