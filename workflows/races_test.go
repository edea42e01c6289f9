package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestTransferGoesOnWhenTheGraceIsExtendedBesideIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	colleague := s.Maker()
	s.Document(s.Leaver, "")

	var transfer, extend *answer
	s.after(day, func() {
		transfer = s.ask(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, NewOwnerID: colleague})
		extend = s.ask(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: at(20 * day)})
	})
	s.run(nil)

	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.NoError(t, transfer.err)
	require.Equal(t, 1, transfer.outcome.Documents)
	require.NoError(t, extend.err)
	require.Equal(t, fixtureTime(20*day), *extend.outcome.At)
}

// The moments around the end of a wait, in which a message may come: just before
// it, at the very moment, from within the step that ends it, and just after.
func moments(end time.Duration, endingActivity string) map[string]func(*scene, func()) {
	return map[string]func(*scene, func()){
		"just before":   func(s *scene, fn func()) { s.after(end-time.Microsecond, fn) },
		"at the moment": func(s *scene, fn func()) { s.after(end, fn) },
		"meanwhile":     func(s *scene, fn func()) { s.after(end-time.Microsecond, func() { s.onStart(endingActivity, fn) }) },
		"just after":    func(s *scene, fn func()) { s.after(end+time.Microsecond, fn) },
	}
}

func TestClaimAtTheEndOfTheGraceWins(t *testing.T) {
	t.Parallel()
	for name, at := range moments(7*day, "Advance") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			colleague, document := s.Maker(), s.Document(s.Leaver, "")
			s.Grant(document, colleague, offboarding.GrantEdit)
			var a *answer
			at(s, func() {
				a = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: colleague})
			})
			s.run(nil)
			require.Equal(t, offboarding.Counts{Total: 1, Claimed: 1}, s.result().Documents)
			require.Equal(t, offboarding.OutcomeClaimed, a.outcome.Outcome)
			require.Equal(t, colleague+" editable", s.DocumentState(document))
			require.Equal(t, 1, s.count(offboarding.EventClaimDocOwnership))
		})
	}
}

func TestTransferOfTheLastDocumentAtTheEndOfTheGrace(t *testing.T) {
	t.Parallel()
	for name, at := range moments(7*day, "Advance") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			document := s.Document(s.Leaver, "")
			at(s, func() { s.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin}) })
			s.run(nil)
			require.Equal(t, offboarding.Counts{Total: 1, Transferred: 1}, s.result().Documents)
			require.Equal(t, s.Admin+" editable", s.DocumentState(document))
			require.Equal(t, 1, s.count(offboarding.EventTransferDocs))
		})
	}
}

func TestExtensionAtTheLastMomentCountsOrIsRefused(t *testing.T) {
	t.Parallel()
	for name, moment := range moments(7*day, "Advance") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			document := s.Document(s.Leaver, "")
			s.lasting(9 * day)
			var a *answer
			moment(s, func() {
				a = s.ask(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: at(8 * day)})
			})
			checked := false
			s.after(7*day+time.Hour, func() {
				checked = true
				if a.err == nil {
					require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
					require.Equal(t, offboarding.PhaseGrace, s.status().Phase)
					require.Zero(t, s.count(offboarding.EventMarkDocsReadOnly))
					return
				}
				require.Equal(t, offboarding.CodeWrongPhase, a.code())
				require.Equal(t, s.Leaver+" read_only", s.DocumentState(document))
			})
			s.run(nil)
			require.True(t, checked)
			require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase)
			require.Equal(t, 1, s.count(offboarding.EventMarkDocsReadOnly))
		})
	}
}

func TestCancelAtTheEffectiveTimeEndsTheCaseOrIsRefused(t *testing.T) {
	t.Parallel()
	for name, at := range moments(3*day, "Revoke") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Document(s.Leaver, "")
			credential := s.Credential(s.Leaver)
			s.lasting(5 * day)
			var a *answer
			at(s, func() { a = s.ask(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Admin}) })
			s.run(func(r *offboarding.Request) { r.EffectiveAt = fixtureTime(3 * day).Format(time.RFC3339) })

			state := s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver) + " " +
				s.Text(`SELECT status FROM credentials WHERE id = $1`, credential) + " " + s.Text(`SELECT phase FROM cases`)
			if a.err == nil {
				require.Equal(t, "active active canceled", state)
				require.Equal(t, offboarding.PhaseCanceled, s.result().Phase)
				return
			}
			require.Equal(t, offboarding.CodeWrongPhase, a.code())
			require.Equal(t, "inactive revoked grace", state)
		})
	}
}

func TestRescheduleAtTheEffectiveTimeCountsOrIsRefused(t *testing.T) {
	t.Parallel()
	for name, moment := range moments(3*day, "Revoke") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			var a *answer
			moment(s, func() {
				a = s.ask(offboarding.MessageReschedule, offboarding.Reschedule{AdminID: s.Admin, EffectiveAt: at(6 * day)})
			})
			s.run(func(r *offboarding.Request) { r.EffectiveAt = at(3 * day) })
			require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
			done := s.env.Now().UTC().Truncate(time.Hour)
			if a.err == nil {
				require.Equal(t, fixtureTime(6*day), done)
				return
			}
			require.Equal(t, offboarding.CodeWrongPhase, a.code())
			require.Equal(t, fixtureTime(3*day), done)
		})
	}
}

