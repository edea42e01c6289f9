package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// waiting is a scene whose organization waits for SSO sessions (rule S1).
func waiting(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	s.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
	return s
}

// deactivated is when the account was deactivated.
func (s *scene) deactivated() time.Duration {
	s.t.Helper()
	var at time.Time
	require.NoError(s.t, s.DB.Get(&at, `SELECT deactivated_at FROM cases`))
	return at.Sub(fixture.Start)
}

func TestRuleS1WaitsForTheSessionsEnd(t *testing.T) {
	t.Parallel()
	const signOut = 95 * time.Minute
	for name, c := range map[string]struct {
		lasts   []time.Duration // of the sessions, 0 without an end
		signOut bool            // of those without an end
		at      time.Duration   // of the deactivation
		within  time.Duration   // later, by the pause between two looks
	}{
		"one that expires":            {lasts: []time.Duration{3 * time.Hour}, at: 3 * time.Hour},
		"the last of two":             {lasts: []time.Duration{time.Hour, 5 * time.Hour}, at: 5 * time.Hour},
		"one that is signed out":      {lasts: []time.Duration{0}, signOut: true, at: signOut, within: 15 * time.Minute},
		"one that never ends":         {lasts: []time.Duration{0}, at: 24 * time.Hour},
		"one that lasts for too long": {lasts: []time.Duration{9 * day}, at: 24 * time.Hour},
		"one signed out, one expires": {lasts: []time.Duration{0, 8 * time.Hour}, signOut: true, at: 8 * time.Hour, within: 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := waiting(t)
			credential, plain := s.Credential(s.Leaver), s.Session(s.Leaver)
			for _, lasts := range c.lasts {
				s.SSOSession(s.Leaver, lasts)
			}
			if c.signOut {
				s.after(signOut, func() {
					s.Exec(`UPDATE sessions SET status = 'ended' WHERE sso AND expires_at IS NULL`)
				})
			}
			var late string
			s.after(20*time.Minute, func() {
				status := s.status()
				require.Equal(t, offboarding.PhaseRevoking, status.Phase)
				require.NotNil(t, status.SessionsEndAt)
				require.Nil(t, status.DeactivatedAt)
				require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
				require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential), "credentials do not wait")
				require.Equal(t, "revoked", s.Text(`SELECT status FROM sessions WHERE id = $1`, plain))
				require.Equal(t, len(c.lasts), s.Count(`SELECT count(*) FROM sessions WHERE status = 'active' AND sso`))
				late = s.Credential(s.Leaver)
			})
			s.after(40*time.Minute, func() {
				require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, late), "what appears meanwhile is revoked")
			})
			s.run(nil)

			require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
			got := s.deactivated()
			require.True(t, c.at <= got && got <= c.at+c.within, "deactivated after %s, want %s to %s", got, c.at, c.at+c.within)
			require.Zero(t, s.Count(`SELECT count(*) FROM sessions WHERE status = 'active'`))
			require.Nil(t, s.status().SessionsEndAt)
			require.Less(t, s.Count(`SELECT count(*) FROM case_steps`), 120, "the wait is bounded")
			s.invariantsHold()
		})
	}
}

// With the policy revoke, and without sessions by SSO, nothing waits.
func TestRuleS1RevokesAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	session := s.SSOSession(s.Leaver, 0)
	s.run(nil)
	require.Zero(t, s.deactivated())
	require.Equal(t, "revoked", s.Text(`SELECT status FROM sessions WHERE id = $1`, session))
	s = waiting(t)
	s.Session(s.Leaver)
	s.run(nil)
	require.Zero(t, s.deactivated())
}

// While the case waits for sessions it says so, and takes no message that is for
// before or for after; what turns it back is another test.
func TestMessagesWhileTheCaseWaitsForSessions(t *testing.T) {
	t.Parallel()
	s := waiting(t)
	document := s.Document(s.Leaver, "")
	s.Grant(document, s.Manager, offboarding.GrantEdit)
	s.SSOSession(s.Leaver, 6*time.Hour)
	var status offboarding.Status
	answers := map[string]*answer{}
	s.after(0, func() { answers[offboarding.UpdateAwaitRevoked] = s.awaitRevoked(&status) })
	s.after(time.Hour, func() {
		for name, message := range map[string]any{
			offboarding.MessageClaim:      offboarding.ClaimRequest{DocumentID: document, MemberID: s.Manager},
			offboarding.MessageTransfer:   offboarding.TransferDocuments{AdminID: s.Admin},
			offboarding.MessageCancel:     offboarding.Cancel{AdminID: s.Admin},
			offboarding.MessageReschedule: offboarding.Reschedule{AdminID: s.Admin, EffectiveAt: at(day)},
			offboarding.MessageExtend:     offboarding.ExtendGrace{AdminID: s.Admin, Until: at(20 * day)},
		} {
			answers[name] = s.ask(name, message)
		}
	})
	s.after(2*time.Hour, func() { require.Len(t, s.status().RefusedMessages, 5) })
	s.lasting(day)
	s.run(nil)
	require.NoError(t, answers[offboarding.UpdateAwaitRevoked].err)
	require.Equal(t, offboarding.PhaseRevoking, status.Phase)
	require.Equal(t, fixtureTime(6*time.Hour), *status.SessionsEndAt)
	for name, want := range map[string]offboarding.Code{
		offboarding.MessageClaim: offboarding.CodeAlreadyOwned, offboarding.MessageTransfer: offboarding.CodeMemberStillActive,
		offboarding.MessageCancel: offboarding.CodeWrongPhase, offboarding.MessageReschedule: offboarding.CodeWrongPhase,
		offboarding.MessageExtend: offboarding.CodeWrongPhase,
	} {
		require.Equal(t, want, answers[name].code(), name)
	}
	require.Equal(t, 6*time.Hour, s.deactivated())
	require.Equal(t, offboarding.PhaseGrace, s.status().Phase)
	require.Equal(t, fixtureTime(6*time.Hour+7*day), *s.status().GraceEndsAt)
}

