package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// bulkBatch is how many members of a list lose access in one transaction.
const bulkBatch = 500

// opening is what cases of a batch have in common. Few lists say something else of each
// member: the cases are written as their IDs and the number of what they share.
type opening struct {
	OrganizationID   string                  `json:"organization_id"`
	Reason           string                  `json:"reason"`
	Phase            offboarding.Phase       `json:"phase"` // scheduled, or what the batch takes it to: deactivated or completed
	Disposition      offboarding.Disposition `json:"disposition"`
	NewOwnerID       string                  `json:"new_owner_id"`
	FallbackReason   string                  `json:"fallback_reason"`
	ArchiveSchedules bool                    `json:"archive_schedules"`
	GraceSeconds     int64                   `json:"grace_period_seconds"`
	EffectiveAt      time.Time               `json:"effective_at"`
}

// openings are the cases that a batch opens.
type openings struct {
	ids, members []string
	numbers      []int // of the kinds
	kinds        []openingKind
	known        map[opening]int
	leaving      []string // members whose time has come
}

type openingKind struct {
	opening
	N         int   `json:"n"`
	Scheduled state `json:"scheduled"` // what the audit says
}

func (o *openings) add(c *caseRow, reason string, phase offboarding.Phase) {
	kind := opening{
		OrganizationID: c.OrganizationID, Reason: reason, Phase: phase, Disposition: c.Disposition, NewOwnerID: c.NewOwnerID,
		FallbackReason: c.FallbackReason, ArchiveSchedules: c.ArchiveSchedules, GraceSeconds: c.GraceSeconds, EffectiveAt: c.EffectiveAt,
	}
	n, ok := o.known[kind]
	if !ok {
		n = len(o.kinds)
		o.known[kind] = n
		o.kinds = append(o.kinds, openingKind{opening: kind, N: n, Scheduled: c.scheduled()})
	}
	o.ids, o.members, o.numbers = append(o.ids, c.ID), append(o.members, c.MemberID), append(o.numbers, n)
	if phase != offboarding.PhaseScheduled {
		o.leaving = append(o.leaving, c.MemberID)
	}
}

// The statements of a batch. Each works on all of its cases at once, and together they
// write an event for each change, as the steps of a single case do. $1 are those who
// leave, $2 is the time, $3 who asked and $4 from where.
var (
	// Requests first: they are withdrawn before the account is gone.
	withdrawOfMembers = `WITH withdrawn AS (
		UPDATE ownership_requests SET status = 'withdrawn', decided_at = $2
		WHERE ` + pendingWhere("member_id = ANY ($1::uuid[])") + `
		RETURNING id, organization_id, document_id, case_id, member_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, 'WithdrawDocOwnership', $3, $4, member_id, document_id, case_id, 'request', id,
		'{"status": "pending"}', '{"status": "withdrawn"}', $2 FROM withdrawn`

	// A case is written once, in the phase that the batch takes it to, and the events of
	// the phases in between with it, member by member. Every insert into the audit has
	// its price, so there is one. $5 to $7 are the cases, $8 what they have in common, and
	// $9 begins their workflows' IDs.
	openCases = `WITH x AS MATERIALIZED (
		SELECT c.id, c.member_id, k.* FROM unnest($5::uuid[], $6::uuid[], $7::integer[]) AS c (id, member_id, kind)
		JOIN jsonb_to_recordset($8::jsonb) AS k (n integer, organization_id uuid, reason text, phase text, disposition text, new_owner_id text,
			fallback_reason text, archive_schedules boolean, grace_period_seconds bigint, effective_at timestamptz, scheduled jsonb) ON k.n = c.kind),
	opened AS (
		INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, new_owner_id,
			fallback_reason, archive_schedules, grace_period_seconds, created_at, effective_at, revoked_at, deactivated_at, closed_at)
		SELECT id, $9 || member_id::text, organization_id, member_id, $3, $4, reason, phase, disposition, nullif(new_owner_id, '')::uuid,
			fallback_reason, archive_schedules, grace_period_seconds, $2, effective_at, CASE WHEN phase <> 'scheduled' THEN $2::timestamptz END,
			CASE WHEN phase <> 'scheduled' THEN $2::timestamptz END, CASE WHEN phase = 'completed' THEN $2::timestamptz END
		FROM x),
	credential AS (
		UPDATE credentials SET status = 'revoked', revoked_at = $2 WHERE member_id = ANY ($1::uuid[]) AND status = 'active' RETURNING id, member_id),
	session AS (
		UPDATE sessions SET status = 'revoked', revoked_at = $2 WHERE member_id = ANY ($1::uuid[]) AND status = 'active' RETURNING id, member_id),
	events AS (
		SELECT x.organization_id, x.member_id, x.id AS case_id, e.* FROM x CROSS JOIN LATERAL (VALUES
			(1, 'ScheduleOffboarding', 'case', x.id, '{}'::jsonb, x.scheduled, true),
			(2, 'AdvanceOffboarding', 'case', x.id, '{"phase": "scheduled"}', '{"phase": "revoking"}', x.phase <> 'scheduled'),
			(5, 'DeactivateMember', 'member', x.member_id, '{"status": "active", "phase": "revoking"}',
				'{"status": "inactive", "phase": "deactivated"}', x.phase <> 'scheduled'),
			(6, 'AdvanceOffboarding', 'case', x.id, '{"phase": "deactivated"}', '{"phase": "transferring"}',
				x.phase = 'completed' AND x.disposition <> 'retain'),
			(7, 'CompleteOffboarding', 'case', x.id,
				jsonb_build_object('phase', CASE x.disposition WHEN 'retain' THEN 'deactivated' ELSE 'transferring' END),
				'{"phase": "completed"}', x.phase = 'completed')) AS e (n, event, kind, subject, before, after, happened)
		WHERE e.happened
		UNION ALL
		SELECT x.organization_id, x.member_id, x.id, r.n, r.event, r.kind, r.id, '{"status": "active"}', '{"status": "revoked"}', true
		FROM (SELECT 3 AS n, 'RevokeCredentials' AS event, 'credential' AS kind, id, member_id FROM credential
			UNION ALL SELECT 4, 'RevokeSessions', 'session', id, member_id FROM session) AS r JOIN x ON x.member_id = r.member_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, event, $3, $4, member_id, case_id, kind, subject, before, after, $2 FROM events ORDER BY member_id, n`

	// By itself: a guard asks for access that is left.
	deactivateMembers = `UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = ANY ($1::uuid[]) AND status = 'active'`
)

