package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/problem"
)

// A token opens what its credential does, until it expires.
func TestToken(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	c := g.credential(t, g.Leaver, "api")
	token := g.token(t, c)
	var m offboarding.Member
	g.bearer(token).get(t, "/v1/members/me").into(t, 200, &m)
	require.Equal(t, g.Leaver, m.ID)
	nobody := caller{url: g.url}
	nobody.form(t, "/oauth/token", "grant_type", "client_credentials", "client_id", c.id, "client_secret", c.secret).into(t, 200, nil)
	require.Zero(t, g.Count(`SELECT count(*) FROM access_tokens WHERE encode(token_hash, 'escape') LIKE '%ho_token%'`))

	g.clock.set(15*time.Minute - time.Second)
	g.bearer(token).get(t, "/v1/members/me").into(t, 200, nil)
	g.clock.set(15 * time.Minute)
	g.bearer(token).get(t, "/v1/members/me").want(t, 401, problem.CodeUnauthenticated)
	g.token(t, c)
	require.Equal(t, 1, g.Count(`SELECT count(*) FROM access_tokens`), "those that have expired are gone")
}

// The errors of the token endpoint are those of RFC 6749.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	c, embed := g.credential(t, g.Leaver, "api"), g.credential(t, g.Leaver, "embed")
	nobody, grant := caller{url: g.url}, []string{"grant_type", "client_credentials"}
	const path = "/oauth/token"
	nobody.form(t, path, grant...).oauth(t, 401, "invalid_client", problem.CodeUnauthenticated)
	g.basic(clientID{c.id, "guess"}).form(t, path, grant...).oauth(t, 401, "invalid_client", problem.CodeUnauthenticated)
	nobody.form(t, path, append(grant, "client_id", c.id, "client_secret", "guess")...).oauth(t, 401, "invalid_client", problem.CodeUnauthenticated)
	g.bearer(g.token(t, c)).form(t, path, grant...).oauth(t, 401, "invalid_client", problem.CodeUnauthenticated)
	g.basic(embed).form(t, path, grant...).oauth(t, 400, "unauthorized_client", offboarding.CodeNotAuthorized)
	g.basic(c).form(t, path).oauth(t, 400, "invalid_request", offboarding.CodeInvalidArgument)
	g.basic(c).form(t, path, append(grant, "grant_type", "client_credentials")...).oauth(t, 400, "invalid_request", offboarding.CodeInvalidArgument)
	g.basic(c).form(t, path, append(grant, "client_id", c.id, "client_secret", c.secret)...).oauth(t, 400, "invalid_request", offboarding.CodeInvalidArgument)
	g.basic(c).form(t, path, "grant_type", "password").oauth(t, 400, "unsupported_grant_type", offboarding.CodeInvalidArgument)
	g.basic(c).form(t, path, append(grant, "scope", "all")...).oauth(t, 400, "invalid_scope", offboarding.CodeInvalidArgument)
	g.basic(c).post(t, path, body{"grant_type": "client_credentials"}).oauth(t, 400, "invalid_request", offboarding.CodeInvalidArgument)
	g.basic(c).form(t, path, "grant_type", strings.Repeat("x", 20_000)).into(t, 413, nil)
	for range 10 {
		nobody.form(t, path, append(grant, "client_id", embed.id, "client_secret", "guess")...)
	}
	limited := nobody.form(t, path, append(grant, "client_id", embed.id, "client_secret", "guess")...)
	limited.want(t, 429, problem.CodeRateLimited)
	require.NotEmpty(t, limited.header.Get("Retry-After"))
}

// In the middle of its lifetime a token stops with its credential, and with its
// member, who has left by a real case (seed 000).
func TestTokensStopWithTheirCredential(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	c := g.credential(t, g.Leaver, "api")
	token := g.token(t, c)
	g.bearer(token).get(t, "/v1/members/me").into(t, 200, nil)
	g.basic(g.credential(t, g.Admin, "api")).del(t, "/v1/credentials/"+c.id, nil).into(t, 204, nil)
	g.bearer(token).get(t, "/v1/members/me").want(t, 401, problem.CodeInvalidRequest)
	g.basic(c).get(t, "/v1/members/me").want(t, 401, problem.CodeInvalidRequest)
	g.basic(c).form(t, "/oauth/token", "grant_type", "client_credentials").oauth(t, 401, "invalid_client", problem.CodeInvalidRequest)

	c = g.credential(t, g.Leaver, "api")
	token = g.token(t, c)
	g.bearer(token).get(t, "/v1/members/me").into(t, 200, nil)
	g.offboard(t, g.Leaver)
	g.bearer(token).get(t, "/v1/members/me").want(t, 401, problem.CodeInvalidRequest)
	g.basic(c).get(t, "/v1/members/me").want(t, 401, problem.CodeInvalidRequest)

	// Deleted members are nobody.
	_, err := g.store.EraseMember(t.Context(), offboarding.BeginDeletionInput{
		Step:    offboarding.Step{CaseID: uuid.NewString(), Name: "erase", At: time.Now()},
		Request: offboarding.DeletionRequest{MemberID: g.Leaver, RequestedBy: g.Owner},
	})
	require.NoError(t, err)
	g.bearer(token).get(t, "/v1/members/me").want(t, 401, problem.CodeUnauthenticated)
	g.basic(c).get(t, "/v1/members/me").want(t, 401, problem.CodeUnauthenticated)
}

