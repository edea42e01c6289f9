package postgres

import (
	"context"
	"strconv"
	"time"

	"handover/offboarding"
)

// countedAtOnce is how many documents a leaver may own for their grace to begin in the
// statement that takes their access: with their pages in memory, to count them takes less
// than a commit.
const countedAtOnce = 1000

// leaveAtOnce opens a case and does its first steps in one statement: it revokes,
// withdraws what the leaver has asked for, deactivates, and begins the grace, with the
// events of those steps. The account has been locked by a statement before, so that this
// one sees the access that was made, what was asked for, and what was given to the leaver
// until then, and there is no more.
// $1 leaver, $2 at, $3 organization, $4 who asked, $5 origin, $6 case, $16 what the
// audit says of the case, $17 the end of its grace and $18 what the audit says of that;
// the rest are the case's.
var leaveAtOnce = `WITH leaver AS MATERIALIZED (
		SELECT id FROM members WHERE id = $1 AND status = 'active'),
	credential AS (
		UPDATE credentials SET status = 'revoked', revoked_at = $2 WHERE member_id = (SELECT id FROM leaver) AND status = 'active' RETURNING id),
	session AS (
		UPDATE sessions SET status = 'revoked', revoked_at = $2 WHERE member_id = (SELECT id FROM leaver) AND status = 'active' RETURNING id),
	withdrawn AS (
		UPDATE ownership_requests SET status = 'withdrawn', decided_at = $2
		WHERE ` + pendingWhere("member_id = (SELECT id FROM leaver)") + ` RETURNING id, document_id, case_id),
	gone AS (
		UPDATE members SET status = CASE WHEN deprovisioned_at IS NULL THEN 'inactive' ELSE 'archived' END, deactivated_at = $2
		WHERE id = (SELECT id FROM leaver) AND (SELECT count(*) FROM credential) + (SELECT count(*) FROM session) >= 0 RETURNING id, status),
	owns AS MATERIALIZED (
		SELECT count(*) AS documents, count(*) FILTER (WHERE access <> 'archived') AS unowned
		FROM (SELECT access FROM documents WHERE (owner_id, id) > ($1, '` + firstID + `') AND (owner_id, id) <= ($1, '` + lastID + `')
			ORDER BY owner_id, id LIMIT ` + strconv.Itoa(countedAtOnce+1) + `) d), -- by the pair, or the plan is to read all documents until so many are found
	grace AS MATERIALIZED (
		SELECT $17::timestamptz AS ends FROM owns WHERE $9 = 'retain' AND unowned > 0 AND documents <= ` + strconv.Itoa(countedAtOnce) + `),
	opened AS (
		INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, new_owner_id,
			archive_schedules, grace_period_seconds, created_at, effective_at, provider, fallback_reason, revoked_at, deactivated_at, grace_ends_at)
		SELECT $6::uuid, $7, $3, id, $4, $5, $8, CASE WHEN EXISTS (SELECT FROM grace) THEN 'grace' ELSE 'deactivated' END, $9, nullif($10, '')::uuid,
			$11, $12, $2, $13, $14, $15, $2, $2, (SELECT ends FROM grace) FROM gone),
	audited AS (
		INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
		SELECT $3, e.event, $4, $5, $1, e.document_id, e.case_id, e.kind, e.subject, e.before::jsonb, e.after::jsonb, $2 FROM (
			SELECT 1, 'ScheduleOffboarding', NULL::uuid, $6::uuid, 'case', $6::uuid, '{}', $16::text
			UNION ALL SELECT 2, 'AdvanceOffboarding', NULL, $6, 'case', $6, '{"phase": "scheduled"}', '{"phase": "revoking"}'
			UNION ALL SELECT 3, 'RevokeCredentials', NULL, $6, 'credential', id, '{"status": "active"}', '{"status": "revoked"}' FROM credential
			UNION ALL SELECT 4, 'RevokeSessions', NULL, $6, 'session', id, '{"status": "active"}', '{"status": "revoked"}' FROM session
			UNION ALL SELECT 5, 'WithdrawDocOwnership', document_id, case_id, 'request', id, '{"status": "pending"}', '{"status": "withdrawn"}' FROM withdrawn
			UNION ALL SELECT 6, 'DeactivateMember', NULL, $6, 'member', id, '{"status": "active", "phase": "revoking"}',
				jsonb_build_object('status', status, 'phase', 'deactivated')::text FROM gone
			UNION ALL SELECT 7, 'AdvanceOffboarding', NULL, $6, 'case', $6, '{"phase": "deactivated"}', $18 FROM gone, grace
		) AS e (nth, event, document_id, case_id, kind, subject, before, after) ORDER BY e.nth)
	SELECT documents, unowned, EXISTS (SELECT FROM grace) AS begun FROM gone, owns`

