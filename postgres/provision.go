package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"handover/offboarding"
)

const (
	// getsIn tells whether a member m is active and not about to lose it: while a case waits for sessions to end (rule S1), the
	// provider has its way already.
	getsIn = `(m.status = 'active' AND NOT EXISTS (SELECT 1 FROM cases c
		WHERE c.member_id = m.id AND c.workspace_id IS NULL AND c.closed_at IS NULL AND c.phase = 'revoking'))`
	userName = `lower(coalesce(m.user_name, m.email))` // as the index has it

	selectProvisioned = `SELECT ` + memberColumns + `, coalesce(m.user_name, m.email) AS user_name, coalesce(m.provider_id, '') AS provider_id,
		m.profile, ` + getsIn + ` AS gets_in, m.deprovisioned_at IS NOT NULL AS gone, m.updated_at IS NOT NULL AS written, m.created_at,
		greatest(m.created_at, m.updated_at, m.deactivated_at) AS updated_at FROM members m`
	// The provider does not see who is deleted, by whomever.
	provisionable = ` WHERE m.organization_id = $1 AND m.status <> 'deleted' AND m.deprovisioned_at IS NULL`

	selectAccount  = selectProvisioned + provisionable + ` AND m.id = $2`
	lockAccount    = selectProvisioned + ` WHERE m.organization_id = $1 AND m.status <> 'deleted' AND m.id = $2 FOR NO KEY UPDATE OF m`
	selectAccounts = selectProvisioned + ` WHERE m.organization_id = $1 AND m.status <> 'deleted'
		AND (` + userName + ` = lower($2) OR lower(m.email) = lower($3) OR m.provider_id = nullif($4, ''))`
	firstAccount = ` ORDER BY m.deprovisioned_at IS NOT NULL, ` + userName + ` <> lower($2), m.id FOR NO KEY UPDATE OF m`
)

// provisionedRow is a member as the provider sees them, as stored.
type provisionedRow struct {
	offboarding.Member
	UserName   string    `db:"user_name"`
	ProviderID string    `db:"provider_id"`
	Profile    []byte    `db:"profile"`
	GetsIn     bool      `db:"gets_in"`
	Gone       bool      `db:"gone"`    // the provider has deleted the account
	Written    bool      `db:"written"` // a provider has written the profile
	CreatedAt  time.Time `db:"created_at"`
	UpdatedAt  time.Time `db:"updated_at"`
}

