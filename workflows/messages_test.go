package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestClaimIsARequestWhereOnlyAnAdminMayDecide(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	reader, colleague := s.Member(offboarding.RoleReader, offboarding.AccountViewer), s.Maker()
	approved, other, left := s.Document(s.Leaver, ""), s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
	for _, document := range []string{approved, other, left} {
		s.Grant(document, colleague, offboarding.GrantView)
		s.Grant(document, reader, offboarding.GrantView)
	}
	var asked, rival, byReader, rejected *answer
	s.after(day, func() {
		asked = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: approved, MemberID: colleague, Note: "mine"})
		rival = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: approved, MemberID: reader})
		byReader = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: other, MemberID: reader})
		rejected = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: left, MemberID: reader})
	})
	var yes, elsewhere, no *answer
	s.after(2*day, func() {
		for _, a := range []*answer{asked, rival, byReader, rejected} {
			require.Equal(t, offboarding.OutcomeRequested, a.outcome.Outcome)
		}
		require.Equal(t, 4, s.status().PendingCount)
		require.Len(t, s.status().PendingRequests, 4)
		decide := func(a *answer, decision, owner string) *answer {
			return s.ask(offboarding.MessageDecision, offboarding.AdminApproval{
				RequestID: a.outcome.RequestID, AdminID: s.Admin, Decision: decision, NewOwnerID: owner,
			})
		}
		yes = decide(asked, offboarding.DecisionApprove, "")
		elsewhere = decide(byReader, offboarding.DecisionApprove, s.Manager) // a viewer cannot own it (rule N1)
		no = decide(rejected, offboarding.DecisionReject, "")
	})
	s.after(3*day, func() {
		require.Equal(t, offboarding.OutcomeApproved, yes.outcome.Outcome)
		require.Equal(t, []string{rival.outcome.RequestID}, yes.outcome.Superseded)
		require.Equal(t, s.Manager, elsewhere.outcome.OwnerID)
		require.Equal(t, offboarding.OutcomeRejected, no.outcome.Outcome)
		require.Equal(t, colleague+" editable", s.DocumentState(approved))
		require.Equal(t, s.Manager+" editable", s.DocumentState(other))
		require.Equal(t, s.Leaver+" editable", s.DocumentState(left))
		status := s.status()
		require.Empty(t, status.PendingRequests)
		require.Zero(t, status.PendingCount)
		require.Equal(t, offboarding.Counts{Total: 3, Unowned: 1, Approved: 2}, status.Documents)
		s.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, DocumentIDs: []string{left}})
	})
	s.run(nil)

	require.Equal(t, offboarding.Counts{Total: 3, Approved: 2, Transferred: 1}, s.result().Documents)
	require.Equal(t, s.Admin+" editable", s.DocumentState(left))
	require.Equal(t, fixtureTime(3*day), s.env.Now().UTC(), "the case ends with its last document")
}

func TestTransferOfSomeThenOfAllTheRest(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	colleague := s.Maker()
	some, rest := s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
	var first, second *answer
	s.after(day, func() {
		first = s.ask(offboarding.MessageTransfer, offboarding.TransferDocuments{
			AdminID: s.Admin, NewOwnerID: colleague, DocumentIDs: []string{some, some},
		})
	})
	s.after(8*day, func() {
		require.Equal(t, offboarding.Counts{Total: 2, Unowned: 1, ReadOnly: 1, Transferred: 1}, s.status().Documents)
		second = s.ask(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Owner, NewOwnerID: offboarding.NewOwnerManager})
	})
	s.run(nil)

	require.Equal(t, offboarding.Counts{Total: 2, Transferred: 2}, s.result().Documents)
	require.Equal(t, 1, first.outcome.Documents)
	require.Equal(t, s.Manager, second.outcome.OwnerID)
	require.Equal(t, colleague+" editable", s.DocumentState(some))
	require.Equal(t, s.Manager+" editable", s.DocumentState(rest))
}