// leaveAtOnce judges a start, opens the case and goes on until the member is inactive,
// and what they own waits for an owner, in one transaction. left says that the member has
// left, and counted that goOn has nothing to do. Where they have not, nothing has been done
// and step by step is the way: there is something to wait for or to answer with, or a step
// that cannot be done, and the case shows at which it is stuck.
func (s *Store) leaveAtOnce(ctx context.Context, in offboarding.AdmitInput) (a offboarding.Admission, left, counted bool) {
	r := in.Request
	if r.CaseID != "" || r.WorkspaceID != "" {
		return a, false, false
	}
	err := s.inTx(ctx, "admit", func(t *tx) error {
		f, err := t.admissionFacts(r, in.At)
		if err != nil {
			return err
		}
		plan, err := offboarding.Admit(r, f, in.At)
		if err != nil {
			return err
		}
		// An owner's start has locked the organization, which comes after the account.
		if f.Leaver.Role == offboarding.RoleOwner || f.Organization.SSOSessions == offboarding.SSOWait || plan.EffectiveAt.After(in.At) {
			return errStepByStep
		}
		c := plannedCase(in.CaseID, in.WorkflowID, r, f, plan)
		if _, err := t.exec(lockMember, c.MemberID); err != nil {
			return err
		}
		ends := in.At.Add(c.plan().GracePeriod) // in seconds, as the case keeps it
		var owns graceOf
		found, err := t.find(&owns, leaveAtOnce, c.MemberID, in.At, c.OrganizationID, c.RequestedBy, c.Origin, c.ID, c.WorkflowID, r.Reason, c.Disposition,
			c.NewOwnerID, c.ArchiveSchedules, c.GraceSeconds, c.EffectiveAt, c.Provider, c.FallbackReason, string(mustJSON(c.scheduled())),
			ends, inGraceUntil(ends))
		if err == nil && !found {
			err = errStepByStep // no longer active
		}
		if err != nil {
			return err
		}
		c.Phase, c.DeactivatedAt = offboarding.PhaseDeactivated, &in.At
		a = admitted(&c, in)
		a.ArchiveAt = offboarding.ArchiveAt(f.Leaver.ManagedBy, in.At)
		if counted = owns.Documents <= countedAtOnce; counted {
			owns.tell(&a, ends)
		}
		return nil
	})
	return a, err == nil, counted
}

// graceOf is what a leaver owns, and whether their grace has begun for it.
type graceOf struct {
	owned
	Begun bool
	Asked bool // requests wait for a decision
}

// tell adds it to the answer to a start.
func (g graceOf) tell(a *offboarding.Admission, ends time.Time) {
	if g.Begun {
		// A case that goes on in another history counts afresh what it has been asked before.
		a.Phase, a.GraceEndsAt, a.GraceBegun = offboarding.PhaseGrace, &ends, !g.Asked && !a.Again
		a.GraceSpread = offboarding.GraceSpread(a.CaseID, a.Plan.GracePeriod)
	}
	a.Documents, a.Unowned = g.Documents, g.Unowned
}

// inGraceUntil is what the audit says of a grace that has begun.
func inGraceUntil(ends time.Time) string {
	return string(mustJSON(state{"phase": offboarding.PhaseGrace, "grace_ends_at": ends}))
}

// graceAtOnce begins the grace of a case whose leaver is inactive, where something waits
// for an owner, and counts what they own. $1 leaver, $2 end, $3 case, $4 what the audit
// says of the case, $5 at.
var graceAtOnce = `WITH owns AS MATERIALIZED (` + countAll + `),
	begun AS (
		UPDATE cases SET phase = 'grace', grace_ends_at = $2 WHERE id = $3 AND phase = 'deactivated' AND (SELECT unowned FROM owns) > 0
		RETURNING id, organization_id, requested_by, origin, member_id),
	audited AS (
		INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
		SELECT organization_id, 'AdvanceOffboarding', requested_by, origin, member_id, id, 'case', id, '{"phase": "deactivated"}', $4, $5 FROM begun)
	SELECT documents, unowned, EXISTS (SELECT FROM begun) AS begun,
		EXISTS (SELECT FROM ownership_requests WHERE case_id = $3 AND status = 'pending') AS asked FROM owns`

var countAll, _ = scoped("", countDocuments, nil)

// goOnWithin leaves Admit, whose answer says that access is gone, most of its own time.
const goOnWithin = 3 * time.Second

// goOn begins the grace of a case whose leaver is inactive, where their documents are
// retained, and counts what they own, however much it is: after access is gone, and in a
// statement of its own. A list has opened the case, or they own more than countedAtOnce.
// What cannot be done now, the next step does.
func (s *Store) goOn(ctx context.Context, a *offboarding.Admission, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, goOnWithin)
	defer cancel()
	var owns graceOf
	var ends time.Time
	switch {
	case a.Existing || a.DeactivatedAt == nil:
	case a.WorkspaceID == "" && a.Reactivation == nil && a.Phase == offboarding.PhaseDeactivated && a.Plan.Disposition == offboarding.DispositionRetain:
		ends = a.DeactivatedAt.Add(a.Plan.GracePeriod)
		if _, err := s.find(ctx, &owns, graceAtOnce, a.MemberID, ends, a.CaseID, inGraceUntil(ends), at); err != nil || a.Resumed && !owns.Begun {
			return
		}
	case !a.Resumed:
		query, args := scoped(a.WorkspaceID, countDocuments, []any{a.MemberID})
		if _, err := s.find(ctx, &owns, query, args...); err != nil {
			return
		}
	}
	owns.tell(a, ends)
}

// errStepByStep says that a start cannot go on at once.
const errStepByStep = sentinel("the case is to go step by step")
