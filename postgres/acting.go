package postgres

import "handover/offboarding"

// acting is who sends a message to a case: an admin, or whom the audit names for
// an identity provider.
type acting struct {
	offboarding.Actor
	leaver       *offboarding.Member
	zone         string                   // in which the message's dates are meant (rule L1)
	organization offboarding.Organization // of a message that may come from a provider
}

// asking is actingOn for a message that may come on behalf of an identity
// provider, which need not name anybody: the provisioning admin is meant then.
func (t *tx) asking(c *caseRow, adminRef, provider string) (acting, error) {
	o, err := t.organization(c.OrganizationID)
	if err != nil {
		return acting{}, err
	}
	a, err := t.actingOn(c, adminRef)
	if err == nil && adminRef == "" && provider != "" {
		a.Actor, err = t.provisioningAdmin(o)
	}
	a.organization = o
	return a, err
}

func (t *tx) actingOn(c *caseRow, adminRef string) (acting, error) {
	var a acting
	var err error
	if a.Actor, err = t.actorOn(c, adminRef); err != nil {
		return a, err
	}
	if a.leaver, err = t.memberByID(c.MemberID, selectMember); err != nil {
		return a, err
	}
	if a.zone = a.leaver.TimeZone; a.zone == "" {
		err = t.get(&a.zone, `SELECT time_zone FROM organizations WHERE id = $1`, c.OrganizationID)
	}
	return a, err
}

func (a acting) refusal(violations []offboarding.Violation) error {
	for i := range violations {
		if violations[i].Field == "requested_by" {
			violations[i].Field = "admin_id"
		}
	}
	return offboarding.RefusalOf(violations)
}
