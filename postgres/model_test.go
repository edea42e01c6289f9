package postgres_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/offboarding"
)

// model is an organization in maps and ifs: what docs/rules.md and the contract say
// that each step does, written from them and not from the store. It names
// everything by short names, so that a failure can be read, and writes down the
// audit events that it expects.
type model struct {
	now       time.Time
	selfServe bool
	seats     int // 0 for no limit

	disposition offboarding.Disposition // unless a start says so
	sessions    offboarding.SSOSessions // by SSO, of a leaver
	provider    string                  // the organization's identity provider
	provisioner string                  // who set it up, "" for nobody

	members   map[string]*modelMember
	documents map[string]*modelDocument
	schedules []*modelSchedule
	grants    map[string]offboarding.GrantLevel // by document and member
	requests  []*modelRequest
	cases     []*modelCase
	holds     []*modelHold
	notices   []string
	leave     []string // owners whom a list that is being judged would let go
	events    []string // since the last look
}

type modelMember struct {
	name     string
	role     offboarding.Role
	account  offboarding.AccountType
	active   bool
	manager  string
	outside  bool // on a domain that is not the organization's
	deleted  bool
	archived bool                      // inactive for good (seed 000)
	live     int                       // credentials and sessions that work, but for
	sso      []modelSession            // those by SSO
	team     offboarding.WorkspaceRole // in the one workspace

	managedBy string     // the identity provider, "" for none
	leftBy    *modelCase // that has made them inactive
}

// modelSession is a session by SSO, which ends by itself unless the time is zero.
type modelSession struct{ made, ends time.Time }

type modelDocument struct {
	name, owner string
	team        bool // in the workspace
	access      offboarding.Access
	by          *modelCase // that locked or archived it
	place       place
	prior       place // before it was moved
	movedBy     *modelCase
	movedTo     string
}

// place is a shared folder, or one in the owner's My Documents.
type place struct {
	shared bool
	path   string
}

type modelSchedule struct {
	name, document string
	status         string
	by             *modelCase // that paused or archived it
}

// modelHold is a legal hold in force, on a member or a document.
type modelHold struct{ name, on string }

type modelRequest struct {
	name, document, member string
	of                     *modelCase
	made                   time.Time
	escalated              bool
	status                 offboarding.RequestStatus
}

type modelCase struct {
	name, leaver, by string
	provider         string                    // that has asked for it, "" for a person
	removal          bool                      // from the workspace only (rule W1)
	team             offboarding.WorkspaceRole // of the leaver, until the removal
	phase            offboarding.Phase
	disposition      offboarding.Disposition
	newOwner         string
	archiveSchedules bool
	effectiveAt      time.Time
	grace            time.Duration
	revokedAt        time.Time
	awaits           bool // the end of sessions, once access is revoked
	deactivatedAt    time.Time
	graceEnds        time.Time
	closed           bool
	reopened         bool            // by a reactivation after it had closed
	gave             map[string]bool // documents that this case gave to somebody
}

// inactive reports whether the case has made its leaver inactive.
func (c *modelCase) inactive() bool { return !c.deactivatedAt.IsZero() }

// codes are the reasons why something is refused.
type codes []offboarding.Code

func (c codes) String() string {
	sorted := slices.Clone(c)
	slices.Sort(sorted)
	var all []string
	for _, code := range slices.Compact(sorted) {
		all = append(all, string(code))
	}
	return "refused: " + strings.Join(all, ", ")
}

func (c *codes) add(when bool, code offboarding.Code) {
	if when {
		*c = append(*c, code)
	}
}

// event writes down an audit event: what, by whom, of which document.
func (m *model) event(event, actor, document string) {
	m.events = append(m.events, strings.TrimSpace(event+" by "+actor+" "+document))
}

func (m *model) grant(document, member string) offboarding.GrantLevel {
	return m.grants[document+" "+member]
}

// admin is rule A1.
func (m *model) admin(name string) bool {
	a := m.members[name]
	return a.active && (a.role == offboarding.RoleOwner || a.role == offboarding.RoleAdmin)
}

// authority is rules A1, A2 and A4.
func (m *model) authority(actor, member string) codes { return m.authorityOn(actor, member, false) }

// authorityOn counts the workspace's admin too where it is about a removal (rule W1),
// who acts on nobody with a role in the organization.
func (m *model) authorityOn(actor, member string, removal bool) (broken codes) {
	broken.add(!m.adminOn(actor, removal), offboarding.CodeNotAuthorized)
	broken.add(actor == member, offboarding.CodeSelfOffboarding)
	a, l := m.members[actor].role, m.members[member].role
	broken.add(len(broken) == 0 && (a != offboarding.RoleOwner && l == offboarding.RoleOwner ||
		!m.admin(actor) && l == offboarding.RoleAdmin), offboarding.CodeNotAuthorized)
	return broken
}

func (m *model) adminOn(name string, removal bool) bool {
	return m.admin(name) || removal && m.members[name].active && m.members[name].team == offboarding.WorkspaceAdmin
}

// asker is who asks: a person, or for an identity provider that names nobody who set
// it up; "" for nobody.
func (m *model) asker(by, provider string) string {
	switch {
	case provider != "" && by == "":
		return m.provisioner
	case m.members[by].deleted:
		return ""
	}
	return by
}

// asking judges who asks: a person's authority, or that of an identity provider over
// those whom it manages (rule E5), and over the workspaces of its organization (rule W1).
func (m *model) asking(by, provider, member string, removal bool) (broken codes) {
	if provider == "" {
		return m.authorityOn(by, member, removal)
	}
	broken.add(provider != m.provider || !removal && provider != m.members[member].managedBy, offboarding.CodeExternallyManaged)
	broken.add(m.asker(by, provider) == "", offboarding.CodeNotAuthorized)
	return broken
}

// eligibility is rules A3 and E2 to E5. A start counts out the owners whose time has come.
// What an identity provider asks for is not judged by E4 and E5.
func (m *model) eligibility(leaver, provider string, start bool) (broken codes) {
	l := m.members[leaver]
	broken.add(!l.active, offboarding.CodeAlreadyInactive)
	broken.add(l.active && l.role == offboarding.RoleOwner && m.otherOwners(leaver, start) == 0, offboarding.CodeLastOwner)
	broken.add(l.outside && provider == "", offboarding.CodeDomainNotAssociated)
	broken.add(l.managedBy != "" && provider == "", offboarding.CodeExternallyManaged)
	return broken
}

