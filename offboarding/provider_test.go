package offboarding_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func managedBy(provider string) func(*offboarding.Member) {
	return func(m *offboarding.Member) { m.ManagedBy = provider }
}

// fromOkta is a start on behalf of the provider that breaks no rule: nobody is
// named, and the provisioning admin is the new owner (rule N2).
func fromOkta() (offboarding.Request, offboarding.AdmissionFacts) {
	r, f := start()
	r.RequestedBy, r.Provider = "", "okta"
	f.Organization.IdentityProvider, f.Organization.DefaultDisposition = "okta", offboarding.DispositionTransfer
	f.Leaver.ManagedBy = "okta"
	f.NewOwner, f.Manager = f.Actor.Member, member("boss")
	return r, f
}

// A provider speaks for the members whom it manages, in organizations that have
// it, and for nobody else.
func TestRuleE5OfAProvider(t *testing.T) {
	t.Parallel()
	refused := []string{"E5 externally_managed provider"}
	for name, tt := range map[string]struct {
		provider, organization, member string
		want                           []string
	}{
		"okta":                              {"okta", "okta", "okta", nil},
		"entra":                             {"entra", "entra", "entra", nil},
		"another provider":                  {"entra", "okta", "okta", refused},
		"a member whom nobody manages":      {"okta", "okta", "", refused},
		"a member whom another manages":     {"okta", "okta", "entra", refused},
		"an organization without one":       {"okta", "none", "okta", refused},
		"SAML manages nobody":               {"saml", "saml", "saml", refused},
		"none is no provider":               {"none", "none", "none", refused},
		"no provider at all is no provider": {"", "", "", refused},
	} {
		o := offboarding.Organization{IdentityProvider: tt.organization}
		assert.Equal(t, tt.want, brokenBy(offboarding.JudgeProvider(tt.provider, o, member("leaver", managedBy(tt.member)))), name)
	}
	assert.Equal(t, refused, brokenBy(offboarding.JudgeProvider("okta", offboarding.Organization{IdentityProvider: "okta"}, nil)))
}

// The authority of such a start is the provider's: whoever the audit names may
// have left, be the leaver, or be no admin. The rules about the leaver hold.
func TestAStartOfAProviderNeedsNoAdmin(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*offboarding.Member{
		"an admin who has left":  member("x", role(offboarding.RoleAdmin), status(offboarding.MemberInactive)),
		"a reader":               member("x", role(offboarding.RoleReader)),
		"the leaver":             member("leaver", managedBy("okta")),
		"an admin, for an owner": member("x", role(offboarding.RoleAdmin)),
	} {
		r, f := fromOkta()
		f.Actor = by(m)
		f.Leaver.Role, f.OtherActiveOwners = offboarding.RoleOwner, 1
		_, err := offboarding.Admit(r, f, now)
		assert.NoError(t, err, name)
	}
	r, f := fromOkta()
	f.Actor.Member = nil
	_, err := offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"A1 not_authorized requested_by"}, broken(t, err), "somebody stands in the audit")

	r, f = fromOkta()
	for _, address := range []string{"ann@gmail.com", "ann@elsewhere.example"} { // E3 and E4 are for people
		f.Leaver.Email = address
		_, err = offboarding.Admit(r, f, now)
		assert.NoError(t, err, address)
	}
	f.Leaver.Role = offboarding.RoleOwner
	_, err = offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"A3 last_owner member_id"}, broken(t, err))
	f.Leaver.Status = offboarding.MemberArchived
	_, err = offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"E2 already_inactive member_id"}, broken(t, err))
	f.Leaver = nil
	_, err = offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"E1 member_not_found member_id"}, broken(t, err))

	r.Provider = "saml"
	assert.Equal(t, []string{"E5 invalid_argument provider"}, brokenBy(offboarding.CheckRequest(r)))
	r.Provider, r.WorkspaceID = "okta", "w"
	assert.Empty(t, brokenBy(offboarding.CheckRequest(r)), "the provider keeps the workspaces too")
}

// Rule W1 of a provider: it keeps the workspaces of the organization that has it,
// whoever manages the member, and nobody else's.
func TestRuleW1OfAProvider(t *testing.T) {
	t.Parallel()
	r, f := fromOkta()
	r.WorkspaceID = "w"
	f.Leaver.ManagedBy = ""
	f.Leaver.Role = offboarding.RoleOwner // A2 to A4 do not speak
	removal := offboarding.RemovalFacts{AdmissionFacts: f, WorkspaceFound: true, Role: offboarding.WorkspaceMember}
	_, err := offboarding.AdmitRemoval(r, removal, now)
	require.NoError(t, err)
	back := offboarding.RestorationFacts{WorkspaceID: "w", Admin: f.Actor, Provider: "okta", Organization: f.Organization, Leaver: f.Leaver}
	require.NoError(t, offboarding.JudgeRestoration(back))

	removal.Organization.IdentityProvider, back.Organization.IdentityProvider = "entra", "entra"
	_, err = offboarding.AdmitRemoval(r, removal, now)
	assert.Equal(t, []string{"E5 externally_managed provider"}, broken(t, err))
	assert.Equal(t, []string{"E5 externally_managed provider"}, broken(t, offboarding.JudgeRestoration(back)))
	back.Organization.IdentityProvider, back.Admin.Member = "okta", nil
	assert.Equal(t, []string{"A1 not_authorized admin_id"}, broken(t, offboarding.JudgeRestoration(back)))
}

