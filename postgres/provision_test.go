package postgres_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// provisioned is an organization that Okta provisions.
func provisioned(t *testing.T) (*leaving, offboarding.Provisioner) {
	t.Helper()
	l := newLeaving(t)
	l.Provisioned("okta")
	return l, offboarding.Provisioner{OrganizationID: l.ID, Provider: "okta", Name: "Example", AdminID: l.Admin}
}

func account(userName string) offboarding.Account {
	return offboarding.Account{
		UserName: userName, ProviderID: "00u-" + userName, Active: true,
		Profile: offboarding.Profile{GivenName: "Ada", FamilyName: "Lovelace", Emails: []offboarding.Address{{Email: userName + "@acme.example", Primary: true}}},
	}
}

func raw(t *testing.T, err error) {
	t.Helper()
	var failed *postgres.Error
	if errors.As(err, &failed) {
		t.Log(failed.Raw())
	}
	require.NoError(t, err)
}

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	l, p := provisioned(t)
	made, next, err := l.store.CreateAccount(t.Context(), p, account("ada"), l.at)
	raw(t, err)
	require.Empty(t, next)
	require.Equal(t, "ada@acme.example Ada Lovelace reader viewer active okta 00u-ada ada 00u-ada", l.Text(`SELECT concat_ws(' ', email, display_name, role, account_type,
		status, managed_by, external_id, user_name, provider_id) FROM members WHERE id = $1`, made.Member.ID))
	require.Equal(t, "CreateMember okta "+l.Admin+" APPLICATION,Okta,SCIM", l.Text(`SELECT concat_ws(' ', event, after->>'managed_by', actor_id, origin)
		FROM audit_events WHERE member_id = $1`, made.Member.ID))
	read, err := l.store.Account(t.Context(), l.ID, made.Member.ID)
	raw(t, err)
	require.Equal(t, made, read)

	// What another has is refused, by whatever it is found.
	for field, change := range map[string]func(*offboarding.Account){
		"userName":   func(a *offboarding.Account) { a.UserName = "ADA" },
		"emails":     func(a *offboarding.Account) { a.Profile.Emails[0].Email = "Ada@ACME.example" },
		"externalId": func(a *offboarding.Account) { a.ProviderID = "00u-ada" },
	} {
		a := account("bob")
		change(&a)
		_, _, err = l.store.CreateAccount(t.Context(), p, a, l.at)
		var refusal *offboarding.Refusal
		require.ErrorAs(t, err, &refusal, field)
		require.Equal(t, []offboarding.Violation{{Code: "already_exists", Field: field, Message: "another user has this " + field}}, refusal.Violations)
	}
	// Another tenant's names are no names here, and its members nobody.
	other := fixture.New(t, l.DB)
	other.Provisioned("entra")
	q := offboarding.Provisioner{OrganizationID: other.ID, Provider: "entra", AdminID: other.Admin}
	_, _, err = l.store.CreateAccount(t.Context(), q, account("ada"), l.at)
	raw(t, err)
	_, err = l.store.Account(t.Context(), other.ID, made.Member.ID)
	require.Equal(t, offboarding.CodeMemberNotFound, offboarding.CodeOf(err))
	_, _, err = l.store.WriteAccount(t.Context(), q, made.Member.ID, func(a offboarding.Account) (offboarding.Account, error) { return a, nil }, l.at)
	require.Equal(t, offboarding.CodeMemberNotFound, offboarding.CodeOf(err))
	_, _, err = l.store.BeginDeprovision(t.Context(), q, made.Member.ID, l.at)
	require.Equal(t, offboarding.CodeMemberNotFound, offboarding.CodeOf(err))

	// Seats are counted (rule R1); an account that is not active takes none.
	l.Exec(`UPDATE organizations SET seat_limit = 5 WHERE id = $1`, l.ID)
	a := account("cyd")
	_, _, err = l.store.CreateAccount(t.Context(), p, a, l.at)
	require.Equal(t, offboarding.CodeSeatLimitExceeded, offboarding.CodeOf(err))
	a.Active = false
	made, _, err = l.store.CreateAccount(t.Context(), p, a, l.at)
	raw(t, err)
	require.False(t, made.Account.Active)
}

// What a provider asks for with every change (is there this userName, this
// externalId, this ID?) and what a create looks for is found by an index, also among
// 100,000 members.
func TestAProviderReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	db.SetMaxOpenConns(1) // which counts its scans and tells them when asked
	l := newLeavingOn(t, fixture.New(t, db), postgres.New(db))
	l.Provisioned("okta")
	p := offboarding.Provisioner{OrganizationID: l.ID, Provider: "okta", AdminID: l.Admin}
	l.Exec(`INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at,
			user_name, provider_id)
		SELECT gen_random_uuid(), $1, 'x' || i, 'x' || i || '@acme.example', 'X', 'reader', 'viewer', 'active', 'okta', '', $2,
			CASE WHEN i % 2 = 0 THEN 'user' || i END, 'p' || i FROM generate_series(1, 100000) i`, l.ID, l.at)
	l.Exec(`ANALYZE`)
	scans := func() int {
		t.Helper()
		l.Exec(`SELECT pg_stat_force_next_flush()`)
		l.Exec(`SELECT pg_stat_clear_snapshot()`)
		return l.Count(`SELECT coalesce(seq_scan, 0) FROM pg_stat_user_tables WHERE relname = 'members'`)
	}
	before := scans()
	for range 8 { // the later ones with a plan made for any value
		for field, value := range map[string]string{
			"userName": "USER77776", "externalId": "p5", "emails.value": "x9@acme.example", "id": l.Leaver,
		} {
			found, total, err := l.store.Accounts(t.Context(), offboarding.ProvisionFilter{
				OrganizationID: l.ID, Limit: 10, Condition: &offboarding.Condition{Field: field, Op: "eq", Value: value},
			})
			raw(t, err)
			require.Equal(t, []int{1, 1}, []int{total, len(found)}, field)
			require.Equal(t, before, scans(), "a filter by %s reads all members", field)
		}
		a := account("ada")
		a.ManagerID = "user100"
		made, _, err := l.store.WriteAccount(t.Context(), p, l.Leaver, func(offboarding.Account) (offboarding.Account, error) { return a, nil }, l.at)
		raw(t, err)
		require.NotEmpty(t, made.Account.ManagerID)
		require.Equal(t, before, scans(), "a change reads all members")
		_, _, err = l.store.CreateAccount(t.Context(), p, a, l.at)
		require.Equal(t, offboarding.CodeAlreadyExists, offboarding.CodeOf(err))
		require.Equal(t, before, scans(), "a create reads all members")
	}
}
