package postgres_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
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
