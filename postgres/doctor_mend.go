package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// RecordRepair writes that a drift is about to be mended outside of the database, so that
// nothing is done without a trace.
func (s *Store) RecordRepair(ctx context.Context, f offboarding.Finding, r offboarding.Repair) error {
	return s.inTx(ctx, "record a repair", func(t *tx) error { return t.repaired(f, r, nil, nil) })
}

// MendDrift mends a drift of the database by the statements of the ordinary steps, where
// it is still there once what it is about is locked, with their events and one that says
// who has mended what. A kind that only a person can mend is refused.
func (s *Store) MendDrift(ctx context.Context, f offboarding.Finding, r offboarding.Repair) error {
	r.At = r.At.UTC().Truncate(time.Microsecond)
	if f.Drift == offboarding.DriftNotLocked {
		return s.lockLeft(ctx, f, r)
	}
	mend, ok := map[offboarding.Drift]func(*tx, offboarding.Finding, offboarding.Repair) error{
		offboarding.DriftUntouchedDuplicate:   (*tx).cancelDuplicate,
		offboarding.DriftStillActive:          (*tx).deactivateAgain,
		offboarding.DriftLiveAccess:           (*tx).revokeLeft,
		offboarding.DriftStillInWorkspace:     (*tx).removeAgain,
		offboarding.DriftLockedWrongly:        (*tx).unlock,
		offboarding.DriftPausedWrongly:        (*tx).resume,
		offboarding.DriftDocumentsWithoutCase: (*tx).openAgain,
		offboarding.DriftPendingRequests:      (*tx).endRequests,
		offboarding.DriftStaleTrouble:         (*tx).forgetTrouble,
	}[f.Drift]
	if !ok {
		return offboarding.Refuse("", offboarding.CodeInvalidArgument, "check", "only a person can mend "+string(f.Drift))
	}
	return s.inTx(ctx, "mend "+string(f.Drift), func(t *tx) error { return mend(t, f, r) })
}

// repaired writes the event of a repair.
func (t *tx) repaired(f offboarding.Finding, r offboarding.Repair, before, after state) error {
	if after == nil {
		after = state{}
	}
	after["check"] = f.Drift
	kind, subject := f.Subject()
	return t.auditOf(f.OrganizationID, offboarding.DoctorOrigin, r.At.UTC().Truncate(time.Microsecond), change{
		event: offboarding.EventRepairDrift, actor: r.ActorID, member: f.MemberID, document: f.DocumentID, caseID: f.CaseID,
		kind: kind, subject: subject, before: before, after: after,
	})
}

// drifted locks a case and says whether what was found of it still is so.
func (t *tx) drifted(f offboarding.Finding, lock string) (c caseRow, still bool, err error) {
	if still, err = t.find(&c, selectCase+lock, f.CaseID); err != nil || !still {
		return c, false, err
	}
	c.Origin = offboarding.DoctorOrigin
	still, err = t.still(f)
	return c, still, err
}

// still says whether a drift is there.
func (t *tx) still(f offboarding.Finding) (bool, error) {
	q := driftQueryOf(f.Drift)
	var found offboarding.Finding
	return t.find(&found, q.query+` AND `+q.key+` = $1::uuid`, DriftKey(f))
}

// revokeLive revokes what a member has that is live, with an event each, unless the audit
// says already that it was revoked. $1 member, $2 at, $3 organization, $4 actor, $5 origin, $6 case.
const revokeLive = `WITH credential AS (
		UPDATE credentials SET status = 'revoked', revoked_at = $2 WHERE member_id = $1 AND status = 'active' RETURNING id),
	session AS (
		UPDATE sessions SET status = 'revoked', revoked_at = $2 WHERE member_id = $1 AND status = 'active' RETURNING id),
	revoked AS (
		SELECT 'RevokeCredentials' AS event, 'credential' AS kind, id FROM credential
		UNION ALL SELECT 'RevokeSessions', 'session', id FROM session)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT $3, event, $4, $5, $1, $6, kind, id, '{"status": "active"}', '{"status": "revoked"}', $2 FROM revoked r
	WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.member_id = $1 AND e.event = r.event AND e.subject_id = r.id::text)`

