package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"handover/offboarding"
)

const (
	selectOpenCase = `SELECT ` + caseColumns + ` FROM cases c WHERE c.member_id = $1 AND c.workspace_id IS NOT DISTINCT FROM nullif($2, '')::uuid AND c.closed_at IS NULL`
	selectCase     = `SELECT ` + caseColumns + ` FROM cases c WHERE c.id = $1`
	insertCase     = `INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition,
		new_owner_id, archive_schedules, grace_period_seconds, created_at, effective_at, workspace_id, provider, fallback_reason)
	VALUES ($1, $2, $3, $4, $5, $6, $7, 'scheduled', $8, nullif($9, '')::uuid, $10, $11, $12, $13, nullif($14, '')::uuid, $15, $16)`
)

// errSettling says that the documents of a member who is active again are still
// being settled. A start waits for that, and opens a case of its own.
const errSettling = sentinel("the member's reactivation is still being settled")

// errCaseOpened says that another start opened the member's case meanwhile.
const errCaseOpened = sentinel("the member's case was opened meanwhile")

// Admit judges a start and opens the case, or answers with the member's open
// case (rule E2). A start that is asked to goes on until the member is inactive, where
// nothing is to be waited for.
func (s *Store) Admit(ctx context.Context, in offboarding.AdmitInput) (offboarding.Admission, error) {
	var out offboarding.Admission
	in.At = in.At.Truncate(time.Microsecond) // what the database keeps, so that a later run answers the same
	if in.AtOnce && !in.Before {
		if a, left, counted := s.leaveAtOnce(ctx, in); left {
			if !counted {
				s.goOn(ctx, &a, in.At)
			}
			return a, nil
		}
	}
	admit := func() error {
		return s.inTx(ctx, "admit", func(t *tx) (err error) {
			out, err = t.admit(in)
			return err
		})
	}
	err := admit()
	if errors.Is(err, errCaseOpened) {
		err = admit() // finds it now
	}
	if err == nil && in.AtOnce {
		s.goOn(ctx, &out, in.At) // of a start that is repeated, or of a case that a list has opened
	}
	if err != nil && !in.Before {
		err = s.staysRefused(ctx, offboarding.Step{CaseID: in.CaseID, Name: stepRefused, At: in.At}, in.Sent, err)
	}
	return out, err
}

// stepRefused is what becomes of a signed start that the rules refuse: who sets its workflow
// back when they would allow it is refused, too.
const stepRefused = "refused"

// staysRefused keeps that a signed start was refused, and answers with that.
func (s *Store) staysRefused(ctx context.Context, step offboarding.Step, sent *offboarding.Sent, err error) error {
	if refused := offboarding.CodeOf(err); refused == "" || refused == offboarding.CodeTryAgain || !sent.Signed() || step.CaseID == "" {
		return err
	}
	_, err = outside(ctx, s, step, func(*tx) (struct{}, error) { return struct{}{}, err })
	return err
}

// before answers a start that has begun something before, and has no case of its own: it was
// refused, or what it took over has closed. It begins nothing new.
func (t *tx) before(caseID string) error {
	var outcome string
	if found, err := t.find(&outcome, selectOutcome, caseID, stepRefused); err != nil {
		return err
	} else if found {
		return decode(outcome, &struct{}{})
	}
	return offboarding.Refuse("", offboarding.CodeWrongPhase, "", "what this start had begun has ended")
}

func (t *tx) admit(in offboarding.AdmitInput) (offboarding.Admission, error) {
	var c caseRow
	if found, err := t.find(&c, selectCase, in.CaseID); err != nil {
		return offboarding.Admission{}, err
	} else if found {
		return t.admittedAgain(&c, in)
	}
	if in.Request.CaseID != "" {
		return t.takeOver(in)
	}
	f, err := t.admissionFacts(in.Request, in.At)
	if err != nil {
		return offboarding.Admission{}, err
	}
	judge, workspaceID, err := t.rules(in.Request, &f)
	if err != nil {
		return offboarding.Admission{}, err
	}
	if f.Leaver != nil && len(offboarding.JudgeAskerIn(workspaceID, f.Actor, in.Request.Provider, f.Organization, f.Leaver)) == 0 {
		if found, err := t.find(&c, selectOpenCase, f.Leaver.ID, workspaceID); err != nil {
			return offboarding.Admission{}, err
		} else if found {
			a, err := t.admission(&c, in)
			if a.Reactivation != nil && (a.Existing || a.Reactivation.WorkflowID != "") {
				err = errSettling
			}
			return a, err
		}
	}
	if in.Before {
		return offboarding.Admission{}, t.before(in.CaseID)
	}
	plan, err := judge(in.At)
	if err != nil {
		return offboarding.Admission{}, err
	}
	c = plannedCase(in.CaseID, in.WorkflowID, in.Request, f, plan)
	c.WorkspaceID = workspaceID
	_, err = t.exec(insertCase, c.ID, c.WorkflowID, c.OrganizationID, c.MemberID, c.RequestedBy, c.Origin, in.Request.Reason,
		c.Disposition, c.NewOwnerID, c.ArchiveSchedules, c.GraceSeconds, in.At, c.EffectiveAt, c.WorkspaceID, c.Provider,
		c.FallbackReason)
	if violates(err, "cases_one_open_per_member") || violates(err, "cases_one_open_per_workspace") || violates(err, "cases_pkey") {
		return offboarding.Admission{}, errCaseOpened
	}
	if err != nil {
		return offboarding.Admission{}, err
	}
	if err := t.audit(&c, in.At, change{event: offboarding.EventScheduleOffboarding, after: c.scheduled()}); err != nil {
		return offboarding.Admission{}, err
	}
	return t.admission(&c, in)
}

