package postgres

import (
	"context"
	"reflect"
	"time"

	"handover/offboarding"
)

const (
	insertAccount = `INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, manager_id, managed_by,
		time_zone, created_at, deactivated_at, user_name, provider_id, profile, updated_at)
	VALUES ($1::uuid, $2, CASE WHEN $3::text <> '' AND NOT EXISTS (SELECT 1 FROM members m WHERE m.organization_id = $2 AND m.external_id = $3) THEN $3
			ELSE 'scim:' || ($1::uuid)::text END, $4, $5, $6, $7, $8, nullif($9, '')::uuid, $10, $11, $12, $13, $14, nullif($3, ''), $15, $12)`
	updateAccount = `UPDATE members SET user_name = $2, provider_id = nullif($3, ''), email = $4, display_name = $5, manager_id = nullif($6, '')::uuid,
		time_zone = $7, profile = $8, managed_by = $9, updated_at = $10, deprovisioned_at = NULL WHERE id = $1`
)

// CreateAccount makes a member whom the provider manages, with the role and the
// account type of the organization's settings. One whom the provider has deleted,
// under the same userName, address or externalId, comes back instead. Another's
// userName, address or externalId is refused with already_exists.
func (s *Store) CreateAccount(
	ctx context.Context, p offboarding.Provisioner, a offboarding.Account, at time.Time,
) (out offboarding.Provisioned, next offboarding.Next, err error) {
	at = at.Truncate(time.Microsecond)
	err = s.inTx(ctx, "create an account", func(t *tx) error {
		if violations := offboarding.CheckAccount(a); len(violations) > 0 {
			return offboarding.RefusalOf(violations)
		}
		var same []provisionedRow
		if err := t.list(&same, selectAccounts+` AND (`+s.called(`ARRAY[$2, $3]`)+` OR m.provider_id = nullif($4, ''))`+firstAccount, p.OrganizationID, a.UserName, a.Email(), a.ProviderID); err != nil {
			return err
		}
		if len(same) > 0 {
			if !same[0].Gone {
				return taken(&same[0], a)
			}
			if next, err = t.writeAccount(p, &same[0], a, at); err != nil {
				return err
			}
			out, err = t.readAccount(p.OrganizationID, same[0].ID)
			return err
		}
		out, err = t.insertAccount(p, a, at)
		return err
	})
	return out, next, err
}

// uniqueTo are the constraints that keep names apart, and what they are about.
var uniqueTo = map[string][2]string{
	"members_user_name_key": {"userName", "user"}, "members_email_key": {"emails", "user"}, "members_provider_id_key": {"externalId", "user"},
	"workspaces_provider_id_key": {"externalId", "group"},
}

// asTaken makes a refusal of the violation of such a constraint.
func asTaken(err error) error {
	for constraint, of := range uniqueTo {
		if violates(err, constraint) {
			return offboarding.Refuse("", offboarding.CodeAlreadyExists, of[0], "another "+of[1]+" has this "+of[0])
		}
	}
	return err
}

// taken says what of an account another has.
func taken(other *provisionedRow, a offboarding.Account) error {
	field := "emails"
	switch {
	case offboarding.SameAddress(a.UserName, other.UserName):
		field = "userName"
	case a.ProviderID != "" && a.ProviderID == other.ProviderID:
		field = "externalId"
	}
	return offboarding.Refuse("", offboarding.CodeAlreadyExists, field, "another user has this "+field)
}

func (t *tx) insertAccount(p offboarding.Provisioner, a offboarding.Account, at time.Time) (offboarding.Provisioned, error) {
	var none offboarding.Provisioned
	var locked string
	if err := t.get(&locked, lockOrganization, p.OrganizationID); err != nil { // seats are counted one after the other (rule R1)
		return none, err
	}
	o, err := t.organization(p.OrganizationID)
	if err != nil {
		return none, err
	}
	var active int
	if err := t.get(&active, countSeats, p.OrganizationID); err != nil {
		return none, err
	}
	if violations := offboarding.JudgeCreation(a, o, active); len(violations) > 0 {
		return none, offboarding.RefusalOf(violations)
	}
	id := newID().String()
	if a.ManagerID, err = t.managerOf(p.OrganizationID, id, a.ManagerID); err != nil {
		return none, err
	}
	status, deactivated := offboarding.MemberActive, (*time.Time)(nil)
	if !a.Active {
		status, deactivated = offboarding.MemberInactive, &at
	}
	_, err = t.exec(insertAccount, id, p.OrganizationID, a.ProviderID, a.Email(), a.Name(), o.ScimRole, o.ScimAccountType, status, a.ManagerID,
		p.Provider, a.TimeZone(), at, deactivated, a.UserName, string(mustJSON(a.Profile)))
	if err != nil {
		return none, asTaken(err)
	}
	after := accountState(a, p.Provider)
	after["status"], after["role"], after["account_type"] = status, o.ScimRole, o.ScimAccountType
	err = t.auditOf(p.OrganizationID, p.Origin(), at, change{
		event: offboarding.EventCreateMember, actor: p.AdminID, member: id, kind: offboarding.SubjectMember, subject: id, after: after,
	})
	if err != nil {
		return none, err
	}
	return t.readAccount(p.OrganizationID, id)
}

func (t *tx) readAccount(organizationID, id string) (offboarding.Provisioned, error) {
	row, err := t.account(selectAccount, organizationID, id)
	if err != nil {
		return offboarding.Provisioned{}, err
	}
	return row.provisioned()
}

