package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// providers is a start on behalf of the provider that names nobody.
func (l *leaving) providers(provider string) offboarding.Request {
	return offboarding.Request{MemberID: l.member, Provider: provider, Origin: "APPLICATION,Okta,scim"}
}

// A start on behalf of the provider: the provisioning admin stands in the audit
// and gets the documents, whether or not they are still there (rules E5, N2).
func TestAdmitFromAProvider(t *testing.T) {
	t.Parallel()
	const manager, retained = "the new owner is not eligible; the documents go to the leaver's manager",
		"neither the new owner nor the leaver's manager is eligible; the documents are retained"
	for name, test := range map[string]struct {
		prepare     func(*leaving)
		disposition offboarding.Disposition
		owner       func(*leaving) string
		reason      string
	}{
		"the provisioning admin inherits": {func(*leaving) {}, "transfer", func(l *leaving) string { return l.Admin }, ""},
		"who has left": {func(l *leaving) {
			l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, l.Admin, fixture.Start)
		}, "transfer", func(l *leaving) string { return l.Manager }, manager},
		"who has left, as has the manager": {func(l *leaving) {
			l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $1 WHERE id IN ($2, $3)`, fixture.Start, l.Admin, l.Manager)
		}, "retain", func(*leaving) string { return "" }, retained},
		"who leaves": {func(l *leaving) {
			l.member = l.Admin
			l.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, l.Admin)
		}, "retain", func(*leaving) string { return "" }, retained},
		"the policy is to retain": {func(l *leaving) {
			l.Exec(`UPDATE organizations SET default_disposition = 'retain'`)
		}, "retain", func(*leaving) string { return "" }, ""},
		"an owner leaves": {func(l *leaving) {
			l.Exec(`UPDATE members SET role = 'owner' WHERE id = $1`, l.Leaver)
		}, "transfer", func(l *leaving) string { return l.Admin }, ""},
	} {
		l := newLeaving(t)
		l.Provisioned("okta", l.Leaver)
		l.Exec(`UPDATE organizations SET default_disposition = 'transfer'`)
		test.prepare(l)
		preview, err := l.store.Preview(t.Context(), l.providers("okta"), l.at)
		require.NoError(t, err)
		require.True(t, preview.Allowed, "%s: %v", name, preview.Violations)
		a, err := l.store.Admit(t.Context(), l.admitInput(l.providers("okta")))
		require.NoError(t, err, name)
		require.Equal(t, l.Admin, a.RequestedBy, name)
		require.Equal(t, []string{string(test.disposition), test.owner(l), test.reason},
			[]string{string(a.Plan.Disposition), a.Plan.NewOwnerID, a.Plan.FallbackReason}, name)
		require.Equal(t, []string{string(test.disposition), test.owner(l), test.reason},
			[]string{string(preview.Plan.Disposition), preview.Plan.NewOwnerID, preview.Plan.FallbackReason}, name)
		require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'ScheduleOffboarding' AND actor_id = $1
			AND after->>'provider' = 'okta' AND coalesce(after->>'reason', '') = $2`, l.Admin, test.reason), name)

		again := l.of(l.member)
		in := again.admitInput(again.providers("okta"))
		in.WorkflowID = "scim/1"
		second, err := l.store.Admit(t.Context(), in)
		require.NoError(t, err)
		require.True(t, second.Existing)
		require.Equal(t, a.CaseID, second.CaseID, "rule E2 holds for providers too")
	}
}

// What a provider's start reaches: the organizations that have the provider.
func TestAdmitFromAProviderFindsExternalIDs(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	stranger := fixture.New(t, l.DB)
	l.Provisioned("okta", l.Leaver)
	r := l.providers("okta")
	r.MemberID = "external:m4" // the stranger's organization has one too, and no provider
	a, err := l.store.Admit(t.Context(), l.admitInput(r))
	require.NoError(t, err)
	require.Equal(t, l.Leaver, a.MemberID)

	stranger.Provisioned("okta", stranger.Leaver)
	_, err = l.store.Admit(t.Context(), l.of(l.Leaver).admitInput(r))
	refused(t, offboarding.CodeAmbiguousMember, err)
	r.MemberID = "external:nobody"
	_, err = l.store.Admit(t.Context(), l.of(l.Leaver).admitInput(r))
	refused(t, offboarding.CodeMemberNotFound, err)
}

