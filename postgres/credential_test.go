package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

func credentialOf(member, by string) (offboarding.CredentialRequest, string) {
	secret, hash := offboarding.NewSecret(offboarding.SecretOfCredential)
	return offboarding.CredentialRequest{ID: newID(), MemberID: member, By: by, Kind: offboarding.CredentialAPI, Name: "HR", SecretHash: hash}, secret
}

// Who may make and revoke whose credentials; a refusal leaves no trace.
func TestWhoMayMakeCredentials(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	o, other, store := fixture.New(t, db), fixture.New(t, db), postgres.New(db)
	gone := o.Maker()
	o.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, gone, fixture.Start)
	child := fixture.New(t, db)
	o.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, child.ID, o.ID)
	epm := fixture.New(t, db)
	below := fixture.New(t, db)
	o.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, epm.ID)
	o.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, below.ID, epm.ID)

	for name, test := range map[string]struct {
		member, by string
		code       offboarding.Code // "" where they may
	}{
		"own":                                    {o.Leaver, o.Leaver, ""},
		"an admin for a contributor":             {o.Leaver, o.Admin, ""},
		"an owner for an admin":                  {o.Admin, o.Owner, ""},
		"an admin for an owner":                  {o.Owner, o.Admin, offboarding.CodeNotAuthorized},
		"a colleague":                            {o.Leaver, o.Manager, offboarding.CodeNotAuthorized},
		"somebody inactive for themselves":       {gone, gone, offboarding.CodeNotAuthorized},
		"for somebody inactive":                  {gone, o.Admin, offboarding.CodeAlreadyInactive},
		"another tenant's owner":                 {o.Leaver, other.Owner, offboarding.CodeMemberNotFound},
		"for nobody":                             {newID(), o.Admin, offboarding.CodeMemberNotFound},
		"nobody":                                 {o.Leaver, newID(), offboarding.CodeMemberNotFound},
		"an ancestor's owner":                    {below.Leaver, epm.Owner, ""},
		"an ancestor without plan manager":       {child.Leaver, o.Owner, offboarding.CodeMemberNotFound},
		"an ancestor's contributor":              {below.Leaver, epm.Manager, offboarding.CodeNotAuthorized},
		"an owner of below for one of the above": {epm.Leaver, below.Owner, offboarding.CodeMemberNotFound},
	} {
		r, _ := credentialOf(test.member, test.by)
		before := dump(t, db)
		id, err := r.ID, store.CreateCredential(t.Context(), r, fixture.Start)
		if test.code != "" {
			refused(t, test.code, err)
			require.Equal(t, before, dump(t, db), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, 1, o.Count(`SELECT count(*) FROM audit_events WHERE event = 'CreateCredential' AND subject_id = $1 AND actor_id = $2 AND member_id = $3`,
			id, test.by, test.member), name)
		before = dump(t, db)
		refused(t, offboarding.CodeCredentialNotFound, store.RevokeCredential(t.Context(), id, other.Owner, "", fixture.Start))
		require.Equal(t, before, dump(t, db))
		for range 2 { // the second changes nothing
			require.NoError(t, store.RevokeCredential(t.Context(), id, test.by, "", fixture.Start), name)
		}
		require.Equal(t, 1, o.Count(`SELECT count(*) FROM audit_events WHERE event = 'RevokeCredentials' AND subject_id = $1`, id))
	}
	refused(t, offboarding.CodeCredentialNotFound, store.RevokeCredential(t.Context(), newID(), o.Owner, "", fixture.Start))
}

// A repeat under the same client ID makes nothing new but the secret, which nobody
// has seen; under somebody else's it is refused.
func TestACredentialIsMadeOnce(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	o, store := fixture.New(t, db), postgres.New(db)
	r, _ := credentialOf(o.Leaver, o.Leaver)
	require.NoError(t, store.CreateCredential(t.Context(), r, fixture.Start))
	_, r.SecretHash = offboarding.NewSecret(offboarding.SecretOfCredential)
	require.NoError(t, store.CreateCredential(t.Context(), r, fixture.Start))
	require.Equal(t, []string{"CreateCredential"}, o.Events())
	i, err := store.CredentialIdentity(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, r.SecretHash, i.SecretHash)

	theirs, _ := credentialOf(o.Manager, o.Manager)
	theirs.ID = r.ID
	refused(t, offboarding.CodeInvalidArgument, store.CreateCredential(t.Context(), theirs, fixture.Start))
	require.NoError(t, store.RevokeCredential(t.Context(), r.ID, o.Leaver, "", fixture.Start))
	refused(t, offboarding.CodeInvalidArgument, store.CreateCredential(t.Context(), r, fixture.Start))
}

// What a case that waits for sessions would take away again is not made.
func TestNoCredentialForSomebodyWhoIsLeaving(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
	l.SSOSession(l.Leaver, 2*time.Hour)
	l.admit(l.request())
	_, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke")})
	require.NoError(t, err)
	r, _ := credentialOf(l.Leaver, l.Leaver)
	refused(t, offboarding.CodeAlreadyInactive, l.store.CreateCredential(t.Context(), r, l.at))
}

// The reach of a caller: the own organization, and for admins those below it, all
// the way, where it has enterprise plan manager on.
func TestIdentityReach(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	o, child, grandchild, other := fixture.New(t, db), fixture.New(t, db), fixture.New(t, db), fixture.New(t, db)
	store := postgres.New(db)
	o.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, child.ID, o.ID)
	o.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, grandchild.ID, child.ID)
	reach := func(member string) []string {
		t.Helper()
		r, secret := credentialOf(member, member)
		id, err := r.ID, store.CreateCredential(t.Context(), r, fixture.Start)
		require.NoError(t, err)
		i, err := store.CredentialIdentity(t.Context(), id)
		require.NoError(t, err)
		require.True(t, i.Live(fixture.Start))
		require.Equal(t, offboarding.HashSecret(secret), i.SecretHash)
		require.Equal(t, member, i.Member.ID)
		return i.Organizations
	}
	require.Equal(t, []string{o.ID}, reach(o.Owner), "without enterprise plan manager")
	o.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id IN ($1, $2)`, o.ID, other.ID)
	all := reach(o.Admin)
	require.Equal(t, o.ID, all[0])
	require.ElementsMatch(t, []string{o.ID, child.ID, grandchild.ID}, all)
	require.Equal(t, []string{o.ID}, reach(o.Manager), "a contributor")
	require.Equal(t, []string{child.ID}, reach(child.Owner))

	for _, id := range []string{newID(), "", "nonsense", "'; DROP TABLE members"} {
		i, err := store.CredentialIdentity(t.Context(), id)
		require.NoError(t, err)
		require.Nil(t, i, id)
	}
}
