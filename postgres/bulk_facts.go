package postgres

import (
	"slices"
	"strings"
	"time"

	"handover/offboarding"
)

// bulkFacts is what the rules need to know about some members of a list, loaded
// for all of them at once.
type bulkFacts struct {
	within
	at        time.Time
	members   map[string]*offboarding.Member // leavers, new owners and managers, by ID
	externals map[[2]string]*offboarding.Member
	leavers   map[string]bulkLeaver // by member
	owners    map[string][]string   // active owners who stay, by organization
	leaving   map[string]bool       // new owners and managers who leave at once in this run
	left      map[string]bool       // owners whom this run has let go
}

const (
	selectByExternal = `SELECT ` + memberColumns + ` FROM unnest($1::uuid[], $2::text[]) AS x (organization_id, external_id)
	JOIN members m ON m.organization_id = x.organization_id AND m.external_id = x.external_id`
	// Of the last owners the first on the list goes: batches with earlier rows come to their end before.
	awaitEarlier      = `SELECT position FROM bulk_members WHERE bulk_id = $1 AND result = 'pending' AND position < $2 ORDER BY position FOR SHARE`
	lockOrganizations = `SELECT id FROM organizations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`
	// What the rules ask about each leaver, found by their own rows: of an array the planner would rather read all open
	// cases, and without OFFSET 0 all documents and sessions, to look leavers up among them. A document that waits for
	// nobody (archived) is moved by a transfer all the same.
	selectLeavers = `SELECT x.id, coalesce(c.id::text, '') AS case_id, coalesce(c.phase, '') AS phase, s.signed_in, d.unowned, d.unowned OR EXISTS (
		SELECT 1 FROM documents d WHERE d.owner_id = x.id OFFSET 0) AS owns
	FROM unnest($1::uuid[]) AS x (id)
	LEFT JOIN LATERAL (SELECT id, phase FROM cases WHERE member_id = x.id AND closed_at IS NULL AND workspace_id IS NULL LIMIT 1) AS c ON true
	CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM sessions s WHERE s.member_id = x.id AND s.sso AND s.status = 'active'
		AND (s.expires_at IS NULL OR s.expires_at > $2) AND EXISTS (
			SELECT 1 FROM organizations o WHERE o.id = s.organization_id AND o.sso_sessions = 'wait') OFFSET 0) AS signed_in) AS s
	CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM documents d WHERE d.owner_id = x.id AND d.access <> 'archived' OFFSET 0) AS unowned) AS d`
	// Whoever leaves at once is not given anything by the run, whatever becomes of them.
	selectLeaving = `SELECT member_id FROM bulk_members WHERE bulk_id = $1 AND at_once AND member_id = ANY ($2::uuid[])`
)

// bulkLeaver is what the rules ask about a leaver beside the account.
type bulkLeaver struct {
	ID       string            `db:"id"`
	CaseID   string            `db:"case_id"` // the open case, "" for none
	Phase    offboarding.Phase `db:"phase"`
	SignedIn bool              `db:"signed_in"` // by SSO, where their own case waits for the end of it (rule S1)
	Owns     bool              `db:"owns"`      // a document
	Unowned  bool              `db:"unowned"`   // and one that is not archived
}

// selectOwners finds the owners who stay, as a start sees it; $2 is now.
var selectOwners = `SELECT m.organization_id, m.id FROM members m WHERE m.organization_id = ANY ($1::uuid[]) AND ` +
	strings.NewReplacer("$4", "true", "$3", "$2").Replace(ownersWhoStay)

// bulkFacts loads the facts about the rows. left are the owners whom the run has
// let go but the database does not know as gone yet. Leavers are locked in the
// order of their IDs where they are to be changed.
func (t *tx) bulkFacts(run bulkRun, rows []bulkRow, at time.Time, left map[string]bool, change bool) (*bulkFacts, error) {
	f := &bulkFacts{
		within: within{t: t, organizations: map[string]offboarding.Organization{}, reach: map[string]offboarding.Reach{}},
		at:     at, members: map[string]*offboarding.Member{}, externals: map[[2]string]*offboarding.Member{},
		leavers: map[string]bulkLeaver{}, owners: map[string][]string{}, leaving: map[string]bool{}, left: left,
	}
	var leavers []string
	for _, row := range rows {
		if row.MemberID != "" {
			leavers = append(leavers, row.MemberID)
		}
	}
	query := selectMembers
	if change {
		query = selectMembersForChange
	}
	if err := f.load(query, leavers); err != nil {
		return nil, err
	}
	// Read after the lock: who was found active has no case that is not seen here.
	var err error
	if f.actor, err = t.memberByID(run.RequestedBy, selectMember); err != nil {
		return nil, err
	}
	if err := f.loadLeavers(leavers); err != nil {
		return nil, err
	}
	if err := f.loadOwners(run, rows, change); err != nil {
		return nil, err
	}
	return f, f.loadNewOwners(run, rows)
}

func (f *bulkFacts) load(query string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var rows []offboarding.Member
	err := f.t.list(&rows, query, uuidArray(ids))
	for i := range rows {
		f.members[rows[i].ID] = &rows[i]
	}
	return err
}

func (f *bulkFacts) loadLeavers(ids []string) error {
	var rows []bulkLeaver
	err := f.t.list(&rows, selectLeavers, uuidArray(ids), f.at)
	for _, row := range rows {
		f.leavers[row.ID] = row
	}
	return err
}