func TestAdmitFromAProviderRefused(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	stranger := fixture.New(t, l.DB)
	stranger.Provisioned("okta")
	l.Provisioned("okta", l.Leaver, l.Owner)
	refuse := func(code offboarding.Code, field string, change func(*offboarding.Request)) {
		t.Helper()
		r := l.providers("okta")
		change(&r)
		_, err := l.store.Admit(t.Context(), l.admitInput(r))
		var refusal *offboarding.Refusal
		require.ErrorAs(t, err, &refusal)
		require.Len(t, refusal.Violations, 1, "%v", err)
		require.Equal(t, []string{string(code), field}, []string{string(refusal.Violations[0].Code), refusal.Violations[0].Field})
	}
	refuse(offboarding.CodeExternallyManaged, "provider", func(r *offboarding.Request) { r.Provider = "entra" })
	refuse(offboarding.CodeExternallyManaged, "provider", func(r *offboarding.Request) { r.MemberID = l.Manager })
	refuse(offboarding.CodeExternallyManaged, "provider", func(r *offboarding.Request) { r.MemberID = stranger.Leaver })
	refuse(offboarding.CodeLastOwner, "member_id", func(r *offboarding.Request) { r.MemberID = l.Owner })
	refuse(offboarding.CodeNotAuthorized, "requested_by", func(r *offboarding.Request) { r.RequestedBy = stranger.Owner })
	refuse(offboarding.CodeExternallyManaged, "member_id", func(r *offboarding.Request) { r.Provider, r.RequestedBy = "", l.Owner })
	l.Exec(`UPDATE organizations SET provisioning_admin_id = NULL`)
	refuse(offboarding.CodeNotAuthorized, "requested_by", func(*offboarding.Request) {})
	require.Empty(t, l.Events())

	r := l.providers("okta")
	r.RequestedBy = l.Manager // no admin: the authority is the provider's
	a, err := l.store.Admit(t.Context(), l.admitInput(r))
	require.NoError(t, err)
	require.Equal(t, l.Manager, a.RequestedBy)
}

// The second look at a provider's case falls back as at the start, and does not
// ask again for what was given: the leaver may be somebody else's by now.
func TestSecondLookAtAProvidersCase(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("okta", l.Leaver)
	r := l.providers("okta")
	r.Disposition, r.EffectiveAt = offboarding.DispositionTransfer, "2026-03-10"
	l.admit(r)
	require.Equal(t, l.Admin, l.plan.NewOwnerID)
	l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, l.Admin, fixture.Start)
	l.Exec(`UPDATE members SET managed_by = '' WHERE id = $1`, l.Leaver)
	out, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke"), SecondLook: true})
	require.NoError(t, err)
	require.Equal(t, l.Manager, out.Plan.NewOwnerID)
	require.Equal(t, 1, l.eventsOf("ChangeNewOwner"))
}