// A managed leaver is not refused for want of a new owner: the documents fall
// back, and the plan says why.
func TestRuleN2OfAProvider(t *testing.T) {
	t.Parallel()
	r, f := fromOkta()
	plan, err := offboarding.Admit(r, f, now)
	require.NoError(t, err)
	assert.Equal(t, []string{"transfer", "admin", ""}, []string{string(plan.Disposition), plan.NewOwnerID, plan.FallbackReason})

	f.NewOwner = member("admin", status(offboarding.MemberInactive))
	plan, err = offboarding.Admit(r, f, now)
	require.NoError(t, err)
	assert.Equal(t, "boss", plan.NewOwnerID)
	assert.Contains(t, plan.FallbackReason, "manager")

	f.NewOwner, f.Manager, r.ArchiveSchedules, r.Disposition = nil, nil, true, offboarding.DispositionTransfer
	plan, err = offboarding.Admit(r, f, now)
	require.NoError(t, err)
	assert.Equal(t, []string{"retain", ""}, []string{string(plan.Disposition), plan.NewOwnerID})
	assert.False(t, plan.ArchiveSchedules)
	assert.Contains(t, plan.FallbackReason, "retained")

	r, f = fromOkta()
	f.Organization.DefaultDisposition = offboarding.DispositionRetain
	plan, err = offboarding.Admit(r, f, now)
	require.NoError(t, err)
	assert.Equal(t, offboarding.Plan{
		Disposition: offboarding.DispositionRetain, EffectiveAt: now, GracePeriod: 48 * time.Hour,
	}, plan, "the organization's policy decides")

	r.NewOwnerID, f.NewOwner = offboarding.NewOwnerManager, f.Manager
	plan, err = offboarding.Admit(r, f, now)
	require.NoError(t, err)
	assert.Equal(t, "boss", plan.NewOwnerID)
}

func TestSecondLookOfAProvidersCase(t *testing.T) {
	t.Parallel()
	_, f := fromOkta()
	f.FromProvider, f.Leaver.ManagedBy = true, "entra" // the authority was given, and another provider has taken over
	plan := offboarding.Plan{Disposition: offboarding.DispositionTransfer, NewOwnerID: "admin"}
	got, err := offboarding.SecondLook(plan, f)
	require.NoError(t, err)
	require.Equal(t, plan, got)
	f.FromProvider = false
	_, err = offboarding.SecondLook(plan, f)
	require.Equal(t, []string{"E5 externally_managed member_id"}, broken(t, err), "an admin's case is not the provider's")
}

// What the provider has asked for is moved and canceled from there.
func TestRuleE5OfAWaitingCase(t *testing.T) {
	t.Parallel()
	assert.Empty(t, offboarding.JudgeProvidersCase("", ""))
	assert.Empty(t, offboarding.JudgeProvidersCase("", "okta"))
	assert.Empty(t, offboarding.JudgeProvidersCase("okta", "okta"))
	assert.Equal(t, []string{"E5 externally_managed provider"}, brokenBy(offboarding.JudgeProvidersCase("okta", "")))
}

// Whoever speaks for a provider need not say who they are; everybody else does.
func TestMessagesOfAProvider(t *testing.T) {
	t.Parallel()
	for _, m := range []interface {
		Check() []offboarding.Violation
	}{
		&offboarding.Reactivate{}, &offboarding.Cancel{}, &offboarding.Reschedule{EffectiveAt: "2026-03-31"},
	} {
		assert.Equal(t, []string{"invalid_argument admin_id"}, brokenBy(m.Check()), "%T", m)
	}
	for _, m := range []interface {
		Check() []offboarding.Violation
	}{
		&offboarding.Reactivate{Provider: "okta"}, &offboarding.Cancel{Provider: "entra"},
		&offboarding.Reschedule{Provider: "okta", EffectiveAt: "2026-03-31"},
	} {
		assert.Empty(t, m.Check(), "%T", m)
	}
	assert.Equal(t, []string{"E5 invalid_argument provider"}, brokenBy((&offboarding.Reactivate{Provider: "saml"}).Check()))
}

func TestReactivationOfAProvider(t *testing.T) {
	t.Parallel()
	f := offboarding.ReactivationFacts{
		Admin: by(member("x", status(offboarding.MemberInactive))), Provider: "okta",
		Organization: offboarding.Organization{IdentityProvider: "okta", Domains: []string{"acme.example"}},
		Leaver:       member("leaver", status(offboarding.MemberArchived), managedBy("okta")),
	}
	require.NoError(t, offboarding.JudgeReactivation(f))
	f.Provider = ""
	require.Equal(t, []string{"A1 not_authorized admin_id", "E5 externally_managed"}, broken(t, offboarding.JudgeReactivation(f)))
	f.Provider, f.Admin.Member, f.Leaver.Status = "entra", nil, offboarding.MemberDeleted
	require.Equal(t, []string{"E5 externally_managed provider", "A1 not_authorized admin_id", "X1 member_not_found"}, broken(t, offboarding.JudgeReactivation(f)))
}

func TestNextSessionCheck(t *testing.T) {
	t.Parallel()
	end, at, checks := now.Add(offboarding.MaxSSOWait), now, 0
	for ; at.Before(end); checks++ {
		next := offboarding.NextSessionCheck(checks, at, end)
		require.True(t, next.After(at), "check %d", checks)
		require.LessOrEqual(t, next.Sub(at), 15*time.Minute)
		at = next
	}
	require.Equal(t, end, at)
	require.Less(t, checks, 110, "a case's history is bounded (invariant 6)")
	require.Equal(t, now.Add(time.Minute), offboarding.NextSessionCheck(0, now, end), "a sign-out is noticed soon")
}