func TestRevokeToken(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	c, other := g.credential(t, g.Leaver, "api"), g.credential(t, g.Leaver, "api")
	token := g.token(t, c)
	g.basic(other).form(t, "/oauth/revoke", "token", token).into(t, 200, nil)
	g.bearer(token).get(t, "/v1/members/me").into(t, 200, nil)
	g.basic(c).form(t, "/oauth/revoke").oauth(t, 400, "invalid_request", offboarding.CodeInvalidArgument)
	g.basic(clientID{c.id, "guess"}).form(t, "/oauth/revoke", "token", token).oauth(t, 401, "invalid_client", problem.CodeUnauthenticated)
	g.basic(c).form(t, "/oauth/revoke", "token", token).into(t, 200, nil)
	g.bearer(token).get(t, "/v1/members/me").want(t, 401, problem.CodeUnauthenticated)
	g.basic(c).form(t, "/oauth/revoke", "token", token).into(t, 200, nil)
}

// The host product asks whether tokens and credentials work; of what does not, of
// other tenants' and of what there is not it hears the same.
func TestIntrospect(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	other := fixture.New(t, g.DB)
	api, embed := g.credential(t, g.Leaver, "api"), g.credential(t, g.Leaver, "embed")
	token := g.token(t, api)
	admin := g.basic(g.credential(t, g.Admin, "api"))
	ask := func(c caller, fields ...string) map[string]any {
		t.Helper()
		var out map[string]any
		a := c.form(t, "/oauth/introspect", fields...).into(t, 200, &out)
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		return out
	}
	pair := func(c clientID) string { return c.id + ":" + c.secret }
	seconds := func(query, id string) float64 { return float64(g.Count(query, id)) }
	made := seconds(`SELECT floor(extract(epoch FROM created_at)) FROM credentials WHERE id = $1`, embed.id)
	want := map[string]any{
		"active": true, "client_id": embed.id, "kind": "embed", "sub": g.Leaver, "organization_id": g.ID, "token_type": "client_credentials", "iat": made,
	}
	require.Equal(t, want, ask(admin, "token", pair(embed)))
	require.Equal(t, want, ask(admin, "token", embed.id, "token_type_hint", "client_id"))
	issued := seconds(`SELECT floor(extract(epoch FROM created_at)) FROM access_tokens WHERE credential_id = $1`, api.id)
	require.Equal(t, map[string]any{
		"active": true, "client_id": api.id, "kind": "api", "sub": g.Leaver, "organization_id": g.ID, "token_type": "Bearer", "iat": issued, "exp": issued + 900,
	}, ask(admin, "token", token, "token_type_hint", "access_token"))

	dead := map[string]any{"active": false}
	theirs := makeCredential(t, g.store, other.Leaver, "embed")
	stranger := g.basic(makeCredential(t, g.store, other.Owner, "api"))
	for name, got := range map[string]map[string]any{
		"a client ID without the hint":     ask(admin, "token", embed.id),
		"a wrong secret":                   ask(admin, "token", embed.id+":guess"),
		"an imported one without a secret": ask(admin, "token", g.Credential(g.Leaver)+":"),
		"nothing known":                    ask(admin, "token", "nonsense"),
		"no client ID":                     ask(admin, "token", "nonsense", "token_type_hint", "client_id"),
		"another tenant's":                 ask(admin, "token", pair(theirs)),
		"another tenant's ID":              ask(admin, "token", theirs.id, "token_type_hint", "client_id"),
		"asked by another tenant":          ask(stranger, "token", token),
	} {
		require.Equal(t, dead, got, name)
	}
	admin.form(t, "/oauth/introspect").want(t, 400, offboarding.CodeInvalidArgument)
	g.basic(api).form(t, "/oauth/introspect", "token", token).want(t, 403, offboarding.CodeNotAuthorized)
	caller{url: g.url}.form(t, "/oauth/introspect", "token", token).want(t, 401, problem.CodeUnauthenticated)

	g.offboard(t, g.Leaver)
	require.Equal(t, dead, ask(admin, "token", token))
	require.Equal(t, dead, ask(admin, "token", pair(embed)))
	require.Equal(t, dead, ask(admin, "token", embed.id, "token_type_hint", "client_id"))
}

