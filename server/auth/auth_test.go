package auth_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/problem"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// gate is a server behind Authenticate that tells who is calling, and a clock that
// the test moves.
type gate struct {
	*fixture.Organization
	t     *testing.T
	store *postgres.Store
	auth  *auth.Auth
	http.Handler

	mu sync.Mutex
	at time.Time
}

func newGate(t *testing.T, options func(*auth.Options)) *gate {
	t.Helper()
	return newGateOn(t, testdb.URL(t), sql.OpenDB, options)
}

// newGateOn is newGate on a database that open opens.
func newGateOn(t *testing.T, database string, open func(driver.Connector) *sql.DB, options func(*auth.Options)) *gate {
	t.Helper()
	store, err := postgres.OpenBy(open, database, 10)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	g := &gate{Organization: fixture.New(t, store.DB()), t: t, store: store, at: fixture.Start.Add(time.Hour)}
	o := auth.Options{Store: g.store, Log: slog.New(slog.DiscardHandler), Now: g.now}
	if options != nil {
		options(&o)
	}
	g.auth = auth.New(o)
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := auth.From(r.Context())
		if err != nil {
			problem.Write(w, r, o.Log, err)
			return
		}
		require.NoError(t, json.NewEncoder(w).Encode(caller))
	})
	g.Handler = problem.Track(o.Log, g.auth.Authenticate(tell))
	return g
}

func (g *gate) now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at
}

func (g *gate) later(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = g.at.Add(d)
}

// credential makes a credential of a member, by themselves.
func (g *gate) credential(member, kind string) (id, secret string) {
	g.t.Helper()
	secret, hash := offboarding.NewSecret(offboarding.SecretOfCredential)
	id = newID()
	require.NoError(g.t, g.store.CreateCredential(g.t.Context(), offboarding.CredentialRequest{
		ID: id, MemberID: member, By: member, Kind: kind, Name: "test", SecretHash: hash,
	}, g.now()))
	return id, secret
}

// ask sends a request from an address.
func (g *gate) ask(from string, prepare func(*http.Request)) *http.Response {
	g.t.Helper()
	r := httptest.NewRequestWithContext(g.t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = from
	if prepare != nil {
		prepare(r)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result()
}

const somewhere = "192.0.2.1:1234"

// answered checks the status and code of an answer, "" for none.
func answered(t *testing.T, status int, code offboarding.Code, response *http.Response) {
	t.Helper()
	defer func() { require.NoError(t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, status, response.StatusCode, string(body))
	var p problem.Problem
	if code != "" {
		require.NoError(t, json.Unmarshal(body, &p))
		require.Equal(t, code, p.Code)
	}
	if status == http.StatusUnauthorized {
		require.Contains(t, response.Header.Get("WWW-Authenticate"), "Basic")
	}
	if status == http.StatusTooManyRequests {
		require.NotEmpty(t, response.Header.Get("Retry-After"))
	}
}

func basic(id, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(id, secret) }
}

// A call with a credential acts as its member; everything else is nobody's, and
// says why.
func TestCallsWithCredentials(t *testing.T) {
	t.Parallel()
	g := newGate(t, nil)
	id, secret := g.credential(g.Leaver, offboarding.CredentialAPI)
	embed, embedSecret := g.credential(g.Leaver, offboarding.CredentialEmbed)
	imported := g.Credential(g.Leaver) // without a secret

	response := g.ask(somewhere, basic(id, secret))
	var caller auth.Caller
	require.NoError(t, json.NewDecoder(response.Body).Decode(&caller))
	require.NoError(t, response.Body.Close())
	require.Equal(t, g.Leaver, caller.Member.ID)
	require.Equal(t, id, caller.CredentialID)
	require.Equal(t, []string{g.ID}, caller.Organizations)

	const unknown = "01a1ffde-c038-72a2-abd3-2ee046c7cc2d"
	_, otherSecret := g.credential(g.Admin, offboarding.CredentialAPI)
	for name, test := range map[string]struct {
		prepare func(*http.Request)
		status  int
		code    offboarding.Code
	}{
		"no secret":                  {basic(id, ""), 401, problem.CodeUnauthenticated},
		"a wrong secret":             {basic(id, secret+"x"), 401, problem.CodeUnauthenticated},
		"somebody else's secret":     {basic(id, otherSecret), 401, problem.CodeUnauthenticated},
		"an unknown client ID":       {basic(unknown, secret), 401, problem.CodeUnauthenticated},
		"a client ID that is none":   {basic("' OR true --", secret), 401, problem.CodeUnauthenticated},
		"an imported credential":     {basic(imported, ""), 401, problem.CodeUnauthenticated},
		"an embed credential":        {basic(embed, embedSecret), 403, offboarding.CodeNotAuthorized},
		"an embed one, wrong secret": {basic(embed, secret), 401, problem.CodeUnauthenticated},
		"a made-up token":            {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }, 401, problem.CodeUnauthenticated},
		"another scheme":             {func(r *http.Request) { r.Header.Set("Authorization", "Digest x") }, 401, problem.CodeUnauthenticated},
		"two at once": {func(r *http.Request) {
			r.SetBasicAuth(id, secret)
			r.Header.Add("Authorization", "Bearer x")
		}, 401, problem.CodeUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) { answered(t, test.status, test.code, g.ask(somewhere, test.prepare)) })
	}
}

