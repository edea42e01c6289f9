package postgres

import (
	"time"

	"handover/offboarding"
)

// change is one change of state, to be written to the audit.
type change struct {
	event    string
	actor    string // "" for who requested the case
	member   string // "" for the leaver
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
	VALUES ($1, $2, $3, $4, $5, nullif($6, '')::uuid, $7, $8, $9, $10, $11, $12)`

// audit writes one event.
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
	if ch.before == nil {
		ch.before = state{}
	}
	if ch.after == nil {
		ch.after = state{}
	}
	_, err := t.exec(insertAudit, c.OrganizationID, ch.event, ch.actor, c.Origin, ch.member, ch.document, c.ID,
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