// otherOwners counts the active owners other than a member who are not leaving.
func (m *model) otherOwners(member string, start bool) int {
	n := 0
	for _, o := range m.members {
		c := m.openCase(o.name)
		leaving := c != nil && (c.phase == offboarding.PhaseRevoking ||
			start && c.phase == offboarding.PhaseScheduled && !m.now.Before(c.effectiveAt))
		if o.name != member && !slices.Contains(m.leave, o.name) && o.active && o.role == offboarding.RoleOwner && !leaving {
			n++
		}
	}
	return n
}

// eligibleOwner is rule N1.
func (m *model) eligibleOwner(name, leaver string) bool {
	o, ok := m.members[name]
	return ok && o.active && o.account == offboarding.AccountMaker && name != leaver
}

// openCase is the member's case of the whole organization.
func (m *model) openCase(member string) *modelCase { return m.open(member, false) }

func (m *model) open(member string, removal bool) *modelCase {
	for _, c := range m.cases {
		if c.leaver == member && c.removal == removal && !c.closed {
			return c
		}
	}
	return nil
}

// left reports whether the leaver is gone from where the case is about.
func (m *model) left(c *modelCase) bool {
	return c.inactive() && c.phase != offboarding.PhaseReactivated
}

// owned are a member's documents, in the order in which they were made.
func (m *model) owned(member string) []*modelDocument {
	return m.documentsWhere(func(d *modelDocument) bool { return d.owner == member })
}

func (m *model) documentsWhere(holds func(*modelDocument) bool) []*modelDocument {
	var found []*modelDocument
	for _, d := range m.documents {
		if holds(d) {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b *modelDocument) int { return strings.Compare(a.name, b.name) })
	return found
}

// concerns are the leaver's documents, of a removal those in the workspace.
func (m *model) concerns(c *modelCase, d *modelDocument) bool {
	return d.owner == c.leaver && (!c.removal || d.team)
}

func (m *model) of(c *modelCase) []*modelDocument {
	return m.documentsWhere(func(d *modelDocument) bool { return m.concerns(c, d) })
}

// unowned counts the leaver's documents that wait for an owner.
func (m *model) unowned(c *modelCase) int {
	return len(m.documentsWhere(func(d *modelDocument) bool { return m.concerns(c, d) && d.access != offboarding.AccessArchived }))
}

func (m *model) pending(holds func(*modelRequest) bool) []*modelRequest {
	var found []*modelRequest
	for _, r := range m.requests {
		if r.status == offboarding.RequestPending && holds(r) {
			found = append(found, r)
		}
	}
	return found
}

// settleRequests gives pending requests their end, with an event each.
func (m *model) settleRequests(status offboarding.RequestStatus, actor string, holds func(*modelRequest) bool) int {
	event := offboarding.EventSupersedeDocOwnership
	if status == offboarding.RequestWithdrawn {
		event = offboarding.EventWithdrawDocOwnership
	}
	settled := m.pending(holds)
	for _, r := range settled {
		r.status = status
		m.event(event, actor, r.document)
	}
	return len(settled)
}

// give gives a document of the case's leaver to somebody: rules D1 and D2, read-only
// no more, and nobody else asks for it.
func (m *model) give(c *modelCase, d *modelDocument, to, actor, event string) (superseded int) {
	d.prior = d.place
	if !d.place.shared {
		d.place.path = strings.TrimSuffix("Archived Users/"+c.leaver+"/"+d.place.path, "/")
	}
	d.owner, d.movedBy, d.movedTo = to, c, to
	m.unlock(d)
	m.resumeSchedules(d, actor)
	c.gave[d.name] = true
	m.event(event, actor, d.name)
	return m.settleRequests(offboarding.RequestSuperseded, actor, func(r *modelRequest) bool { return r.document == d.name })
}

func (m *model) unlock(d *modelDocument) {
	if d.access == offboarding.AccessReadOnly {
		d.access, d.by = offboarding.AccessEditable, nil
	}
}

// changeSchedules gives those schedules of a document that are in a status another,
// with an event each.
func (m *model) changeSchedules(d *modelDocument, from, to string, by, next *modelCase, event, actor string) (n int) {
	for _, s := range m.schedules {
		if s.document == d.name && s.status == from && s.by == by {
			s.status, s.by = to, next
			m.event(event, actor, d.name)
			n++
		}
	}
	return n
}

func (m *model) archiveSchedules(c *modelCase, d *modelDocument, actor string) int {
	return m.changeSchedules(d, "active", "archived", nil, c, offboarding.EventArchiveSchedules, actor)
}

func (m *model) unarchiveSchedules(c *modelCase, d *modelDocument, actor string) int {
	return m.changeSchedules(d, "archived", "active", c, nil, offboarding.EventUnarchiveSchedules, actor)
}

// resumeSchedules lets those of a document that is no longer read-only go on.
func (m *model) resumeSchedules(d *modelDocument, actor string) (n int) {
	for _, c := range m.cases {
		n += m.changeSchedules(d, "paused", "active", c, nil, offboarding.EventResumeSchedules, actor)
	}
	return n
}

// held is rule H1: a hold is on the document, or on who owns it.
func (m *model) held(d *modelDocument) bool { return m.onHold(d.name) || m.onHold(d.owner) }

func (m *model) onHold(name string) bool {
	return slices.ContainsFunc(m.holds, func(h *modelHold) bool { return h.on == name })
}

// placeHold is rule H1, for an admin (rule A1).
func (m *model) placeHold(name, on, admin string) string {
	var broken codes
	if !m.admin(admin) {
		broken = append(broken, offboarding.CodeNotAuthorized)
	}
	if on, ok := m.members[on]; ok && on.deleted {
		broken = append(broken, offboarding.CodeMemberNotFound)
	}
	if len(broken) > 0 {
		return broken.String()
	}
	m.holds = append(m.holds, &modelHold{name: name, on: on})
	m.event(offboarding.EventPlaceLegalHold, admin, m.documentOr(on))
	return "placed"
}