// plannedCase is the case of a start that the rules allow.
func plannedCase(id, workflowID string, r offboarding.Request, f offboarding.AdmissionFacts, plan offboarding.Plan) caseRow {
	return caseRow{
		ID: id, WorkflowID: workflowID, OrganizationID: f.Leaver.OrganizationID, MemberID: f.Leaver.ID,
		RequestedBy: f.Actor.Member.ID, Origin: r.Origin, Phase: offboarding.PhaseScheduled,
		Disposition: plan.Disposition, NewOwnerID: plan.NewOwnerID, ArchiveSchedules: plan.ArchiveSchedules, FallbackReason: plan.FallbackReason,
		GraceSeconds: int64(plan.GracePeriod.Seconds()), EffectiveAt: plan.EffectiveAt.Truncate(time.Microsecond),
		Provider: r.Provider,
	}
}

// scheduled is what the audit says of a case that has been opened.
func (c *caseRow) scheduled() state {
	s := state{"phase": c.Phase, "effective_at": c.EffectiveAt, "disposition": c.Disposition, "new_owner_id": c.NewOwnerID}
	if c.WorkspaceID != "" {
		s["workspace_id"] = c.WorkspaceID
	}
	if c.Provider != "" {
		s["provider"] = c.Provider
	}
	if c.FallbackReason != "" {
		s["reason"] = c.FallbackReason
	}
	return s
}

// takeOver goes on with a case that a bulk run has opened, as long as it is open.
// Who asked for it was judged then.
func (t *tx) takeOver(in offboarding.AdmitInput) (offboarding.Admission, error) {
	var c caseRow
	found := false
	var err error
	if isID(in.Request.CaseID) {
		found, err = t.find(&c, selectCase, in.Request.CaseID)
	}
	switch {
	case err != nil:
		return offboarding.Admission{}, err
	case !found || c.WorkflowID != in.WorkflowID:
		return offboarding.Admission{}, offboarding.Refuse("", offboarding.CodeCaseNotFound, "case_id", "there is no such case under this workflow ID")
	case c.ClosedAt != nil:
		return offboarding.Admission{}, wrongPhase(&c)
	}
	return t.admission(&c, in)
}

// insertTaken keeps that a workflow has opened a list or taken something over, by the ID that its runs go on by.
const insertTaken = `INSERT INTO case_steps (case_id, step, outcome, at) VALUES ($1, 'taken', '{"ok": true}', $2) ON CONFLICT DO NOTHING`

// The run that opened a case waits until a workflow has taken it over, which goes on by
// this step when it is set back.
const takeCase = `WITH taken AS (` + insertTaken + `)
	UPDATE bulk_members SET running_at = $2 WHERE member_id = $3 AND case_id = $4 AND to_start AND running_at IS NULL`

// admitted is a case that has been opened, as its workflow knows it.
func admitted(c *caseRow, in offboarding.AdmitInput) offboarding.Admission {
	a := offboarding.Admission{
		CaseID: c.ID, WorkflowID: c.WorkflowID, OrganizationID: c.OrganizationID, WorkspaceID: c.WorkspaceID, MemberID: c.MemberID,
		RequestedBy: c.RequestedBy, Phase: c.Phase, Plan: c.plan(),
		Existing: c.ID != in.CaseID && c.WorkflowID != in.WorkflowID, Resumed: c.ID != in.CaseID && c.WorkflowID == in.WorkflowID,
		DeactivatedAt: c.DeactivatedAt, GraceEndsAt: c.GraceEndsAt, SignalsByName: true,
	}
	if a.Phase == offboarding.PhaseGrace {
		a.GraceSpread = offboarding.GraceSpread(a.CaseID, a.Plan.GracePeriod)
	}
	return a
}

// admittedAgain answers a start that has opened the case before, and says how many of
// its steps are recorded, so that what the workflow numbers gets other names.
func (t *tx) admittedAgain(c *caseRow, in offboarding.AdmitInput) (offboarding.Admission, error) {
	a, err := t.admission(c, in)
	if err != nil {
		return a, err
	}
	a.Again = true
	return a, t.behind(&a)
}

// Builds before this one numbered the signals of a case together: signal/3/sweep.
const countBehind = `SELECT count(*) AS steps, count(*) FILTER (WHERE step ~ '^signal/([0-9a-f]{8}/)?[0-9]+(/|$)') AS numbered, (` + countUnsent + `) AS unsent
	FROM case_steps WHERE case_id = $1`

// behind says what is recorded of a case that goes on in another history.
func (t *tx) behind(a *offboarding.Admission) error {
	var kept struct{ Steps, Numbered, Unsent int }
	err := t.get(&kept, countBehind, a.CaseID)
	a.Steps, a.Unsent, a.SignalsByName = kept.Steps, kept.Unsent, kept.Numbered == 0
	return err
}

func (t *tx) admission(c *caseRow, in offboarding.AdmitInput) (offboarding.Admission, error) {
	a := admitted(c, in)
	if c.Phase == offboarding.PhaseRevoking {
		a.SessionsEndAt = c.SessionsEndAt
	}
	if !a.Existing {
		var err error
		if a.ArchiveAt, err = t.archiveAt(c); err != nil {
			return a, err
		}
	}
	if c.Reactivation != "" && c.ClosedAt == nil {
		a.Reactivation = new(offboarding.Reactivation)
		if err := json.Unmarshal([]byte(c.Reactivation), a.Reactivation); err != nil {
			return a, fmt.Errorf("the reactivation of a case cannot be read: %w", err)
		}
	}
	if a.Resumed {
		if _, err := t.exec(takeCase, in.CaseID, in.At, c.MemberID, c.ID); err != nil {
			return a, err
		}
		return a, t.behind(&a)
	}
	return a, nil
}
