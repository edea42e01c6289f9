package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"handover/offboarding"
)

// reactivationFacts loads what the rules need to judge a reactivation. The
// organization's row is locked when the member is to be made active.
func (t *tx) reactivationFacts(c *caseRow, m offboarding.Reactivate) (offboarding.ReactivationFacts, error) {
	a, err := t.asking(c, m.AdminID, m.Provider)
	f := offboarding.ReactivationFacts{Admin: a.Actor, Provider: m.Provider, Organization: a.organization, Leaver: a.leaver}
	if err != nil {
		return f, err
	}
	return f, t.get(&f.ActiveMembers, countSeats, c.OrganizationID)
}

const (
	countActiveMembers = `SELECT count(*) FROM members WHERE organization_id = $1 AND status = 'active'`

	// countSeats counts them as far as the organization has seats; without a limit there
	// is nothing to count.
	countSeats = `SELECT count(*) FROM (SELECT FROM members WHERE organization_id = $1 AND status = 'active'
		LIMIT (SELECT seat_limit FROM organizations WHERE id = $1)) taken`
)

// awaitsSessions reports whether the leaver is as good as gone: what is left is that
// SSO sessions end (rule S1).
func (c *caseRow) awaitsSessions() bool {
	return c.Phase == offboarding.PhaseRevoking && c.SessionsEndAt != nil
}

// turnsBack reports whether a case can end with its leaver being active.
func (c *caseRow) turnsBack() bool {
	return c.DeactivatedAt != nil && !c.Phase.Closed() || c.awaitsSessions()
}

// AuthorizeReactivation judges a reactivation and changes nothing.
func (s *Store) AuthorizeReactivation(ctx context.Context, in offboarding.ReactivateInput) (string, error) {
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (string, error) {
		if in.Message.CaseID != "" && in.Message.CaseID != c.ID {
			return "", offboarding.Refuse("R1", offboarding.CodeWrongPhase, "case_id", "another case runs under this workflow ID now")
		}
		if !c.turnsBack() {
			return "", wrongPhase(c)
		}
		if c.WorkspaceID != "" {
			return t.judgeReturn(c, in.Message)
		}
		f, err := t.reactivationFacts(c, in.Message)
		if err != nil {
			return "", err
		}
		if err := offboarding.JudgeReactivation(f); err != nil {
			return "", err
		}
		return f.Admin.Member.ID, nil
	})
}

var (
	reactivateMember = `UPDATE members SET status = 'active', deactivated_at = NULL WHERE id = $1 AND status IN ('inactive', 'archived')`
	withdrawOfCase   = `WITH withdrawn AS (
		UPDATE ownership_requests SET status = 'withdrawn', decided_at = $2 WHERE ` + pendingWhere("case_id = $1") + `
		RETURNING id, document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $3, 'WithdrawDocOwnership', $4, $5, $6, document_id, $1, 'request', id, '{"status": "pending"}', '{"status": "withdrawn"}', $2
	FROM withdrawn`
	// A case that had completed is open until its documents are settled.
	markReactivated = `UPDATE cases SET phase = 'reactivated', closed_at = NULL, reactivation = $2 WHERE id = $1`
)

// ReactivateMember makes the leaver active again, where a seat is free (rule
// R1), and withdraws the pending requests of the case.
func (s *Store) ReactivateMember(ctx context.Context, in offboarding.ReactivateInput) (offboarding.Outcome, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		c.Origin = in.Message.Origin
		out := offboarding.Outcome{Outcome: offboarding.OutcomeReactivated, OwnerID: c.MemberID}
		if !c.turnsBack() {
			return out, wrongPhase(c)
		}
		admin, err := t.comeBack(c, in)
		if err != nil {
			return out, err
		}
		return out, t.markReactivated(c, offboarding.Reactivation{ID: in.ID, AdminID: admin, Message: in.Message}, in.At)
	})
}

// markReactivated withdraws what waits in a case whose leaver has come back, and
// keeps what there is left to do.
func (t *tx) markReactivated(c *caseRow, r offboarding.Reactivation, at time.Time) error {
	if _, err := t.exec(withdrawOfCase, c.ID, at, c.OrganizationID, r.AdminID, c.Origin, c.MemberID); err != nil {
		return err
	}
	_, err := t.exec(markReactivated, c.ID, string(mustJSON(r)))
	return err
}