func TestOfTwoClaimsExactlyOneWins(t *testing.T) {
	t.Parallel()
	for _, when := range []time.Duration{day, 8 * day} {
		s := newScene(t)
		document, left := s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
		var claims []*answer
		var claimants []string
		for range 5 {
			claimants = append(claimants, s.Maker())
			s.Grant(document, claimants[len(claimants)-1], offboarding.GrantEdit)
		}
		s.after(when, func() {
			for _, claimant := range claimants {
				claims = append(claims, s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: claimant}))
			}
		})
		s.after(when+time.Hour, func() {
			require.Equal(t, 1, s.status().Documents.Unowned)
			s.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, DocumentIDs: []string{left}})
		})
		s.run(nil)

		winners := 0
		for i, claim := range claims {
			if claim.err == nil {
				winners++
				require.Equal(t, claimants[i]+" editable", s.DocumentState(document))
				continue
			}
			require.Equal(t, offboarding.CodeAlreadyOwned, claim.code())
		}
		require.Equal(t, 1, winners)
		require.Equal(t, offboarding.Counts{Total: 2, Claimed: 1, Transferred: 1}, s.result().Documents)
		require.Equal(t, 1, s.count(offboarding.EventClaimDocOwnership))
	}
}

func TestDecisionAgainstClaim(t *testing.T) {
	t.Parallel()
	for name, decisionFirst := range map[string]bool{"decision first": true, "claim first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			asker, claimant, document := s.Maker(), s.Maker(), s.Document(s.Leaver, "")
			s.Grant(document, asker, offboarding.GrantView)
			s.Grant(document, claimant, offboarding.GrantEdit)
			var request, decision, claim *answer
			s.after(day, func() {
				request = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: asker})
			})
			s.after(2*day, func() {
				send := []func(){func() {
					decision = s.ask(offboarding.MessageDecision, offboarding.AdminApproval{
						RequestID: request.outcome.RequestID, AdminID: s.Admin, Decision: offboarding.DecisionApprove,
					})
				}, func() {
					claim = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: claimant})
				}}
				if !decisionFirst {
					send[0], send[1] = send[1], send[0]
				}
				send[0]()
				send[1]()
			})
			s.run(nil)

			require.NotEqual(t, decision.err == nil, claim.err == nil, "exactly one of them wins")
			require.Zero(t, s.Count(`SELECT count(*) FROM ownership_requests WHERE status = 'pending'`))
			if claim.err == nil {
				require.Equal(t, offboarding.CodeRequestNotPending, decision.code())
				require.Equal(t, claimant+" editable", s.DocumentState(document))
				require.Equal(t, offboarding.Counts{Total: 1, Claimed: 1}, s.result().Documents)
				return
			}
			require.Contains(t, []offboarding.Code{offboarding.CodeAlreadyOwned, offboarding.CodeWrongPhase}, claim.code())
			require.Equal(t, asker+" editable", s.DocumentState(document))
			require.Equal(t, offboarding.Counts{Total: 1, Approved: 1}, s.result().Documents)
		})
	}
}

func TestReactivationAgainstClaim(t *testing.T) {
	t.Parallel()
	for name, claimFirst := range map[string]bool{"claim first": true, "reactivation first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			colleague, document, left := s.Maker(), s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
			s.Grant(document, colleague, offboarding.GrantEdit)
			var claim, back *answer
			s.after(8*day, func() {
				send := []func(){func() {
					claim = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: colleague})
				}, func() {
					back = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
				}}
				if !claimFirst {
					send[0], send[1] = send[1], send[0]
				}
				send[0]()
				send[1]()
			})
			s.run(nil)

			require.NoError(t, back.err)
			require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
			require.Equal(t, s.Leaver+" editable", s.DocumentState(left))
			if claim.err == nil {
				require.Equal(t, colleague+" editable", s.DocumentState(document))
				require.Equal(t, "edit", s.Text(`SELECT level FROM grants WHERE document_id = $1 AND member_id = $2`, document, s.Leaver))
				return
			}
			require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
		})
	}
}

func TestOfTwoReactivationsTheSecondIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Document(s.Leaver, "")
	var first, second *answer
	s.after(day, func() {
		first = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
		second = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Owner})
	})
	s.run(nil)
	require.NoError(t, first.err)
	require.Equal(t, offboarding.CodeWrongPhase, second.code())
	require.Equal(t, 1, s.count(offboarding.EventReactivateMember))
}

func TestSignalSentWithTheStartIsJudgedWhenTheCaseWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effective time.Duration
		send      func(s *scene, document, colleague string)
		phase     offboarding.Phase
		state     func(s *scene, colleague string) string
	}{
		"cancel": {day, func(s *scene, _, _ string) {
			s.signal(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Admin})
		}, offboarding.PhaseCanceled, func(s *scene, _ string) string { return s.Leaver }},
		"claim": {0, func(s *scene, document, colleague string) {
			s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: colleague})
		}, offboarding.PhaseCompleted, func(_ *scene, colleague string) string { return colleague }},
		"reactivate": {0, func(s *scene, _, _ string) {
			s.signal(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
		}, offboarding.PhaseReactivated, func(s *scene, _ string) string { return s.Leaver }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			colleague, document := s.Maker(), s.Document(s.Leaver, "")
			s.Grant(document, colleague, offboarding.GrantEdit)
			s.after(0, func() { c.send(s, document, colleague) })
			s.run(func(r *offboarding.Request) { r.EffectiveAt = at(c.effective) })
			require.Equal(t, c.phase, s.result().Phase)
			require.Equal(t, c.state(s, colleague)+" editable", s.DocumentState(document))
			require.Equal(t, 1, s.status().MessagesHandled)
			require.Empty(t, s.status().RefusedMessages)
		})
	}
}
