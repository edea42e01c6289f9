package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"handover/offboarding"
)

// bulkBatch is how many members of a list lose access in one transaction.
const bulkBatch = 400

// opened is a case that a batch opens, as the statements take it.
type opened struct {
	ID               string                  `json:"id"`
	WorkflowID       string                  `json:"workflow_id"`
	OrganizationID   string                  `json:"organization_id"`
	MemberID         string                  `json:"member_id"`
	Reason           string                  `json:"reason"`
	Disposition      offboarding.Disposition `json:"disposition"`
	NewOwnerID       string                  `json:"new_owner_id"`
	FallbackReason   string                  `json:"fallback_reason"`
	ArchiveSchedules bool                    `json:"archive_schedules"`
	GraceSeconds     int64                   `json:"grace_period_seconds"`
	EffectiveAt      time.Time               `json:"effective_at"`
	Scheduled        state                   `json:"scheduled"` // what the audit says
}

// The statements of a batch. Each works on all of its cases at once and writes an
// event for each change, as the steps of a single case do: $1 are the cases, $2 is
// the time.
var (
	openCases = `INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, new_owner_id,
		fallback_reason, archive_schedules, grace_period_seconds, created_at, effective_at)
	SELECT x.id, x.workflow_id, x.organization_id, x.member_id, $3, $4, x.reason, 'scheduled', x.disposition, nullif(x.new_owner_id, '')::uuid,
		x.fallback_reason, x.archive_schedules, x.grace_period_seconds, $2, x.effective_at
	FROM jsonb_to_recordset($1::jsonb) AS x (id uuid, workflow_id text, organization_id uuid, member_id uuid, reason text, disposition text,
		new_owner_id text, fallback_reason text, archive_schedules boolean, grace_period_seconds bigint, effective_at timestamptz)
	ON CONFLICT DO NOTHING`

	openedAudit = caseEvents(`'`+offboarding.EventScheduleOffboarding+`', 'case', c.id, '{}', x.scheduled`,
		`JOIN jsonb_to_recordset($3::jsonb) AS x (id uuid, scheduled jsonb) ON x.id = c.id`, ``)
	revokingAudit = caseEvents(`'`+offboarding.EventAdvanceOffboarding+`', 'case', c.id, '{"phase": "scheduled"}', '{"phase": "revoking"}'`, ``, ``)
	leftAudit     = caseEvents(`'`+offboarding.EventDeactivateMember+`', 'member', c.member_id,
		'{"status": "active", "phase": "revoking"}', '{"status": "inactive", "phase": "deactivated"}'`, ``, ``)
	// What has nothing to settle passes the phases that its disposition has.
	transferringAudit = caseEvents(`'`+offboarding.EventAdvanceOffboarding+`', 'case', c.id, '{"phase": "deactivated"}', '{"phase": "transferring"}'`,
		``, `AND c.disposition <> 'retain'`)
	completedAudit = caseEvents(`'`+offboarding.EventCompleteOffboarding+`', 'case', c.id,
		jsonb_build_object('phase', CASE c.disposition WHEN 'retain' THEN 'deactivated' ELSE 'transferring' END), '{"phase": "completed"}'`, ``, ``)

	revokeOfCases = `WITH credential AS (
		UPDATE credentials k SET status = 'revoked', revoked_at = $2 FROM cases c
		WHERE c.id = ANY ($1::uuid[]) AND k.member_id = c.member_id AND k.status = 'active' RETURNING k.id, c.id AS case_id),
	session AS (
		UPDATE sessions k SET status = 'revoked', revoked_at = $2 FROM cases c
		WHERE c.id = ANY ($1::uuid[]) AND k.member_id = c.member_id AND k.status = 'active' RETURNING k.id, c.id AS case_id),
	revoked AS (
		SELECT 'RevokeCredentials' AS event, 'credential' AS kind, id, case_id FROM credential
		UNION ALL SELECT 'RevokeSessions', 'session', id, case_id FROM session)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT c.organization_id, r.event, c.requested_by, c.origin, c.member_id, c.id, r.kind, r.id, '{"status": "active"}', '{"status": "revoked"}', $2
	FROM revoked r JOIN cases c ON c.id = r.case_id ORDER BY r.kind, c.member_id`

	deactivateOfCases = `UPDATE members m SET status = 'inactive', deactivated_at = $2 FROM cases c
	WHERE c.id = ANY ($1::uuid[]) AND m.id = c.member_id AND m.status = 'active'`

	withdrawOfCases = `WITH withdrawn AS (
		UPDATE ownership_requests SET status = 'withdrawn', decided_at = $2
		WHERE ` + pendingWhere("member_id IN (SELECT c.member_id FROM cases c WHERE c.id = ANY ($1::uuid[]))") + `
		RETURNING id, document_id, case_id, member_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT c.organization_id, 'WithdrawDocOwnership', c.requested_by, c.origin, c.member_id, w.document_id, w.case_id, 'request', w.id,
		'{"status": "pending"}', '{"status": "withdrawn"}', $2
	FROM withdrawn w JOIN cases c ON c.member_id = w.member_id AND c.id = ANY ($1::uuid[])`

	markDeactivatedAll = `UPDATE cases SET phase = 'deactivated', revoked_at = $2, deactivated_at = $2 WHERE id = ANY ($1::uuid[])`
	markCompletedAll   = `UPDATE cases SET phase = 'completed', closed_at = $2 WHERE id = ANY ($1::uuid[])`

	// A document that waits for nobody (archived) is moved by a transfer all the same.
	selectNothingToSettle = `SELECT c.id FROM cases c WHERE c.id = ANY ($1::uuid[])
	AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.owner_id = c.member_id AND (c.disposition <> 'retain' OR d.access <> 'archived'))`
)