func (t *tx) revokeLive(f offboarding.Finding, r offboarding.Repair) error {
	_, err := t.exec(revokeLive, f.MemberID, r.At, f.OrganizationID, r.ActorID, offboarding.DoctorOrigin, idOrNull(f.CaseID))
	return err
}

// accessInAudit is what the audit says of the access of a document d.
const accessInAudit = `coalesce((SELECT e.after->>'access' FROM audit_events e WHERE e.document_id = d.id AND e.subject_kind = 'document'
	AND e.after ? 'access' ORDER BY e.id DESC LIMIT 1), 'editable')`

func (t *tx) cancelDuplicate(f offboarding.Finding, r offboarding.Repair) error {
	c, still, err := t.drifted(f, forCaseChange)
	if err != nil || !still {
		return err
	}
	if err := t.repaired(f, r, nil, nil); err != nil {
		return err
	}
	c.RequestedBy = r.ActorID
	return t.advance(&c, r.At, offboarding.PhaseCanceled, offboarding.EventCancelOffboarding, nil)
}

// deactivateAgain makes a member inactive since when their case has. The audit has the
// deactivation already.
func (t *tx) deactivateAgain(f offboarding.Finding, r offboarding.Repair) error {
	c, still, err := t.drifted(f, forCaseChange)
	if err != nil || !still {
		return err
	}
	if _, err := t.exec(lockMember, f.MemberID); err != nil {
		return err
	}
	if err := t.revokeLive(f, r); err != nil {
		return err
	}
	var left struct {
		ManagedBy string                   `db:"managed_by"`
		Status    offboarding.MemberStatus `db:"status"`
	}
	if _, err := t.find(&left, deactivateMember, c.MemberID, c.DeactivatedAt); err != nil {
		return err
	}
	return t.repaired(f, r, state{"status": offboarding.MemberActive}, state{"status": left.Status})
}

// revokeLeft revokes what a member has who is not active.
func (t *tx) revokeLeft(f offboarding.Finding, r offboarding.Repair) error {
	if _, err := t.exec(lockMember, f.MemberID); err != nil {
		return err
	}
	still, err := t.still(f)
	if err != nil || !still {
		return err
	}
	if err := t.revokeLive(f, r); err != nil {
		return err
	}
	return t.repaired(f, r, nil, nil)
}

func (t *tx) removeAgain(f offboarding.Finding, r offboarding.Repair) error {
	c, still, err := t.drifted(f, forCaseChange)
	if err != nil || !still {
		return err
	}
	var role offboarding.WorkspaceRole
	if _, err := t.find(&role, removeFromWorkspace, c.WorkspaceID, c.MemberID); err != nil {
		return err
	}
	return t.repaired(f, r, state{"role": role}, state{"role": ""})
}

// What a document has that is read-only and should not be, with an event where the audit
// says too that it is. $1 document, $2 at, $3 actor, $4 origin.
const (
	unlockDocument = `WITH changed AS (
		UPDATE documents d SET access = 'editable', access_case_id = NULL, updated_at = $2 FROM cases c, members m
		WHERE d.id = $1 AND c.id = d.access_case_id AND m.id = d.owner_id AND ` + lockedWrongly + ` RETURNING d.organization_id, d.id, c.id AS case_id, c.member_id, ` + accessInAudit + ` AS audited),
	audited AS (
		INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
		SELECT organization_id, 'MarkDocsEditable', $3, $4, member_id, id, case_id, 'document', id, '{"access": "read_only"}', '{"access": "editable"}', $2
		FROM changed WHERE audited = 'read_only')
	SELECT count(*) FROM changed`
	// With an archived document its schedules are archived.
	resumeOfDocument = `WITH changed AS (
		UPDATE schedules s SET paused_by_case_id = NULL, status = CASE d.access WHEN 'archived' THEN 'archived' ELSE 'active' END,
			archived_by_case_id = CASE d.access WHEN 'archived' THEN s.paused_by_case_id END
		FROM documents d WHERE d.id = $1 AND s.document_id = d.id AND s.status = 'paused' AND d.access <> 'read_only'
		RETURNING s.organization_id, s.id, s.document_id, s.status, d.owner_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT organization_id, CASE status WHEN 'active' THEN 'ResumeSchedules' ELSE 'ArchiveSchedules' END, $3, $4, owner_id, document_id, nullif($5, '')::uuid,
		'schedule', id, '{"status": "paused"}', jsonb_build_object('status', status), $2 FROM changed`
)