func (m *model) liftHold(h *modelHold, admin string) string {
	if !m.admin(admin) {
		return codes{offboarding.CodeNotAuthorized}.String()
	}
	m.holds = slices.DeleteFunc(m.holds, func(other *modelHold) bool { return other == h })
	m.event(offboarding.EventLiftLegalHold, admin, m.documentOr(h.on))
	return "lifted"
}

func (m *model) policy() offboarding.ClaimPolicy {
	if m.selfServe {
		return offboarding.PolicySelfServe
	}
	return offboarding.PolicyApproval
}

// settings are what may change, by their names.
func (m *model) settings() map[string]string {
	return map[string]string{
		"claim_policy": string(m.policy()), "default_disposition": string(m.disposition), "sso_sessions": string(m.sessions),
		"seat_limit": strconv.Itoa(m.seats), "provisioning_admin": m.provisioner,
	}
}

// changeSettings is for an admin (rule A1); there are seats for all who are active (rule
// R1), and whoever set up provisioning is an admin, and somebody where members are
// provisioned (rule N2).
func (m *model) changeSettings(admin string, changes map[string]string) string {
	var broken codes
	broken.add(!m.admin(admin), offboarding.CodeNotAuthorized)
	changed := []string{}
	for name, before := range m.settings() {
		to, ok := changes[name]
		if !ok || to == before {
			continue
		}
		changed = append(changed, name)
		switch name {
		case "seat_limit":
			n, _ := strconv.Atoi(to)
			broken.add(n > 0 && n < m.activeMembers(), offboarding.CodeSeatLimitExceeded)
		case "provisioning_admin":
			broken.add(to == "" && offboarding.Provisions(m.provider), offboarding.CodeInvalidArgument)
			broken.add(to != "" && !m.admin(to), offboarding.CodeInvalidArgument)
		}
	}
	if len(broken) > 0 {
		return broken.String()
	}
	for _, name := range changed {
		m.event(offboarding.EventChangeSettings, admin, "")
		switch to := changes[name]; name {
		case "claim_policy":
			m.selfServe = to == string(offboarding.PolicySelfServe)
		case "default_disposition":
			m.disposition = offboarding.Disposition(to)
		case "sso_sessions":
			m.sessions = offboarding.SSOSessions(to)
		case "seat_limit":
			m.seats, _ = strconv.Atoi(to)
		case "provisioning_admin":
			m.provisioner = to
		}
	}
	slices.Sort(changed)
	return fmt.Sprintf("changed %v", changed)
}

func (m *model) activeMembers() int {
	n := 0
	for _, who := range m.members {
		if who.active {
			n++
		}
	}
	return n
}

// documentOr is the name where it is a document's, else "".
func (m *model) documentOr(name string) string {
	if _, ok := m.documents[name]; ok {
		return name
	}
	return ""
}

// start is a request for an offboarding.
type start struct {
	leaver, by       string
	provider         string
	removal          bool
	disposition      offboarding.Disposition
	newOwner         string // "manager" for the leaver's
	archiveSchedules bool
	effectiveAt      time.Time // zero for now
	grace            time.Duration
}

// admit judges a start: the open case of the member (rule E2), a new one, or all
// that is broken.
func (m *model) admit(s start) (answer string, opened *modelCase) {
	authority := m.asking(s.by, s.provider, s.leaver, s.removal)
	if open := m.open(s.leaver, s.removal); open != nil && !m.members[s.leaver].deleted && len(authority) == 0 {
		if open.phase == offboarding.PhaseReactivated { // back, and the documents are being settled
			return "waits", nil
		}
		return "existing " + open.name, nil
	}
	c, broken, by := m.judge(s)
	if len(broken) > 0 {
		return broken.String(), nil
	}
	if c.disposition == offboarding.DispositionTransfer && !m.eligibleOwner(c.newOwner, s.leaver) { // of a provider: the leaver must lose access
		m.otherOwner(c)
	}
	m.cases = append(m.cases, c)
	m.event(offboarding.EventScheduleOffboarding, by, "")
	return "opened " + c.name + " to " + string(c.disposition) + " " + c.newOwner, c
}

// judge is what a start would open, all that is wrong with it, and who asks.
func (m *model) judge(s start) (c *modelCase, broken codes, by string) {
	disposition, newOwner := s.disposition, s.newOwner
	if disposition == "" {
		disposition = m.disposition
		if newOwner != "" {
			disposition = offboarding.DispositionTransfer
		}
	}
	broken.add(newOwner != "" && disposition != offboarding.DispositionTransfer, offboarding.CodeInvalidArgument)
	broken.add(s.archiveSchedules && disposition != offboarding.DispositionTransfer, offboarding.CodeInvalidArgument) // rule D3
	if m.members[s.leaver].deleted {                                                                                  // nobody (rule X1)
		return nil, append(broken, m.nobody(s.by, s.provider)...), ""
	}
	by = m.asker(s.by, s.provider)
	broken = append(broken, m.asking(s.by, s.provider, s.leaver, s.removal)...)
	if s.removal {
		broken = append(broken, m.removable(s.leaver)...)
	} else {
		broken = append(broken, m.eligibility(s.leaver, s.provider, true)...)
	}
	if disposition == offboarding.DispositionTransfer { // rules N1 and N2
		switch newOwner {
		case "":
			if newOwner = s.by; s.provider != "" {
				newOwner = m.provisioner
			}
		case offboarding.NewOwnerManager:
			newOwner = m.members[s.leaver].manager
		}
		broken.add(!m.eligibleOwner(newOwner, s.leaver) && s.provider == "", offboarding.CodeNewOwnerNotEligible)
	}
	c = &modelCase{
		name: fmt.Sprintf("case%d", len(m.cases)+1), leaver: s.leaver, by: by, provider: s.provider, removal: s.removal, phase: offboarding.PhaseScheduled,
		disposition: disposition, newOwner: newOwner, archiveSchedules: s.archiveSchedules,
		effectiveAt: s.effectiveAt, grace: s.grace, gave: map[string]bool{},
	}
	if c.effectiveAt.IsZero() {
		c.effectiveAt = m.now
	}
	return c, broken, by
}