// The refusals of every message, sent to a case that waits in a phase.
func TestMessageThatBreaksARuleChangesNothingAndIsRecorded(t *testing.T) {
	t.Parallel()
	type world struct {
		*scene
		document, taken, request string
	}
	for name, c := range map[string]struct {
		phase   offboarding.Phase
		code    offboarding.Code
		message string
		payload func(world) any
	}{
		"claim without a grant": {"grace", "no_access", "claim-request", func(w world) any {
			return offboarding.ClaimRequest{DocumentID: w.document, MemberID: w.Maker()}
		}},
		"claim of no document": {"grace", "no_access", "claim-request", func(w world) any {
			return offboarding.ClaimRequest{DocumentID: "none", MemberID: w.Manager}
		}},
		"claim by nobody": {"grace", "no_access", "claim-request", func(w world) any {
			return offboarding.ClaimRequest{DocumentID: w.document, MemberID: "external:nobody"}
		}},
		"claim of a document that has an owner": {"grace", "already_owned", "claim-request", func(w world) any {
			return offboarding.ClaimRequest{DocumentID: w.taken, MemberID: w.Admin}
		}},
		"claim before the leaver has left": {"scheduled", "already_owned", "claim-request", func(w world) any {
			return offboarding.ClaimRequest{DocumentID: w.document, MemberID: w.Manager}
		}},
		"second request": {"grace", "already_requested", "claim-request", func(w world) any {
			return offboarding.ClaimRequest{DocumentID: w.document, MemberID: w.Admin}
		}},
		"claim with too long a note": {"grace", "invalid_argument", "claim-request", func(w world) any {
			return offboarding.ClaimRequest{DocumentID: w.document, MemberID: w.Manager, Note: strings.Repeat("x", 2001)}
		}},
		"decision of no admin": {"grace", "not_authorized", "admin-approval", func(w world) any {
			return offboarding.AdminApproval{RequestID: w.request, AdminID: w.Manager, Decision: "approve"}
		}},
		"decision of no request": {"grace", "request_not_pending", "admin-approval", func(w world) any {
			return offboarding.AdminApproval{RequestID: w.document, AdminID: w.Owner, Decision: "approve"}
		}},
		"decision for a viewer": {"grace", "new_owner_not_eligible", "admin-approval", func(w world) any {
			return offboarding.AdminApproval{
				RequestID: w.request, AdminID: w.Owner, Decision: "approve", NewOwnerID: w.Member("reader", "viewer"),
			}
		}},
		"neither approve nor reject": {"grace", "invalid_argument", "admin-approval", func(w world) any {
			return offboarding.AdminApproval{RequestID: w.request, AdminID: w.Owner, Decision: "perhaps"}
		}},
		"transfer by no admin": {"grace", "not_authorized", "transfer-documents", func(w world) any {
			return offboarding.TransferDocuments{AdminID: w.Manager}
		}},
		"transfer to the leaver": {"grace", "new_owner_not_eligible", "transfer-documents", func(w world) any {
			return offboarding.TransferDocuments{AdminID: w.Admin, NewOwnerID: w.Leaver}
		}},
		"transfer of what has an owner": {"grace", "already_owned", "transfer-documents", func(w world) any {
			return offboarding.TransferDocuments{AdminID: w.Admin, DocumentIDs: []string{w.document, w.taken}}
		}},
		"transfer from an active member": {"scheduled", "member_still_active", "transfer-documents", func(w world) any {
			return offboarding.TransferDocuments{AdminID: w.Admin}
		}},
		"extend by no admin": {"grace", "not_authorized", "extend-grace", func(w world) any {
			return offboarding.ExtendGrace{AdminID: w.Manager, Until: at(20 * day)}
		}},
		"extend to an earlier end": {"grace", "invalid_argument", "extend-grace", func(w world) any {
			return offboarding.ExtendGrace{AdminID: w.Admin, Until: at(2 * day)}
		}},
		"extend into the past": {"grace", "invalid_argument", "extend-grace", func(w world) any {
			return offboarding.ExtendGrace{AdminID: w.Admin, Until: at(-day)}
		}},
		"extend before the grace": {"scheduled", "wrong_phase", "extend-grace", func(w world) any {
			return offboarding.ExtendGrace{AdminID: w.Admin, Until: at(20 * day)}
		}},
		"extend after the grace": {"read_only", "wrong_phase", "extend-grace", func(w world) any {
			return offboarding.ExtendGrace{AdminID: w.Admin, Until: at(20 * day)}
		}},
		"reschedule by no admin": {"scheduled", "not_authorized", "reschedule", func(w world) any {
			return offboarding.Reschedule{AdminID: w.Manager, EffectiveAt: at(9 * day)}
		}},
		"reschedule to no time": {"scheduled", "invalid_argument", "reschedule", func(w world) any {
			return offboarding.Reschedule{AdminID: w.Admin, EffectiveAt: "next week"}
		}},
		"reschedule too late": {"grace", "wrong_phase", "reschedule", func(w world) any {
			return offboarding.Reschedule{AdminID: w.Admin, EffectiveAt: at(9 * day)}
		}},
		"cancel by no admin": {"scheduled", "not_authorized", "cancel", func(w world) any {
			return offboarding.Cancel{AdminID: w.Manager}
		}},
		"cancel by the leaver": {"scheduled", "not_authorized", "cancel", func(w world) any {
			return offboarding.Cancel{AdminID: w.Leaver}
		}},
		"cancel too late": {"read_only", "wrong_phase", "cancel", func(w world) any {
			return offboarding.Cancel{AdminID: w.Admin}
		}},
		"reactivate by no admin": {"grace", "not_authorized", "reactivate", func(w world) any {
			return offboarding.Reactivate{AdminID: w.Manager}
		}},
		"reactivate before the leaver has left": {"scheduled", "wrong_phase", "reactivate", func(w world) any {
			return offboarding.Reactivate{AdminID: w.Admin}
		}},
		"reactivate without a seat": {"read_only", "seat_limit_exceeded", "reactivate", func(w world) any {
			w.Exec(`UPDATE organizations SET seat_limit = 3`)
			return offboarding.Reactivate{AdminID: w.Admin}
		}},
		"reactivate who is managed elsewhere": {"grace", "externally_managed", "reactivate", func(w world) any {
			w.Exec(`UPDATE members SET managed_by = 'entra' WHERE id = $1`, w.Leaver)
			return offboarding.Reactivate{AdminID: w.Admin}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world{scene: newScene(t)}
			w.document, w.taken = w.Document(w.Leaver, ""), w.Document(w.Manager, "")
			for _, member := range []string{w.Manager, w.Admin} {
				w.Grant(w.document, member, offboarding.GrantView)
			}
			w.Grant(w.taken, w.Admin, offboarding.GrantEdit)
			if c.phase != offboarding.PhaseScheduled {
				w.after(time.Hour, func() {
					a := w.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: w.document, MemberID: w.Admin})
					w.after(time.Minute, func() { w.request = a.outcome.RequestID })
				})
			}
			w.lasting(16 * day)
			when := map[offboarding.Phase]time.Duration{"scheduled": day, "grace": 3 * day, "read_only": 8 * day}[c.phase]
			var a *answer
			var before offboarding.Status
			var events []string
			w.after(when, func() {
				payload := c.payload(w)
				before, events = w.status(), w.Events()
				require.Equal(t, c.phase, before.Phase)
				a = w.ask(c.message, payload)
				w.signal(c.message, payload)
			})
			checked := false
			w.after(when+time.Second, func() {
				checked = true
				require.Equal(t, c.code, a.code(), "%v", a.err)
				status := w.status()
				refused := status.RefusedMessages
				require.NotEmpty(t, refused)
				require.Equal(t, offboarding.RefusedMessage{Message: c.message, Code: c.code, At: fixtureTime(when)}, refused[len(refused)-1])
				require.Equal(t, before.Phase, status.Phase)
				require.Equal(t, before.Documents, status.Documents)
				require.Equal(t, before.GraceEndsAt, status.GraceEndsAt)
				require.Equal(t, before.EffectiveAt, status.EffectiveAt)
				require.Equal(t, events, w.Events())
				require.Nil(t, status.Trouble)
			})
			w.run(func(r *offboarding.Request) {
				if c.phase == offboarding.PhaseScheduled {
					r.EffectiveAt = at(5 * day)
				}
			})
			require.True(t, checked)
		})
	}
}

