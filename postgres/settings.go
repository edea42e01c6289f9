package postgres

import (
	"context"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

const updateSettings = `UPDATE organizations SET claim_policy = $2, grace_period_seconds = $3, default_disposition = $4, attribution = $5,
	sso_sessions = $6, seat_limit = $7, bulk_limit_percent = $8, domains = $9, time_zone = $10,
	provisioning_admin_id = nullif($11, '')::uuid, enterprise_plan_manager = $12,
	scim_delete = $13, scim_role = $14, scim_account_type = $15 WHERE id = $1`

// ChangeSettings changes settings of an organization, with an audit event for
// each that really changes, and answers with the organization as it is then. Two
// changes at a time happen one after the other.
func (s *Store) ChangeSettings(ctx context.Context, c offboarding.SettingsChange) (
	o offboarding.Organization, changed []offboarding.SettingChanged, err error,
) {
	at := c.At.Truncate(time.Microsecond)
	err = s.inTx(ctx, "change settings", func(t *tx) error {
		f, err := t.settingsFacts(c)
		if err != nil {
			return err
		}
		if o, changed, err = offboarding.ChangeSettings(c, f); err != nil || len(changed) == 0 {
			return err
		}
		_, err = t.exec(updateSettings, o.ID, o.ClaimPolicy, int64(o.GracePeriod/time.Second), o.DefaultDisposition, o.Attribution,
			o.SSOSessions, o.SeatLimit, o.BulkLimitPercent, pq.Array(o.Domains), o.TimeZone, o.ProvisioningAdminID, o.EnterprisePlanManager,
			o.ScimDelete, o.ScimRole, o.ScimAccountType)
		for i := 0; err == nil && i < len(changed); i++ {
			err = t.auditOf(o.ID, c.Origin, at, change{
				event: offboarding.EventChangeSettings, actor: f.Admin.Member.ID, kind: offboarding.SubjectOrganization, subject: o.ID,
				before: state{changed[i].Name: changed[i].Before}, after: state{changed[i].Name: changed[i].After},
			})
		}
		return err
	})
	return o, changed, err
}

// settingsFacts locks the organization and loads what the rules need.
func (t *tx) settingsFacts(c offboarding.SettingsChange) (f offboarding.SettingsFacts, err error) {
	var id string
	found := false
	if isID(c.OrganizationID) {
		if found, err = t.find(&id, lockOrganization, c.OrganizationID); err != nil {
			return f, err
		}
	}
	if !found {
		return f, offboarding.Refuse("", offboarding.CodeInvalidArgument, "organization", "there is no such organization")
	}
	if f.Organization, err = t.organization(id); err != nil {
		return f, err
	}
	if f.Admin, err = t.actor(c.AdminID, id, "admin_id"); err != nil {
		return f, err
	}
	if f.ProvisioningAdmin, err = t.memberByID(c.Changes["provisioning_admin"], selectMember); err != nil {
		return f, err
	}
	return f, t.get(&f.ActiveMembers, countActiveMembers, id)
}
