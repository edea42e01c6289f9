package postgres

import (
	"strings"

	"handover/offboarding"
)

// selectMemberOfProvider finds a member by external ID in the organizations that
// have an identity provider.
const selectMemberOfProvider = `SELECT ` + memberColumns + ` FROM members m JOIN organizations o ON o.id = m.organization_id
	WHERE m.external_id = $1 AND o.identity_provider = $2 LIMIT 2`

// providersLeaver resolves the references of a start on behalf of an identity
// provider: it reaches the organizations that have it, and the audit names the
// provisioning admin where the request names nobody.
func (t *tx) providersLeaver(r offboarding.Request) (actor offboarding.Actor, leaver *offboarding.Member, err error) {
	if external, ok := strings.CutPrefix(r.MemberID, externalPrefix); ok {
		leaver, err = t.memberByExternal(selectMemberOfProvider, external, r.Provider, "member_id")
	} else {
		leaver, err = t.member(r.MemberID, "", "member_id")
	}
	if err != nil || leaver == nil {
		return actor, nil, err
	}
	if r.RequestedBy == "" {
		o, err := t.organization(leaver.OrganizationID)
		if err != nil {
			return actor, leaver, err
		}
		actor, err = t.provisioningAdmin(o)
		return actor, leaver, err
	}
	actor, err = t.actor(r.RequestedBy, leaver.OrganizationID, "requested_by")
	if actor.Reach == offboarding.ReachNone {
		actor.Member = nil // another tenant's
	}
	return actor, leaver, err
}

// provisioningAdmin is whom the audit names where a provider names nobody: also one
// who has left or was deleted, as what a provider takes away must be gone.
func (t *tx) provisioningAdmin(o offboarding.Organization) (offboarding.Actor, error) {
	m, err := t.memberByID(o.ProvisioningAdminID, selectMember)
	return offboarding.Actor{Member: m, Reach: offboarding.ReachOwn}, err
}
