package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// listed is a row of a run's list as it is written.
type listed struct {
	Position   int                     `json:"position"`
	Reference  string                  `json:"reference"`
	MemberID   string                  `json:"member_id,omitempty"`
	Request    *offboarding.Request    `json:"request,omitempty"`
	AtOnce     bool                    `json:"at_once"`
	Result     offboarding.BulkOutcome `json:"result"`
	Violations []offboarding.Violation `json:"violations,omitempty"`

	member *offboarding.Member // nil for nobody in the actor's reach
}

type list []listed

// active are the members of the list whose accounts work, each once.
func (l list) active() []*offboarding.Member {
	var members []*offboarding.Member
	for _, row := range l {
		if row.member.Active() && row.Result == offboarding.BulkMemberPending {
			members = append(members, row.member)
		}
	}
	return members
}

const (
	insertList = `INSERT INTO bulk_members (bulk_id, position, reference, member_id, request, at_once, result, violations)
	SELECT $1, x.position, x.reference, x.member_id, x.request, x.at_once, x.result, x.violations
	FROM jsonb_to_recordset($2::jsonb) AS x (position integer, reference text, member_id uuid, request jsonb, at_once boolean, result text, violations jsonb)`

	selectMembers          = `SELECT ` + memberColumns + ` FROM members m WHERE m.id = ANY ($1::uuid[])`
	selectMembersForChange = selectMembers + ` ORDER BY m.id FOR NO KEY UPDATE`
	// By external ID in one organization, and in those below one that has
	// enterprise plan manager on (rule A1).
	selectExternals      = `SELECT ` + memberColumns + ` FROM members m WHERE m.external_id = ANY ($1) AND m.status <> 'deleted' AND m.organization_id = $2`
	selectExternalsBelow = organizationsBelow + `SELECT ` + memberColumns + ` FROM members m WHERE m.external_id = ANY ($1) AND m.status <> 'deleted'
	AND m.organization_id IN (SELECT id FROM down)`
)

// resolve finds whom the list names: by ID, and by external ID in the actor's
// organization, else in those below it, as a single start does. A member who is
// named again is refused there.
func (t *tx) resolve(actor *offboarding.Member, r *offboarding.BulkRequest, at time.Time) (list, error) {
	found, err := t.named(actor, r.Members)
	if err != nil {
		return nil, err
	}
	out, first := make(list, len(r.Members)), map[string]int{}
	within := within{t: t, actor: actor, organizations: map[string]offboarding.Organization{}, reach: map[string]offboarding.Reach{}}
	for i, m := range r.Members {
		start := r.Request(i)
		row := &out[i]
		*row = listed{Position: i + 1, Reference: m.MemberID, Request: &start, Result: offboarding.BulkMemberPending}
		candidates := found[memberKey(m.MemberID)]
		if len(candidates) > 1 {
			row.refuse("E1", offboarding.CodeAmbiguousMember, "members of several organizations go by that name; use the member's ID")
			continue
		}
		if len(candidates) == 0 {
			continue // refused when it is judged (rule E1)
		}
		member := candidates[0]
		if reach, err := within.reachOf(member.OrganizationID); err != nil {
			return nil, err
		} else if reach == offboarding.ReachNone {
			continue // as if there were no such member
		}
		organization, err := within.organization(member.OrganizationID)
		if err != nil {
			return nil, err
		}
		row.member, row.MemberID, row.Reference, start.MemberID = member, member.ID, "", member.ID
		if at, ok := first[member.ID]; ok {
			row.refuse("B1", offboarding.CodeInvalidArgument, "the member is on the list already, at place "+strconv.Itoa(at))
			continue
		}
		first[member.ID] = row.Position
		zone := cmp.Or(member.TimeZone, organization.TimeZone)
		effective, err := offboarding.EffectiveTime(start.EffectiveAt, zone, at)
		row.AtOnce = err == nil && !effective.After(at)
	}
	return out, nil
}

func (row *listed) refuse(rule string, code offboarding.Code, message string) {
	row.Result, row.Request = offboarding.BulkMemberRefused, nil
	row.Violations = offboarding.Refuse(rule, code, "member_id", message).Violations
}

// memberKey is a reference by which a member is found again: IDs are the same in
// any case, external IDs are not.
func memberKey(ref string) string {
	if isID(ref) {
		return strings.ToLower(ref)
	}
	return ref
}

