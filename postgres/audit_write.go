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
	return t.auditOf(c.OrganizationID, c.Origin, at, ch)
}

// auditOf writes one event of an organization.
func (t *tx) auditOf(organizationID, origin string, at time.Time, ch change) error {
	if ch.before == nil {
		ch.before = state{}
	}
	if ch.after == nil {
		ch.after = state{}
	}
	_, err := t.exec(insertAudit, organizationID, ch.event, ch.actor, origin, ch.member, ch.document, ch.caseID,
		ch.kind, ch.subject, string(mustJSON(ch.before)), string(mustJSON(ch.after)), at)
	return err
}

// advance moves the case to a phase and writes the event.
func (t *tx) advance(c *caseRow, at time.Time, phase offboarding.Phase, event string, after state) error {
	if after == nil {
		after = state{}
	}
	after["phase"] = phase
	before := state{"phase": c.Phase}
	const update = `UPDATE cases SET phase = $2, closed_at = CASE WHEN $3 THEN $4::timestamptz END WHERE id = $1`
	closed := phase.Closed() && phase != offboarding.PhaseReactivated // a reactivated case closes when its documents are settled
	if _, err := t.exec(update, c.ID, phase, closed, at); err != nil {
		return err
	}
	c.Phase = phase
	return t.audit(c, at, change{event: event, before: before, after: after})
}
