package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// Rule S1, policy wait: everything but the SSO sessions of before is revoked, what
// appears later is revoked at each look, and the deactivation takes the rest.
func TestRuleS1Waits(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
	l.Credential(l.Leaver)
	plain, short, open := l.Session(l.Leaver), l.SSOSession(l.Leaver, 2*time.Hour), l.SSOSession(l.Leaver, 0)
	l.SSOSession(l.Leaver, time.Minute) // has run out
	status := func(session string) string { return l.Text(`SELECT status FROM sessions WHERE id = $1`, session) }
	l.admit(l.request())
	out, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke")})
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{out.Credentials, out.Sessions})
	require.Equal(t, l.at.Add(24*time.Hour), *out.SessionsEndAt, "one of them knows no end")
	require.Equal(t, []string{"revoked", "active", "active"}, []string{status(plain), status(short), status(open)})
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'AdvanceOffboarding' AND after ? 'sessions_end_at'`))

	check := func(want offboarding.SessionsChecked) {
		t.Helper()
		got, err := l.store.CheckSessions(t.Context(), l.step(newID()))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	check(offboarding.SessionsChecked{Waiting: 2})
	l.Credential(l.Leaver)
	l.Exec(`INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at) VALUES ($1, $2, $3, true, 'active', $4)`,
		newID(), l.ID, l.Leaver, l.at) // signed in again
	check(offboarding.SessionsChecked{Waiting: 2, Credentials: 1, Sessions: 1})
	l.at = l.at.Add(2 * time.Hour)
	check(offboarding.SessionsChecked{Waiting: 1, Sessions: 1})
	require.Equal(t, "revoked", status(short), "its time has passed")
	l.Exec(`UPDATE sessions SET status = 'ended' WHERE id = $1`, open)
	check(offboarding.SessionsChecked{})

	// The case is found with its wait when it is taken over.
	in := l.of(l.Leaver).admitInput(l.request())
	a, err := l.store.Admit(t.Context(), in)
	require.NoError(t, err)
	require.True(t, a.Resumed)
	require.Equal(t, out.SessionsEndAt.UTC(), a.SessionsEndAt.UTC())
	_, err = l.store.Deactivate(t.Context(), l.step("deactivate"))
	require.NoError(t, err)
	require.Equal(t, "ended", status(open), "what has ended by itself was not revoked")
	invariantsHold(t, l.store)
	_, err = l.store.CheckSessions(t.Context(), l.step("too late"))
	refused(t, offboarding.CodeWrongPhase, err)
	_, err = l.DB.Exec(`UPDATE sessions SET status = 'active' WHERE id = $1`, open)
	require.ErrorContains(t, err, "stays revoked")
}

// Whoever is only waited for can come back, and a preview says so.
func TestPreviewOfAReactivationWhileSessionsAreWaitedFor(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	require.Equal(t, offboarding.CodeAlreadyActive, l.previewReactivation(l.member).Members[0].Violations[0].Code)
	l.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
	l.SSOSession(l.Leaver, time.Hour)
	l.admit(l.request())
	require.Equal(t, offboarding.CodeAlreadyActive, l.previewReactivation(l.member).Members[0].Violations[0].Code, "nothing has begun")
	_, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke")})
	require.NoError(t, err)
	preview := l.previewReactivation(l.member).Members[0]
	require.Empty(t, preview.Violations)
	require.Equal(t, l.id, preview.CaseID)
	begun, err := l.store.BeginReactivation(t.Context(), l.beginInput(nil))
	require.NoError(t, err)
	require.Equal(t, l.id, begun.CaseID)
	require.NotEmpty(t, begun.OpenCase)
}

// Nothing to wait for: the policy says so, or no SSO session is there.
func TestRuleS1DoesNotWait(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*leaving){
		"the policy is to revoke": func(l *leaving) { l.SSOSession(l.Leaver, 0) },
		"no session by SSO":       func(l *leaving) { l.Exec(`UPDATE organizations SET sso_sessions = 'wait'`); l.Session(l.Leaver) },
		"it has run out": func(l *leaving) {
			l.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
			l.SSOSession(l.Leaver, time.Hour)
		},
	} {
		l := newLeaving(t)
		prepare(l)
		l.admit(l.request())
		out, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke")})
		require.NoError(t, err)
		require.Nil(t, out.SessionsEndAt, name)
		require.Equal(t, 1, out.Sessions, name)
		require.Zero(t, l.Count(`SELECT count(*) FROM sessions WHERE status = 'active'`), name)
	}
}
