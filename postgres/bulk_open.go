package postgres

import (
	"fmt"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

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