// provisioned reads a row. Of a member whom no provider has written yet, the
// profile is made of what there is.
func (r *provisionedRow) provisioned() (offboarding.Provisioned, error) {
	p := offboarding.Provisioned{Member: r.Member, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	p.Account = offboarding.Account{UserName: r.UserName, ProviderID: r.ProviderID, Active: r.GetsIn, ManagerID: r.ManagerID}
	if !r.Written {
		p.Account.Profile = offboarding.Profile{
			Formatted: r.DisplayName, DisplayName: r.DisplayName, TimeZone: r.TimeZone,
			Emails: []offboarding.Address{{Email: r.Email, Type: "work", Primary: true}},
		}
		return p, nil
	}
	if err := json.Unmarshal(r.Profile, &p.Account.Profile); err != nil {
		return p, fmt.Errorf("the profile of a member cannot be read: %w", err)
	}
	return p, nil
}

// noAccount is the answer for everybody whom the provider does not see, another
// tenant's members too.
func noAccount() error {
	return offboarding.Refuse("E1", offboarding.CodeMemberNotFound, "id", "there is no such user")
}

func (t *tx) account(query, organizationID, id string) (*provisionedRow, error) {
	if !isID(id) {
		return nil, noAccount()
	}
	var row provisionedRow
	found, err := t.find(&row, query, organizationID, id)
	if err == nil && (!found || row.Gone) {
		err = noAccount()
	}
	return &row, err
}

// Account is a member as the organization's identity provider sees them.
func (s *Store) Account(ctx context.Context, organizationID, id string) (out offboarding.Provisioned, err error) {
	err = s.inTx(ctx, "read an account", func(t *tx) error {
		row, err := t.account(selectAccount, organizationID, id)
		if err == nil {
			out, err = row.provisioned()
		}
		return err
	})
	return out, err
}

// Accounts lists the members whom the provider sees, and counts them all.
func (s *Store) Accounts(ctx context.Context, f offboarding.ProvisionFilter) (out []offboarding.Provisioned, total int, err error) {
	c := &conditions{args: []any{f.OrganizationID}}
	if err := c.provisioned(f.Condition, s.memberFields()); err != nil {
		return nil, 0, err
	}
	err = s.inTx(ctx, "list accounts", func(t *tx) error {
		var rows []provisionedRow
		if total, err = provisionedPage(t, &rows, `FROM members m`+provisionable, selectProvisioned+provisionable, c, "m.id", f); err != nil {
			return err
		}
		out = make([]offboarding.Provisioned, len(rows))
		for i := range rows {
			if out[i], err = rows[i].provisioned(); err != nil {
				return err
			}
		}
		return nil
	})
	return out, total, err
}

const (
	// It may be archived already: whom Entra manages is, some time after the deactivation.
	deprovision = `UPDATE members SET deprovisioned_at = $2, updated_at = $2, status = CASE WHEN status = 'inactive' THEN 'archived' ELSE status END
		WHERE id = $1`
)

// BeginDeprovision judges that a provider deletes an account, by the organization's
// policy, and changes nothing but who manages the member.
func (s *Store) BeginDeprovision(
	ctx context.Context, p offboarding.Provisioner, id string, at time.Time,
) (next offboarding.Next, policy offboarding.ScimDelete, err error) {
	at = at.Truncate(time.Microsecond)
	err = s.inTx(ctx, "delete an account", func(t *tx) error {
		row, err := t.account(lockAccount, p.OrganizationID, id)
		if err != nil {
			return err
		}
		o, err := t.organization(p.OrganizationID)
		if err != nil {
			return err
		}
		policy = o.ScimDelete
		current, err := row.provisioned()
		if err != nil {
			return err
		}
		current.Account.Active = false
		if next, err = t.writeAccount(p, row, current.Account, at); err != nil {
			return err
		}
		if policy != offboarding.ScimDeleteForGood {
			return nil
		}
		held, err := t.memberHeld(id)
		if held && err == nil {
			err = offboarding.Refuse("H1", offboarding.CodeLegalHold, "id", "a legal hold is on the member, who is not deleted until it is lifted")
		}
		return err
	})
	return next, policy, err
}

// Deprovision takes an account that has been deactivated out of the provider's
// sight and archives it. One that waits for sessions to end (rule S1) is archived
// when they have.
func (s *Store) Deprovision(ctx context.Context, p offboarding.Provisioner, id string, at time.Time) error {
	at = at.Truncate(time.Microsecond)
	return s.inTx(ctx, "delete an account", func(t *tx) error {
		row, err := t.account(lockAccount, p.OrganizationID, id)
		if err != nil {
			return err
		}
		if row.GetsIn { // came back meanwhile
			return offboarding.Refuse("", offboarding.CodeTryAgain, "id", "the member became active meanwhile; try again")
		}
		if _, err := t.exec(deprovision, id, at); err != nil {
			return err
		}
		status := row.Status
		if status == offboarding.MemberInactive {
			status = offboarding.MemberArchived
		}
		return t.auditOf(p.OrganizationID, p.Origin(), at, change{
			event: offboarding.EventArchiveMember, actor: p.AdminID, member: id, kind: offboarding.SubjectMember, subject: id,
			before: state{"status": row.Status, "deprovisioned": false}, after: state{"status": status, "deprovisioned": true},
		})
	})
}