// list is rule B1: each member is judged alone, as by a start, but that nobody who leaves
// at once by the same list is given anything, whatever becomes of them; all or nothing is
// judged before anybody leaves.
func (m *model) list(rows []start, allOrNothing bool) (answer string, opened []*modelCase) {
	by := rows[0].by
	if !m.admin(by) {
		return codes{offboarding.CodeNotAuthorized}.String(), nil
	}
	m.event(offboarding.EventStartBulk, by, "")
	refused := make([]string, len(rows))
	if allOrNothing {
		for i, s := range rows {
			if broken := m.listed(rows, i); len(broken) > 0 {
				refused[i] = broken.String()
			} else if l := m.members[s.leaver]; l.role == offboarding.RoleOwner && !s.effectiveAt.After(m.now) && m.openCase(s.leaver) == nil {
				m.leave = append(m.leave, s.leaver)
			}
		}
		m.leave = nil
	}
	stop := slices.ContainsFunc(refused, func(r string) bool { return r != "" })
	var became []string
	accepted, broken := 0, false
	for i, s := range rows {
		became = append(became, refused[i])
		switch {
		case refused[i] != "":
			broken = true
			continue
		case stop:
			became[i] = "not_started"
			continue
		}
		if codes := m.listed(rows, i); len(codes) > 0 {
			became[i], broken = codes.String(), true
			continue
		}
		accepted++
		if open := m.openCase(s.leaver); open != nil {
			became[i] = "existing " + open.name
			continue
		}
		_, c := m.admit(m.withoutManager(rows, s))
		opened = append(opened, c)
		became[i] = "scheduled " + c.name
		if !c.effectiveAt.After(m.now) && (m.sessions == offboarding.SSORevoke || !slices.ContainsFunc(m.members[s.leaver].sso, m.lasts)) {
			m.leaves(c)
			became[i] = "started " + c.name
		}
	}
	m.event(offboarding.EventCompleteBulk, by, "")
	message := offboarding.BulkRefused
	switch {
	case accepted == len(rows):
		message = offboarding.BulkSuccess
	case accepted > 0:
		message = offboarding.BulkPartialSuccess
	case !broken:
		message = offboarding.BulkFailed
	}
	return message + " " + strings.Join(became, "; "), opened
}

// leaves takes a member's access by a list, and completes what has nothing to settle.
func (m *model) leaves(c *modelCase) {
	m.revoke(c, false)
	m.deactivate(c)
	nothing := len(m.owned(c.leaver)) == 0
	switch {
	case nothing && c.disposition != offboarding.DispositionRetain:
		m.advance(c, offboarding.PhaseTransferring)
		m.settle(c, time.Time{})
	case nothing || c.disposition == offboarding.DispositionRetain && m.unowned(c) == 0:
		m.settle(c, time.Time{})
	}
}

// listed is what is wrong with a row of a list.
func (m *model) listed(rows []start, i int) (broken codes) {
	s := rows[i]
	if m.members[s.leaver].deleted {
		_, broken, _ = m.judge(s)
		return broken
	}
	if slices.ContainsFunc(rows[:i], func(before start) bool { return before.leaver == s.leaver }) {
		return codes{offboarding.CodeInvalidArgument}
	}
	if open := m.openCase(s.leaver); open != nil && len(m.authority(s.by, s.leaver)) == 0 {
		broken.add(open.phase == offboarding.PhaseReactivated, offboarding.CodeTryAgain)
		return broken
	}
	s = m.withoutManager(rows, s)
	c, broken, _ := m.judge(s)
	if s.newOwner != "" && m.leavesAtOnce(rows, s.newOwner) && c.disposition == offboarding.DispositionTransfer {
		broken = append(broken, offboarding.CodeNewOwnerNotEligible)
	}
	return broken
}

func (m *model) leavesAtOnce(rows []start, member string) bool {
	return slices.ContainsFunc(rows, func(s start) bool { return s.leaver == member && !s.effectiveAt.After(m.now) })
}

// withoutManager is a row whose documents were to go to a manager who leaves at once too.
func (m *model) withoutManager(rows []start, s start) start {
	if s.newOwner == offboarding.NewOwnerManager && m.leavesAtOnce(rows, m.members[s.leaver].manager) {
		s.newOwner, s.disposition, s.archiveSchedules = "", offboarding.DispositionRetain, false
	}
	return s
}

// removable is rule W1: an active member of the workspace.
func (m *model) removable(member string) (broken codes) {
	broken.add(!m.members[member].active, offboarding.CodeAlreadyInactive)
	broken.add(len(broken) == 0 && m.members[member].team == offboarding.WorkspaceNone, offboarding.CodeNotInWorkspace)
	return broken
}

// nobody is what is wrong with a request about a member who is none, besides its form.
func (m *model) nobody(by, provider string) (broken codes) {
	broken.add(provider == "" && !m.admin(by), offboarding.CodeNotAuthorized)
	return append(broken, offboarding.CodeMemberNotFound)
}

// revoke is step 3, after a second look where the case has waited.
func (m *model) revoke(c *modelCase, secondLook bool) string {
	if secondLook {
		broken := m.eligibility(c.leaver, c.provider, false)
		if c.removal {
			broken = m.removable(c.leaver)
		}
		if len(broken) > 0 {
			return broken.String()
		}
		if c.disposition == offboarding.DispositionTransfer && !m.eligibleOwner(c.newOwner, c.leaver) {
			m.fallBack(c)
		}
	}
	c.phase, c.revokedAt = offboarding.PhaseRevoking, m.now
	m.event(offboarding.EventAdvanceOffboarding, c.by, "")
	if c.removal { // the account stays as it is
		return fmt.Sprintf("revoked 0, to %s %s", c.disposition, c.newOwner)
	}
	if m.sessions == offboarding.SSOWait {
		revoked := m.revokeBut(c, func(s modelSession) bool { return m.lasts(s) })
		if ends := m.sessionsEnd(c); !ends.IsZero() {
			c.awaits = true
			return fmt.Sprintf("waits until %s, revoked %d, to %s %s", ends.UTC().Format(time.DateTime), revoked, c.disposition, c.newOwner)
		}
		return fmt.Sprintf("revoked %d, to %s %s", revoked, c.disposition, c.newOwner)
	}
	return fmt.Sprintf("revoked %d, to %s %s", m.revokeAll(c), c.disposition, c.newOwner)
}