// The rows of a list are taken by who locks them.
const (
	selectPending = `SELECT position, reference, coalesce(member_id::text, '') AS member_id, request FROM bulk_members
	WHERE bulk_id = $1 AND result = 'pending' AND position > $2 ORDER BY position LIMIT $3`
	lockPending = selectPending + ` FOR NO KEY UPDATE`
	takePending = lockPending + ` SKIP LOCKED`
)

func (t *tx) pendingRows(query string, run bulkRun, after, limit int) ([]bulkRow, error) {
	var rows []bulkRow
	if err := t.list(&rows, query, run.ID, after, limit); err != nil {
		return nil, err
	}
	return rows, read(rows)
}

// takeRows takes the next rows of the list behind a place. Where there are none it
// takes what a batch that failed has left before, and waits what becomes of the rows
// that other batches have.
func (t *tx) takeRows(run bulkRun, after, limit int) ([]bulkRow, error) {
	rows, err := t.pendingRows(takePending, run, after, limit)
	if err == nil && len(rows) == 0 {
		rows, err = t.pendingRows(lockPending, run, 0, limit)
	}
	return rows, err
}

// OffboardBatch takes the access of the next members of the list, behind the place
// that the caller's last batch came to: it judges each, opens the cases, revokes,
// deactivates, and completes what has nothing to settle. It answers the place that it
// has come to, 0 when nobody is left. Batches of a run may go on side by side. A row
// that the database refuses is found by halving the batch, and fails alone.
func (s *Store) OffboardBatch(ctx context.Context, in offboarding.BulkStep, after int) (int, error) {
	in.At = in.At.Truncate(time.Microsecond)
	for n := min(bulkBatch, s.batchSize); ; {
		first, last := 0, 0
		err := s.inTx(ctx, "offboard members", func(t *tx) error {
			run, err := t.run(in.BulkID, selectRun)
			if err != nil {
				return err
			}
			rows, err := t.takeRows(run, after, n)
			if err != nil || len(rows) == 0 {
				return err
			}
			first, last = rows[0].Position, rows[len(rows)-1].Position
			return t.offboard(run, rows, in.At)
		})
		switch {
		case errors.Is(err, errCaseOpened): // seen now
		case !rowFault(err):
			return last, err
		case n > 1:
			n /= 2
		default:
			return first, s.failRow(ctx, in, first, err)
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
func (s *Store) failRow(ctx context.Context, in offboarding.BulkStep, position int, why error) error {
	done := bulkDone{Position: position, Result: offboarding.BulkMemberFailed, Error: why.Error()}
	var refusal *offboarding.Refusal
	if errors.As(why, &refusal) { // a guard of the database
		done = bulkDone{Position: position, Result: offboarding.BulkMemberRefused, Violations: refusal.Violations}
	}
	return s.inTx(ctx, "offboard members", func(t *tx) error { return t.processed(in.BulkID, []bulkDone{done}) })
}

const updateProcessed = `UPDATE bulk_members b SET result = x.result, case_id = x.case_id, to_start = x.to_start, violations = x.violations,
	error = x.error, request = NULL
	FROM jsonb_to_recordset($2::jsonb) AS x (position integer, result text, case_id uuid, to_start boolean, violations jsonb, error text)
	WHERE b.bulk_id = $1 AND b.position BETWEEN $3 AND $4 AND b.position = x.position AND b.result = 'pending'`

// processed keeps what became of rows, in the order of the list.
func (t *tx) processed(bulkID string, done []bulkDone) error {
	if len(done) == 0 {
		return nil
	}
	_, err := t.exec(updateProcessed, bulkID, string(mustJSON(done)), done[0].Position, done[len(done)-1].Position)
	return err
}

// offboard processes rows of the list.
func (t *tx) offboard(run bulkRun, rows []bulkRow, at time.Time) error {
	f, err := t.bulkFacts(run, rows, at, map[string]bool{}, true)
	if err != nil {
		return err
	}
	done := make([]bulkDone, 0, len(rows))
	cases := openings{known: map[opening]int{}}
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
			member := j.facts.Leaver.ID
			c := plannedCase(bulkCaseID(run.ID, member), offboarding.WorkflowID(member), j.request, j.facts, j.plan)
			phase := f.phase(j)
			cases.add(&c, j.request.Reason, phase)
			d.CaseID, d.ToStart, d.Result = c.ID, phase != offboarding.PhaseCompleted, offboarding.BulkMemberStarted
			if phase == offboarding.PhaseScheduled {
				d.Result = offboarding.BulkMemberScheduled
			}
		}
		done = append(done, d)
	}
	if err := t.openAll(run, cases, at); err != nil {
		return err
	}
	return t.processed(run.ID, done)
}

// phase is what the batch takes a case to that the rules allow.
func (f *bulkFacts) phase(j judged) offboarding.Phase {
	leaver := f.leavers[j.facts.Leaver.ID]
	switch {
	case j.plan.EffectiveAt.After(f.at) || leaver.SignedIn:
		return offboarding.PhaseScheduled
	case !leaver.Owns || j.plan.Disposition == offboarding.DispositionRetain && !leaver.Unowned: // nothing to settle
		return offboarding.PhaseCompleted
	}
	return offboarding.PhaseDeactivated
}

// openAll opens cases and takes the access of those whose time has come.
func (t *tx) openAll(run bulkRun, cases openings, at time.Time) error {
	if len(cases.ids) == 0 {
		return nil
	}
	leaving := uuidArray(cases.leaving)
	if _, err := t.exec(withdrawOfMembers, leaving, at, run.RequestedBy, run.Origin); err != nil {
		return err
	}
	_, err := t.exec(openCases, leaving, at, run.RequestedBy, run.Origin, uuidArray(cases.ids), uuidArray(cases.members),
		pq.Array(cases.numbers), string(mustJSON(cases.kinds)), offboarding.WorkflowID(""))
	if violates(err, "cases_one_open_per_member") || violates(err, "cases_pkey") {
		return errCaseOpened // a single start was faster
	}
	if err != nil {
		return err
	}
	n, err := t.exec(deactivateMembers, leaving, at)
	if err == nil && n != len(cases.leaving) {
		err = fmt.Errorf("%w: %d members of %d were active", errTornBatch, n, len(cases.leaving))
	}
	return err
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
		if err := t.processed(run.ID, refused); err != nil {
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
		rows, err := t.pendingRows(selectPending, run, after, bulkBatch)
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