// named finds members by how the list names them.
func (t *tx) named(actor *offboarding.Member, members []offboarding.BulkMember) (map[string][]*offboarding.Member, error) {
	var ids, externals []string
	for _, m := range members {
		if external, ok := strings.CutPrefix(m.MemberID, externalPrefix); ok {
			externals = append(externals, external)
		} else if isID(m.MemberID) {
			ids = append(ids, m.MemberID)
		}
	}
	found := map[string][]*offboarding.Member{}
	var rows []offboarding.Member
	if err := t.list(&rows, selectMembers, uuidArray(ids)); err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].Status != offboarding.MemberDeleted { // who is nobody any more (rule X1)
			found[rows[i].ID] = []*offboarding.Member{&rows[i]}
		}
	}
	if len(externals) == 0 {
		return found, nil
	}
	var own, below []offboarding.Member
	if err := t.list(&own, selectExternals, uuidArray(externals), actor.OrganizationID); err != nil {
		return nil, err
	}
	if err := t.list(&below, selectExternalsBelow, uuidArray(externals), actor.OrganizationID); err != nil {
		return nil, err
	}
	byExternal := map[string][]*offboarding.Member{}
	for i := range own {
		byExternal[own[i].ExternalID] = []*offboarding.Member{&own[i]}
	}
	for i := range below {
		before := byExternal[below[i].ExternalID]
		if len(before) == 0 || before[0].OrganizationID != actor.OrganizationID {
			byExternal[below[i].ExternalID] = append(before, &below[i])
		}
	}
	for external, members := range byExternal {
		found[externalPrefix+external] = members
	}
	return found, nil
}

// within remembers the organizations of a list and how the actor stands to them.
type within struct {
	t             *tx
	actor         *offboarding.Member
	organizations map[string]offboarding.Organization
	reach         map[string]offboarding.Reach
}

func (w within) organization(id string) (offboarding.Organization, error) {
	o, ok := w.organizations[id]
	if ok {
		return o, nil
	}
	o, err := w.t.organization(id)
	w.organizations[id] = o
	return o, err
}

func (w within) reachOf(id string) (offboarding.Reach, error) {
	r, ok := w.reach[id]
	if ok {
		return r, nil
	}
	r, err := w.t.reach(w.actor, id)
	w.reach[id] = r
	return r, err
}

const (
	// Who of the members is being offboarded.
	selectOffboarded = `SELECT x.id FROM unnest($1::uuid[]) AS x (id)
	WHERE EXISTS (SELECT 1 FROM cases c WHERE c.member_id = x.id AND c.closed_at IS NULL AND c.workspace_id IS NULL)`
	countActive = `SELECT organization_id AS id, count(*) AS n FROM members
	WHERE organization_id = ANY ($1::uuid[]) AND status = 'active' GROUP BY organization_id`
)

// judgeLimit judges the guard against removing a whole organization by mistake.
func (t *tx) judgeLimit(confirmed bool, l list) ([]offboarding.Violation, error) {
	if confirmed {
		return nil, nil // what nobody asks for is not counted
	}
	shares, err := t.shares(l.active())
	return offboarding.JudgeBulkLimit(confirmed, shares), err
}

// shares says how much of each organization the run would remove. Who is being
// offboarded already is not removed by it.
func (t *tx) shares(members []*offboarding.Member) ([]offboarding.BulkShare, error) {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	var offboarded []string
	if err := t.list(&offboarded, selectOffboarded, uuidArray(ids)); err != nil {
		return nil, err
	}
	open := make(map[string]bool, len(offboarded))
	for _, id := range offboarded {
		open[id] = true
	}
	removed := map[string]int{}
	var organizations []string
	for _, m := range members {
		if !open[m.ID] {
			if removed[m.OrganizationID]++; removed[m.OrganizationID] == 1 {
				organizations = append(organizations, m.OrganizationID)
			}
		}
	}
	var active []struct {
		ID string `db:"id"`
		N  int    `db:"n"`
	}
	if err := t.list(&active, countActive, uuidArray(organizations)); err != nil {
		return nil, err
	}
	shares := make([]offboarding.BulkShare, 0, len(active))
	for _, a := range active {
		o, err := t.organization(a.ID)
		if err != nil {
			return nil, err
		}
		shares = append(shares, offboarding.BulkShare{Removed: removed[a.ID], Active: a.N, Percent: o.BulkLimitPercent})
	}
	return shares, nil
}

// BulkRuns lists runs, the newest first. The cursor is opaque.
func (s *Store) BulkRuns(ctx context.Context, f offboarding.BulkFilter) (offboarding.Page[offboarding.BulkRunRow], error) {
	c := &conditions{}
	c.id("r.organization_id", f.OrganizationID)
	c.within("r.organization_id", f.Reach)
	if f.OpenOnly {
		c.add("r.closed_at IS NULL")
	}
	if f.Cursor != "" {
		at, id, err := splitTimeCursor(f.Cursor)
		if err != nil {
			return offboarding.Page[offboarding.BulkRunRow]{}, err
		}
		c.add("(r.created_at, r.id) < (?::timestamptz, ?)", at, id)
	}
	limit := pageSize(f.Limit)
	c.before = []string{byIndex} // the members of each run, and not all of all runs
	query := selectBulkRuns + c.where("r.created_at DESC, r.id DESC", limit+1)
	return page(ctx, s, "list bulk runs", query, c, limit,
		func(row *offboarding.BulkRunRow) []*time.Time {
			return append(bulkTimes(&row.BulkRun), row.TroubleSince)
		},
		func(row offboarding.BulkRunRow) string { return timeCursor(row.CreatedAt, row.ID) })
}