func TestSignalThatCannotBeReadIsRecordedAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]any{
		"text": "please", "list": []string{"a"}, "other fields": map[string]any{"document": 7}, "wrong type": map[string]any{"document_id": 7},
		"bytes": []byte{0xff, 0x00}, "null": nil, "number": 4.5,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Document(s.Leaver, "")
			s.after(day, func() { s.signal(offboarding.MessageClaim, payload) })
			s.after(2*day, func() {
				refused := s.status().RefusedMessages
				require.Len(t, refused, 1)
				require.Equal(t, offboarding.CodeInvalidArgument, refused[0].Code)
				s.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin})
			})
			s.run(nil)
			require.Equal(t, offboarding.Counts{Total: 1, Transferred: 1}, s.result().Documents)
			require.Equal(t, 2, s.status().MessagesHandled)
		})
	}
}

func TestUpdateThatCannotBeReadIsRejectedBeforeTheHistory(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Document(s.Leaver, "")
	s.lasting(2 * day)
	var text, missing *answer
	s.after(day, func() {
		text = s.ask(offboarding.MessageClaim, "please")
		missing = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{})
	})
	s.run(nil)
	require.Equal(t, offboarding.CodeInvalidArgument, text.code())
	require.Equal(t, offboarding.CodeInvalidArgument, missing.code())
	require.Zero(t, s.status().MessagesHandled)
}

