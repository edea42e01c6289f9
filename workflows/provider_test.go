package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/postgres"
)

// invariantsHold checks every promise from the database.
func (s *scene) invariantsHold() {
	s.t.Helper()
	invariants, err := postgres.New(s.DB).CheckInvariants(s.t.Context())
	require.NoError(s.t, err)
	for _, i := range invariants {
		require.True(s.t, i.Holds(), "%s: %s", i.Name, i.Sample)
	}
}

// Rule E5: the provider deactivates; what follows is the admins' as ever.
func TestAProvidersLeaverIsTheAdminsAfterwards(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Provisioned("okta", s.Leaver)
	documents := documents(s.Organization, s.Leaver, 3)
	reader := s.Member(offboarding.RoleReader, offboarding.AccountMaker)
	s.Grant(documents[1], reader, offboarding.GrantView)
	var request, transferred, extended, approved, refused *answer
	s.after(day, func() {
		transferred = s.ask(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, DocumentIDs: documents[:1]})
		extended = s.ask(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: at(20 * day)})
		request = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: documents[1], MemberID: reader})
		refused = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Owner})
	})
	s.after(2*day, func() {
		approved = s.ask(offboarding.MessageDecision, offboarding.AdminApproval{
			RequestID: request.outcome.RequestID, AdminID: s.Admin, Decision: offboarding.DecisionApprove,
		})
	})
	s.after(3*day, func() {
		s.signal(offboarding.MessageReactivate, offboarding.Reactivate{Provider: "okta", ReturnDocuments: true})
	})
	s.run(func(r *offboarding.Request) { r.RequestedBy, r.Provider = "", "okta" })
	require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
	require.NoError(t, transferred.err)
	require.NoError(t, extended.err)
	require.NoError(t, approved.err)
	require.Equal(t, offboarding.CodeExternallyManaged, refused.code())
	require.Equal(t, s.Admin, s.status().RequestedBy, "the provisioning admin")
	for _, document := range documents {
		require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
	}
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ReactivateMember' AND actor_id = $1`, s.Admin))
	s.invariantsHold()
}

// Rule N2: the provisioning admin who leaves during the wait is replaced at the
// second look, one who leaves during the transfer in it; the leaver goes anyway.
func TestAProvidersNewOwnerFallsBack(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]string{"at the second look": "Revoke", "in the transfer": "TransferDocuments"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Provisioned("okta", s.Leaver)
			document := s.Document(s.Leaver, "")
			s.onStart(when, func() { s.deactivateOutside(s.Admin) })
			s.run(func(r *offboarding.Request) {
				r.RequestedBy, r.Provider, r.Disposition, r.EffectiveAt = "", "okta", offboarding.DispositionTransfer, at(day)
			})
			require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
			require.Equal(t, s.Manager+" editable", s.DocumentState(document))
			require.Equal(t, "Archived Users/Member 4", s.path(document), "as with every other leaver")
			require.NotEmpty(t, s.status().FallbackReason)
			require.Equal(t, 1, s.count(offboarding.EventChangeNewOwner))
		})
	}
}

// SAML only signs people in: its members are nobody's, and admins offboard them.
func TestSAMLManagesNobody(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Exec(`UPDATE organizations SET identity_provider = 'saml'`)
	s.SSOSession(s.Leaver, time.Hour)
	s.run(nil)
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	s = newScene(t)
	s.Exec(`UPDATE organizations SET identity_provider = 'saml'`)
	s.run(func(r *offboarding.Request) { r.Provider = "okta" })
	require.Equal(t, offboarding.CodeExternallyManaged, s.refusal().Code())
}
