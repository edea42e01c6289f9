package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// revokeAll revokes the credentials and sessions of a member, one event each. $7
// is since when SSO sessions are let be until they end, NULL for none.
const revokeAll = `WITH credential AS (
		UPDATE credentials SET status = 'revoked', revoked_at = $2 WHERE member_id = $1 AND status = 'active' RETURNING id),
	session AS (
		UPDATE sessions SET status = 'revoked', revoked_at = $2 WHERE member_id = $1 AND status = 'active'
		AND ($7::timestamptz IS NULL OR NOT (sso AND created_at <= $7 AND (expires_at IS NULL OR expires_at > $2))) RETURNING id),
	revoked AS (
		SELECT 'RevokeCredentials' AS event, 'credential' AS kind, id FROM credential
		UNION ALL SELECT 'RevokeSessions', 'session', id FROM session),
	audited AS (
		INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
		SELECT $3, event, $4, $5, $1, $6, kind, id, '{"status": "active"}', '{"status": "revoked"}', $2 FROM revoked)
	SELECT count(*) FILTER (WHERE kind = 'credential') AS credentials, count(*) FILTER (WHERE kind = 'session') AS sessions FROM revoked`

// revokeAll revokes everything, but with letBe the SSO sessions made until then,
// while they last.
func (t *tx) revokeAll(c *caseRow, at time.Time, letBe *time.Time) (credentials, sessions int, err error) {
	var n struct{ Credentials, Sessions int }
	err = t.get(&n, revokeAll, c.MemberID, at, c.OrganizationID, c.RequestedBy, c.Origin, c.ID, letBe)
	return n.Credentials, n.Sessions, err
}

// Revoke revokes the leaver's credentials and sessions; a case that has waited
// is judged again first. Where the organization waits for SSO sessions, those go
// on (rule S1).
func (s *Store) Revoke(ctx context.Context, in offboarding.RevokeInput) (offboarding.Revoked, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Revoked, error) {
		var out offboarding.Revoked
		if c.Phase != offboarding.PhaseScheduled {
			return out, wrongPhase(c)
		}
		if in.SecondLook {
			if err := t.secondLook(c, in.At); err != nil {
				return out, err
			}
		}
		out.Plan = c.plan()
		var err error
		if out.SessionsEndAt, err = t.sessionsEnd(c, in.At); err != nil {
			return out, err
		}
		if _, err := t.exec(markRevoked, c.ID, in.At, out.SessionsEndAt); err != nil {
			return out, err
		}
		var after state
		var letBe *time.Time
		if out.SessionsEndAt != nil {
			after, letBe = state{"sessions_end_at": out.SessionsEndAt}, &in.At
		}
		if err := t.advance(c, in.At, offboarding.PhaseRevoking, offboarding.EventAdvanceOffboarding, after); err != nil {
			return out, err
		}
		if c.WorkspaceID != "" {
			return out, nil // the account stays as it is
		}
		out.Credentials, out.Sessions, err = t.revokeAll(c, in.At, letBe)
		return out, err
	})
}

// secondLook judges the rules again and changes the plan where the new owner is
// no longer eligible.
func (t *tx) secondLook(c *caseRow, at time.Time) error {
	leaver, err := t.memberByID(c.MemberID, selectMember)
	if err != nil {
		return err
	}
	f := offboarding.AdmissionFacts{Leaver: leaver, FromProvider: c.Provider != ""}
	if leaver != nil {
		if err := t.eligibility(&f, c.NewOwnerID, at, false); err != nil {
			return err
		}
	}
	var plan offboarding.Plan
	if c.WorkspaceID == "" {
		plan, err = offboarding.SecondLook(c.plan(), f)
	} else if err = t.lookAgain(c, f); err == nil {
		plan = offboarding.FallBack(c.plan(), f.Leaver, f.NewOwner, f.Manager)
	}
	if err != nil {
		return err
	}
	return t.changePlan(c, at, plan)
}

// changePlan writes a plan that fell back, and its event; one that is the case's
// already changes nothing.
func (t *tx) changePlan(c *caseRow, at time.Time, plan offboarding.Plan) error {
	if plan == c.plan() {
		return nil
	}
	const update = `UPDATE cases SET disposition = $2, new_owner_id = nullif($3, '')::uuid, archive_schedules = $4, fallback_reason = $5
		WHERE id = $1`
	if _, err := t.exec(update, c.ID, plan.Disposition, plan.NewOwnerID, plan.ArchiveSchedules, plan.FallbackReason); err != nil {
		return err
	}
	before := state{"disposition": c.Disposition, "new_owner_id": c.NewOwnerID}
	c.Disposition, c.NewOwnerID, c.ArchiveSchedules, c.FallbackReason =
		plan.Disposition, plan.NewOwnerID, plan.ArchiveSchedules, plan.FallbackReason
	return t.audit(c, at, change{event: offboarding.EventChangeNewOwner, before: before, after: state{
		"disposition": plan.Disposition, "new_owner_id": plan.NewOwnerID, "reason": plan.FallbackReason,
	}})
}

// FallBack changes the plan of a case whose new owner a transfer has refused. It
// does not look at the new owner again: one who has become eligible since would be
// refused by the record of that transfer all the same, without end.
func (s *Store) FallBack(ctx context.Context, in offboarding.Step) (offboarding.Plan, error) {
	return changing(ctx, s, in, func(t *tx, c *caseRow) (offboarding.Plan, error) {
		leaver, err := t.memberByID(c.MemberID, selectMember)
		if err != nil {
			return c.plan(), err
		}
		f := offboarding.AdmissionFacts{Leaver: leaver}
		if err := t.eligibility(&f, c.NewOwnerID, in.At, false); err != nil {
			return c.plan(), err
		}
		if f.Manager != nil && f.Manager.ID == c.NewOwnerID {
			f.Manager = nil
		}
		plan := offboarding.FallBack(c.plan(), f.Leaver, nil, f.Manager)
		return plan, t.changePlan(c, in.At, plan)
	})
}

func wrongPhase(c *caseRow) error {
	return offboarding.Refuse("", offboarding.CodeWrongPhase, "", "the case is "+string(c.Phase))
}
