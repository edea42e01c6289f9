package postgres

import (
	"strings"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

const memberColumns = `m.id, m.organization_id, m.external_id, m.email, m.display_name, m.role, m.account_type, m.status,
	coalesce(m.manager_id::text, '') AS manager_id, m.managed_by, m.time_zone`

const (
	selectMember      = `SELECT ` + memberColumns + ` FROM members m WHERE m.id = $1`
	selectMemberShare = selectMember + ` FOR SHARE`
	// By external ID, in one organization, or with "" in all.
	selectMemberByExternal = `SELECT ` + memberColumns + ` FROM members m
	WHERE m.external_id = $1 AND ($2 = '' OR m.organization_id::text = $2) LIMIT 2`
	// In the organizations below one that has enterprise plan manager on (rule A1).
	organizationsBelow = `WITH RECURSIVE down AS (
		SELECT id FROM organizations WHERE parent_id = $2 AND EXISTS (SELECT 1 FROM organizations WHERE id = $2 AND enterprise_plan_manager)
		UNION SELECT o.id FROM organizations o JOIN down ON o.parent_id = down.id) `
	selectMemberBelow = organizationsBelow + `SELECT ` + memberColumns + ` FROM members m WHERE m.external_id = $1 AND m.organization_id IN (SELECT id FROM down) LIMIT 2`
	// In the organizations above one that have enterprise plan manager on.
	selectMemberAbove = `WITH RECURSIVE up AS (
		SELECT parent_id FROM organizations WHERE id = $2
		UNION SELECT o.parent_id FROM organizations o JOIN up ON o.id = up.parent_id)
	SELECT ` + memberColumns + ` FROM members m JOIN organizations a ON a.id = m.organization_id AND a.enterprise_plan_manager
	WHERE m.external_id = $1 AND a.id IN (SELECT parent_id FROM up) LIMIT 2`
)

// externalPrefix marks a reference by external ID.
const externalPrefix = "external:"

// member finds a member by ID or "external:<external id>"; nil when there is
// none, or none any more: a deleted member is nobody (rule X1). organizationID
// narrows external IDs, "" for all organizations.
func (t *tx) member(ref, organizationID, field string) (*offboarding.Member, error) {
	if external, ok := strings.CutPrefix(ref, externalPrefix); ok {
		return t.memberByExternal(selectMemberByExternal, external, organizationID, field)
	}
	m, err := t.memberByID(ref, selectMember)
	if m != nil && m.Status == offboarding.MemberDeleted {
		return nil, err
	}
	return m, err
}

// memberByExternal finds a member by external ID where the query looks.
func (t *tx) memberByExternal(query, external, organizationID, field string) (*offboarding.Member, error) {
	var found []offboarding.Member
	if err := t.list(&found, query, external, organizationID); err != nil || len(found) == 0 {
		return nil, err
	}
	if len(found) > 1 {
		return nil, offboarding.Refuse("E1", offboarding.CodeAmbiguousMember, field,
			field+" names members of several organizations; use the member's ID")
	}
	if found[0].Status == offboarding.MemberDeleted {
		return nil, nil
	}
	return &found[0], nil
}

// sharedMember finds a member by ID and keeps the account as it is until the
// transaction ends.
func (t *tx) sharedMember(id string) (*offboarding.Member, error) {
	return t.memberByID(id, selectMemberShare)
}

func (t *tx) memberByID(id, query string) (*offboarding.Member, error) {
	if !isID(id) {
		return nil, nil
	}
	var m offboarding.Member
	found, err := t.find(&m, query, id)
	if err != nil || !found {
		return nil, err
	}
	return &m, nil
}

// organizationRow is an organization as stored.
type organizationRow struct {
	ID           string         `db:"id"`
	ParentID     string         `db:"parent_id"`
	Slug         string         `db:"slug"`
	Name         string         `db:"name"`
	Domains      pq.StringArray `db:"domains"`
	SeatLimit    int            `db:"seat_limit"`
	ClaimPolicy  string         `db:"claim_policy"`
	GraceSeconds int64          `db:"grace_period_seconds"`
	Disposition  string         `db:"default_disposition"`
	TimeZone     string         `db:"time_zone"`
	IDP          string         `db:"identity_provider"`
	EPM          bool           `db:"enterprise_plan_manager"`
	Provisioning string         `db:"provisioning_admin_id"`
	SSOSessions  string         `db:"sso_sessions"`
	Attribution  string         `db:"attribution"`
	BulkLimit    int            `db:"bulk_limit_percent"`
	ScimDelete   string         `db:"scim_delete"`
	ScimRole     string         `db:"scim_role"`
	ScimAccount  string         `db:"scim_account_type"`
}

const selectOrganization = `SELECT id, coalesce(parent_id::text, '') AS parent_id, slug, name, domains, seat_limit, claim_policy,
	grace_period_seconds, default_disposition, time_zone, identity_provider, enterprise_plan_manager,
	coalesce(provisioning_admin_id::text, '') AS provisioning_admin_id, sso_sessions, attribution, bulk_limit_percent,
	scim_delete, scim_role, scim_account_type
	FROM organizations WHERE id = $1`

func (t *tx) organization(id string) (offboarding.Organization, error) {
	var o organizationRow
	if err := t.get(&o, selectOrganization, id); err != nil {
		return offboarding.Organization{}, err
	}
	return offboarding.Organization{
		ID: o.ID, ParentID: o.ParentID, Slug: o.Slug, Name: o.Name, Domains: o.Domains, SeatLimit: o.SeatLimit,
		ClaimPolicy: offboarding.ClaimPolicy(o.ClaimPolicy), GracePeriod: time.Duration(o.GraceSeconds) * time.Second,
		DefaultDisposition: offboarding.Disposition(o.Disposition), TimeZone: o.TimeZone, IdentityProvider: o.IDP,
		EnterprisePlanManager: o.EPM, ProvisioningAdminID: o.Provisioning, SSOSessions: offboarding.SSOSessions(o.SSOSessions),
		Attribution: offboarding.Attribution(o.Attribution), BulkLimitPercent: o.BulkLimit,
		ScimDelete: offboarding.ScimDelete(o.ScimDelete), ScimRole: offboarding.Role(o.ScimRole), ScimAccountType: offboarding.AccountType(o.ScimAccount),
	}, nil
}

// selectAncestorReach asks whether an organization is an ancestor of another and
// has enterprise plan manager on (rule A1).
const selectAncestorReach = `WITH RECURSIVE up AS (
		SELECT parent_id FROM organizations WHERE id = $1
		UNION SELECT o.parent_id FROM organizations o JOIN up ON o.id = up.parent_id)
	SELECT EXISTS (SELECT 1 FROM organizations a WHERE a.id = $2 AND a.enterprise_plan_manager
		AND a.id IN (SELECT parent_id FROM up))`

// actor finds who asks, and how the actor stands to the organization.
func (t *tx) actor(ref, organizationID, field string) (offboarding.Actor, error) {
	m, err := t.member(ref, organizationID, field)
	if external, ok := strings.CutPrefix(ref, externalPrefix); ok && m == nil && err == nil {
		m, err = t.memberByExternal(selectMemberAbove, external, organizationID, field)
	}
	if err != nil || m == nil {
		return offboarding.Actor{}, err
	}
	reach, err := t.reach(m, organizationID)
	return offboarding.Actor{Member: m, Reach: reach}, err
}

func (t *tx) reach(m *offboarding.Member, organizationID string) (offboarding.Reach, error) {
	if m.OrganizationID == organizationID {
		return offboarding.ReachOwn, nil
	}
	var ancestor bool
	if err := t.get(&ancestor, selectAncestorReach, organizationID, m.OrganizationID); err != nil || !ancestor {
		return offboarding.ReachNone, err
	}
	return offboarding.ReachAncestor, nil
}

// selectOtherOwners counts the active owners other than a member who are not
// being offboarded at that moment (rule A3). A start ($4) counts those out too
// whose time has come but who are not looked at yet; a second look does not, or
// owners who leave at one moment would refuse each other.
const (
	ownersWhoStay = `m.role = 'owner' AND m.status = 'active'
	AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.member_id = m.id AND c.closed_at IS NULL AND c.workspace_id IS NULL
		AND (c.phase NOT IN ('scheduled', 'reactivated') OR $4 AND c.phase = 'scheduled' AND c.effective_at <= $3))`

	selectOtherOwners = `SELECT count(*) FROM members m WHERE m.organization_id = $1 AND m.id <> $2 AND ` + ownersWhoStay
)

const lockOrganization = `SELECT id FROM organizations WHERE id = $1 FOR NO KEY UPDATE`

// eligibility completes the facts about a leaver who was found: organization,
// owners left, manager and the new owner asked for.
func (t *tx) eligibility(f *offboarding.AdmissionFacts, newOwner string, now time.Time, start bool) error {
	leaver := f.Leaver
	var err error
	if f.Organization, err = t.organization(leaver.OrganizationID); err != nil {
		return err
	}
	if leaver.Role == offboarding.RoleOwner {
		// Two last owners offboarded at the same moment meet here.
		var id string
		if err := t.get(&id, lockOrganization, leaver.OrganizationID); err != nil {
			return err
		}
		if err := t.get(&f.OtherActiveOwners, selectOtherOwners, leaver.OrganizationID, leaver.ID, now, start); err != nil {
			return err
		}
	}
	if newOwner == "" && f.FromProvider {
		newOwner = f.Organization.ProvisioningAdminID // rule N2
	}
	if newOwner == "" && !f.FromProvider {
		return nil
	}
	if leaver.ManagerID != "" {
		if f.Manager, err = t.memberByID(leaver.ManagerID, selectMember); err != nil {
			return err
		}
	}
	if newOwner == offboarding.NewOwnerManager {
		f.NewOwner = f.Manager
		return nil
	}
	f.NewOwner, err = t.member(newOwner, leaver.OrganizationID, "new_owner_id")
	return err
}

// admissionFacts loads what the rules need to judge a start.
func (t *tx) admissionFacts(r offboarding.Request, now time.Time) (offboarding.AdmissionFacts, error) {
	var f offboarding.AdmissionFacts
	if r.Provider != "" {
		f.FromProvider = true
		var err error
		if f.Actor, f.Leaver, err = t.providersLeaver(r); err != nil || f.Leaver == nil {
			return f, err
		}
		return f, t.eligibility(&f, r.NewOwnerID, now, true)
	}
	actor, leaver, err := t.actorAndLeaver(r)
	if err != nil {
		return f, err
	}
	f.Actor = offboarding.Actor{Member: actor, Reach: offboarding.ReachOwn} // a leaver out of reach: judge the role alone
	if leaver == nil || actor == nil {
		return f, nil
	}
	reach, err := t.reach(actor, leaver.OrganizationID)
	if err != nil || reach == offboarding.ReachNone {
		return f, err // as if there were no such member (rule E1)
	}
	f.Actor.Reach, f.Leaver = reach, leaver
	return f, t.eligibility(&f, r.NewOwnerID, now, true)
}

// actorAndLeaver resolves the two references of a start. An external ID alone
// may exist in many organizations; the other reference tells which is meant.
func (t *tx) actorAndLeaver(r offboarding.Request) (actor, leaver *offboarding.Member, err error) {
	if !strings.HasPrefix(r.RequestedBy, externalPrefix) {
		if actor, err = t.member(r.RequestedBy, "", "requested_by"); err != nil || actor == nil {
			return nil, nil, err
		}
		leaver, err = t.member(r.MemberID, actor.OrganizationID, "member_id")
		if external, ok := strings.CutPrefix(r.MemberID, externalPrefix); ok && leaver == nil && err == nil {
			leaver, err = t.memberByExternal(selectMemberBelow, external, actor.OrganizationID, "member_id")
		}
		return actor, leaver, err
	}
	leaver, err = t.member(r.MemberID, "", "member_id")
	if err != nil {
		return nil, nil, err
	}
	if leaver == nil {
		actor, err = t.member(r.RequestedBy, "", "requested_by")
		return actor, nil, err
	}
	found, err := t.actor(r.RequestedBy, leaver.OrganizationID, "requested_by")
	return found.Member, leaver, err
}