// lasts reports whether a session has not ended by itself.
func (m *model) lasts(s modelSession) bool { return s.ends.IsZero() || s.ends.After(m.now) }

// sessionsEnd is when the last of the sessions ends that are let be, a day later at the
// latest (rule S1); zero where there are none.
func (m *model) sessionsEnd(c *modelCase) (ends time.Time) {
	for _, s := range m.members[c.leaver].sso {
		end := c.revokedAt.Add(24 * time.Hour)
		if !s.ends.IsZero() && s.ends.Before(end) {
			end = s.ends
		}
		if end.After(ends) {
			ends = end
		}
	}
	return ends
}

// checkSessions revokes what was made after the revocation, and what has ended (rule S1).
func (m *model) checkSessions(c *modelCase) string {
	if c.phase != offboarding.PhaseRevoking {
		return codes{offboarding.CodeWrongPhase}.String()
	}
	revoked := m.revokeBut(c, func(s modelSession) bool { return !s.made.After(c.revokedAt) && m.lasts(s) })
	return fmt.Sprintf("%d waiting, %d revoked", len(m.members[c.leaver].sso), revoked)
}

func (m *model) revokeAll(c *modelCase) int {
	return m.revokeBut(c, func(modelSession) bool { return false })
}

// revokeBut revokes the credentials and sessions of the leaver, but for those that are
// let be.
func (m *model) revokeBut(c *modelCase, letBe func(modelSession) bool) int {
	l := m.members[c.leaver]
	n := l.live + len(l.sso)
	l.live, l.sso = 0, slices.DeleteFunc(l.sso, func(s modelSession) bool { return !letBe(s) })
	n -= len(l.sso)
	for range n {
		m.event("Revoke", c.by, "")
	}
	return n
}

// fallBack is otherOwner of a case that has been opened.
func (m *model) fallBack(c *modelCase) {
	m.otherOwner(c)
	m.event(offboarding.EventChangeNewOwner, c.by, "")
}

// otherOwner gives the documents to the manager, or retains them.
func (m *model) otherOwner(c *modelCase) {
	manager := m.members[c.leaver].manager
	if m.eligibleOwner(manager, c.leaver) && manager != c.newOwner {
		c.newOwner = manager
	} else {
		c.newOwner, c.disposition, c.archiveSchedules = "", offboarding.DispositionRetain, false
	}
}

// deactivate is step 4. The database keeps the last owner (rule A3) whatever was
// admitted long before.
func (m *model) deactivate(c *modelCase) string {
	l := m.members[c.leaver]
	if c.removal {
		return m.removeFrom(c, l)
	}
	owners := 0
	for _, o := range m.members {
		if o.active && o.role == offboarding.RoleOwner && o != l {
			owners++
		}
	}
	if l.role == offboarding.RoleOwner && owners == 0 {
		return codes{offboarding.CodeLastOwner}.String()
	}
	m.revokeAll(c)
	l.active, l.leftBy = false, c
	m.settleRequests(offboarding.RequestWithdrawn, c.by, func(r *modelRequest) bool { return r.member == c.leaver })
	c.phase, c.deactivatedAt = offboarding.PhaseDeactivated, m.now
	m.event(offboarding.EventDeactivateMember, c.by, "")
	return fmt.Sprintf("deactivated, %d documents, %d unowned", len(m.owned(c.leaver)), m.unowned(c)) + archiveText(m.archiveAt(c))
}

// archiveAt is when the leaver becomes archived, whom Entra manages and who is still as
// the case has left them (seed 000).
func (m *model) archiveAt(c *modelCase) *time.Time {
	who := m.members[c.leaver]
	if who.active || who.deleted || who.archived || who.leftBy != c || who.managedBy != offboarding.IdentityProviderEntra {
		return nil
	}
	at := c.deactivatedAt.Add(30 * 24 * time.Hour)
	return &at
}

func archiveText(at *time.Time) string {
	if at == nil {
		return ""
	}
	return ", archived " + at.UTC().Format(time.DateTime)
}

func (m *model) archiveMember(c *modelCase) string {
	at := m.archiveAt(c)
	switch {
	case at == nil:
		return "not archived"
	case m.now.Before(*at):
		return codes{offboarding.CodeWrongPhase}.String()
	}
	m.members[c.leaver].archived = true
	m.event(offboarding.EventArchiveMember, c.by, "")
	return "archived"
}

// removeFrom takes the leaver out of the workspace, and nothing else (rule W1).
func (m *model) removeFrom(c *modelCase, l *modelMember) string {
	if l.team == offboarding.WorkspaceNone {
		return codes{offboarding.CodeNotInWorkspace}.String()
	}
	c.team, l.team = l.team, offboarding.WorkspaceNone
	m.settleRequests(offboarding.RequestWithdrawn, c.by, func(r *modelRequest) bool { return r.member == c.leaver && m.documents[r.document].team })
	c.phase, c.deactivatedAt = offboarding.PhaseDeactivated, m.now
	m.event(offboarding.EventRemoveFromWorkspace, c.by, "")
	return fmt.Sprintf("deactivated, %d documents, %d unowned", len(m.of(c)), m.unowned(c))
}

func (m *model) fail(c *modelCase) {
	c.phase, c.closed = offboarding.PhaseFailed, true
	m.event(offboarding.EventFailOffboarding, c.by, "")
}

func (m *model) advance(c *modelCase, phase offboarding.Phase) {
	c.phase = phase
	m.event(offboarding.EventAdvanceOffboarding, c.by, "")
}

// settle completes a case that has nothing unowned, or lets its grace begin.
func (m *model) settle(c *modelCase, graceEnds time.Time) string {
	unowned := m.unowned(c)
	switch {
	case unowned == 0:
		m.settleRequests(offboarding.RequestSuperseded, c.by, func(r *modelRequest) bool { return r.of == c })
		c.phase, c.closed = offboarding.PhaseCompleted, true
		m.event(offboarding.EventCompleteOffboarding, c.by, "")
	case !graceEnds.IsZero():
		c.graceEnds = graceEnds
		m.advance(c, offboarding.PhaseGrace)
	}
	return fmt.Sprintf("%s, %d unowned, %d pending", c.phase, unowned, len(m.pending(func(r *modelRequest) bool { return r.of == c })))
}