func (t *tx) unlock(f offboarding.Finding, r offboarding.Repair) error {
	var n int
	err := t.get(&n, unlockDocument, f.DocumentID, r.At, r.ActorID, offboarding.DoctorOrigin)
	if err != nil || n == 0 {
		return err
	}
	if _, err := t.exec(resumeOfDocument, f.DocumentID, r.At, r.ActorID, offboarding.DoctorOrigin, f.CaseID); err != nil {
		return err
	}
	return t.repaired(f, r, nil, nil)
}

func (t *tx) resume(f offboarding.Finding, r offboarding.Repair) error {
	n, err := t.exec(resumeOfDocument, f.DocumentID, r.At, r.ActorID, offboarding.DoctorOrigin, f.CaseID)
	if err != nil || n == 0 {
		return err
	}
	return t.repaired(f, r, nil, nil)
}

// openAgain opens a completed case in read_only: of all phases the one whose steps are
// not recorded as done.
func (t *tx) openAgain(f offboarding.Finding, r offboarding.Repair) error {
	const update = `UPDATE cases SET phase = 'read_only', closed_at = NULL, grace_ends_at = coalesce(grace_ends_at, $2) WHERE id = $1`
	c, still, err := t.drifted(f, forCaseChange)
	if err != nil || !still {
		return err
	}
	if _, err := t.exec(update, c.ID, r.At); err != nil {
		return err
	}
	return t.repaired(f, r, state{"phase": c.Phase}, state{"phase": offboarding.PhaseReadOnly})
}

func (t *tx) endRequests(f offboarding.Finding, r offboarding.Repair) error {
	c, still, err := t.drifted(f, forCaseWork)
	if err != nil || !still {
		return err
	}
	end := supersedeLeftOver
	if c.Phase == offboarding.PhaseReactivated {
		end = withdrawOfCase
	}
	if _, err := t.exec(end, c.ID, r.At, c.OrganizationID, r.ActorID, c.Origin, c.MemberID); err != nil {
		return err
	}
	return t.repaired(f, r, nil, nil)
}

func (t *tx) forgetTrouble(f offboarding.Finding, r offboarding.Repair) error {
	if _, err := t.exec(updateTrouble, f.CaseID, "", 0, "", nil); err != nil {
		return err
	}
	return t.repaired(f, r, nil, nil)
}

// lockAsAudited makes read-only what the audit says is, of a batch. $1 leaver, $2 after, $3 up to, $4 case, $5 at.
var lockAsAudited = `UPDATE documents d SET access = 'read_only', access_case_id = $4, updated_at = $5 WHERE` + accessWhere + `AND d.access = 'editable'` + notOfRemoval + `
	AND ` + accessInAudit + ` = 'read_only'`

// lockLeft locks what the sweep at the end of the grace has left, as it would have: in
// batches, each a transaction. They have no record, for they may be done again.
func (s *Store) lockLeft(ctx context.Context, f offboarding.Finding, r offboarding.Repair) error {
	cursor, done := "", false
	for !done {
		err := s.inTx(ctx, "mend "+string(f.Drift), func(t *tx) error {
			c, still, err := t.drifted(f, forCaseWork)
			if err != nil || !still {
				done = true
				return err
			}
			if cursor == "" {
				if err := t.repaired(f, r, nil, nil); err != nil {
					return err
				}
			}
			at := r.At
			if c.GraceEndsAt.After(at) { // a case whose clock is ahead
				at = c.GraceEndsAt.UTC()
			}
			in := offboarding.SweepInput{Step: offboarding.Step{CaseID: c.ID, At: at}, ActorID: r.ActorID, Origin: offboarding.DoctorOrigin}
			b, err := t.take(&c, in, cursor)
			if err != nil {
				return err
			}
			query, args := c.scoped(lockAsAudited, []any{c.MemberID, b.after, b.upTo, c.ID, at})
			if _, err := t.exec(query, args...); err != nil {
				return err
			}
			swept, err := t.sweeps(&c, in, b, locking)
			cursor, done = swept.Cursor, swept.Done
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
