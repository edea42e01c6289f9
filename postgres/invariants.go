package postgres

import (
	"context"
	"fmt"
)

// Invariant is one of the promises about all cases, checked from the database
// and the audit.
type Invariant struct {
	Name   string // stable, in snake_case
	Says   string // what is promised, for a person
	Broken int    // rows that break it
	Sample string // one of them, by IDs
}

// Holds reports whether nothing breaks the invariant.
func (i Invariant) Holds() bool { return i.Broken == 0 }

// The promises that others ask for by name.
const (
	InvariantEveryUnowned = "every_document_has_an_owner_or_a_case"
	InvariantNotStuck     = "no_case_is_stuck"
)

// invariant is a query for what breaks a promise: one text column, a row each.
type invariant struct{ name, says, query string }

// ownership are the events by which a document changes hands.
const ownership = `('TransferDocs', 'ClaimDocOwnership', 'ReturnDocs')`

// unlessRepaired leaves out what starter doctor has revoked: it was live too long, and the
// audit says so.
func unlessRepaired(revoked string) string {
	return ` AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.event = 'RepairDrift' AND e.member_id = m.id AND e.at = ` + revoked + `.revoked_at)`
}

var invariants = []invariant{
	{"one_owner_and_every_change_audited", "a document has one owner, who changes only with an audit event", `
	WITH moves AS (
		SELECT id, document_id, before->>'owner_id' AS from_owner, after->>'owner_id' AS to_owner,
			lag(after->>'owner_id') OVER w AS previous, row_number() OVER (PARTITION BY document_id ORDER BY id DESC) AS newest
		FROM audit_events WHERE event IN ` + ownership + ` WINDOW w AS (PARTITION BY document_id ORDER BY id))
	SELECT 'document ' || m.document_id FROM moves m WHERE m.previous IS DISTINCT FROM m.from_owner AND m.previous IS NOT NULL
	UNION ALL
	SELECT 'document ' || d.id FROM documents d JOIN moves m ON m.document_id = d.id AND m.newest = 1 WHERE m.to_owner <> d.owner_id::text
	UNION ALL
	SELECT 'document ' || d.id FROM documents d
	WHERE d.moved_by_case_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM moves m WHERE m.document_id = d.id)`},

	{"no_access_after_deactivation", "nobody who is not active has a working credential or session, and none came back", `
	SELECT 'member ' || m.id FROM members m WHERE m.status <> 'active' AND (
		EXISTS (SELECT 1 FROM credentials c WHERE c.member_id = m.id AND (c.status = 'active' OR c.revoked_at > m.deactivated_at` + unlessRepaired("c") + `))
		OR EXISTS (SELECT 1 FROM sessions s WHERE s.member_id = m.id AND (s.status = 'active' OR s.revoked_at > m.deactivated_at` + unlessRepaired("s") + `)))
	UNION ALL
	SELECT e.subject_kind || ' ' || e.subject_id FROM audit_events e WHERE e.event IN ('RevokeCredentials', 'RevokeSessions')
	AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.id = e.subject_id::uuid AND c.status = 'revoked'
		UNION ALL SELECT 1 FROM sessions s WHERE s.id = e.subject_id::uuid AND s.status = 'revoked')`},

	{"read_only_only_after_the_grace", "a document is read-only only if its owner is not active and the grace has ended", `
	SELECT 'document ' || d.id FROM documents d JOIN members m ON m.id = d.owner_id JOIN cases c ON c.id = d.access_case_id
	WHERE d.access = 'read_only' AND (m.status = 'active' AND c.workspace_id IS NULL
		OR EXISTS (SELECT 1 FROM workspace_members w WHERE w.workspace_id = c.workspace_id AND w.member_id = m.id) OR c.phase <> 'read_only' OR c.member_id <> d.owner_id)
	UNION ALL
	SELECT 'document ' || e.document_id FROM audit_events e JOIN cases c ON c.id = e.case_id
	WHERE e.event = 'MarkDocsReadOnly' AND e.at < c.grace_ends_at`},

	{"one_winner_for_each_document", "of competing claims exactly one wins", `
	SELECT 'document ' || document_id FROM (
		SELECT document_id, event, case_id, lag(event) OVER w AS event_before, lag(case_id) OVER w AS case_before
		FROM audit_events WHERE event IN ` + ownership + ` WINDOW w AS (PARTITION BY document_id ORDER BY id)) moves
	WHERE case_id = case_before AND event <> 'ReturnDocs' AND event_before <> 'ReturnDocs' -- given twice, and not back in between
	UNION ALL
	SELECT 'document ' || r.document_id FROM ownership_requests r WHERE r.status = 'approved' GROUP BY r.case_id, r.document_id HAVING count(*) >
		(SELECT count(*) FROM audit_events e WHERE e.document_id = r.document_id AND e.case_id = r.case_id AND e.event = 'TransferDocs')`},

	{"nothing_twice_and_nothing_skipped", "every change has exactly one audit event, and every step was done", `
	SELECT 'credential ' || c.id FROM credentials c WHERE c.status = 'revoked'
		AND (SELECT count(*) FROM audit_events e WHERE e.event = 'RevokeCredentials' AND e.subject_id = c.id::text AND e.member_id = c.member_id) <> 1
	UNION ALL
	SELECT 'session ' || s.id FROM sessions s WHERE s.status = 'revoked'
		AND (SELECT count(*) FROM audit_events e WHERE e.event = 'RevokeSessions' AND e.subject_id = s.id::text AND e.member_id = s.member_id) <> 1
	UNION ALL
	SELECT 'member ' || m.id FROM members m JOIN LATERAL (
		SELECT count(*) FILTER (WHERE e.event = 'DeactivateMember') - count(*) FILTER (WHERE e.event = 'ReactivateMember') AS net
		FROM audit_events e WHERE e.member_id = m.id AND e.event IN ('DeactivateMember', 'ReactivateMember') AND e.case_id IS NOT NULL) n ON true
		WHERE n.net <> CASE WHEN m.status = 'active' THEN 0 ELSE 1 END
	UNION ALL
	SELECT 'document ' || x.document_id FROM (
		SELECT document_id, count(*) FILTER (WHERE event IN ('MarkDocsReadOnly', 'ArchiveDocs') AND before->>'access' = 'editable')
			- count(*) FILTER (WHERE event IN ('MarkDocsEditable', 'UnarchiveDocs')
				OR (event IN ` + ownership + ` AND before->>'access' = 'read_only' AND after->>'access' = 'editable')) AS net
		FROM audit_events WHERE document_id IS NOT NULL GROUP BY document_id) x
		JOIN documents d ON d.id = x.document_id
		WHERE x.net <> CASE WHEN d.access_case_id IS NULL THEN 0 ELSE 1 END
	UNION ALL
	SELECT 'request ' || r.id FROM ownership_requests r WHERE r.status <> 'pending'
		AND (SELECT count(*) FROM audit_events e WHERE e.subject_kind = 'request' AND e.subject_id = r.id::text
			AND e.event NOT IN ('RequestDocOwnership', 'EscalateRequest')) <> 1
	UNION ALL
	SELECT 'request ' || r.id FROM ownership_requests r WHERE
		(SELECT count(*) FROM audit_events e WHERE e.event = 'EscalateRequest' AND e.subject_id = r.id::text) <> CASE WHEN r.escalated_at IS NULL THEN 0 ELSE 1 END
	UNION ALL
	SELECT 'case ' || c.id FROM cases c WHERE
		(SELECT e.after->>'phase' FROM audit_events e WHERE e.case_id = c.id AND e.after ? 'phase' ORDER BY e.id DESC LIMIT 1) <> c.phase
	UNION ALL
	SELECT 'case ' || case_id FROM audit_events WHERE event IN ('ScheduleOffboarding', 'DeactivateMember') GROUP BY case_id, event HAVING count(*) > 1`},

	{InvariantEveryUnowned, "what is unowned waits in an open case, locked once the grace has ended", `
	SELECT 'document ' || d.id FROM documents d JOIN members m ON m.id = d.owner_id
	WHERE m.status <> 'active' AND d.access <> 'archived'
	AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.member_id = m.id AND c.closed_at IS NULL
		AND (c.phase <> 'read_only' OR d.access = 'read_only' OR EXISTS (SELECT 1 FROM cases r
			WHERE r.member_id = m.id AND r.workspace_id = d.workspace_id AND r.deactivated_at IS NOT NULL AND r.closed_at IS NULL)))
	UNION ALL
	SELECT 'schedule ' || s.id FROM schedules s JOIN documents d ON d.id = s.document_id WHERE s.status = 'paused' AND d.access <> 'read_only'`},

	{"what_is_held_stays", "a document under legal hold keeps its owner and is not archived", `
	WITH holds AS MATERIALIZED (
		SELECT p.id AS placed, coalesce((SELECT min(l.id) FROM audit_events l WHERE l.event = 'LiftLegalHold' AND l.subject_id = p.subject_id),
			9223372036854775807) AS lifted, p.document_id, p.member_id FROM audit_events p WHERE p.event = 'PlaceLegalHold')
	SELECT 'document ' || e.document_id FROM holds h JOIN audit_events e ON e.id > h.placed AND e.id < h.lifted
	AND e.event IN ('TransferDocs', 'ClaimDocOwnership', 'ReturnDocs', 'ArchiveDocs')
	AND (e.document_id = h.document_id
		OR h.member_id::text = CASE e.event WHEN 'ReturnDocs' THEN e.before->>'owner_id' ELSE e.member_id::text END)
	UNION ALL
	SELECT 'document ' || d.id FROM documents d
	WHERE d.held <> EXISTS (SELECT 1 FROM legal_holds h WHERE h.document_id = d.id AND h.lifted_at IS NULL)`},

	{InvariantNotStuck, "no case has failed to go on", `
	SELECT 'case ' || id FROM cases WHERE trouble_step <> ''`},
}

// CheckInvariants checks every promise that can be seen in the database and the
// audit. It reads all of both.
func (s *Store) CheckInvariants(ctx context.Context) ([]Invariant, error) {
	out := make([]Invariant, 0, len(invariants))
	for _, inv := range invariants {
		var broken struct {
			N      int     `db:"n"`
			Sample *string `db:"sample"`
		}
		query := fmt.Sprintf(`SELECT count(*) AS n, min(b.t) AS sample FROM (%s) AS b (t)`, inv.query)
		if err := s.db.GetContext(ctx, &broken, query); err != nil {
			return nil, clean("check "+inv.name, err)
		}
		i := Invariant{Name: inv.name, Says: inv.says, Broken: broken.N}
		if broken.Sample != nil {
			i.Sample = *broken.Sample
		}
		out = append(out, i)
	}
	return out, nil
}