var selectBulkRuns = strings.Replace(selectBulkRun, "r.origin,", `o.slug AS organization_slug, m.display_name AS requester_name,
	r.trouble_step, r.trouble_attempt, r.trouble_error, r.trouble_since,`, 1) + `
	JOIN organizations o ON o.id = r.organization_id JOIN members m ON m.id = r.requested_by`

// FindBulkRun finds one run. organizations are slugs or IDs, none for all.
func (s *Store) FindBulkRun(ctx context.Context, bulkID string, organizations ...string) (offboarding.BulkRunRow, error) {
	var row offboarding.BulkRunRow
	err := s.inTx(ctx, "look up a bulk run", func(t *tx) error {
		if err := t.set(byIndex); err != nil {
			return err
		}
		query, args := narrowed(selectBulkRuns+` WHERE r.id = $1`, "r.organization_id", bulkID, organizations)
		found, err := t.find(&row, query, args...)
		if err == nil && !found {
			err = offboarding.Refuse("B1", offboarding.CodeCaseNotFound, "bulk_id", "there is no such run")
		}
		return err
	})
	utc(append(bulkTimes(&row.BulkRun), row.TroubleSince))
	return row, err
}

const selectBulkMembers = `SELECT b.position, b.reference, coalesce(b.member_id::text, '') AS member_id, coalesce(m.display_name, '') AS member_name,
	coalesce(m.email, '') AS member_email, b.result, coalesce(b.case_id::text, '') AS case_id, coalesce(c.phase, '') AS phase,
	coalesce(b.violations::text, '') AS violations, b.error
	FROM bulk_members b LEFT JOIN members m ON m.id = b.member_id LEFT JOIN cases c ON c.id = b.case_id`

// bulkMember is a BulkMemberRow whose violations are JSON still.
type bulkMember struct {
	offboarding.BulkMemberRow
	Violated string `db:"violations"`
}

// BulkMembers lists what became of the members of a run, in the order of its list.
func (s *Store) BulkMembers(ctx context.Context, bulkID string, f offboarding.BulkFilter) (offboarding.Page[offboarding.BulkMemberRow], error) {
	out := offboarding.Page[offboarding.BulkMemberRow]{Items: []offboarding.BulkMemberRow{}}
	c := &conditions{}
	c.add("b.bulk_id = ?", bulkID)
	c.equal("b.result", string(f.Outcome))
	if f.Cursor != "" {
		after, err := readNumberCursor(f.Cursor, 32)
		if err != nil {
			return out, err
		}
		c.add("b.position > ?", after)
	}
	limit := pageSize(f.Limit)
	query := selectBulkMembers + c.where("b.position", limit+1)
	rows, err := page(ctx, s, "list the members of a bulk run", query, c, limit,
		func(*bulkMember) []*time.Time { return nil },
		func(row bulkMember) string { return strconv.Itoa(row.Position) })
	out.Next = rows.Next
	for _, row := range rows.Items {
		if row.Violated != "" {
			if err := json.Unmarshal([]byte(row.Violated), &row.Violations); err != nil {
				return out, err
			}
		}
		out.Items = append(out.Items, row.BulkMemberRow)
	}
	return out, err
}

const selectMembersByEmail = findMemberBy + `lower(m.email) = ANY ($1)`

// MembersByEmail finds the members of a list by their addresses, all at once;
// organizations are slugs or IDs, none for all. The keys are in lower case.
func (s *Store) MembersByEmail(ctx context.Context, emails []string, organizations ...string) (map[string][]offboarding.Member, error) {
	lower := make([]string, len(emails))
	for i, email := range emails {
		lower[i] = strings.ToLower(email)
	}
	var rows []offboarding.Member
	query, args := narrowed(selectMembersByEmail, "m.organization_id", pq.Array(lower), organizations)
	err := s.inTx(ctx, "look up members", func(t *tx) error { return t.list(&rows, query, args...) })
	found := map[string][]offboarding.Member{}
	for _, m := range rows {
		found[strings.ToLower(m.Email)] = append(found[strings.ToLower(m.Email)], m)
	}
	return found, err
}
