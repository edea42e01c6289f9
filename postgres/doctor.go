package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// driftQuery finds rows that show a drift. It ends in a WHERE, to which the page, or the
// one row that is looked at again, is added by its key, a column of IDs.
type driftQuery struct {
	drift offboarding.Drift
	key   string
	query string
}

const (
	// The case that made a member inactive, "" for none.
	caseOfLeaver = `coalesce((SELECT c.id::text FROM cases c WHERE c.member_id = m.id AND c.workspace_id IS NULL
		AND c.deactivated_at IS NOT NULL ORDER BY c.created_at DESC LIMIT 1), '')`
	begunPhases = `('deactivated', 'transferring', 'grace', 'read_only')`
	// The document of a case c, its owner's m, is read-only, and should not be.
	lockedWrongly = `d.access = 'read_only' AND (m.status = 'active' AND c.workspace_id IS NULL OR c.phase <> 'read_only' OR c.member_id <> d.owner_id
		OR EXISTS (SELECT 1 FROM workspace_members w WHERE w.workspace_id = c.workspace_id AND w.member_id = m.id))`
	// Another open case of the member of c.
	otherOpenCase = `EXISTS (SELECT 1 FROM cases o WHERE o.member_id = c.member_id AND o.workspace_id IS NOT DISTINCT FROM c.workspace_id
		AND o.closed_at IS NULL AND o.id <> c.id AND `
	ofCases = ` FROM cases c WHERE `
	theCase = `SELECT c.organization_id, c.member_id, c.id AS case_id, '' AS document_id, `
	// The documents of a case c that has ended its grace, which nobody has locked.
	notLocked = `SELECT 1 FROM documents d JOIN members m ON m.id = d.owner_id WHERE d.owner_id = c.member_id AND d.access = 'editable'
		AND CASE WHEN c.workspace_id IS NULL THEN m.status <> 'active' AND NOT EXISTS (SELECT 1 FROM cases r
			WHERE r.member_id = m.id AND r.workspace_id = d.workspace_id AND r.deactivated_at IS NOT NULL AND r.closed_at IS NULL)
		ELSE d.workspace_id = c.workspace_id END`
	ownsWithoutCase = `m.status <> 'active' AND EXISTS (SELECT 1 FROM documents d WHERE d.owner_id = m.id AND d.access <> 'archived')
		AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.member_id = m.id AND c.workspace_id IS NULL AND c.closed_at IS NULL)`
	completedCase = `SELECT c.id FROM cases c WHERE c.member_id = m.id AND c.workspace_id IS NULL AND c.phase = 'completed'
		AND c.deactivated_at = m.deactivated_at ORDER BY c.created_at DESC LIMIT 1`
)

