package offboarding_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestAdmitPlans(t *testing.T) {
	t.Parallel()
	r, f := start()
	plan, err := offboarding.Admit(r, f, now)
	require.NoError(t, err)
	require.Equal(t, offboarding.Plan{
		Disposition: offboarding.DispositionRetain, EffectiveAt: now, GracePeriod: 48 * time.Hour,
	}, plan, "nothing asked: at once, retained, the organization's grace")

	f.Organization.DefaultDisposition = offboarding.DispositionArchive
	r.EffectiveAt, r.GracePeriod = "2026-03-31", "0d"
	plan, err = offboarding.Admit(r, f, now)
	require.NoError(t, err)
	require.Equal(t, offboarding.Plan{
		Disposition: offboarding.DispositionArchive, EffectiveAt: time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC),
	}, plan, "the organization's disposition and time zone")

	f.Leaver.TimeZone = "America/New_York"
	plan, err = offboarding.Admit(r, f, now)
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 4, 1, 4, 0, 0, 0, time.UTC), plan.EffectiveAt, "the leaver's own time zone goes first")
}

func TestSecondLook(t *testing.T) {
	t.Parallel()
	transfer := offboarding.Plan{
		Disposition: offboarding.DispositionTransfer, NewOwnerID: "heir", ArchiveSchedules: true, EffectiveAt: now, GracePeriod: time.Hour,
	}
	toManager := transfer
	toManager.NewOwnerID = "boss"
	toManager.FallbackReason = "the new owner is not eligible; the documents go to the leaver's manager"
	retained := offboarding.Plan{
		Disposition: offboarding.DispositionRetain, EffectiveAt: now, GracePeriod: time.Hour,
		FallbackReason: "neither the new owner nor the leaver's manager is eligible; the documents are retained",
	}
	archive := offboarding.Plan{Disposition: offboarding.DispositionArchive, EffectiveAt: now}
	gone := status(offboarding.MemberInactive)
	tests := map[string]struct {
		plan          offboarding.Plan
		heir, manager *offboarding.Member
		want          offboarding.Plan
	}{
		"all is as it was":               {transfer, member("heir"), member("boss"), transfer},
		"the heir has left":              {transfer, member("heir", gone), member("boss"), toManager},
		"the heir no longer makes":       {transfer, member("heir", account(offboarding.AccountEditor)), member("boss"), toManager},
		"the heir is unknown":            {transfer, nil, member("boss"), toManager},
		"there is no manager":            {transfer, member("heir", gone), nil, retained},
		"the manager has left too":       {transfer, member("heir", gone), member("boss", gone), retained},
		"the manager is no maker":        {transfer, nil, member("boss", account(offboarding.AccountViewer)), retained},
		"the manager is the leaver":      {transfer, nil, member("leaver"), retained},
		"the manager is elsewhere":       {transfer, nil, member("boss", elsewhere), retained},
		"what is archived needs no heir": {archive, nil, nil, archive},
		"what is retained needs no heir": {retained, nil, member("boss"), retained},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, f := start()
			f.Actor = offboarding.Actor{Member: member("admin", gone)} // authority was given at the start
			f.NewOwner, f.Manager = tt.heir, tt.manager
			plan, err := offboarding.SecondLook(tt.plan, f)
			require.NoError(t, err)
			require.Equal(t, tt.want, plan)
		})
	}
}

func TestSecondLookRefuses(t *testing.T) {
	t.Parallel()
	plan := offboarding.Plan{Disposition: offboarding.DispositionRetain}
	_, f := start()
	f.Leaver = nil
	got, err := offboarding.SecondLook(plan, f)
	assert.Equal(t, []string{"E1 member_not_found member_id"}, broken(t, err))
	assert.Equal(t, plan, got)

	_, f = start()
	f.Leaver.Role, f.Leaver.Email, f.Leaver.ManagedBy = offboarding.RoleOwner, "ann@left.example", "okta"
	_, err = offboarding.SecondLook(plan, f)
	assert.Equal(t, []string{
		"A3 last_owner member_id", "E4 domain_not_associated member_id", "E5 externally_managed member_id",
	}, broken(t, err))
}

func TestPhasesClosed(t *testing.T) {
	t.Parallel()
	closed := map[offboarding.Phase]bool{
		"scheduled": false, "revoking": false, "deactivated": false, "transferring": false, "grace": false, "read_only": false,
		"completed": true, "canceled": true, "reactivated": true, "failed": true,
	}
	require.Len(t, offboarding.Phases, len(closed))
	for _, phase := range offboarding.Phases {
		want, known := closed[phase]
		require.True(t, known, phase)
		require.Equal(t, want, phase.Closed(), phase)
	}
	require.False(t, offboarding.Phase("").Closed())
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	require.NoError(t, offboarding.RefusalOf(nil), "no violation is no error, not a refusal that is nil")
	refusal := offboarding.Refuse("A1", offboarding.CodeNotAuthorized, "admin_id", "no admin")
	refusal.Violations = append(refusal.Violations, offboarding.Violation{Code: offboarding.CodeISPDomain, Message: "an ISP"})
	require.EqualError(t, refusal, "not_authorized: no admin; isp_domain: an ISP")
	require.Equal(t, offboarding.CodeNotAuthorized, offboarding.CodeOf(fmt.Errorf("wrapped: %w", refusal)))
	require.True(t, refusal.Has(offboarding.CodeISPDomain))
	require.False(t, refusal.Has(offboarding.CodeLastOwner))
	require.Equal(t, offboarding.CodeInvalidArgument, (&offboarding.Refusal{}).Code())
	require.Empty(t, offboarding.CodeOf(errors.New("the disk is full")))
	require.Empty(t, offboarding.CodeOf(nil))
}
