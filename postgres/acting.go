package postgres

import "handover/offboarding"

// acting is an admin who sends a message to a case.
type acting struct {
	offboarding.Actor
	leaver *offboarding.Member
	zone   string // in which the message's dates are meant (rule L1)
}

func (t *tx) actingOn(c *caseRow, adminRef string) (acting, error) {
	var a acting
	var err error
	if a.Actor, err = t.actor(adminRef, c.OrganizationID, "admin_id"); err != nil {
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
		violations[i].Field = "admin_id"
	}
	return offboarding.RefusalOf(violations)
}
