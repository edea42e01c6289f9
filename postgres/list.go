package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// overdue is a case whose next step was due and has not been done: nothing runs
// it, or it cannot go on.
const overdue = `(c.phase = 'scheduled' AND c.effective_at <= $1 OR c.phase = 'grace' AND c.grace_ends_at <= $1::timestamptz - interval '5 minutes'
	OR c.phase IN ('revoking', 'deactivated') AND greatest(c.effective_at, c.sessions_end_at) <= $1::timestamptz - interval '5 minutes')`

// lastEvent is when something happened in a case c, by its own clock.
const lastEvent = `(SELECT a.at FROM audit_events a WHERE a.case_id = c.id ORDER BY a.id DESC LIMIT 1)`

// Counts of a list stop at offboarding.CountLimit, and go along an index to there:
// somebody may have left a million documents.
const (
	countTo = ` LIMIT 10000) counted)`

	unownedByMember = `(SELECT count(*) FROM (SELECT FROM documents d WHERE d.owner_id = m.id AND d.access <> 'archived' ORDER BY d.id` + countTo
)

// selectCases counts, for each case of a page, what waits for an owner: what an
// inactive leaver still owns, archived documents aside.
const selectCases = `SELECT c.id, c.workflow_id, c.organization_id, coalesce(c.workspace_id::text, '') AS workspace_id, c.member_id, c.requested_by, c.origin, c.phase, c.disposition,
	coalesce(c.new_owner_id::text, '') AS new_owner_id, c.fallback_reason, c.effective_at, c.provider,
	c.sessions_end_at, c.deactivated_at, c.grace_ends_at,
	c.closed_at, c.created_at, c.failure, c.trouble_step, c.trouble_attempt, c.trouble_error, c.trouble_since,
	(SELECT o.slug FROM organizations o WHERE o.id = c.organization_id) AS organization_slug, m.display_name AS member_name, m.email AS member_email,
	coalesce((SELECT b.display_name FROM members b WHERE b.id = c.requested_by), name_above(c.requested_by), '') AS requested_by_name,
	coalesce((SELECT n.display_name FROM members n WHERE n.id = c.new_owner_id), '') AS new_owner_name,
	coalesce((SELECT w.name FROM workspaces w WHERE w.id = c.workspace_id), '') AS workspace_name,
	` + lastEvent + ` AS last_event_at,
	CASE WHEN c.closed_at IS NOT NULL THEN 0
		WHEN c.workspace_id IS NOT NULL AND c.deactivated_at IS NOT NULL THEN
		(SELECT count(*) FROM (SELECT FROM documents d WHERE d.workspace_id = c.workspace_id AND d.owner_id = c.member_id AND d.access <> 'archived'
			ORDER BY d.id` + countTo + `
		WHEN c.workspace_id IS NULL AND m.status <> 'active' THEN ` + unownedByMember + ` ELSE 0 END AS unowned,
	(SELECT count(*) FROM (SELECT FROM ownership_requests r WHERE r.case_id = c.id AND r.status = 'pending' ORDER BY r.created_at` + countTo + ` AS pending_requests,
	` + overdue + ` AS overdue
	FROM cases c JOIN members m ON m.id = c.member_id`

// ofMembers are the cases of some members, found before they are put in order: of a few
// members there may be none along the order.
const ofMembers = `c.id = ANY (ARRAY(SELECT x.id FROM cases x WHERE x.member_id = ANY (?::uuid[])))`

// Cases lists cases, the newest first.
func (s *Store) Cases(ctx context.Context, f offboarding.CaseFilter) (offboarding.Page[offboarding.CaseRow], error) {
	c := &conditions{args: []any{f.Now}, before: []string{alongIndex}}
	c.id("c.organization_id", f.OrganizationID)
	c.within("c.organization_id", f.Reach)
	c.id("c.member_id", f.MemberID)
	c.equal("c.phase", string(f.Phase))
	if err := s.search(ctx, c, f.Search, ofMembers, f.Reach); err != nil {
		return offboarding.Page[offboarding.CaseRow]{}, err
	}
	if f.OpenOnly {
		c.add("c.closed_at IS NULL")
	}
	if f.Troubled {
		c.add("c.trouble_step <> '' AND (c.closed_at IS NULL OR c.trouble_step = '" + offboarding.StepArchiveMember + "')") // the leaver's archival outlives the case
	}
	if f.Waiting {
		c.add("c.closed_at IS NULL AND c.phase IN ('grace', 'read_only')")
	}
	if f.Overdue {
		c.add("c.closed_at IS NULL AND " + overdue)
	}
	if f.Cursor != "" {
		at, id, err := readTimeCursor(f.Cursor)
		if err != nil {
			return offboarding.Page[offboarding.CaseRow]{}, err
		}
		c.add("(c.created_at, c.id) < (?::timestamptz, ?::uuid)", at, id)
	}
	limit := pageSize(f.Limit)
	query := selectCases + c.where("c.created_at DESC, c.id DESC", limit+1)
	return page(ctx, s, "list cases", query, c, limit, caseTimes,
		func(row offboarding.CaseRow) string { return timeCursor(row.CreatedAt, row.ID) })
}