// comeBack makes the leaver active again, or puts them back into the workspace,
// and answers with the admin.
func (t *tx) comeBack(c *caseRow, in offboarding.ReactivateInput) (admin string, err error) {
	if c.WorkspaceID != "" {
		if admin, err = t.judgeReturn(c, in.Message); err != nil {
			return "", err
		}
		return admin, t.putBack(c, in, admin)
	}
	f, err := t.reactivationFacts(c, in.Message)
	if err != nil {
		return "", err
	}
	if err := offboarding.JudgeReactivation(f); err != nil {
		return "", err
	}
	if c.awaitsSessions() && f.Leaver.Active() { // and is so still
		return f.Admin.Member.ID, t.audit(c, in.At, change{
			event: offboarding.EventAdvanceOffboarding, actor: f.Admin.Member.ID,
			before: state{"phase": c.Phase}, after: state{"phase": offboarding.PhaseReactivated},
		})
	}
	return f.Admin.Member.ID, t.activate(c, f, in.At)
}

// activate makes the leaver of a case active again.
func (t *tx) activate(c *caseRow, f offboarding.ReactivationFacts, at time.Time) error {
	if _, err := t.exec(reactivateMember, c.MemberID); err != nil {
		return err
	}
	return t.audit(c, at, change{
		event: offboarding.EventReactivateMember, actor: f.Admin.Member.ID, kind: offboarding.SubjectMember, subject: c.MemberID,
		before: state{"status": f.Leaver.Status, "phase": c.Phase},
		after:  state{"status": offboarding.MemberActive, "phase": offboarding.PhaseReactivated},
	})
}

// CloseReactivated closes the case of a reactivated member, whose documents are
// settled.
func (s *Store) CloseReactivated(ctx context.Context, in offboarding.Step) error {
	_, err := changing(ctx, s, in, func(t *tx, c *caseRow) (struct{}, error) {
		const update = `UPDATE cases SET closed_at = $2 WHERE id = $1 AND phase = 'reactivated' AND closed_at IS NULL`
		if closed, err := t.exec(update, c.ID, in.At); err != nil {
			return struct{}{}, err
		} else if closed == 0 {
			return struct{}{}, wrongPhase(c)
		}
		if err := t.endTrouble(c.ID); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.audit(c, in.At, change{
			event: offboarding.EventCompleteOffboarding, before: state{"closed": false}, after: state{"closed": true, "phase": c.Phase},
		})
	})
	return err
}

// returnWhere is a batch of what the case moved and nobody has passed on.
const returnWhere = ` d.moved_by_case_id = $1 AND d.id > $2 AND d.id <= $3 AND d.owner_id = d.moved_to_id AND d.owner_id <> $4
	AND NOT d.held AND NOT ` + ownerHeld + ` `

var (
	returnEnd   = `SELECT id FROM documents WHERE moved_by_case_id = $1 AND id > $2 ORDER BY id OFFSET $3 LIMIT 1`
	returnAudit = `INSERT INTO audit_events
		(organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT d.organization_id, 'ReturnDocs', $5, $6, $4, d.id, $1, 'document', d.id,
		jsonb_build_object('owner_id', d.owner_id, 'folder_id', d.folder_id, 'access', d.access),
		jsonb_build_object('owner_id', $4::uuid, 'folder_id', d.prior_folder_id,
			'access', CASE WHEN d.access = 'read_only' THEN 'editable' ELSE d.access END), $7
	FROM documents d WHERE` + returnWhere
	returnRequests = `WITH superseded AS (
		UPDATE ownership_requests SET status = 'superseded', decided_at = $7
		WHERE ` + pendingWhere(`document_id = ANY (ARRAY(SELECT d.id FROM documents d WHERE`+returnWhere+`))`) + ` RETURNING organization_id, id, document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, 'SupersedeDocOwnership', $5, $6, $4, document_id, $1, 'request', id,
		'{"status": "pending"}', '{"status": "superseded"}', $7 FROM superseded`
	returnSchedules = `WITH changed AS (
		UPDATE schedules s SET status = 'active', archived_by_case_id = NULL
		WHERE s.document_id = ANY (ARRAY(SELECT d.id FROM documents d WHERE` + returnWhere + `)) AND s.archived_by_case_id IS NOT NULL RETURNING s.organization_id, s.id, s.document_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, 'UnarchiveSchedules', $5, $6, $4, document_id, $1, 'schedule', id,
		'{"status": "archived"}', '{"status": "active"}', $7 FROM changed`
	// By this case before it was given away, or by the new owner's own: by no admin.
	returnArchived = `WITH changed AS (
		UPDATE documents d SET access = 'editable', access_case_id = NULL, updated_at = $7
		WHERE` + returnWhere + `AND d.access = 'archived' AND d.access_case_id IS NOT NULL RETURNING d.organization_id, d.id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, 'UnarchiveDocs', $5, $6, $4, id, $1, 'document', id,
		'{"access": "archived"}', '{"access": "editable"}', $7 FROM changed`
	returnUpdate = `UPDATE documents d SET owner_id = $4, folder_id = d.prior_folder_id, prior_folder_id = NULL, moved_by_case_id = NULL, moved_to_id = NULL,
		access = CASE WHEN d.access = 'read_only' THEN 'editable' ELSE d.access END,
		access_case_id = CASE WHEN d.access = 'read_only' THEN NULL ELSE d.access_case_id END, updated_at = $5
	WHERE` + returnWhere
)

