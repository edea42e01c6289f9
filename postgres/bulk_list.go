package postgres

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// listed is a row of a run's list.
type listed struct {
	Position   int
	Reference  string
	MemberID   string
	Request    *offboarding.Request
	AtOnce     bool
	Result     offboarding.BulkOutcome
	Violations []offboarding.Violation

	member *offboarding.Member // nil for nobody in the actor's reach; only by listColumns
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
	// $2 to $5 are the rows in their order. Few lists say something else of each member, so what the requests
	// ask for comes once a kind, in $6; what is refused at once has its violations in $7.
	insertList = `INSERT INTO bulk_members (bulk_id, position, reference, member_id, request, at_once, result, violations)
	SELECT $1, x.position, x.reference, nullif(x.member_id, '')::uuid,
		k.request || jsonb_build_object('member_id', coalesce(nullif(x.member_id, ''), x.reference)),
		x.at_once, CASE WHEN k.n IS NULL THEN 'refused' ELSE 'pending' END, v.violations
	FROM unnest($2::text[], $3::text[], $4::boolean[], $5::integer[]) WITH ORDINALITY AS x (reference, member_id, at_once, kind, position)
	LEFT JOIN jsonb_to_recordset($6) AS k (n integer, request jsonb) ON k.n = x.kind
	LEFT JOIN jsonb_to_recordset($7) AS v (position integer, violations jsonb) ON v.position = x.position
	ORDER BY x.position`

	// What a list asks of an account before it is judged.
	listColumns  = `m.id, m.organization_id, m.external_id, m.status, m.time_zone`
	selectListed = `SELECT ` + listColumns + ` FROM members m WHERE m.id = ANY ($1::uuid[])`

	selectMembers          = `SELECT ` + memberColumns + ` FROM members m WHERE m.id = ANY ($1::uuid[])`
	selectMembersForChange = selectMembers + ` ORDER BY m.id FOR NO KEY UPDATE`
	// By external ID in one organization, and in those below one that has
	// enterprise plan manager on (rule A1).
	selectExternals      = `SELECT ` + listColumns + ` FROM members m WHERE m.external_id = ANY ($1) AND m.status <> 'deleted' AND m.organization_id = $2`
	selectExternalsBelow = organizationsBelow + `SELECT ` + listColumns + ` FROM members m WHERE m.external_id = ANY ($1) AND m.status <> 'deleted'
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

// writeList writes the whole list.
func (t *tx) writeList(bulkID string, l list) error {
	type kind struct {
		N       int                 `json:"n"`
		Request offboarding.Request `json:"request"`
	}
	type refused struct {
		Position   int                     `json:"position"`
		Violations []offboarding.Violation `json:"violations"`
	}
	references, members, atOnce, numbers := make([]string, len(l)), make([]string, len(l)), make([]bool, len(l)), make([]int, len(l))
	kinds, refusals := []kind{}, []refused{}
	known := map[offboarding.Request]int{}
	for i, row := range l {
		references[i], members[i], atOnce[i] = row.Reference, row.MemberID, row.AtOnce
		if row.Request == nil {
			refusals = append(refusals, refused{row.Position, row.Violations})
			continue
		}
		request := *row.Request
		request.MemberID = "" // which each row has of its own
		if known[request] == 0 {
			kinds = append(kinds, kind{len(kinds) + 1, request})
			known[request] = len(kinds)
		}
		numbers[i] = known[request]
	}
	_, err := t.exec(insertList, bulkID, pq.Array(references), pq.Array(members), pq.Array(atOnce), pq.Array(numbers),
		string(mustJSON(kinds)), string(mustJSON(refusals)))
	return err
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
	if err := t.list(&rows, selectListed, uuidArray(ids)); err != nil {
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
