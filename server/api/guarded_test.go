package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/api"
	"handover/server/auth"
	"handover/server/problem"
)

// guarded is an organization with the API behind real authentication, and no cases.
type guarded struct {
	*fixture.Organization
	store *postgres.Store
	api   *api.API
	url   string
	clock *clock
}

// clock is the server's, moved by the test.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	db := testdb.New(t)
	g := &guarded{Organization: fixture.New(t, db), store: postgres.New(db), clock: &clock{}}
	log := slog.New(slog.DiscardHandler)
	callers := auth.New(auth.Options{Store: g.store, Log: log, Now: g.clock.now})
	mux := http.NewServeMux()
	g.api = api.New(mux, api.Options{Store: g.store, Auth: callers, Log: log, Now: g.clock.now})
	server := httptest.NewServer(problem.Track(log, callers.Authenticate(mux)))
	t.Cleanup(server.Close)
	g.url = server.URL
	described(t, g.url, g.api)
	return g
}

// client is a credential of a member.
type clientID struct{ id, secret string }

func makeCredential(t *testing.T, store *postgres.Store, member, kind string) clientID {
	t.Helper()
	secret, hash := offboarding.NewSecret(offboarding.SecretOfCredential)
	id := uuid.Must(uuid.NewV7()).String()
	require.NoError(t, store.CreateCredential(t.Context(), offboarding.CredentialRequest{
		ID: id, MemberID: member, By: member, Kind: kind, Name: "test", SecretHash: hash,
	}, time.Now()))
	return clientID{id, secret}
}

func (g *guarded) credential(t *testing.T, member, kind string) clientID {
	t.Helper()
	return makeCredential(t, g.store, member, kind)
}

// basic is a caller who shows a credential.
func (g *guarded) basic(c clientID) caller {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(c.id, c.secret)
	return caller{url: g.url, header: r.Header}
}

func (g *guarded) bearer(token string) caller {
	return caller{url: g.url, header: http.Header{"Authorization": {"Bearer " + token}}}
}

// form posts a form.
func (c caller) form(t *testing.T, path string, fields ...string) *answer {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	for name, values := range c.header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	return receive(t, c.url, http.MethodPost, path, response)
}

// token gets an access token.
func (g *guarded) token(t *testing.T, c clientID) string {
	t.Helper()
	var out struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	a := g.basic(c).form(t, "/oauth/token", "grant_type", "client_credentials").into(t, 200, &out)
	require.Equal(t, "Bearer", out.TokenType)
	require.Equal(t, 900, out.ExpiresIn)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	return out.AccessToken
}

// oauth checks that the answer is an error of RFC 6749.
func (a *answer) oauth(t *testing.T, status int, name string, code offboarding.Code) {
	t.Helper()
	require.Equal(t, status, a.status, "%s: %s", a.request, a.body)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	var e api.OAuthError
	require.NoError(t, json.Unmarshal(a.body, &e))
	require.Equal(t, name, e.Name)
	require.Equal(t, code, e.Code)
	require.NotEmpty(t, e.Description)
	require.Equal(t, a.header.Get(problem.HeaderRequestID), e.RefID)
	if status == http.StatusUnauthorized {
		require.Contains(t, a.header.Get("WWW-Authenticate"), "Basic")
	}
}

// offboard takes a member's access and account away, by the steps of a case.
func (g *guarded) offboard(t *testing.T, member string) { offboard(t, g.store, member, g.Admin) }

func offboard(t *testing.T, store *postgres.Store, member, by string) {
	t.Helper()
	id, at := uuid.NewString(), time.Now()
	_, err := store.Admit(t.Context(), offboarding.AdmitInput{
		CaseID: id, WorkflowID: "offboarding/" + member, At: at, Request: offboarding.Request{MemberID: member, RequestedBy: by},
	})
	require.NoError(t, err)
	_, err = store.Revoke(t.Context(), offboarding.RevokeInput{Step: offboarding.Step{CaseID: id, Name: "revoke", At: at}})
	require.NoError(t, err)
	_, err = store.Deactivate(t.Context(), offboarding.Step{CaseID: id, Name: "deactivate", At: at})
	require.NoError(t, err)
}