// transferBatch gives documents of the batch to a new owner, who is judged again;
// what is held stays (rule H1).
func (m *model) transferBatch(c *modelCase, newOwner, actor string, archiveSchedules bool, batch func(*modelDocument) bool) string {
	if !m.eligibleOwner(newOwner, c.leaver) {
		return codes{offboarding.CodeNewOwnerNotEligible}.String()
	}
	documents, schedules := 0, 0
	for _, d := range m.of(c) {
		if !batch(d) || m.held(d) {
			continue
		}
		resumed := m.resumeSchedules(d, actor)
		if archiveSchedules {
			schedules += m.archiveSchedules(c, d, actor)
		} else {
			schedules += resumed
		}
		m.give(c, d, newOwner, actor, offboarding.EventTransferDocs)
		documents++
	}
	return sweptText(documents, schedules)
}

func sweptText(documents, schedules int) string {
	return fmt.Sprintf("%d documents, %d schedules", documents, schedules)
}

// archiveBatch archives what is not held, and all its schedules; what another case
// has locked, too.
func (m *model) archiveBatch(c *modelCase, batch func(*modelDocument) bool) string {
	return m.each(c, batch, func(d *modelDocument) (bool, int) {
		if m.held(d) {
			return false, 0
		}
		schedules := m.archiveSchedules(c, d, c.by)
		if d.access == offboarding.AccessArchived {
			return false, schedules
		}
		for _, other := range m.cases { // what another case has paused
			schedules += m.changeSchedules(d, "paused", "archived", other, c, offboarding.EventArchiveSchedules, c.by)
		}
		d.access, d.by = offboarding.AccessArchived, c
		m.event(offboarding.EventArchiveDocs, c.by, d.name)
		return true, schedules
	})
}

// lockBatch makes read-only what is still the leaver's (step 7); its schedules
// pause.
func (m *model) lockBatch(c *modelCase, batch func(*modelDocument) bool) string {
	removal := m.open(c.leaver, true)
	if removal != nil && !removal.inactive() {
		removal = nil // it has not begun
	}
	return m.each(c, batch, func(d *modelDocument) (bool, int) {
		if d.access != offboarding.AccessEditable || !c.removal && removal != nil && d.team { // the removal locks it in its own time
			return false, 0
		}
		d.access, d.by = offboarding.AccessReadOnly, c
		m.event(offboarding.EventMarkDocsReadOnly, c.by, d.name)
		return true, m.changeSchedules(d, "active", "paused", nil, c, offboarding.EventPauseSchedules, c.by)
	})
}

// restoreBatch makes editable what the case locked or archived and is still the
// leaver's, with its schedules.
func (m *model) restoreBatch(c *modelCase, actor string, batch func(*modelDocument) bool) string {
	return m.each(c, batch, func(d *modelDocument) (bool, int) {
		schedules := m.unarchiveSchedules(c, d, actor)
		if d.by != c {
			return false, schedules
		}
		event := offboarding.EventMarkDocsEditable
		if d.access == offboarding.AccessArchived {
			event = offboarding.EventUnarchiveDocs
		}
		d.access, d.by = offboarding.AccessEditable, nil
		m.event(event, actor, d.name)
		return true, schedules + m.resumeSchedules(d, actor)
	})
}

func (m *model) each(c *modelCase, batch func(*modelDocument) bool, change func(*modelDocument) (bool, int)) string {
	documents, schedules := 0, 0
	for _, d := range m.of(c) {
		if !batch(d) {
			continue
		}
		changed, n := change(d)
		if schedules += n; changed {
			documents++
		}
	}
	return sweptText(documents, schedules)
}

// claim is rules C1 and C2.
func (m *model) claim(c *modelCase, document, member, request string) string {
	d, who := m.documents[document], m.members[member]
	level := m.grant(document, member)
	switch {
	case who.deleted:
		return codes{offboarding.CodeNoAccess}.String()
	case d.owner == member && d.movedBy == c && (!c.removal || d.team):
		return "claimed" // sent twice
	case !who.active || level == "" || member == c.leaver || c.removal && !d.team:
		return codes{offboarding.CodeNoAccess}.String()
	case d.owner != c.leaver || !m.left(c):
		return codes{offboarding.CodeAlreadyOwned}.String()
	case d.access == offboarding.AccessArchived:
		return codes{offboarding.CodeNotEligibleToClaim}.String()
	case m.selfServe && who.account == offboarding.AccountMaker && level == offboarding.GrantEdit && m.held(d):
		return codes{offboarding.CodeLegalHold}.String()
	case m.selfServe && who.account == offboarding.AccountMaker && level == offboarding.GrantEdit:
		return fmt.Sprintf("claimed, %d superseded", m.give(c, d, member, member, offboarding.EventClaimDocOwnership))
	case len(m.pending(func(r *modelRequest) bool { return r.document == document && r.member == member })) > 0:
		return codes{offboarding.CodeAlreadyRequested}.String()
	}
	m.requests = append(m.requests, &modelRequest{
		name: request, document: document, member: member, of: c, made: m.now, status: offboarding.RequestPending,
	})
	m.event(offboarding.EventRequestDocOwnership, member, document)
	return "requested"
}

// remind is rule M1: the manager is told of all that waits, and who may edit some of it,
// of that.
func (m *model) remind(c *modelCase) string {
	waiting := m.documentsWhere(func(d *modelDocument) bool { return m.concerns(c, d) && d.access != offboarding.AccessArchived })
	notices := 0
	for _, who := range m.members {
		reason, n := "manager", len(waiting)
		if m.members[c.leaver].manager != who.name {
			reason, n = "editor", len(slices.DeleteFunc(slices.Clone(waiting), func(d *modelDocument) bool {
				return m.grant(d.name, who.name) != offboarding.GrantEdit
			}))
		}
		if who.active && who.name != c.leaver && n > 0 {
			m.notices = append(m.notices, fmt.Sprintf("RemindGraceEnding to %s as %s in %s of %d documents ", who.name, reason, c.name, n))
			notices++
		}
	}
	m.event(offboarding.EventRemindGraceEnding, c.by, "")
	return fmt.Sprintf("%d told of %d", notices, len(waiting))
}