func TestAwaitRevokedAnswersWhenAccessIsGone(t *testing.T) {
	t.Parallel()
	await := func(s *scene) *offboarding.Status {
		out := &offboarding.Status{}
		s.awaitRevoked(out)
		return out
	}
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		s.Document(s.Leaver, "")
		s.lasting(day)
		var status *offboarding.Status
		s.after(0, func() { status = await(s) })
		s.run(nil)
		require.NotNil(t, status.DeactivatedAt)
	})
	t.Run("scheduled", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		s.lasting(day)
		var status *offboarding.Status
		s.after(0, func() { status = await(s) })
		s.run(func(r *offboarding.Request) { r.EffectiveAt = at(3 * day) })
		require.Equal(t, offboarding.PhaseScheduled, status.Phase)
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		var a *answer
		s.after(0, func() { a = s.awaitRevoked(nil) })
		s.run(func(r *offboarding.Request) { r.RequestedBy = s.Manager })
		require.Equal(t, offboarding.CodeNotAuthorized, a.code())
		require.Equal(t, offboarding.CodeNotAuthorized, s.refusal().Code())
	})
	t.Run("somebody who has come back", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		s.Document(s.Leaver, "")
		var a *answer
		s.after(day, func() {
			s.breakTable("grants") // the last part of a reactivation gives grants
			s.signal(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
		})
		s.after(day+time.Minute, func() { a = s.awaitRevoked(nil) })
		s.after(day+2*time.Minute, func() { s.repairTable("grants") })
		s.run(nil)
		require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
		require.Equal(t, offboarding.CodeTryAgain, a.code(), "the member is active, and the case makes nobody inactive any more")
	})
}

func TestStatusBeforeAdmissionAndAfterTheEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var first offboarding.Status
	s.onStart("Admit", func() { first = s.status() })
	s.run(nil)
	require.Equal(t, s.Leaver, first.MemberID)
	require.Empty(t, first.Phase)
	require.Equal(t, []string{}, first.PendingRequests)
	last := s.status()
	require.Equal(t, offboarding.PhaseCompleted, last.Phase)
	require.Equal(t, fixtureTime(0), *last.ClosedAt)
	require.Equal(t, []string{"admit", "revoke", "deactivate", "complete"}, last.StepsDone)
}

func TestCancellationFromOutsideTearsNothingApart(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Document(s.Leaver, "")
	var a *answer
	s.after(day, s.env.CancelWorkflow)
	s.after(2*day, func() { a = s.ask(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin}) })
	s.run(nil)
	require.NoError(t, a.err)
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Nil(t, s.status().Trouble)
}