func caseTimes(row *offboarding.CaseRow) []*time.Time {
	return []*time.Time{&row.CreatedAt, &row.EffectiveAt, row.SessionsEndAt, row.DeactivatedAt, row.GraceEndsAt, row.ClosedAt, row.TroubleSince, row.LastEventAt}
}

const selectCaseOf = selectCases + ` WHERE c.id = ANY (ARRAY(SELECT id FROM cases WHERE id = $2::uuid UNION SELECT id FROM cases WHERE member_id = $2::uuid))
	ORDER BY c.id = $2::uuid DESC, c.closed_at IS NULL DESC, c.workspace_id IS NULL DESC, c.created_at DESC, c.id LIMIT 1`

// FindCase finds the case of a member, or the case with that ID: the open one,
// else the newest; of open ones that of the whole organization. It is overdue or not as of now.
func (s *Store) FindCase(ctx context.Context, memberOrCaseID string, now time.Time) (offboarding.CaseRow, error) {
	var row offboarding.CaseRow
	err := s.inTx(ctx, "look up a case", func(t *tx) error {
		if isID(memberOrCaseID) {
			if err := t.set(alongIndex); err != nil {
				return err
			}
			found, err := t.find(&row, selectCaseOf, now, memberOrCaseID)
			if found || err != nil {
				return err
			}
		}
		return offboarding.Refuse("", offboarding.CodeCaseNotFound, "case_id", "there is no such case, and the member has none")
	})
	utc(caseTimes(&row))
	return row, err
}

const selectCaseOfDocument = selectCases + ` JOIN documents d ON d.id = $2::uuid AND d.owner_id = c.member_id
	AND (c.workspace_id IS NULL OR c.workspace_id = d.workspace_id)
	WHERE c.closed_at IS NULL AND c.deactivated_at IS NOT NULL ORDER BY c.workspace_id IS NULL DESC LIMIT 1`

// FindCaseOfDocument finds the open case in which a document waits for an owner.
func (s *Store) FindCaseOfDocument(ctx context.Context, documentID string, now time.Time) (offboarding.CaseRow, error) {
	var row offboarding.CaseRow
	err := s.inTx(ctx, "look up the case of a document", func(t *tx) error {
		found, err := t.find(&row, selectCaseOfDocument, now, documentID)
		if found || err != nil {
			return err
		}
		return offboarding.Refuse("", offboarding.CodeCaseNotFound, "document_id", "the document waits in no case")
	})
	utc(caseTimes(&row))
	return row, err
}

// selectRequests looks up what belongs to each request, so that no estimate can make it
// read all documents or members.
const selectRequests = `SELECT r.id, r.organization_id, r.case_id, c.workflow_id, r.document_id, d.external_id AS document_external_id,
	d.title AS document_title, d.kind AS document_kind, d.owner_id, d.held OR ` + ownerHeld + ` AS held,
	(SELECT display_name FROM members WHERE id = d.owner_id) AS owner_name, c.phase AS case_phase, c.grace_ends_at, ` + lastEvent + ` AS last_event_at,
	r.member_id, m.display_name AS member_name, m.email AS member_email, m.status AS member_status, m.account_type AS member_account_type,
	r.note, r.status, r.created_at, r.escalated_at, r.decided_at, coalesce(r.decided_by::text, '') AS decided_by, r.decision_note,
	coalesce((SELECT display_name FROM members WHERE id = r.decided_by), name_above(r.decided_by), '') AS decided_by_name,
	coalesce(r.new_owner_id::text, '') AS new_owner_id,
	coalesce((SELECT display_name FROM members WHERE id = r.new_owner_id), '') AS new_owner_name
	FROM ownership_requests r
	CROSS JOIN LATERAL (SELECT * FROM cases c WHERE c.id = r.case_id LIMIT 1) c
	CROSS JOIN LATERAL (SELECT * FROM documents d WHERE d.id = r.document_id LIMIT 1) d
	CROSS JOIN LATERAL (SELECT * FROM members m WHERE m.id = r.member_id LIMIT 1) m`

// Requests lists ownership requests, pending ones unless told otherwise, the
// oldest first unless told otherwise.
func (s *Store) Requests(ctx context.Context, f offboarding.RequestFilter) (offboarding.Page[offboarding.RequestRow], error) {
	order, behind := "r.created_at, r.id", ">"
	if f.NewestFirst {
		order, behind = "r.created_at DESC, r.id DESC", "<"
	}
	c := &conditions{}
	switch {
	case f.Decided:
		c.add("r.status <> 'pending'")
	case f.AnyStatus:
	case f.Status == "", f.Status == offboarding.RequestPending:
		c.add("r.status = 'pending'") // not a value: the index of those that wait is chosen for any
	default:
		c.equal("r.status", string(f.Status))
	}
	c.id("r.organization_id", f.OrganizationID)
	c.within("r.organization_id", f.Reach)
	c.id("r.document_id", f.DocumentID)
	c.id("r.member_id", f.MemberID)
	c.id("r.case_id", f.CaseID)
	if f.Cursor != "" {
		at, id, err := readTimeCursor(f.Cursor)
		if err != nil {
			return offboarding.Page[offboarding.RequestRow]{}, err
		}
		c.add("(r.created_at, r.id) "+behind+" (?::timestamptz, ?::uuid)", at, id)
	}
	limit := pageSize(f.Limit)
	query := selectRequests + c.where(order, limit+1)
	return page(ctx, s, "list ownership requests", query, c, limit, requestTimes,
		func(row offboarding.RequestRow) string { return timeCursor(row.CreatedAt, row.ID) })
}