// A case that the provider has asked for is moved and canceled from there; an
// admin's own case stays the admin's.
func TestAWaitingCaseOfAProvider(t *testing.T) {
	t.Parallel()
	cancel := func(l *leaving, c offboarding.Cancel) error {
		_, err := l.store.Cancel(t.Context(), offboarding.CancelInput{Step: l.step(newID()), Message: c})
		return err
	}
	l := newLeaving(t)
	l.Provisioned("okta", l.Leaver)
	r := l.providers("okta")
	r.EffectiveAt = "2026-04-01"
	l.admit(r)
	refused(t, offboarding.CodeExternallyManaged, cancel(l, offboarding.Cancel{AdminID: l.Owner}))
	refused(t, offboarding.CodeExternallyManaged, cancel(l, offboarding.Cancel{Provider: "entra"}))
	_, err := l.store.Reschedule(t.Context(), offboarding.RescheduleInput{
		Step: l.step("later"), Message: offboarding.Reschedule{AdminID: l.Owner, EffectiveAt: "2027-04-01"},
	})
	refused(t, offboarding.CodeExternallyManaged, err)
	_, err = l.store.Reschedule(t.Context(), offboarding.RescheduleInput{
		Step: l.step("sooner"), Message: offboarding.Reschedule{Provider: "okta", EffectiveAt: "2026-03-20"},
	})
	require.NoError(t, err)
	require.NoError(t, cancel(l, offboarding.Cancel{Provider: "okta"}))
	require.Equal(t, "canceled", l.phase())
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'CancelOffboarding' AND actor_id = $1`, l.Admin))

	other := l.of(l.Manager)
	r = other.request()
	r.EffectiveAt = "2026-04-01"
	other.admit(r)
	l.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, l.Manager)
	require.NoError(t, cancel(other, offboarding.Cancel{AdminID: l.Owner}))
}

// Whom the provider manages is reactivated from there, an archived one too, and
// nobody brings back a deleted one.
func TestReactivationFromAProvider(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("entra", l.Leaver)
	l.deactivated(l.providers("entra"))
	reactivate := func(m offboarding.Reactivate) error {
		_, err := l.store.ReactivateMember(t.Context(), offboarding.ReactivateInput{Step: l.step(newID()), ID: newID(), Message: m})
		return err
	}
	l.Exec(`UPDATE members SET status = 'archived' WHERE id = $1`, l.Leaver)
	refused(t, offboarding.CodeExternallyManaged, reactivate(offboarding.Reactivate{AdminID: l.Owner}))
	refused(t, offboarding.CodeExternallyManaged, reactivate(offboarding.Reactivate{Provider: "okta"}))
	l.Exec(`UPDATE organizations SET seat_limit = 3`)
	refused(t, offboarding.CodeSeatLimitExceeded, reactivate(offboarding.Reactivate{Provider: "entra"}))
	l.Exec(`UPDATE organizations SET seat_limit = 4`)
	require.NoError(t, reactivate(offboarding.Reactivate{Provider: "entra"}))
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'ReactivateMember' AND actor_id = $1 AND before->>'status' = 'archived'`, l.Admin))

	gone := l.of(l.Manager)
	gone.deactivated(gone.request())
	gone.Exec(`UPDATE members SET status = 'deleted', email = 'deleted-' || id || '@deleted.invalid', external_id = 'deleted:' || id WHERE id = $1`, l.Manager)
	_, err := l.store.ReactivateMember(t.Context(), offboarding.ReactivateInput{
		Step: gone.step("back"), ID: "back", Message: offboarding.Reactivate{AdminID: l.Owner},
	})
	refused(t, offboarding.CodeMemberNotFound, err)
	require.Equal(t, "deleted", l.Text(`SELECT status FROM members WHERE id = $1`, l.Manager))
}

// Without the provisioning admin, who was deleted, what the provider takes away is
// gone all the same: no leaver keeps access for want of a name in the audit.
func TestAProviderOutlivesItsProvisioningAdmin(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("okta", l.Leaver)
	l.Exec(`UPDATE organizations SET default_disposition = 'transfer'`)
	admin := l.of(l.Admin)
	admin.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, l.Admin, fixture.Start)
	in := admin.deletionInput(func(r *offboarding.DeletionRequest) { r.RequestedBy = l.Owner })
	_, err := l.store.EraseMember(t.Context(), in)
	require.NoError(t, err)

	l.deactivated(l.providers("okta"))
	require.Equal(t, l.Admin, l.Text(`SELECT requested_by FROM cases WHERE id = $1`, l.id))
	require.Equal(t, l.Manager, l.Text(`SELECT new_owner_id FROM cases WHERE id = $1`, l.id))
	_, err = l.store.AuthorizeReactivation(t.Context(), offboarding.ReactivateInput{
		Step: l.step("back"), Message: offboarding.Reactivate{Provider: "okta"},
	})
	require.NoError(t, err)
}