// Credentials over HTTP: own ones for everybody, others' for admins; the secret is
// shown once.
func TestCredentials(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	other := fixture.New(t, g.DB)
	admin, leaver := g.basic(g.credential(t, g.Admin, "api")), g.basic(g.credential(t, g.Leaver, "api"))
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
		Member string `json:"member_id"`
		Kind   string `json:"kind"`
	}
	a := leaver.post(t, "/v1/credentials", body{"name": "mine"}).into(t, 201, &made)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, []string{g.Leaver, "api"}, []string{made.Member, made.Kind})
	g.basic(clientID{made.ID, made.Secret}).get(t, "/v1/members/me").into(t, 200, nil)
	admin.post(t, "/v1/credentials", body{"name": "theirs", "member": "external:m4", "kind": "embed"}).into(t, 201, &made)
	require.Equal(t, []string{g.Leaver, "embed"}, []string{made.Member, made.Kind})

	// A repeat under one key makes nothing new, and does not show the secret again.
	var first, again struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	keyed := leaver.with("Idempotency-Key", "k1").with("Handover-Integration-Source", "SCRIPT,Acme,Keys")
	keyed.post(t, "/v1/credentials", body{"name": "keyed"}).into(t, 201, &first)
	keyed.post(t, "/v1/credentials", body{"name": "keyed"}).into(t, 201, &again)
	require.Equal(t, first.ID, again.ID)
	require.NotEmpty(t, first.Secret)
	require.Empty(t, again.Secret)
	require.Equal(t, "SCRIPT,Acme,Keys", g.Text(`SELECT origin FROM audit_events WHERE subject_id = $1`, first.ID))
	require.NotContains(t, g.Text(`SELECT string_agg(encode(body, 'escape'), ' ') FROM idempotency_keys`), "ho_secret_")
	keyed.del(t, "/v1/credentials/"+first.ID, nil).want(t, 422, problem.CodeKeyReused)
	leaver.with("Handover-Integration-Source", "FAX").del(t, "/v1/credentials/"+first.ID, nil).want(t, 400, offboarding.CodeInvalidArgument)
	leaver.del(t, "/v1/credentials/"+first.ID, nil).into(t, 204, nil)

	list := func(c caller, query string) (names []string) {
		t.Helper()
		var page offboarding.Page[offboarding.CredentialRow]
		text := c.get(t, "/v1/credentials"+query).into(t, 200, &page).body
		require.NotContains(t, string(text), "secret")
		for _, row := range page.Items {
			names = append(names, row.Name+" "+row.Status)
		}
		return names
	}
	all := []string{"test active", "mine active", "theirs active"}
	require.Equal(t, all, list(leaver, ""))
	require.Equal(t, all, list(admin, "?member="+g.Leaver))
	require.Equal(t, []string{"test active"}, list(admin, ""))
	leaver.get(t, "/v1/credentials?member="+g.Admin).want(t, 403, offboarding.CodeNotAuthorized)
	admin.get(t, "/v1/credentials?member="+other.Leaver).want(t, 404, offboarding.CodeMemberNotFound)

	leaver.post(t, "/v1/credentials", body{"name": "x", "member": g.Admin}).want(t, 403, offboarding.CodeNotAuthorized)
	admin.post(t, "/v1/credentials", body{"name": "x", "member": g.Owner}).want(t, 403, offboarding.CodeNotAuthorized)
	admin.post(t, "/v1/credentials", body{"name": "x", "member": other.Leaver}).want(t, 404, offboarding.CodeMemberNotFound)
	admin.post(t, "/v1/credentials", body{"kind": "key"}).want(t, 400, offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument)

	owners := g.credential(t, g.Owner, "api")
	theirs := makeCredential(t, g.store, other.Leaver, "api")
	admin.del(t, "/v1/credentials/"+owners.id, nil).want(t, 403, offboarding.CodeNotAuthorized)
	foreign := admin.del(t, "/v1/credentials/"+theirs.id, nil).want(t, 404, offboarding.CodeCredentialNotFound)
	nothing := admin.del(t, "/v1/credentials/"+uuid.NewString(), nil).want(t, 404, offboarding.CodeCredentialNotFound)
	foreign.RefID, nothing.RefID = "", ""
	require.Equal(t, nothing, foreign)
	for range 2 {
		admin.del(t, "/v1/credentials/"+made.ID, nil).into(t, 204, nil)
	}
	require.Equal(t, all[:2], list(leaver, ""))
	var page offboarding.Page[offboarding.CredentialRow]
	leaver.get(t, "/v1/credentials?limit=1").into(t, 200, &page)
	require.Equal(t, all[1:2], list(leaver, "?limit=1&cursor="+page.Next))
	leaver.get(t, "/v1/credentials?cursor=nonsense").want(t, 400, offboarding.CodeInvalidArgument)
	require.Equal(t, append(all[:2:2], "theirs revoked", "keyed revoked"), list(leaver, "?revoked=true"))
	details, err := json.Marshal(g.Text(`SELECT string_agg(before::text || after::text, ' ') FROM audit_events WHERE event LIKE '%Credential%'`))
	require.NoError(t, err)
	require.NotContains(t, string(details), "secret")
}