// The owners first, so that no hold is placed on them meanwhile (rule H1).
var (
	returnOwners = `SELECT count(*) FROM (SELECT FROM members WHERE id IN (SELECT d.owner_id FROM documents d WHERE` + returnWhere + `)
	ORDER BY id FOR SHARE) locked`
	returnLock = lockBatch(returnWhere)
)

var errTornBatch = errors.New("a batch changed other documents than it recorded")

// ReturnBatch gives back to the reactivated member a batch of what the case
// moved, with its place and schedules.
func (s *Store) ReturnBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		none := offboarding.Sweep{}
		if c.Phase != offboarding.PhaseReactivated {
			return none, wrongPhase(c)
		}
		sp, err := t.span(returnEnd, c.ID, cursor)
		if err != nil {
			return none, err
		}
		for _, lock := range []string{returnOwners, returnLock} {
			if _, err := t.exec(lock, c.ID, sp.after, sp.upTo, c.MemberID); err != nil {
				return none, err
			}
		}
		args := []any{c.ID, sp.after, sp.upTo, c.MemberID, c.actor(in), c.Origin, in.At}
		schedules, err := t.exec(returnSchedules, args...)
		if err != nil {
			return none, err
		}
		for _, statement := range []string{returnRequests, returnArchived} {
			if _, err := t.exec(statement, args...); err != nil {
				return none, err
			}
		}
		recorded, err := t.exec(returnAudit, args...)
		if err != nil {
			return none, err
		}
		returned, err := t.exec(returnUpdate, c.ID, sp.after, sp.upTo, c.MemberID, in.At)
		if err == nil && returned != recorded {
			err = errTornBatch
		}
		if err != nil {
			return none, err
		}
		resumed, err := t.sweep(c, in, sp, resumeSchedules)
		return sp.swept(returned, schedules+resumed), err
	})
}

// grantEdit gives the reactivated member an edit grant on what the case gave to
// somebody else. It walks the case's audit, which knows what was passed on too. The
// documents go as an array: joined with the audit, the plan may read all of them.
// $1 case, $2 after, $3 up to, $4 member, $5 actor, $6 origin, $7 at.
const (
	grantEnd  = `SELECT id FROM audit_events WHERE case_id = $1 AND id > $2 ORDER BY id OFFSET $3 LIMIT 1`
	grantEdit = `WITH moved AS (
		SELECT d.id, d.organization_id, g.level FROM documents d
		LEFT JOIN grants g ON g.document_id = d.id AND g.member_id = $4
		WHERE d.id = ANY (ARRAY(SELECT e.document_id FROM audit_events e
			WHERE e.case_id = $1 AND e.id > $2 AND e.id <= $3 AND e.event IN ('TransferDocs', 'ClaimDocOwnership')))
		AND d.owner_id <> $4 AND g.level IS DISTINCT FROM 'edit'),
	granted AS (
		INSERT INTO grants (organization_id, document_id, member_id, level) SELECT organization_id, id, $4, 'edit' FROM moved
		ON CONFLICT (document_id, member_id) DO UPDATE SET level = 'edit')
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, 'GrantEdit', $5, $6, $4, id, $1, 'grant', id, jsonb_build_object('level', level), '{"level": "edit"}', $7 FROM moved`
)

// GrantBatch gives the reactivated member edit grants for a batch of the case's
// audit. It is set-based over the audit's IDs, not the documents'.
func (s *Store) GrantBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	return s.batch(ctx, in, cursor, func(t *tx, c *caseRow) (offboarding.Sweep, error) {
		none := offboarding.Sweep{}
		if c.Phase != offboarding.PhaseReactivated {
			return none, wrongPhase(c)
		}
		after, upTo := int64(0), int64(0)
		if cursor != "" {
			n, err := strconv.ParseInt(cursor, 10, 64)
			if err != nil {
				return none, errors.New("the cursor is not an audit event's ID")
			}
			after = n
		}
		more, err := t.find(&upTo, grantEnd, c.ID, after, t.store.batchSize-1)
		if err != nil {
			return none, err
		}
		if !more {
			upTo = 1<<63 - 1
		}
		granted, err := t.exec(grantEdit, c.ID, after, upTo, c.MemberID, c.actor(in), c.Origin, in.At)
		return offboarding.Sweep{Documents: granted, Cursor: strconv.FormatInt(upTo, 10), Done: !more}, err
	})
}
