package auth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/offboarding"
	"handover/server/problem"
)

// Whether a client ID, a token or a session exists is not to be had from the answer to
// who does not have the secret, nor from the work that it takes: the same statements
// are run, and the secret is compared.
func TestGuessesCostTheSame(t *testing.T) {
	t.Parallel()
	asked := &testdb.Statements{}
	g := newGateOn(t, testdb.URL(t), asked.Open, nil)
	id, secret := g.credential(g.Leaver, offboarding.CredentialAPI)
	embed, _ := g.credential(g.Leaver, offboarding.CredentialEmbed)
	imported := g.Credential(g.Leaver)
	revoked, _ := g.credential(g.Leaver, offboarding.CredentialAPI)
	require.NoError(t, g.store.RevokeCredential(t.Context(), revoked, g.Admin, "", g.now()))
	ended, hash := offboarding.NewSecret(offboarding.SecretOfSession)
	session := offboarding.SignIn{SessionID: newID(), MemberID: g.Leaver, TokenHash: hash, At: g.now()}
	require.NoError(t, g.store.SignIn(t.Context(), session))
	require.NoError(t, g.store.SignOut(t.Context(), session.SessionID, g.now()))
	answered(t, 200, "", g.ask(somewhere, basic(id, secret)))

	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	cookie := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "handover_session", Value: token}) }
	}
	wrong, _ := offboarding.NewSecret(offboarding.SecretOfCredential)
	for name, guesses := range map[string][]func(*http.Request){
		"client IDs": {basic(id, wrong), basic(newID(), wrong), basic(embed, wrong), basic(imported, wrong), basic(revoked, wrong)},
		"tokens":     {bearer(wrong), bearer("x"), bearer(secret)},
		"sessions":   {cookie(wrong), cookie("x"), cookie(ended)},
	} {
		var first []string
		for i, guess := range guesses {
			asked.Taken()
			answered(t, 401, problem.CodeUnauthenticated, g.ask(somewhere, guess))
			statements := asked.Taken()
			require.NotEmpty(t, statements, name)
			if i == 0 {
				first = statements
			}
			require.Equal(t, first, statements, "%s: guess %d", name, i)
		}
	}
}