// escalate is rule M2, for two requests at a time, the oldest first.
func (m *model) escalate(c *modelCase) string {
	if c.phase != offboarding.PhaseGrace && c.phase != offboarding.PhaseReadOnly {
		return codes{offboarding.CodeWrongPhase}.String()
	}
	owners := slices.DeleteFunc(slices.Collect(maps.Values(m.members)), func(who *modelMember) bool {
		return !who.active || who.role != offboarding.RoleOwner
	})
	requests := 0
	for _, r := range m.undecided(c) {
		if requests == 2 || r.made.Add(48*time.Hour).After(m.now) {
			break
		}
		r.escalated = true
		requests++
		m.event(offboarding.EventEscalateRequest, c.by, r.document)
		for _, who := range owners {
			m.notices = append(m.notices, fmt.Sprintf("EscalateRequest to %s as owner in %s of 1 documents %s", who.name, c.name, r.name))
		}
	}
	next := "none"
	if left := m.undecided(c); len(left) > 0 {
		next = left[0].made.Add(48 * time.Hour).UTC().Format(time.DateTime)
	}
	return fmt.Sprintf("%d, %d told, next %s", requests, requests*len(owners), next)
}

// undecided are the requests of a case that may go to the owners, the oldest first.
func (m *model) undecided(c *modelCase) []*modelRequest {
	return m.pending(func(r *modelRequest) bool { return r.of == c && !r.escalated })
}

// decide is rule C3.
func (m *model) decide(c *modelCase, r *modelRequest, admin string, approve bool, newOwner string) string {
	var broken codes
	found := r.of == c
	broken.add(!m.adminOn(admin, c.removal), offboarding.CodeNotAuthorized)
	broken.add(!found || r.status != offboarding.RequestPending, offboarding.CodeRequestNotPending)
	to := newOwner
	if to == "" {
		to = r.member
	}
	broken.add(approve && found && !m.eligibleOwner(to, c.leaver), offboarding.CodeNewOwnerNotEligible)
	broken.add(approve && found && m.held(m.documents[r.document]), offboarding.CodeLegalHold)
	broken.add(!approve && newOwner != "", offboarding.CodeInvalidArgument)
	if len(broken) > 0 {
		return broken.String()
	}
	if !approve {
		r.status = offboarding.RequestRejected
		m.event(offboarding.EventRejectDocOwnership, admin, r.document)
		return "rejected"
	}
	r.status = offboarding.RequestApproved
	m.event(offboarding.EventApproveDocOwnership, admin, r.document)
	return fmt.Sprintf("approved, %d superseded", m.give(c, m.documents[r.document], to, admin, offboarding.EventTransferDocs))
}

// authorizeTransfer is rules A1, N1, N2 and T1.
func (m *model) authorizeTransfer(c *modelCase, admin, newOwner string, documents []string) (string, string) {
	switch newOwner {
	case "":
		newOwner = admin
	case offboarding.NewOwnerManager:
		newOwner = m.members[c.leaver].manager
	}
	var broken codes
	broken.add(!m.adminOn(admin, c.removal), offboarding.CodeNotAuthorized)
	broken.add(m.members[c.leaver].active && (!c.removal || !c.inactive()), offboarding.CodeMemberStillActive)
	broken.add(!m.eligibleOwner(newOwner, c.leaver), offboarding.CodeNewOwnerNotEligible)
	for _, name := range documents {
		broken.add(!m.concerns(c, m.documents[name]), offboarding.CodeAlreadyOwned)
		broken.add(m.documents[name].owner == c.leaver && m.onHold(name), offboarding.CodeLegalHold)
	}
	broken.add(m.onHold(c.leaver), offboarding.CodeLegalHold)
	if len(broken) > 0 {
		return broken.String(), ""
	}
	return "to " + newOwner, newOwner
}

func (m *model) extend(c *modelCase, admin string, until time.Time) string {
	switch {
	case !m.adminOn(admin, c.removal):
		return codes{offboarding.CodeNotAuthorized}.String()
	case c.phase != offboarding.PhaseGrace:
		return codes{offboarding.CodeWrongPhase}.String()
	case !until.After(m.now) || !until.After(c.graceEnds):
		return codes{offboarding.CodeInvalidArgument}.String()
	}
	c.graceEnds = until
	m.event(offboarding.EventExtendGrace, admin, "")
	return "extended"
}

// waiting judges what only a case that waits for its effective time allows; what an
// identity provider has asked for is the provider's to move (rule E5).
func (m *model) waiting(c *modelCase, admin, provider string) codes {
	broken := m.asking(admin, provider, c.leaver, c.removal)
	broken.add(c.provider != "" && provider == "", offboarding.CodeExternallyManaged)
	broken.add(len(broken) == 0 && c.phase != offboarding.PhaseScheduled, offboarding.CodeWrongPhase)
	return broken
}

func (m *model) reschedule(c *modelCase, admin, provider string, at time.Time) string {
	if broken := m.waiting(c, admin, provider); len(broken) > 0 {
		return broken.String()
	}
	c.effectiveAt = at
	m.event(offboarding.EventRescheduleOffboarding, m.asker(admin, provider), "")
	return "rescheduled"
}

func (m *model) cancel(c *modelCase, admin, provider string) string {
	if broken := m.waiting(c, admin, provider); len(broken) > 0 {
		return broken.String()
	}
	c.phase, c.closed = offboarding.PhaseCanceled, true
	m.event(offboarding.EventCancelOffboarding, m.asker(admin, provider), "")
	return "canceled"
}

// judgeReactivation is rules A1, A2, A4, E4, E5 and R1.
func (m *model) judgeReactivation(c *modelCase, admin, provider string) codes {
	awaits := c.phase == offboarding.PhaseRevoking && c.awaits
	if !awaits && (!c.inactive() || c.phase.Closed()) {
		return codes{offboarding.CodeWrongPhase}
	}
	if c.removal {
		broken := m.asking(admin, provider, c.leaver, true)
		broken.add(!m.members[c.leaver].active, offboarding.CodeAlreadyInactive)
		return broken
	}
	return m.judgeReturn(c.leaver, admin, provider)
}

