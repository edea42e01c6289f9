package postgres

import (
	"time"

	"handover/offboarding"
)

// change is one change of state, to be written to the audit.
type change struct {
	event    string
	actor    string // of a case's event, "" for who requested the case
	member   string // of a case's event, "" for the leaver
	caseID   string // "" outside of a case
	document string
	kind     offboarding.Subject // what changed; "" for the case
	subject  string
	before   state
	after    state
}

// state is one side of a change.
type state map[string]any

const insertAudit = `INSERT INTO audit_events
	(organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	VALUES ($1, $2, nullif($3, '')::uuid, $4, nullif($5, '')::uuid, nullif($6, '')::uuid, nullif($7, '')::uuid, $8, $9, $10, $11, $12)`

// audit writes one event of a case.
func (t *tx) audit(c *caseRow, at time.Time, ch change) error {
	_, err := t.exec(insertAudit, c.event(at, ch)...)
	return err
}

// event is what insertAudit takes for a change of a case.
func (c *caseRow) event(at time.Time, ch change) []any {
	if ch.actor == "" {
		ch.actor = c.RequestedBy
	}
	if ch.member == "" {
		ch.member = c.MemberID
	}
	if ch.kind == "" {
		ch.kind, ch.subject = offboarding.SubjectCase, c.ID
	}
	ch.caseID = c.ID
	return ch.row(c.OrganizationID, c.Origin, at)
}

// auditOf writes one event of an organization.
func (t *tx) auditOf(organizationID, origin string, at time.Time, ch change) error {
	_, err := t.exec(insertAudit, ch.row(organizationID, origin, at)...)
	return err
}

// row is what insertAudit takes.
func (ch change) row(organizationID, origin string, at time.Time) []any {
	if ch.before == nil {
		ch.before = state{}
	}
	if ch.after == nil {
		ch.after = state{}
	}
	return []any{
		organizationID, ch.event, ch.actor, origin, ch.member, ch.document, ch.caseID,
		ch.kind, ch.subject, string(mustJSON(ch.before)), string(mustJSON(ch.after)), at,
	}
}

// moveCase moves a case to a phase together with the event of insertAudit.
const moveCase = `WITH moved AS (
		UPDATE cases SET phase = $13, closed_at = CASE WHEN $14 THEN $12::timestamptz END, grace_ends_at = coalesce($15, grace_ends_at) WHERE id = $16)
	` + insertAudit

// advance moves the case to a phase and writes the event.
func (t *tx) advance(c *caseRow, at time.Time, phase offboarding.Phase, event string, after state) error {
	return t.move(c, at, phase, event, after, nil)
}

// move is advance to a phase in which the grace may begin.
func (t *tx) move(c *caseRow, at time.Time, phase offboarding.Phase, event string, after state, graceEnds *time.Time) error {
	if after == nil {
		after = state{}
	}
	after["phase"] = phase
	closed := phase.Closed() && phase != offboarding.PhaseReactivated // a reactivated case closes when its documents are settled
	args := c.event(at, change{event: event, before: state{"phase": c.Phase}, after: after})
	if _, err := t.exec(moveCase, append(args, phase, closed, graceEnds, c.ID)...); err != nil {
		return err
	}
	c.Phase = phase
	if closed {
		return t.endTrouble(c.ID)
	}
	return nil
}
