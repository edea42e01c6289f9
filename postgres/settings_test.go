package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// settings changes some by the admin.
func (l *leaving) settings(changes map[string]string) (offboarding.Organization, []offboarding.SettingChanged, error) {
	return l.store.ChangeSettings(l.t.Context(), offboarding.SettingsChange{
		OrganizationID: l.ID, AdminID: l.Admin, Origin: "SCRIPT,Acme,tune", Changes: changes, At: l.at,
	})
}

// One event per setting that really changes, all in one transaction.
func TestChangeSettings(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	other := fixture.New(t, l.DB)
	before := other.Text(`SELECT o::text FROM organizations o WHERE id = $1`, other.ID)
	all := map[string]string{
		"claim_policy": "admin_approval", "grace_period": "14d", "default_disposition": "transfer", "attribution": "anonymous", "sso_sessions": "wait",
		"seat_limit": "4", "bulk_limit_percent": "35", "domains": "acme.example,acme.org", "time_zone": "Asia/Tokyo",
		"provisioning_admin": l.Owner, "enterprise_plan_manager": "true",
		"scim_delete": "delete", "scim_role": "contributor", "scim_account_type": "maker",
	}
	o, changed, err := l.settings(all)
	require.NoError(t, err)
	require.Len(t, changed, len(all))
	kept, err := l.store.Organization(t.Context(), l.ID)
	require.NoError(t, err)
	require.Equal(t, o, kept)
	for _, s := range kept.Settings() {
		require.Equal(t, all[s.Name], s.Value)
		require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'ChangeSettings' AND after->>$1 = $2 AND before->>$1 <> $2
			AND actor_id = $3 AND origin = 'SCRIPT,Acme,tune' AND organization_id = $4 AND subject_id = $4::text AND at = $5`,
			s.Name, s.Value, l.Admin, l.ID, l.at), s.Name)
	}
	require.Len(t, l.Events(), len(all))
	require.Equal(t, before, other.Text(`SELECT o::text FROM organizations o WHERE id = $1`, other.ID))

	_, changed, err = l.settings(all)
	require.NoError(t, err)
	require.Empty(t, changed)
	require.Len(t, l.Events(), len(all), "what is so already is no change")

	// One mistake, and nothing changes.
	_, _, err = l.settings(map[string]string{"claim_policy": "self_serve", "seat_limit": "3", "provisioning_admin": other.Admin})
	var refusal *offboarding.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Len(t, refusal.Violations, 2, "%v", err)
	require.Len(t, l.Events(), len(all))
}

// Rule A1: an owner or admin of the organization, or of an ancestor that has
// enterprise plan manager on.
func TestRuleA1OfSettings(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	parent := fixture.New(t, l.DB)
	l.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, l.ID, parent.ID)
	change := func(by string) error {
		_, _, err := l.store.ChangeSettings(t.Context(), offboarding.SettingsChange{
			OrganizationID: l.ID, AdminID: by, Changes: map[string]string{"seat_limit": "100"}, At: l.at,
		})
		return err
	}
	for _, by := range []string{l.Manager, parent.Owner, "nobody", ""} {
		refused(t, offboarding.CodeNotAuthorized, change(by))
	}
	parent.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, parent.ID)
	require.NoError(t, change(parent.Owner))
	_, _, err := l.store.ChangeSettings(t.Context(), offboarding.SettingsChange{OrganizationID: "elsewhere", AdminID: l.Owner, At: l.at})
	refused(t, offboarding.CodeInvalidArgument, err)
}

// A running case does with the next claim what the policy says then.
func TestClaimPolicyTurnsInARunningCase(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	one, two, three := l.Document(l.Leaver, ""), l.Document(l.Leaver, ""), l.Document(l.Leaver, "")
	for _, document := range []string{one, two, three} {
		l.Grant(document, l.Manager, offboarding.GrantEdit)
	}
	l.inGrace()
	require.Equal(t, offboarding.OutcomeClaimed, l.claim(one, l.Manager).Outcome)
	_, _, err := l.settings(map[string]string{"claim_policy": "admin_approval"})
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeRequested, l.claim(two, l.Manager).Outcome)
	_, _, err = l.settings(map[string]string{"claim_policy": "self_serve"})
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeClaimed, l.claim(three, l.Manager).Outcome)
	invariantsHold(t, l.store)
}

// Two changes at a time: the second sees the first, and each has its events.
func TestTwoChangesOfSettings(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		to := func(grace string) call {
			return func(ctx context.Context) (any, error) {
				_, changed, err := l.store.ChangeSettings(ctx, offboarding.SettingsChange{
					OrganizationID: l.ID, AdminID: l.Admin, Changes: map[string]string{"grace_period": grace}, At: l.at,
				})
				return changed, err
			}
		}
		return to("3d"), to("4d"), func(a, b error) {
			require.NoError(t, a)
			require.NoError(t, b)
			require.Equal(t, []string{"ChangeSettings", "ChangeSettings"}, l.Events())
			require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events a JOIN audit_events b ON b.id > a.id
				AND b.before = a.after AND b.organization_id = a.organization_id WHERE a.organization_id = $1`, l.ID), "one follows the other")
		}
	})
}