// loadOwners finds the owners of the organizations that an owner is to leave
// (rule A3); their rows are locked, as those of a single start.
func (f *bulkFacts) loadOwners(run bulkRun, rows []bulkRow, change bool) error {
	var organizations []string
	for _, row := range rows {
		if m := f.members[row.MemberID]; m != nil && m.Role == offboarding.RoleOwner && !slices.Contains(organizations, m.OrganizationID) {
			organizations = append(organizations, m.OrganizationID)
		}
	}
	if len(organizations) == 0 {
		return nil
	}
	if change {
		var before []int
		if err := f.t.list(&before, awaitEarlier, run.ID, rows[0].Position); err != nil {
			return err
		}
		var locked []string
		if err := f.t.list(&locked, lockOrganizations, uuidArray(organizations)); err != nil {
			return err
		}
	}
	var owners []struct {
		OrganizationID string `db:"organization_id"`
		ID             string `db:"id"`
	}
	err := f.t.list(&owners, selectOwners, uuidArray(organizations), f.at)
	for _, o := range owners {
		f.owners[o.OrganizationID] = append(f.owners[o.OrganizationID], o.ID)
	}
	return err
}

// loadNewOwners finds whom the rows name as new owners (rules N1, N2).
func (f *bulkFacts) loadNewOwners(run bulkRun, rows []bulkRow) error {
	var ids, named, organizations, externals []string
	for _, row := range rows {
		leaver := f.members[row.MemberID]
		if leaver == nil {
			continue
		}
		ref := row.start.NewOwnerID
		if ref == offboarding.NewOwnerManager {
			ref = leaver.ManagerID
		}
		if external, ok := strings.CutPrefix(ref, externalPrefix); ok {
			organizations, externals = append(organizations, leaver.OrganizationID), append(externals, external)
		} else if isID(ref) {
			named = append(named, ref)
			if f.members[strings.ToLower(ref)] == nil {
				ids = append(ids, ref)
			}
		}
	}
	if err := f.load(selectMembers, ids); err != nil {
		return err
	}
	if len(externals) > 0 {
		var found []offboarding.Member
		if err := f.t.list(&found, selectByExternal, uuidArray(organizations), uuidArray(externals)); err != nil {
			return err
		}
		for i := range found {
			f.externals[[2]string{found[i].OrganizationID, found[i].ExternalID}] = &found[i]
			named = append(named, found[i].ID)
		}
	}
	if len(named) == 0 {
		return nil
	}
	var leaving []string
	err := f.t.list(&leaving, selectLeaving, run.ID, uuidArray(named))
	for _, id := range leaving {
		f.leaving[id] = true
	}
	return err
}

// newOwner is whom a row names. Who leaves at once in the same run cannot own
// anything any more, wherever they are on the list.
func (f *bulkFacts) newOwner(ref string, leaver *offboarding.Member) *offboarding.Member {
	var m *offboarding.Member
	if external, ok := strings.CutPrefix(ref, externalPrefix); ok {
		m = f.externals[[2]string{leaver.OrganizationID, external}]
	} else {
		m = f.members[strings.ToLower(ref)]
	}
	if m == nil || !f.leaving[m.ID] {
		return m
	}
	gone := *m
	gone.Status = offboarding.MemberInactive
	return &gone
}

// otherOwners counts the active owners who stay beside a leaver (rule A3).
func (f *bulkFacts) otherOwners(leaver *offboarding.Member) int {
	n := 0
	for _, id := range f.owners[leaver.OrganizationID] {
		if id != leaver.ID && !f.left[id] {
			n++
		}
	}
	return n
}

// judged is what the rules say to a row.
type judged struct {
	facts    offboarding.AdmissionFacts
	request  offboarding.Request
	plan     offboarding.Plan
	existing string // the open case (rule E2)
}

// judge judges a row with the rules of a single start.
func (f *bulkFacts) judge(row bulkRow) (judged, error) {
	j := judged{request: row.start, facts: offboarding.AdmissionFacts{Actor: offboarding.Actor{Member: f.actor, Reach: offboarding.ReachOwn}}}
	leaver := f.members[row.MemberID]
	if leaver != nil && leaver.Status == offboarding.MemberDeleted { // is nobody (rule X1), and what the row said is erased
		leaver, j.request = nil, offboarding.Request{MemberID: row.start.MemberID, RequestedBy: row.start.RequestedBy}
	}
	if leaver != nil {
		reach, err := f.reachOf(leaver.OrganizationID)
		if err != nil {
			return j, err
		}
		if reach != offboarding.ReachNone { // else as if there were no such member (rule E1)
			j.facts.Actor.Reach, j.facts.Leaver = reach, leaver
		}
	}
	reason := ""
	if j.facts.Leaver != nil {
		if open := f.leavers[leaver.ID]; open.CaseID != "" && len(offboarding.JudgeAuthority(j.facts.Actor, leaver)) == 0 {
			if open.Phase == offboarding.PhaseReactivated { // nobody who leaves
				return j, offboarding.Refuse("E2", offboarding.CodeTryAgain, "member_id", "the member has come back, and the documents are still being settled")
			}
			j.existing = open.CaseID
			return j, nil
		}
		var err error
		if j.facts.Organization, err = f.organization(leaver.OrganizationID); err != nil {
			return j, err
		}
		j.facts.OtherActiveOwners = f.otherOwners(leaver)
		ref := j.request.NewOwnerID
		if ref == offboarding.NewOwnerManager {
			if ref = leaver.ManagerID; f.leaving[ref] {
				j.request, reason = j.request.WithoutManager()
				ref = ""
			}
		}
		j.facts.NewOwner = f.newOwner(ref, leaver)
	}
	var err error
	j.plan, err = offboarding.Admit(j.request, j.facts, f.at)
	j.plan.FallbackReason = reason
	if err == nil && leaver.Role == offboarding.RoleOwner && !j.plan.EffectiveAt.After(f.at) {
		f.left[leaver.ID] = true
	}
	return j, err
}