// caseEvents writes an event for each case, in the order of the members.
func caseEvents(event, join, and string) string {
	return `INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT c.organization_id, e.event, c.requested_by, c.origin, c.member_id, c.id, e.kind, e.subject, e.before::jsonb, e.after::jsonb, $2
	FROM cases c ` + join + ` CROSS JOIN LATERAL (SELECT ` + event + `) AS e (event, kind, subject, before, after)
	WHERE c.id = ANY ($1::uuid[]) ` + and + ` ORDER BY c.member_id`
}

const selectPending = `SELECT position, reference, coalesce(member_id::text, '') AS member_id, request FROM bulk_members
	WHERE bulk_id = $1 AND result = 'pending' AND position > $2 ORDER BY position LIMIT $3`

func (t *tx) pendingRows(run bulkRun, after, limit int) ([]bulkRow, error) {
	var rows []bulkRow
	if err := t.list(&rows, selectPending, run.ID, after, limit); err != nil {
		return nil, err
	}
	return rows, read(rows)
}

// OffboardBatch takes the access of the next members of the list: judges each,
// opens the cases, revokes, deactivates, and completes what has nothing to settle.
// A row that the database refuses is found by halving the batch, and fails alone.
func (s *Store) OffboardBatch(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	in.At = in.At.Truncate(time.Microsecond)
	for n := min(bulkBatch, s.batchSize); ; {
		first := 0
		run, err := s.bulkStep(ctx, "offboard members", in, func(t *tx, run bulkRun) error {
			rows, err := t.pendingRows(run, 0, n)
			if err != nil || len(rows) == 0 {
				return err
			}
			first = rows[0].Position
			return t.offboard(run, rows, in.At)
		})
		switch {
		case errors.Is(err, errCaseOpened): // seen now
		case !rowFault(err):
			return run, err
		case n > 1:
			n /= 2
		default:
			return s.failRow(ctx, in, first, err)
		}
	}
}

// rowFault reports whether the data of some row has made a batch fail: another
// try would fail too, and the rest of the batch would not.
func rowFault(err error) bool {
	var failed *Error
	if errors.As(err, &failed) {
		return strings.HasPrefix(failed.State, "22") || strings.HasPrefix(failed.State, "23") || strings.HasPrefix(failed.State, "P0")
	}
	return offboarding.CodeOf(err) != "" && offboarding.CodeOf(err) != offboarding.CodeCaseNotFound
}

// failRow keeps why a row cannot be processed.
func (s *Store) failRow(ctx context.Context, in offboarding.BulkStep, position int, why error) (offboarding.BulkRun, error) {
	done := bulkDone{Position: position, Result: offboarding.BulkMemberFailed, Error: why.Error()}
	var refusal *offboarding.Refusal
	if errors.As(why, &refusal) { // a guard of the database
		done = bulkDone{Position: position, Result: offboarding.BulkMemberRefused, Violations: refusal.Violations}
	}
	return s.bulkStep(ctx, "offboard members", in, func(t *tx, run bulkRun) error {
		return t.processed(run, []bulkDone{done})
	})
}

const updateProcessed = `UPDATE bulk_members b SET result = x.result, case_id = x.case_id, to_start = x.to_start, violations = x.violations,
	error = x.error, request = NULL
	FROM jsonb_to_recordset($2::jsonb) AS x (position integer, result text, case_id uuid, to_start boolean, violations jsonb, error text)
	WHERE b.bulk_id = $1 AND b.position = x.position AND b.result = 'pending'`

func (t *tx) processed(run bulkRun, done []bulkDone) error {
	if len(done) == 0 {
		return nil
	}
	_, err := t.exec(updateProcessed, run.ID, string(mustJSON(done)))
	return err
}

// offboard processes rows of the list.
func (t *tx) offboard(run bulkRun, rows []bulkRow, at time.Time) error {
	f, err := t.bulkFacts(run, rows, at, map[string]bool{}, true)
	if err != nil {
		return err
	}
	done := make([]bulkDone, 0, len(rows))
	var cases []opened
	var leaving []string // cases whose members leave now
	for _, row := range rows {
		j, err := f.judge(row)
		d := bulkDone{Position: row.Position, CaseID: j.existing, Result: offboarding.BulkMemberExisting}
		var refusal *offboarding.Refusal
		switch {
		case errors.As(err, &refusal):
			d.Result, d.Violations = offboarding.BulkMemberRefused, refusal.Violations
		case err != nil:
			return err
		case j.existing == "":
			c := t.open(run, j)
			cases = append(cases, c)
			d.CaseID, d.Result, d.ToStart = c.ID, offboarding.BulkMemberScheduled, true
			if !j.plan.EffectiveAt.After(at) && !f.signedIn[c.MemberID] {
				d.Result = offboarding.BulkMemberStarted
				leaving = append(leaving, c.ID)
			}
		}
		done = append(done, d)
	}
	if err := t.openAll(run, cases, at); err != nil {
		return err
	}
	completed, err := t.leave(leaving, at)
	if err != nil {
		return err
	}
	for i := range done {
		done[i].ToStart = done[i].ToStart && !completed[done[i].CaseID]
	}
	return t.processed(run, done)
}