// WriteAccount changes an account by what write makes of it, and the member is
// managed by the provider from then on (rule E5). A change of Active is judged with
// the rest, all or nothing, and is left to the caller: next says what there is to do.
func (s *Store) WriteAccount(
	ctx context.Context, p offboarding.Provisioner, id string, write func(offboarding.Account) (offboarding.Account, error), at time.Time,
) (out offboarding.Provisioned, next offboarding.Next, err error) {
	at = at.Truncate(time.Microsecond)
	err = s.inTx(ctx, "write an account", func(t *tx) error {
		row, err := t.account(lockAccount, p.OrganizationID, id)
		if err != nil {
			return err
		}
		current, err := row.provisioned()
		if err != nil {
			return err
		}
		want, err := write(current.Account)
		if err != nil {
			return err
		}
		if next, err = t.writeAccount(p, row, want, at); err != nil {
			return err
		}
		out, err = t.readAccount(p.OrganizationID, id)
		return err
	})
	return out, next, err
}

// writeAccount writes what differs and judges a change of Active.
func (t *tx) writeAccount(p offboarding.Provisioner, row *provisionedRow, want offboarding.Account, at time.Time) (offboarding.Next, error) {
	if len(want.Profile.Emails) == 0 {
		want.Profile.Emails = nil // as it is read
	}
	current, err := row.provisioned()
	if err != nil {
		return "", err
	}
	same := current.Account
	same.Active = want.Active
	if violations := offboarding.CheckAccount(want); len(violations) > 0 && !reflect.DeepEqual(same, want) { // what is here already keeps nobody in
		return "", offboarding.RefusalOf(violations)
	}
	if want.ManagerID, err = t.managerOf(p.OrganizationID, row.ID, want.ManagerID); err != nil {
		return "", err
	}
	before, after := accountState(current.Account, row.ManagedBy), accountState(want, p.Provider)
	if row.Gone {
		before["deprovisioned"], after["deprovisioned"] = true, false
	}
	for key := range after {
		if reflect.DeepEqual(before[key], after[key]) {
			delete(before, key)
			delete(after, key)
		}
	}
	if len(after) > 0 {
		_, err = t.exec(updateAccount, row.ID, want.UserName, want.ProviderID, want.Email(), want.Name(), want.ManagerID, want.TimeZone(),
			string(mustJSON(want.Profile)), p.Provider, at)
		if err = asTaken(err); err == nil {
			err = t.auditOf(p.OrganizationID, p.Origin(), at, change{
				event: offboarding.EventUpdateMember, actor: p.AdminID, member: row.ID, kind: offboarding.SubjectMember, subject: row.ID,
				before: before, after: after,
			})
		}
		if err != nil {
			return "", err
		}
	}
	return t.judgeNext(p, row, want.Active, at)
}

// accountState is what the audit says of an account. Its texts are under keys of
// texts, so that a deletion erases them (without_texts).
func accountState(a offboarding.Account, managedBy string) state {
	p := a.Profile
	return state{
		"user_name": a.UserName, "external_id": a.ProviderID, "email": a.Email(), "manager_id": a.ManagerID, "managed_by": managedBy,
		"formatted_name": p.Formatted, "given_name": p.GivenName, "family_name": p.FamilyName, "display_name": p.DisplayName,
		"title": p.Title, "time_zone_text": p.TimeZone, "emails": p.Emails,
	}
}

// judgeNext says what a change of Active needs, or why the rules do not let it be.
func (t *tx) judgeNext(p offboarding.Provisioner, row *provisionedRow, active bool, at time.Time) (offboarding.Next, error) {
	switch {
	case row.GetsIn && !active:
		r := offboarding.Request{MemberID: row.ID, Provider: p.Provider, Origin: p.Origin()}
		f, err := t.admissionFacts(r, at)
		if err != nil {
			return "", err
		}
		return offboarding.NextDeactivate, t.judge(&offboarding.Preview{}, r, f, at)
	case !row.GetsIn && active:
		if row.Status == offboarding.MemberActive {
			return offboarding.NextReactivate, nil // sessions are waited for; the case knows what can be done
		}
		r := offboarding.ReactivationRequest{MemberID: row.ID, Provider: p.Provider, Origin: p.Origin()}
		f := offboarding.ReactivationFacts{Provider: p.Provider}
		var err error
		if f.Admin, f.Leaver, err = t.asker(r.MemberID, "", r.Provider); err != nil {
			return "", err
		}
		if f.Organization, err = t.organization(p.OrganizationID); err != nil {
			return "", err
		}
		if err := t.get(&f.ActiveMembers, countSeats, p.OrganizationID); err != nil {
			return "", err
		}
		return offboarding.NextReactivate, offboarding.JudgeReopening(r, f)
	}
	return offboarding.NextNothing, nil
}

// selectManager finds a manager by what the provider knows them by, else by userName.
const selectManager = `SELECT m.id FROM members m` + provisionable + ` AND (m.provider_id = $2 OR ` + userName + ` = lower($2))`

// managerOf resolves a manager as the provider writes it; one whom there is not is
// none, as providers send managers who were not provisioned.
func (t *tx) managerOf(organizationID, memberID, ref string) (string, error) {
	if ref == "" || len(ref) > 1000 {
		return "", nil
	}
	var id string
	if isID(ref) {
		m, err := t.memberByID(ref, selectMember)
		if err != nil || m != nil && (m.OrganizationID != organizationID || m.ID == memberID) {
			return "", err
		}
		if m != nil {
			return m.ID, nil
		}
	}
	if _, err := t.find(&id, selectManager+` AND (`+t.store.called(`ARRAY[$2]`)+` OR m.provider_id = $2) ORDER BY m.provider_id = $2 DESC NULLS LAST LIMIT 1`, organizationID, ref); err != nil || id == memberID {
		return "", err
	}
	return id, nil
}