// A parent, its policies and several domains come with the import alone, and rule
// A1 holds over two levels.
func TestImportedParents(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db)
	load := func(slug, parent string, manages bool, seats int) {
		t.Helper()
		_, err := store.Import(t.Context(), offboarding.Import{
			Organization: offboarding.Organization{
				Slug: slug, Name: slug, Domains: []string{slug + ".example", slug + ".test"}, SeatLimit: seats,
				ClaimPolicy: offboarding.PolicySelfServe, DefaultDisposition: offboarding.DispositionRetain, TimeZone: "UTC",
				IdentityProvider: "none", SSOSessions: offboarding.SSORevoke, Attribution: offboarding.AttributionName, BulkLimitPercent: 20,
				EnterprisePlanManager: manages,
			},
			ParentSlug: parent,
			Members: []offboarding.ImportMember{
				{ExternalID: slug + "-owner", Email: "owner@" + slug + ".example", DisplayName: "O", Role: "owner", AccountType: "maker"},
				{ExternalID: slug + "-one", Email: "one@" + slug + ".test", DisplayName: "1", Role: "reader", AccountType: "viewer"},
				{ExternalID: slug + "-two", Email: "two@elsewhere.example", DisplayName: "2", Role: "admin", AccountType: "maker"},
			},
		}, importTime, nil)
		require.NoError(t, err)
	}
	load("group", "", true, 0)
	load("division", "group", false, 0)
	load("team", "division", false, 3)
	load("stranger", "", true, 0)
	start := func(by, leaver string) error {
		_, err := store.Admit(t.Context(), offboarding.AdmitInput{
			CaseID: newID(), WorkflowID: newID(), At: importTime.Add(time.Hour),
			Request: offboarding.Request{MemberID: "external:" + leaver, RequestedBy: "external:" + by},
		})
		return err
	}
	refused(t, offboarding.CodeNotAuthorized, start("division-owner", "team-one"))
	refused(t, offboarding.CodeNotAuthorized, start("stranger-owner", "team-one"))
	refused(t, offboarding.CodeNotAuthorized, start("group-one", "team-one"))
	refused(t, offboarding.CodeNotAuthorized, start("team-owner", "group-one"))
	refused(t, offboarding.CodeDomainNotAssociated, start("group-owner", "team-two"))
	require.NoError(t, start("group-owner", "team-one"), "two levels up, on the second of two domains")

	_, err := db.Exec(`UPDATE organizations SET parent_id = (SELECT id FROM organizations WHERE slug = 'team') WHERE slug = 'group'`)
	require.ErrorContains(t, err, "above itself")
	_, err = db.Exec(`UPDATE organizations SET parent_id = NULL WHERE slug = 'group'`)
	require.NoError(t, err)
}