// open is the case of a row that the rules allow.
func (t *tx) open(run bulkRun, j judged) opened {
	member := j.facts.Leaver.ID
	c := plannedCase(bulkCaseID(run.ID, member), offboarding.WorkflowID(member), j.request, j.facts, j.plan)
	return opened{
		ID: c.ID, WorkflowID: c.WorkflowID, OrganizationID: c.OrganizationID, MemberID: c.MemberID, Reason: j.request.Reason,
		Disposition: c.Disposition, NewOwnerID: c.NewOwnerID, FallbackReason: c.FallbackReason, ArchiveSchedules: c.ArchiveSchedules,
		GraceSeconds: c.GraceSeconds, EffectiveAt: c.EffectiveAt, Scheduled: c.scheduled(),
	}
}

func (t *tx) openAll(run bulkRun, cases []opened, at time.Time) error {
	if len(cases) == 0 {
		return nil
	}
	ids := make([]string, len(cases))
	for i, c := range cases {
		ids[i] = c.ID
	}
	text := string(mustJSON(cases))
	n, err := t.exec(openCases, text, at, run.RequestedBy, run.Origin)
	if err != nil {
		return err
	}
	if n != len(cases) {
		return errCaseOpened // a single start was faster
	}
	_, err = t.exec(openedAudit, uuidArray(ids), at, text)
	return err
}

// leave takes the access of the members of cases, and completes the cases that
// have nothing to settle.
func (t *tx) leave(cases []string, at time.Time) (completed map[string]bool, err error) {
	completed = map[string]bool{}
	if len(cases) == 0 {
		return completed, nil
	}
	for _, statement := range []string{revokingAudit, revokeOfCases} {
		if _, err := t.exec(statement, uuidArray(cases), at); err != nil {
			return nil, err
		}
	}
	n, err := t.exec(deactivateOfCases, uuidArray(cases), at)
	if err == nil && n != len(cases) {
		err = fmt.Errorf("%w: %d members of %d were active", errTornBatch, n, len(cases))
	}
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{withdrawOfCases, markDeactivatedAll, leftAudit} {
		if _, err := t.exec(statement, uuidArray(cases), at); err != nil {
			return nil, err
		}
	}
	var nothing []string
	if err := t.list(&nothing, selectNothingToSettle, uuidArray(cases)); err != nil {
		return nil, err
	}
	for _, id := range nothing {
		completed[id] = true
	}
	for _, statement := range []string{transferringAudit, completedAudit, markCompletedAll} {
		if _, err := t.exec(statement, uuidArray(nothing), at); err != nil {
			return nil, err
		}
	}
	return completed, nil
}

// JudgeBulk judges everybody on the list before anything happens: one refusal
// refuses all.
func (s *Store) JudgeBulk(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	in.At = in.At.Truncate(time.Microsecond)
	return s.bulkStep(ctx, "judge a bulk run", in, func(t *tx, run bulkRun) error {
		if run.Phase != offboarding.BulkJudging {
			return nil // judged before
		}
		refused, err := t.refusals(run, in.At)
		if err != nil {
			return err
		}
		if err := t.processed(run, refused); err != nil {
			return err
		}
		const refuseAll = `UPDATE bulk_members SET result = 'not_started', request = NULL WHERE bulk_id = $1 AND result = 'pending'
			AND EXISTS (SELECT 1 FROM bulk_members WHERE bulk_id = $1 AND result = 'refused')`
		if _, err := t.exec(refuseAll, run.ID); err != nil {
			return err
		}
		_, err = t.exec(markRun, run.ID, offboarding.BulkRevoking, in.At)
		return err
	})
}

// refusals are the rows of the list that the rules refuse.
func (t *tx) refusals(run bulkRun, at time.Time) ([]bulkDone, error) {
	var refused []bulkDone
	left := map[string]bool{}
	for after := 0; ; {
		rows, err := t.pendingRows(run, after, bulkBatch)
		if err != nil || len(rows) == 0 {
			return refused, err
		}
		after = rows[len(rows)-1].Position
		f, err := t.bulkFacts(run, rows, at, left, false)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			_, err := f.judge(row)
			var refusal *offboarding.Refusal
			if errors.As(err, &refusal) {
				refused = append(refused, bulkDone{Position: row.Position, Result: offboarding.BulkMemberRefused, Violations: refusal.Violations})
			} else if err != nil {
				return nil, err
			}
		}
	}
}