func (m *model) judgeReturn(member, admin, provider string) codes {
	who := m.members[member]
	broken := m.asking(admin, provider, member, false)
	broken.add(m.seats > 0 && m.activeMembers() >= m.seats && !who.active, offboarding.CodeSeatLimitExceeded)
	broken.add(who.outside && !who.deleted && provider == "", offboarding.CodeDomainNotAssociated)
	broken.add(who.managedBy != "" && provider == "", offboarding.CodeExternallyManaged)
	broken.add(who.deleted, offboarding.CodeMemberNotFound)
	return broken
}

// remove deletes a member who is not active (rule X1): what they own and what is said
// of them stays, and their open case goes on.
func (m *model) remove(member, admin, provider string) string {
	who := m.members[member]
	if who.deleted {
		return m.nobody(admin, provider).String()
	}
	open := m.openCase(member)
	broken := m.asking(admin, provider, member, false)
	if who.active && open == nil { // offboarded first
		_, broken, _ = m.judge(start{leaver: member, by: admin, provider: provider})
	}
	broken.add(open != nil && open.phase == offboarding.PhaseScheduled, offboarding.CodeWrongPhase)
	broken.add(m.onHold(member), offboarding.CodeLegalHold)
	switch {
	case len(broken) > 0:
		return broken.String()
	case who.active && open == nil:
		return "offboards first"
	case who.active:
		return "waits"
	}
	admin = m.asker(admin, provider)
	who.deleted, who.managedBy, who.manager = true, "", ""
	for _, other := range m.members {
		if other.manager == member {
			other.manager = ""
		}
	}
	m.event(offboarding.EventDeleteMember, admin, "")
	return fmt.Sprintf("deleted, %d documents stay", len(m.owned(member)))
}

// rehire is a reactivation that need not know the case: it goes to the open one, or
// opens the one again that made the member inactive.
func (m *model) rehire(member, admin, provider string) (string, *modelCase) {
	if m.members[member].deleted {
		return m.nobody(admin, "").String(), nil
	}
	open, asking := m.openCase(member), m.asking(admin, provider, member, false)
	if open != nil && open.phase != offboarding.PhaseScheduled {
		if len(asking) > 0 {
			return asking.String(), nil
		}
		return "to the open " + open.name, nil
	}
	broken := m.judgeReturn(member, admin, provider)
	broken.add(m.members[member].active, offboarding.CodeAlreadyActive)
	if len(broken) > 0 {
		return broken.String(), nil
	}
	m.comeBack(member)
	m.event(offboarding.EventReactivateMember, m.asker(admin, provider), "")
	for _, c := range slices.Backward(m.cases) {
		if c.leaver == member && !c.removal && c.phase == offboarding.PhaseCompleted {
			c.phase, c.closed, c.reopened = offboarding.PhaseReactivated, false, true
			return "reopens " + c.name, c
		}
	}
	return "active", nil
}

// judgeMany is rule R2.
func (m *model) judgeMany(members []string) string {
	var broken codes
	broken.add(m.provider != offboarding.IdentityProviderNone, offboarding.CodeIDPAuthentication)
	distinct := slices.Compact(slices.Sorted(slices.Values(members)))
	broken.add(len(distinct) < len(members), offboarding.CodeInvalidArgument)
	if len(broken) > 0 {
		return broken.String()
	}
	return "judged"
}

func (m *model) comeBack(member string) {
	who := m.members[member]
	who.active, who.archived, who.leftBy = true, false, nil
}

func (m *model) reactivate(c *modelCase, admin, provider string) string {
	if broken := m.judgeReactivation(c, admin, provider); len(broken) > 0 {
		return broken.String()
	}
	m.settleRequests(offboarding.RequestWithdrawn, admin, func(r *modelRequest) bool { return r.of == c })
	stayed := c.phase == offboarding.PhaseRevoking
	c.phase = offboarding.PhaseReactivated
	switch {
	case c.removal:
		m.members[c.leaver].team = c.team
		m.event(offboarding.EventReturnToWorkspace, admin, "")
	case stayed: // only sessions were waited for
		m.event(offboarding.EventAdvanceOffboarding, admin, "")
	default:
		m.comeBack(c.leaver)
		m.event(offboarding.EventReactivateMember, admin, "")
	}
	return "reactivated"
}

// passOn is what the platform does with a document of its owner, outside any case.
func (m *model) passOn(d *modelDocument, to string) string {
	m.event(offboarding.EventTransferDocs, d.owner, d.name)
	if d.owner = to; !d.place.shared {
		d.place.path = ""
	}
	return "passed on"
}

// returnBatch gives back what the case moved, unless it was passed on.
func (m *model) returnBatch(c *modelCase, admin string, batch func(*modelDocument) bool) string {
	documents, schedules := 0, 0
	for _, d := range m.documentsWhere(func(d *modelDocument) bool { return d.movedBy == c && d.owner == d.movedTo }) {
		if !batch(d) || m.held(d) {
			continue
		}
		documents++
		for _, by := range m.cases {
			schedules += m.unarchiveSchedules(by, d, admin)
		}
		m.settleRequests(offboarding.RequestSuperseded, admin, func(r *modelRequest) bool { return r.document == d.name })
		m.event(offboarding.EventReturnDocs, admin, d.name)
		if d.access == offboarding.AccessArchived && d.by != nil { // by the case before it was given away, or by the new owner's
			d.access, d.by = offboarding.AccessEditable, nil
			m.event(offboarding.EventUnarchiveDocs, admin, d.name)
		}
		d.owner, d.place, d.movedBy, d.movedTo = c.leaver, d.prior, nil, ""
		m.unlock(d)
		schedules += m.resumeSchedules(d, admin)
	}
	return sweptText(documents, schedules)
}

// grantEdit gives the member an edit grant on what the case gave to others.
func (m *model) grantEdit(c *modelCase, admin string) string {
	n := 0
	for _, d := range m.documentsWhere(func(d *modelDocument) bool { return c.gave[d.name] && d.owner != c.leaver }) {
		if m.grant(d.name, c.leaver) != offboarding.GrantEdit {
			m.grants[d.name+" "+c.leaver] = offboarding.GrantEdit
			m.event(offboarding.EventGrantEdit, admin, d.name)
			n++
		}
	}
	return fmt.Sprintf("%d granted", n)
}

func (m *model) closeReactivated(c *modelCase) {
	c.closed = true
	m.event(offboarding.EventCompleteOffboarding, c.by, "")
}