func requestTimes(row *offboarding.RequestRow) []*time.Time {
	return []*time.Time{&row.CreatedAt, row.EscalatedAt, row.DecidedAt, row.GraceEndsAt, row.LastEventAt}
}

// FindRequest finds one ownership request by ID, whatever its status.
// organizations are slugs or IDs, none for all.
func (s *Store) FindRequest(ctx context.Context, id string, organizations ...string) (offboarding.RequestRow, error) {
	var row offboarding.RequestRow
	err := s.inTx(ctx, "look up an ownership request", func(t *tx) error {
		if isID(id) {
			query, args := narrowed(selectRequests+" WHERE r.id = $1::uuid", "r.organization_id", id, organizations)
			found, err := t.find(&row, query, args...)
			if found || err != nil {
				return err
			}
		}
		return offboarding.Refuse("C3", offboarding.CodeRequestNotPending, "request_id", "there is no such request")
	})
	utc(requestTimes(&row))
	return row, err
}

const (
	memberRowColumns = memberColumns + `,
	(SELECT count(*) FROM (SELECT FROM documents d WHERE d.owner_id = m.id ORDER BY d.id` + countTo + ` AS documents,
	CASE WHEN m.status = 'active' THEN 0 ELSE ` + unownedByMember + ` END AS unowned,
	coalesce(c.id::text, '') AS open_case_id, coalesce(c.phase, '') AS case_phase`

	fromMembers = ` FROM members m LEFT JOIN cases c ON c.member_id = m.id AND c.closed_at IS NULL AND c.workspace_id IS NULL`

	listMembers = `SELECT ` + memberRowColumns + fromMembers

	selectMemberDetail = `SELECT ` + memberRowColumns + `, o.slug AS organization_slug, coalesce(b.display_name, '') AS manager_name, m.created_at, m.deactivated_at` +
		fromMembers + ` JOIN organizations o ON o.id = m.organization_id LEFT JOIN members b ON b.id = m.manager_id WHERE m.id = $1`
)

// MemberDetail is a member whose ID is known, as a page shows them.
func (s *Store) MemberDetail(ctx context.Context, memberID string) (offboarding.MemberDetail, error) {
	var out offboarding.MemberDetail
	err := s.inTx(ctx, "read a member", func(t *tx) error {
		if err := t.set(alongIndex); err != nil {
			return err
		}
		found, err := t.find(&out, selectMemberDetail, memberID)
		if !found && err == nil {
			err = offboarding.Refuse("E1", offboarding.CodeMemberNotFound, "member_id", "there is no such member")
		}
		return err
	})
	utc([]*time.Time{&out.CreatedAt, out.DeactivatedAt})
	return out, err
}

// Members lists members, active ones unless told otherwise, and counts them up to
// CountLimit; those whom a search finds are not counted.
func (s *Store) Members(ctx context.Context, f offboarding.MemberFilter) (offboarding.Page[offboarding.MemberRow], error) {
	c := &conditions{before: []string{alongIndex}}
	if !f.AnyStatus {
		if f.Status == "" {
			f.Status = offboarding.MemberActive
		}
		c.equal("m.status", string(f.Status))
	}
	c.id("m.organization_id", f.OrganizationID)
	c.within("m.organization_id", f.Reach)
	if err := s.search(ctx, c, f.Search, "m.id = ANY (?::uuid[])", f.Reach); err != nil {
		return offboarding.Page[offboarding.MemberRow]{}, err
	}
	countAll, args := "SELECT (SELECT count(*) FROM (SELECT FROM members m"+c.clause()+countTo, c.args
	if err := c.after("m.id", f.Cursor); err != nil {
		return offboarding.Page[offboarding.MemberRow]{}, err
	}
	limit := pageSize(f.Limit)
	out, err := page(ctx, s, "list members", listMembers+c.where("m.id", limit+1), c, limit,
		func(*offboarding.MemberRow) []*time.Time { return nil },
		func(row offboarding.MemberRow) string { return row.ID })
	if err != nil || f.Search != "" {
		return out, err
	}
	out.Total = new(int)
	err = s.inTx(ctx, "count members", func(t *tx) error {
		if err := t.set(byIndex, alongIndex); err != nil {
			return err
		}
		_, err := t.find(out.Total, countAll, args...)
		return err
	})
	return out, err
}