// driftQueries are the drifts that the database shows by itself, in the order in which
// they are mended: who has access first, then documents, then what waits for them.
var driftQueries = []driftQuery{
	{offboarding.DriftUntouchedDuplicate, "c.id", theCase + `'scheduled' AS detail` + ofCases + `c.closed_at IS NULL AND c.phase = 'scheduled' AND ` +
		otherOpenCase + `(o.phase <> 'scheduled' OR (o.created_at, o.id) < (c.created_at, c.id)))`},
	{offboarding.DriftDuplicateCases, "c.id", theCase + `c.phase AS detail` + ofCases + `c.closed_at IS NULL AND c.phase <> 'scheduled' AND ` +
		otherOpenCase + `o.phase <> 'scheduled')`},
	{offboarding.DriftStillActive, "c.id", theCase + `c.phase AS detail` + ofCases + `c.closed_at IS NULL AND c.workspace_id IS NULL AND c.phase IN ` + begunPhases + `
		AND EXISTS (SELECT 1 FROM members m WHERE m.id = c.member_id AND m.status = 'active')
		AND 'DeactivateMember' = (SELECT e.event FROM audit_events e WHERE e.member_id = c.member_id
			AND e.event IN ('DeactivateMember', 'ReactivateMember') ORDER BY e.id DESC LIMIT 1)`},
	{offboarding.DriftLiveAccess, "m.id", `SELECT m.organization_id, m.id AS member_id, ` + caseOfLeaver + ` AS case_id, '' AS document_id, m.status AS detail
		FROM members m WHERE m.status <> 'active' AND (EXISTS (SELECT 1 FROM credentials x WHERE x.member_id = m.id AND x.status = 'active')
		OR EXISTS (SELECT 1 FROM sessions x WHERE x.member_id = m.id AND x.status = 'active'))`},
	{offboarding.DriftStillInWorkspace, "c.id", theCase + `c.phase AS detail` + ofCases + `c.closed_at IS NULL AND c.phase IN ` + begunPhases + `
		AND EXISTS (SELECT 1 FROM workspace_members w WHERE w.workspace_id = c.workspace_id AND w.member_id = c.member_id)`},
	{offboarding.DriftLockedWrongly, "d.id", `SELECT d.organization_id, d.owner_id AS member_id, c.id AS case_id, d.id AS document_id, c.phase AS detail
		FROM documents d JOIN members m ON m.id = d.owner_id JOIN cases c ON c.id = d.access_case_id WHERE ` + lockedWrongly},
	{offboarding.DriftPausedWrongly, "d.id", `SELECT d.organization_id, d.owner_id AS member_id, '' AS case_id, d.id AS document_id, d.access AS detail
		FROM documents d WHERE d.access <> 'read_only' AND EXISTS (SELECT 1 FROM schedules s WHERE s.document_id = d.id AND s.status = 'paused')`},
	{offboarding.DriftDocumentsWithoutCase, "m.id", `SELECT m.organization_id, m.id AS member_id, (` + completedCase + `)::text AS case_id, '' AS document_id, m.status AS detail
		FROM members m WHERE ` + ownsWithoutCase + ` AND EXISTS (` + completedCase + `)`},
	{offboarding.DriftInactiveWithDocuments, "m.id", `SELECT m.organization_id, m.id AS member_id, '' AS case_id, '' AS document_id, m.status AS detail
		FROM members m WHERE ` + ownsWithoutCase + ` AND NOT EXISTS (` + completedCase + `)`},
	{offboarding.DriftNotLocked, "c.id", theCase + `'' AS detail` + ofCases + `c.closed_at IS NULL AND c.phase = 'read_only' AND EXISTS (` + notLocked + `)`},
	{offboarding.DriftPendingRequests, "c.id", theCase + `c.phase AS detail` + ofCases + `c.closed_at IS NOT NULL
		AND EXISTS (SELECT 1 FROM ownership_requests r WHERE r.case_id = c.id AND r.status = 'pending')`},
	{offboarding.DriftStaleTrouble, "c.id", theCase + `c.trouble_step AS detail` + ofCases + `c.closed_at IS NOT NULL
		AND c.trouble_step <> '' AND c.trouble_step <> '` + offboarding.StepArchiveMember + `'`},
}

// archivable are the cases whose leavers wait to be archived by a workflow.
var archivable = driftQuery{offboarding.DriftArchivalMissing, "c.id", `SELECT c.organization_id, c.member_id, c.id AS case_id, '' AS document_id, '' AS detail
	FROM cases c JOIN members m ON m.id = c.member_id WHERE c.workspace_id IS NULL AND m.status = 'inactive' AND m.managed_by = '` + offboarding.IdentityProviderEntra + `'
	AND m.deactivated_at = c.deactivated_at`}

// Drifts are those that FindDrift finds.
func Drifts() []offboarding.Drift {
	drifts := make([]offboarding.Drift, len(driftQueries))
	for i, q := range driftQueries {
		drifts[i] = q.drift
	}
	return drifts
}

func driftQueryOf(d offboarding.Drift) driftQuery {
	for _, q := range append([]driftQuery{archivable}, driftQueries...) {
		if q.drift == d {
			return q
		}
	}
	return driftQuery{}
}

// FindDrift finds the next rows after a key, firstID to begin with, that show a drift, of
// one organization or with "" of all. It goes through a table once, a page at a time.
func (s *Store) FindDrift(ctx context.Context, d offboarding.Drift, organizationID, after string, limit int) ([]offboarding.Finding, error) {
	if after == "" {
		after = firstID
	}
	q := driftQueryOf(d)
	query, args := q.query+` AND `+q.key+` > $1::uuid`, []any{after, limit}
	if organizationID != "" {
		query, args = query+` AND `+q.key[:2]+`organization_id = $3`, append(args, organizationID)
	}
	return s.drift(ctx, d, query+` ORDER BY `+q.key+` LIMIT $2`, args...)
}