// A revoked credential, and one of a member who has left by a real case, answer
// invalid_request (seed 000) from that moment on; with a wrong secret they answer as
// if they were unknown.
func TestWhatIsRevokedStops(t *testing.T) {
	t.Parallel()
	g := newGate(t, nil)
	id, secret := g.credential(g.Leaver, offboarding.CredentialAPI)
	answered(t, 200, "", g.ask(somewhere, basic(id, secret)))
	require.NoError(t, g.store.RevokeCredential(t.Context(), id, g.Admin, "", g.now()))
	answered(t, 401, problem.CodeInvalidRequest, g.ask(somewhere, basic(id, secret)))
	answered(t, 401, problem.CodeUnauthenticated, g.ask(somewhere, basic(id, secret+"x")))

	id, secret = g.credential(g.Leaver, offboarding.CredentialAPI)
	answered(t, 200, "", g.ask(somewhere, basic(id, secret)))
	g.offboard(g.Leaver)
	answered(t, 401, problem.CodeInvalidRequest, g.ask(somewhere, basic(id, secret)))
}

// offboard takes a member's access and account away, by the steps of a case.
func (g *gate) offboard(member string) {
	g.t.Helper()
	step := func(name string) offboarding.Step {
		return offboarding.Step{CaseID: g.caseOf(member), Name: name, At: g.now()}
	}
	_, err := g.store.Admit(g.t.Context(), offboarding.AdmitInput{
		CaseID: newID(), WorkflowID: "offboarding/" + member, At: g.now(), Request: offboarding.Request{MemberID: member, RequestedBy: g.Admin},
	})
	require.NoError(g.t, err)
	_, err = g.store.Revoke(g.t.Context(), offboarding.RevokeInput{Step: step("revoke")})
	require.NoError(g.t, err)
	_, err = g.store.Deactivate(g.t.Context(), step("deactivate"))
	require.NoError(g.t, err)
}

func (g *gate) caseOf(member string) string {
	return g.Text(`SELECT id FROM cases WHERE member_id = $1 AND closed_at IS NULL`, member)
}

// Guesses at a secret come to an end, for who guesses: the address may go on with
// other credentials, and others with that one.
func TestBruteForceIsLimited(t *testing.T) {
	t.Parallel()
	g := newGate(t, nil)
	id, secret := g.credential(g.Leaver, offboarding.CredentialAPI)
	other, otherSecret := g.credential(g.Admin, offboarding.CredentialAPI)
	for range 10 {
		answered(t, 401, problem.CodeUnauthenticated, g.ask(somewhere, basic(id, "guess")))
	}
	answered(t, 429, problem.CodeRateLimited, g.ask(somewhere, basic(id, "guess")))
	answered(t, 429, problem.CodeRateLimited, g.ask(somewhere, basic(id, secret)))
	answered(t, 200, "", g.ask("198.51.100.7:1", basic(id, secret)))
	answered(t, 200, "", g.ask(somewhere, basic(other, otherSecret)))
	g.later(10 * time.Second)
	answered(t, 401, problem.CodeUnauthenticated, g.ask(somewhere, basic(id, "guess")))
	answered(t, 429, problem.CodeRateLimited, g.ask(somewhere, basic(id, secret)))
	g.later(10 * time.Second)
	answered(t, 200, "", g.ask(somewhere, basic(id, secret)))
}

// Every caller has a budget of its own, and hears what is left of it.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(o *auth.Options) { o.Rate = 2 })
	id, secret := g.credential(g.Leaver, offboarding.CredentialAPI)
	other, otherSecret := g.credential(g.Leaver, offboarding.CredentialAPI)
	for left := range 4 {
		response := g.ask(somewhere, basic(id, secret))
		require.Equal(t, `"caller";q=4;w=2`, response.Header.Get("RateLimit-Policy"))
		require.Contains(t, response.Header.Get("RateLimit"), `"caller";r=`+string(rune('3'-left)))
		answered(t, 200, "", response)
	}
	response := g.ask(somewhere, basic(id, secret))
	require.Equal(t, "1", response.Header.Get("Retry-After"))
	answered(t, 429, problem.CodeRateLimited, response)
	answered(t, 200, "", g.ask(somewhere, basic(other, otherSecret)))
	for range 4 { // who is nobody is counted by address, and so is who fails
		answered(t, 401, problem.CodeUnauthenticated, g.ask(somewhere, basic(newID(), "guess")))
	}
	answered(t, 429, problem.CodeRateLimited, g.ask(somewhere, basic(newID(), "guess")))
	answered(t, 429, problem.CodeRateLimited, g.ask(somewhere, nil))
	answered(t, 200, "", g.ask("198.51.100.7:1", nil))
	g.later(500 * time.Millisecond)
	answered(t, 200, "", g.ask(somewhere, basic(id, secret)))
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }
