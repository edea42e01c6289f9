package offboarding_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// policies are the facts of a change by an admin, and the organization's settings.
func policies() offboarding.SettingsFacts {
	return offboarding.SettingsFacts{
		Admin: admin(), ActiveMembers: 5, ProvisioningAdmin: member("admin", role(offboarding.RoleAdmin)),
		Organization: offboarding.Organization{
			ID: "acme", Domains: []string{"acme.example", "acme.test"}, SeatLimit: 10, ClaimPolicy: offboarding.PolicySelfServe,
			GracePeriod: 7 * 24 * time.Hour, DefaultDisposition: offboarding.DispositionRetain, TimeZone: "UTC",
			IdentityProvider: "okta", ProvisioningAdminID: "owner", SSOSessions: offboarding.SSORevoke,
			Attribution: offboarding.AttributionName, BulkLimitPercent: 20, ScimDelete: offboarding.ScimDeleteArchive,
			ScimRole: offboarding.RoleReader, ScimAccountType: offboarding.AccountViewer,
		},
	}
}

func TestSettingsReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	f := policies()
	changes := map[string]string{}
	for _, s := range f.Organization.Settings() {
		changes[s.Name] = s.Value
		assert.NotEmpty(t, s.Help, s.Name)
	}
	require.Len(t, changes, 14)
	changes["grace_period"], changes["domains"] = "168h", "ACME.test, acme.example" // the same, written otherwise
	o, changed, err := offboarding.ChangeSettings(offboarding.SettingsChange{Changes: changes}, f)
	require.NoError(t, err)
	require.Empty(t, changed)
	require.Equal(t, f.Organization, o)
}

func TestChangeSettings(t *testing.T) {
	t.Parallel()
	f := policies()
	want := map[string][2]string{
		"claim_policy": {"self_serve", "admin_approval"}, "grace_period": {"7d", "36h30m0s"}, "default_disposition": {"retain", "transfer"},
		"attribution": {"name", "anonymous"}, "sso_sessions": {"revoke", "wait"}, "seat_limit": {"10", "5"}, "bulk_limit_percent": {"20", "100"},
		"domains": {"acme.example,acme.test", "acme.example,acme.org"}, "time_zone": {"UTC", "Europe/Berlin"},
		"provisioning_admin": {"owner", "admin"}, "enterprise_plan_manager": {"false", "true"},
		"scim_delete": {"archive", "delete"}, "scim_role": {"reader", "contributor"}, "scim_account_type": {"viewer", "maker"},
	}
	changes := map[string]string{}
	for name, texts := range want {
		changes[name] = texts[1]
	}
	changes["grace_period"] = "36h30m"
	o, changed, err := offboarding.ChangeSettings(offboarding.SettingsChange{Changes: changes}, f)
	require.NoError(t, err)
	require.Equal(t, offboarding.Organization{
		ID: "acme", Domains: []string{"acme.example", "acme.org"}, SeatLimit: 5, ClaimPolicy: offboarding.PolicyApproval,
		GracePeriod: 36*time.Hour + 30*time.Minute, DefaultDisposition: offboarding.DispositionTransfer, TimeZone: "Europe/Berlin",
		IdentityProvider: "okta", ProvisioningAdminID: "admin", SSOSessions: offboarding.SSOWait,
		Attribution: offboarding.AttributionAnonymous, BulkLimitPercent: 100, EnterprisePlanManager: true,
		ScimDelete: offboarding.ScimDeleteForGood, ScimRole: offboarding.RoleContributor, ScimAccountType: offboarding.AccountMaker,
	}, o)
	require.Len(t, changed, len(want))
	for _, c := range changed {
		require.Equal(t, want[c.Name], [2]string{c.Before, c.After}, c.Name)
	}
	require.Equal(t, []string{"acme.example", "acme.test"}, f.Organization.Domains, "the facts stay as they were")
}

// Everything that is wrong is said at once, and nothing is changed.
func TestChangeSettingsRefused(t *testing.T) {
	t.Parallel()
	f := policies()
	f.Admin, f.ProvisioningAdmin = by(member("x")), member("reader")
	o, changed, err := offboarding.ChangeSettings(offboarding.SettingsChange{Origin: "FAX", Changes: map[string]string{
		"claim_policy": "ask", "grace_period": "", "default_disposition": "burn", "attribution": "", "sso_sessions": "never", "seat_limit": "4",
		"bulk_limit_percent": "20%", "domains": "acme.example,,acme.example", "time_zone": "Local", "provisioning_admin": "reader",
		"enterprise_plan_manager": "yes", "color": "red", "slug": "other",
	}}, f)
	require.Equal(t, f.Organization, o)
	require.Empty(t, changed)
	got := broken(t, err)
	slices.Sort(got)
	require.Equal(t, strings.Split(strings.TrimSpace(`
A1 not_authorized admin_id
N2 invalid_argument provisioning_admin
O1 invalid_argument origin
R1 seat_limit_exceeded seat_limit
invalid_argument attribution
invalid_argument bulk_limit_percent
invalid_argument claim_policy
invalid_argument color
invalid_argument default_disposition
invalid_argument domains
invalid_argument enterprise_plan_manager
invalid_argument grace_period
invalid_argument slug
invalid_argument sso_sessions
invalid_argument time_zone`), "\n"), got)

	for name, texts := range map[string][]string{
		"seat_limit": {"", "-1", "1.5", "many", "3000000000", "99999999999999999999"}, "bulk_limit_percent": {"0", "101", "-5"},
		"grace_period": {"-1h", "3651d", "soon"}, "time_zone": {"", "Mars/Base", "../etc/passwd"}, "domains": {"", "a b@c", "@"},
		"provisioning_admin": {""}, "enterprise_plan_manager": {"", "TRUE", "1"}, "scim_delete": {"", "keep"}, "scim_role": {"owner", "admin"}, "scim_account_type": {"owner"}, "claim_policy": {"self_serve ", "\x00", strings.Repeat("x", 2000)},
	} {
		for _, text := range texts {
			_, _, err := offboarding.ChangeSettings(offboarding.SettingsChange{Changes: map[string]string{name: text}}, policies())
			require.Equal(t, []string{"invalid_argument " + name}, broken(t, err), "%q", text)
		}
	}
	f = policies()
	f.Organization.IdentityProvider = "saml"
	_, changed, err = offboarding.ChangeSettings(offboarding.SettingsChange{Changes: map[string]string{"provisioning_admin": "", "seat_limit": "0"}}, f)
	require.NoError(t, err)
	require.Len(t, changed, 2, "nobody provisions there, and 0 is no limit")
	for _, m := range []*offboarding.Member{
		nil, member("admin"), member("admin", role(offboarding.RoleAdmin), elsewhere),
		member("admin", role(offboarding.RoleOwner), status(offboarding.MemberInactive)),
	} {
		f = policies()
		f.ProvisioningAdmin = m
		_, _, err = offboarding.ChangeSettings(offboarding.SettingsChange{Changes: map[string]string{"provisioning_admin": "admin"}}, f)
		require.Equal(t, []string{"N2 invalid_argument provisioning_admin"}, broken(t, err))
	}
}