// HasDrift says whether a row that has shown a drift still does.
func (s *Store) HasDrift(ctx context.Context, f offboarding.Finding) (bool, error) {
	q := driftQueryOf(f.Drift)
	found, err := s.drift(ctx, f.Drift, q.query+` AND `+q.key+` = $1::uuid`, DriftKey(f))
	return len(found) > 0, err
}

// DriftKey is what a finding of FindDrift goes by: where its next page begins.
func DriftKey(f offboarding.Finding) string {
	switch driftQueryOf(f.Drift).key {
	case "d.id":
		return f.DocumentID
	case "m.id":
		return f.MemberID
	}
	return f.CaseID
}

func (s *Store) drift(ctx context.Context, d offboarding.Drift, query string, args ...any) ([]offboarding.Finding, error) {
	var found []offboarding.Finding
	err := s.inTx(ctx, "look for "+string(d), func(t *tx) error { return t.list(&found, query, args...) })
	for i := range found {
		found[i].Drift = d
	}
	return found, err
}

// selectOpenCases are open cases as the doctor sees them.
const selectOpenCases = `SELECT c.id, c.workflow_id, c.organization_id, coalesce(c.workspace_id::text, '') AS workspace_id, c.member_id, c.requested_by, c.provider, c.origin,
	c.phase, c.effective_at, c.deactivated_at, c.grace_ends_at, c.closed_at, c.trouble_step, c.trouble_error, coalesce(c.reactivation::text, '') AS reactivation,
	EXISTS (SELECT 1 FROM bulk_members b JOIN bulk_runs r ON r.id = b.bulk_id
		WHERE b.member_id = c.member_id AND b.case_id = c.id AND b.to_start AND b.running_at IS NULL AND r.closed_at IS NULL) AS awaited
	FROM cases c WHERE c.closed_at IS NULL AND `

// OpenCases lists the next open cases after an ID, "" to begin with.
func (s *Store) OpenCases(ctx context.Context, organizationID, after string, limit int) ([]offboarding.OpenCase, error) {
	if after == "" {
		after = firstID
	}
	query, args := selectOpenCases+`c.id > $1`, []any{after, limit}
	if organizationID != "" {
		query, args = query+` AND c.organization_id = $3`, append(args, organizationID)
	}
	return s.openCases(ctx, query+` ORDER BY c.id LIMIT $2`, args...)
}

// OpenCase is an open case; false where it has closed, or there is none.
func (s *Store) OpenCase(ctx context.Context, id string) (offboarding.OpenCase, bool, error) {
	found, err := s.openCases(ctx, selectOpenCases+`c.id = $1`, id)
	if err != nil || len(found) == 0 {
		return offboarding.OpenCase{}, false, err
	}
	return found[0], true, nil
}

func (s *Store) openCases(ctx context.Context, query string, args ...any) ([]offboarding.OpenCase, error) {
	var found []offboarding.OpenCase
	err := s.inTx(ctx, "list open cases", func(t *tx) error { return t.list(&found, query, args...) })
	for i := range found {
		c := &found[i]
		utc([]*time.Time{&c.EffectiveAt, c.DeactivatedAt, c.GraceEndsAt})
	}
	return found, err
}

// Settled is what the database knows of what a case has come to.
type Settled struct {
	Given int // documents that somebody was given, as the audit has it
	Filed int // requests, whatever became of them
	Known int // of those that were asked for
}

// Settled counts what a case has come to, and how many of some requests are there.
func (s *Store) Settled(ctx context.Context, caseID string, requests []string) (Settled, error) {
	var n Settled
	if !isID(caseID) {
		return n, nil
	}
	err := s.inTx(ctx, "count what a case has done", func(t *tx) error {
		return t.get(&n, `SELECT (SELECT count(*) FROM audit_events WHERE case_id = $1 AND event IN ('TransferDocs', 'ClaimDocOwnership')) AS given,
			(SELECT count(*) FROM ownership_requests WHERE case_id = $1) AS filed,
			(SELECT count(*) FROM ownership_requests WHERE id = ANY ($2::uuid[])) AS known`, caseID, ids(requests))
	})
	return n, err
}

// ids are those of some texts that are IDs: what a workflow says of itself may be anything.
func ids(texts []string) any {
	return uuidArray(slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return !isID(text) }))
}

