package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

func TestScimTokens(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	other := fixture.New(t, l.DB)
	_, _, err := l.store.CreateScimToken(t.Context(), l.ID, l.Admin, l.at)
	require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(err), "nobody provisions the organization")
	l.Provisioned("okta")
	for _, nobody := range []string{l.Leaver, other.Owner, "", "external:m2x"} {
		_, _, err := l.store.CreateScimToken(t.Context(), l.ID, nobody, l.at)
		require.Equal(t, offboarding.CodeNotAuthorized, offboarding.CodeOf(err), nobody)
	}
	secret, token, err := l.store.CreateScimToken(t.Context(), l.ID, l.Admin, l.at)
	require.NoError(t, err)
	require.Len(t, strings.TrimPrefix(secret, "handover_scim_"), 43)
	require.NotContains(t, dump(t, l.DB), secret, "only the hash is kept")
	require.Equal(t, `CreateScimToken {} -> {"status": "active"}`, l.lastEvent())

	who, err := l.store.Provisioner(t.Context(), secret, l.at)
	require.NoError(t, err)
	require.Equal(t, &offboarding.Provisioner{TokenID: token.ID, OrganizationID: l.ID, Provider: "okta", Name: "Example", AdminID: l.Admin}, who)
	for _, wrong := range []string{"", secret + "x", strings.ToUpper(secret)} {
		who, err := l.store.Provisioner(t.Context(), wrong, l.at)
		require.NoError(t, err)
		require.Nil(t, who)
	}
	const used = `SELECT last_used_at FROM scim_tokens`
	first := l.Text(used)
	require.NotEmpty(t, first)
	_, err = l.store.Provisioner(t.Context(), secret, l.at.Add(59*time.Minute))
	require.NoError(t, err)
	require.Equal(t, first, l.Text(used))
	_, err = l.store.Provisioner(t.Context(), secret, l.at.Add(61*time.Minute))
	require.NoError(t, err)
	require.NotEqual(t, first, l.Text(used))

	// Another organization's admin does not see it, and cannot revoke it.
	page, err := l.store.ScimTokens(t.Context(), offboarding.ScimTokenFilter{OrganizationID: other.ID, Revoked: true})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(l.store.RevokeScimToken(t.Context(), other.ID, token.ID, other.Admin, l.at)))
	require.Equal(t, offboarding.CodeNotAuthorized, offboarding.CodeOf(l.store.RevokeScimToken(t.Context(), l.ID, token.ID, l.Leaver, l.at)))

	events := len(l.Events())
	for range 2 {
		require.NoError(t, l.store.RevokeScimToken(t.Context(), l.ID, token.ID, l.Admin, l.at))
		require.Len(t, l.Events(), events+1, "revoked once")
	}
	who, err = l.store.Provisioner(t.Context(), secret, l.at)
	require.NoError(t, err)
	require.Nil(t, who)
	for revoked, n := range map[bool]int{false: 0, true: 1} {
		page, err := l.store.ScimTokens(t.Context(), offboarding.ScimTokenFilter{OrganizationID: l.ID, Revoked: revoked})
		require.NoError(t, err)
		require.Len(t, page.Items, n)
	}

	// A token is of no use where nobody provisions any more.
	secret, _, err = l.store.CreateScimToken(t.Context(), l.ID, l.Owner, l.at)
	require.NoError(t, err)
	l.Exec(`UPDATE organizations SET identity_provider = 'saml' WHERE id = $1`, l.ID)
	who, err = l.store.Provisioner(t.Context(), secret, l.at)
	require.NoError(t, err)
	require.Nil(t, who)
}
