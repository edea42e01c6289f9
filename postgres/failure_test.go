package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// shows is all that an error can show of itself to those who print it.
func shows(err error) string {
	var all strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&all, "%v|%+v|%s|", err, err, err.Error())
	}
	return all.String()
}

// What the driver says may quote rows and passwords; it never reaches a caller.
func TestFailuresAreSafeToShow(t *testing.T) {
	t.Parallel()

	t.Run("a constraint", func(t *testing.T) {
		t.Parallel()
		l := newLeaving(t)
		l.admit(l.request())
		l.Credential(l.member)
		l.Exec(`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'secret ada@acme.example' USING ERRCODE = 'check_violation', DETAIL = 'secret', CONSTRAINT = 'secret'; END $$`)
		l.Exec(`CREATE TRIGGER tell BEFORE UPDATE ON credentials FOR EACH ROW EXECUTE FUNCTION tell()`)
		in := offboarding.RevokeInput{Step: l.step("revoke")}
		before := dump(t, l.DB)
		_, err := l.store.Revoke(t.Context(), in)
		require.EqualError(t, err, "revoke: database error 23514 (check_violation)")
		require.NotContains(t, shows(err), "secret")
		require.Equal(t, before, dump(t, l.DB), "a step that failed leaves no trace")
		var failure *postgres.Error
		require.ErrorAs(t, err, &failure)
		require.ErrorContains(t, failure.Raw(), "secret", "for those who look at the process itself")

		l.Exec(`DROP TRIGGER tell ON credentials`)
		out, err := l.store.Revoke(t.Context(), in)
		require.NoError(t, err, "and is done when it is tried again")
		require.Equal(t, 1, out.Credentials)
	})

	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel()
		store, err := postgres.Open("postgres://postgres:s%20ecret@127.0.0.1:1/secret?sslmode=disable", 1)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		err = store.Ping(t.Context())
		require.EqualError(t, err, "connect: the database did not answer")
		require.NotContains(t, shows(err), "ecret")
	})

	t.Run("a URL that cannot be read", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{"postgres://user:secret@:x/", "postgres://u:secret@h/d?sslmode=secret", "secret"} {
			store, err := postgres.Open(url, 1)
			if err == nil {
				err = store.Ping(t.Context())
			}
			require.Error(t, err, url)
			require.NotContains(t, shows(err), "secret")
		}
	})

	t.Run("a server that is gone", func(t *testing.T) {
		t.Parallel()
		db := testdb.New(t)
		l := newLeavingOn(t, fixture.New(t, db), postgres.New(db))
		require.NoError(t, db.Close())
		_, err := l.store.Admit(t.Context(), l.admitInput(l.request()))
		require.Error(t, err)
		require.Empty(t, offboarding.CodeOf(err), "nothing was decided: it is tried again")
	})
}

// A deadlock is an error to be tried again: it is no refusal, nothing is recorded
// of it, and another try does the step.
func TestADeadlockLeavesNoTrace(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.claimable()
	l.inGrace()
	l.Exec(`CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END $$`)
	l.Exec(`CREATE TRIGGER deadlock BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION deadlock()`)
	in := l.claimInput(document, maker)
	before := dump(t, l.DB)
	_, err := l.store.Claim(t.Context(), in)
	require.EqualError(t, err, in.Name+": database error 40P01 (deadlock_detected)")
	require.Empty(t, offboarding.CodeOf(err))
	require.Equal(t, before, dump(t, l.DB))

	l.Exec(`DROP TRIGGER deadlock ON audit_events`)
	out, err := l.store.Claim(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeClaimed, out.Outcome)
}