// KnownCases are those of the IDs that cases have, and whether each is open.
func (s *Store) KnownCases(ctx context.Context, cases []string) (map[string]bool, error) {
	return s.openBy(ctx, "look up cases", `SELECT id AS key, closed_at IS NULL AS open FROM cases WHERE id = ANY ($1::uuid[])`, ids(cases))
}

// RunningFor are the workflow IDs of the open cases of members.
func (s *Store) RunningFor(ctx context.Context, memberIDs []string) (map[string]bool, error) {
	return s.openBy(ctx, "look up cases of members",
		`SELECT workflow_id AS key, true AS open FROM cases WHERE member_id = ANY ($1::uuid[]) AND closed_at IS NULL`, ids(memberIDs))
}

func (s *Store) openBy(ctx context.Context, op, query string, arg any) (map[string]bool, error) {
	var rows []struct {
		Key  string `db:"key"`
		Open bool   `db:"open"`
	}
	err := s.inTx(ctx, op, func(t *tx) error { return t.list(&rows, query, arg) })
	known := make(map[string]bool, len(rows))
	for _, row := range rows {
		known[row.Key] = row.Open
	}
	return known, err
}

// MemberStates are the organizations and statuses of members, by their IDs.
func (s *Store) MemberStates(ctx context.Context, memberIDs []string) (map[string]offboarding.Member, error) {
	var rows []offboarding.Member
	err := s.inTx(ctx, "look up members", func(t *tx) error {
		return t.list(&rows, `SELECT `+memberColumns+` FROM members m WHERE m.id = ANY ($1::uuid[])`, ids(memberIDs))
	})
	members := make(map[string]offboarding.Member, len(rows))
	for _, row := range rows {
		members[row.ID] = row
	}
	return members, err
}

// ArchivalOf is when the leaver of a case becomes archived, nil where they do not.
func (s *Store) ArchivalOf(ctx context.Context, caseID string) (at *time.Time, err error) {
	err = s.inTx(ctx, "look up an archival", func(t *tx) error {
		var c caseRow
		found, err := t.find(&c, selectCase, caseID)
		if err != nil || !found {
			return err
		}
		at, err = t.archiveAt(&c)
		return err
	})
	return at, err
}

// OrganizationOfWebhook is whose a webhook is.
func (s *Store) OrganizationOfWebhook(ctx context.Context, webhookID string) (organizationID string, err error) {
	err = s.inTx(ctx, "look up a webhook", func(t *tx) error {
		_, err := t.find(&organizationID, `SELECT organization_id FROM webhooks WHERE id = $1`, webhookID)
		return err
	})
	return organizationID, err
}

// guardNames are the triggers and unique indexes that refuse what must never be.
var guardNames = []string{
	"audit_events_append_only", "audit_events_texts_only", "audit_events_xid_first", "audit_seals_append_only", "audit_seals_timely", "audit_texts_append_only",
	"audit_events_to_webhooks", "members_last_owner", "members_last_owner_deleted",
	"members_seat_limit", "members_no_live_access", "members_deleted_stays", "members_deleted_remains", "credentials_of_active",
	"sessions_of_active", "credentials_revoked_stays", "sessions_revoked_stays", "sessions_ended_stays", "documents_legal_hold",
	"organizations_no_circle", "cases_of_deleted", "cases_one_open_per_member", "cases_one_open_per_workspace", "ownership_requests_one_pending",
}

const selectGuardsMissing = `SELECT g.name FROM unnest($1::text[]) AS g (name)
	WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid
		WHERE t.tgname = g.name AND t.tgenabled IN ('O', 'A') AND r.relnamespace = current_schema()::regnamespace)
	AND NOT EXISTS (SELECT 1 FROM pg_class i JOIN pg_index x ON x.indexrelid = i.oid
		WHERE i.relname = g.name AND x.indisvalid AND x.indisunique AND i.relnamespace = current_schema()::regnamespace) ORDER BY 1`

// GuardsMissing names the guards of the schema that are not there, or switched off.
func (s *Store) GuardsMissing(ctx context.Context) (names []string, err error) {
	err = s.inTx(ctx, "look for the guards", func(t *tx) error { return t.list(&names, selectGuardsMissing, pq.Array(guardNames)) })
	return names, err
}