// Who comes back while only sessions are waited for stays active, with the session and
// all documents; what was revoked stays so.
func TestReactivationWhileTheCaseWaitsForSessions(t *testing.T) {
	t.Parallel()
	s := waiting(t)
	document, credential, session := s.Document(s.Leaver, ""), s.Credential(s.Leaver), s.SSOSession(s.Leaver, 6*time.Hour)
	s.Exec(`UPDATE organizations SET seat_limit = (SELECT count(*) FROM members WHERE status = 'active')`)
	var refused, a *answer
	s.after(time.Hour, func() {
		refused = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Manager})
	})
	s.after(2*time.Hour, func() {
		require.Equal(t, offboarding.CodeNotAuthorized, refused.code())
		require.Equal(t, offboarding.PhaseRevoking, s.status().Phase)
		a = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: true})
	})
	s.run(nil)
	require.NoError(t, a.err)
	require.Equal(t, offboarding.OutcomeReactivated, a.outcome.Outcome)
	require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
	require.Nil(t, s.status().SessionsEndAt)
	require.Nil(t, s.status().DeactivatedAt)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	require.Equal(t, "active", s.Text(`SELECT status FROM sessions WHERE id = $1`, session))
	require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
	require.Equal(t, `AdvanceOffboarding {"phase": "revoking"} {"phase": "reactivated"}`, s.Text(`SELECT event || ' ' || before || ' ' || after
		FROM audit_events WHERE actor_id = $1 AND event NOT LIKE 'Complete%' ORDER BY id DESC LIMIT 1`, s.Admin))
	s.invariantsHold()
}

// Who is refused at the last moment leaves as was planned.
func TestReactivationRefusedAtTheLastMomentWaitsOn(t *testing.T) {
	t.Parallel()
	s := waiting(t)
	s.SSOSession(s.Leaver, 6*time.Hour)
	s.onStart("ReactivateMember", func() { s.Exec(`UPDATE members SET role = 'contributor' WHERE id = $1`, s.Admin) })
	var a *answer
	s.after(2*time.Hour, func() { a = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin}) })
	s.after(3*time.Hour, func() { require.NotNil(t, s.status().SessionsEndAt) })
	s.run(nil)
	require.Equal(t, offboarding.CodeNotAuthorized, a.code())
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, 6*time.Hour, s.deactivated())
	s.invariantsHold()
}

// A case that stopped while it waited is taken over, and waits no longer for it.
func TestACaseThatWaitsForSessionsIsTakenOver(t *testing.T) {
	t.Parallel()
	s := waiting(t)
	s.SSOSession(s.Leaver, 6*time.Hour)
	s.lasting(2 * time.Hour)
	s.run(nil)
	open := s.status()
	require.Equal(t, offboarding.PhaseRevoking, open.Phase)

	s.now = s.env.Now()
	s.stage(open.WorkflowID)
	s.after(time.Hour, func() { require.Equal(t, open.SessionsEndAt, s.status().SessionsEndAt) })
	s.run(nil)
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, open.CaseID, s.result().CaseID)
	require.Equal(t, 6*time.Hour, s.deactivated())
	s.invariantsHold()
}

// A case that continues as new while it waits goes on waiting.
func TestACaseThatWaitsForSessionsContinuesAsNew(t *testing.T) {
	t.Parallel()
	s := waiting(t)
	s.SSOSession(s.Leaver, 6*time.Hour)
	s.after(2*time.Hour, func() { s.env.SetContinueAsNewSuggested(true) })
	s.run(nil)
	s.goOn(func() {
		s.after(time.Hour, func() { require.Equal(t, offboarding.PhaseRevoking, s.status().Phase) })
	})
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, 6*time.Hour, s.deactivated())
	s.invariantsHold()
}

// A database that does not answer holds up the wait, and the case says so.
func TestTroubleWhileTheCaseWaitsForSessions(t *testing.T) {
	t.Parallel()
	s := waiting(t)
	s.SSOSession(s.Leaver, 3*time.Hour)
	s.after(time.Hour, func() { s.breakTable("sessions") })
	s.after(4*time.Hour, func() {
		require.NotNil(t, s.status().Trouble)
		require.Equal(t, "sessions", s.status().Trouble.Step)
		require.Nil(t, s.status().DeactivatedAt)
		s.repairTable("sessions")
	})
	s.run(nil)
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.InDelta(t, (4 * time.Hour).Minutes(), s.deactivated().Minutes(), 6)
}
