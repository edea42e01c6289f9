package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"handover/internal/devidp"
	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// house is a gate over HTTP at which people sign in through a provider.
type house struct {
	*gate
	url string
}

// newHouse opens a house; provider makes its provider, nil for the devstack's.
func newHouse(t *testing.T, provider func(callback string) auth.Provider) *house {
	t.Helper()
	h := &house{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	h.url = server.URL
	if provider == nil {
		provider = func(string) auth.Provider {
			idp, err := devidp.Start(t.Context(), devidp.Options{Address: "127.0.0.1:0", People: func(context.Context) ([]devidp.Person, error) {
				return []devidp.Person{{Email: "m4@acme.example", Name: "Leaver", About: "contributor"}}, nil
			}})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, idp.Close()) })
			return auth.Provider{Issuer: idp.Issuer(), ClientID: devidp.ClientID, ClientSecret: devidp.ClientSecret}
		}
	}
	h.gate = newGate(t, func(o *auth.Options) { o.PublicURL, o.Provider = server.URL, provider(server.URL+"/auth/callback") })
	mux := http.NewServeMux()
	h.auth.Register(mux)
	mux.Handle("/", h.Handler)
	log := slog.New(slog.DiscardHandler)
	h.Handler = problem.Track(log, h.auth.Authenticate(mux))
	h.later(time.Since(h.now())) // the provider's clock is the machine's
	return h
}

// browser keeps cookies, and follows redirects as far as the test lets it.
func browser(t *testing.T, follow bool) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := &http.Client{Jar: jar}
	if !follow {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

func read(t *testing.T, response *http.Response, err error) (*http.Response, string) {
	t.Helper()
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

func get(t *testing.T, c *http.Client, address string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	response, err := c.Do(request)
	return read(t, response, err)
}

func post(t *testing.T, c *http.Client, address string, form url.Values, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := c.Do(request)
	return read(t, response, err)
}

var hidden = regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`)

// signIn signs somebody in at the devstack's provider, as a browser does, and
// answers with the last page.
func (h *house) signIn(c *http.Client, email, query string) (*http.Response, string) {
	h.t.Helper()
	at, page := get(h.t, c, h.url+"/auth/login?"+query)
	require.Equal(h.t, 200, at.StatusCode, page)
	form := url.Values{"email": {email}}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		if field[1] != "choice" {
			form.Set(field[1], strings.ReplaceAll(field[2], "&#43;", "+"))
		}
	}
	return post(h.t, c, at.Request.URL.String(), form)
}

func code(body string) offboarding.Code {
	var p problem.Problem
	_ = json.Unmarshal([]byte(body), &p) // "" where it is no problem
	return p.Code
}

// Somebody signs in through the provider, is who they are, and signs out.
func TestSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	c := browser(t, true)
	_, page := get(t, c, h.url+"/auth/login")
	require.Contains(t, page, `value="m4@acme.example"`, "the provider offers who there is")

	at, _ := h.signIn(c, "M4@acme.example", "")
	require.Equal(t, h.url+"/", at.Request.URL.String(), "the console begins there")
	_, body := get(t, c, h.url+"/auth/session")
	var signed auth.Signed
	require.NoError(t, json.Unmarshal([]byte(body), &signed))
	require.Equal(t, h.Leaver, signed.MemberID)
	require.Equal(t, []string{h.ID}, signed.Organizations)
	require.Equal(t, []string{"SignIn"}, h.Events())
	require.Equal(t, 1, h.Count(`SELECT count(*) FROM sessions WHERE sso AND status = 'active' AND member_id = $1 AND expires_at = created_at + interval '12 hours'`, h.Leaver))

	var caller auth.Caller
	_, body = get(t, c, h.url+"/anything")
	require.NoError(t, json.Unmarshal([]byte(body), &caller))
	require.Equal(t, h.Leaver, caller.Member.ID)
	require.NotEmpty(t, caller.SessionID)

	// Another site makes the browser send something.
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		response, body := post(t, c, h.url+"/anything", nil, header...)
		require.Equal(t, 403, response.StatusCode)
		require.Equal(t, problem.CodeCrossOrigin, code(body))
		response, _ = post(t, c, h.url+"/auth/logout", nil, header...)
		require.Equal(t, 403, response.StatusCode)
	}
	response, _ := post(t, c, h.url+"/anything", nil, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, 200, response.StatusCode)

	session := cookieOf(t, c, h.url)
	response, _ = post(t, c, h.url+"/auth/logout", nil, "Origin", h.url)
	require.Equal(t, 204, response.StatusCode)
	require.Equal(t, []string{"SignIn", "SignOut"}, h.Events())
	require.Equal(t, "ended", h.Text(`SELECT status FROM sessions`))
	response, body = get(t, c, h.url+"/auth/session")
	require.Equal(t, 401, response.StatusCode)
	require.Equal(t, problem.CodeUnauthenticated, code(body))
	answered(t, 401, problem.CodeUnauthenticated, h.ask(somewhere, func(r *http.Request) { r.AddCookie(session) }))
	response, _ = post(t, c, h.url+"/auth/logout", nil)
	require.Equal(t, 204, response.StatusCode, "once more changes nothing")
	require.Equal(t, []string{"SignIn", "SignOut"}, h.Events())
}

// cookieOf is the session's cookie that a browser has.
func cookieOf(t *testing.T, c *http.Client, address string) *http.Cookie {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	for _, cookie := range c.Jar.Cookies(u) {
		if cookie.Name == "handover_session" {
			return cookie
		}
	}
	require.Fail(t, "there is no session")
	return nil
}

// A session stops with a case of its member, and by itself after twelve hours.
func TestSessionsStop(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	c := browser(t, true)
	h.signIn(c, "m4@acme.example", "")
	session := func(r *http.Request) { r.AddCookie(cookieOf(t, c, h.url)) }
	answered(t, 200, "", h.ask(somewhere, session))
	h.offboard(h.Leaver)
	answered(t, 401, problem.CodeInvalidRequest, h.ask(somewhere, session))
	response, body := h.signIn(browser(t, true), "m4@acme.example", "")
	require.Equal(t, 403, response.StatusCode, "who has left does not sign in")
	require.Equal(t, offboarding.CodeNotAuthorized, code(body))

	h.signIn(c, "m3@acme.example", "")
	h.later(12*time.Hour - time.Minute)
	answered(t, 200, "", h.ask(somewhere, session))
	h.later(time.Minute)
	answered(t, 401, problem.CodeUnauthenticated, h.ask(somewhere, session))
}

// Who is being offboarded while the case waits for the session's end goes on, and
// does not sign in again (rule S1).
func TestNoSignInWhileTheCaseWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
	c := browser(t, true)
	h.signIn(c, "m4@acme.example", "")
	id := newID()
	_, err := h.store.Admit(t.Context(), offboarding.AdmitInput{
		CaseID: id, WorkflowID: "offboarding/" + h.Leaver, At: h.now(), Request: offboarding.Request{MemberID: h.Leaver, RequestedBy: h.Admin},
	})
	require.NoError(t, err)
	out, err := h.store.Revoke(t.Context(), offboarding.RevokeInput{Step: offboarding.Step{CaseID: id, Name: "revoke", At: h.now().Add(time.Second)}})
	require.NoError(t, err)
	require.NotNil(t, out.SessionsEndAt)
	response, _ := get(t, c, h.url+"/auth/session")
	require.Equal(t, 200, response.StatusCode)
	response, body := h.signIn(browser(t, true), "m4@acme.example", "")
	require.Equal(t, 403, response.StatusCode)
	require.Equal(t, offboarding.CodeNotAuthorized, code(body))
	response, _ = post(t, c, h.url+"/auth/logout", nil)
	require.Equal(t, 204, response.StatusCode)
	checked, err := h.store.CheckSessions(t.Context(), offboarding.Step{CaseID: id, Name: "check", At: h.now().Add(time.Minute)})
	require.NoError(t, err)
	require.Zero(t, checked.Waiting, "nothing is waited for any more")
}

// A member of several organizations says which is meant.
func TestSignInToOneOfSeveralOrganizations(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	other := fixture.New(t, h.DB)
	c := browser(t, true)
	response, page := h.signIn(c, "m4@acme.example", "return_to=/somewhere")
	require.Equal(t, 400, response.StatusCode)
	require.Equal(t, offboarding.CodeInvalidArgument, code(page))
	require.Zero(t, h.Count(`SELECT count(*) FROM sessions`), "nobody is signed in yet")
	slug := h.Text(`SELECT slug FROM organizations WHERE id = $1`, other.ID)
	require.Contains(t, page, slug)
	at, body := h.signIn(c, "m4@acme.example", "return_to=/somewhere&organization="+slug)
	require.Equal(t, h.url+"/somewhere", at.Request.URL.String())
	require.Contains(t, body, other.Leaver)
	response, body = h.signIn(browser(t, true), "m4@acme.example", "organization=elsewhere")
	require.Equal(t, 403, response.StatusCode, body)
}

// A sign-in leads back to this server and nowhere else.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	c := browser(t, false)
	for _, to := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, `\/evil.example`, "/\t/evil.example", "http:evil.example", "evil.example",
		"javascript:alert(1)", "/ok\r\nSet-Cookie: a=b", "///evil.example", "/%0d\x00", "?x", " /x",
	} {
		response, body := get(t, c, h.url+"/auth/login?"+url.Values{"return_to": {to}}.Encode())
		require.Equal(t, 400, response.StatusCode, to)
		require.Equal(t, offboarding.CodeInvalidArgument, code(body), to)
	}
	for _, to := range []string{"/", "/a/b?c=d&e=https://x.example#f", "/%2F%2Fx", ""} {
		response, _ := get(t, c, h.url+"/auth/login?"+url.Values{"return_to": {to}}.Encode())
		require.Equal(t, 303, response.StatusCode, to)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/auth/login?return_to=/x", nil)
	require.NoError(t, err)
	request.Host = "evil.example"
	response, err := c.Do(request)
	response, _ = read(t, response, err)
	require.Equal(t, h.url+"/auth/login?return_to=/x", response.Header.Get("Location"), "another name of the server leads to its own")
}

// Nobody is signed in by somebody else's sign-in, nor with a session that they
// planted before.
func TestNoSessionFixation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	victim, u := browser(t, true), h.url
	home, err := url.Parse(u)
	require.NoError(t, err)
	planted := offboarding.SecretOfSession + "planted"
	victim.Jar.SetCookies(home, []*http.Cookie{{Name: "handover_session", Value: planted, Path: "/"}})
	h.signIn(victim, "m4@acme.example", "")
	first := cookieOf(t, victim, u)
	require.NotEqual(t, planted, first.Value)
	answered(t, 401, problem.CodeUnauthenticated, h.ask(somewhere, func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "handover_session", Value: planted})
	}))
	h.signIn(victim, "m4@acme.example", "")
	require.NotEqual(t, first.Value, cookieOf(t, victim, u).Value)
	answered(t, 401, problem.CodeUnauthenticated, h.ask(somewhere, func(r *http.Request) { r.AddCookie(first) }))
	require.Equal(t, []string{"SignIn", "SignOut", "SignIn"}, h.Events(), "the former session has ended")

	// The attacker's code and state, followed by the victim.
	attacker := browser(t, false)
	response, _ := get(t, attacker, u+"/auth/login")
	page, body := get(t, attacker, response.Header.Get("Location"))
	form := url.Values{"email": {"m3@acme.example"}}
	for _, field := range hidden.FindAllStringSubmatch(body, -1) {
		form.Set(field[1], field[2])
	}
	form.Del("choice")
	response, _ = post(t, attacker, page.Request.URL.String(), form)
	callback := response.Header.Get("Location")
	require.Contains(t, callback, u+"/auth/callback?")
	stranger := browser(t, false)
	response, body = get(t, stranger, callback)
	require.Equal(t, 400, response.StatusCode)
	require.Equal(t, offboarding.CodeInvalidArgument, code(body))
	get(t, stranger, u+"/auth/login") // one who has begun a sign-in too
	response, _ = get(t, stranger, callback)
	require.Equal(t, 400, response.StatusCode)
	response, _ = get(t, attacker, callback)
	require.Equal(t, 303, response.StatusCode)
	response, _ = get(t, attacker, callback)
	require.Equal(t, 400, response.StatusCode, "a code is taken once")
}

// Cookies tell browsers to keep them to themselves.
func TestCookies(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"http://handover.example":  "handover_sign_in=V; Path=/; Max-Age=600; HttpOnly; SameSite=Lax",
		"https://handover.example": "__Host-handover_sign_in=V; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax",
	} {
		provider := auth.Provider{Issuer: startIDP(t), ClientID: devidp.ClientID, ClientSecret: devidp.ClientSecret}
		a := auth.New(auth.Options{Log: slog.New(slog.DiscardHandler), PublicURL: public, Provider: provider})
		mux := http.NewServeMux()
		a.Register(mux)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, public+"/auth/login", nil)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		name, rest, _ := strings.Cut(w.Header().Get("Set-Cookie"), "=")
		_, attributes, _ := strings.Cut(rest, ";")
		require.Equal(t, want, name+"=V;"+attributes, w.Body.String())
	}
}

func startIDP(t *testing.T) string {
	t.Helper()
	idp, err := devidp.Start(t.Context(), devidp.Options{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, idp.Close()) })
	return idp.Issuer()
}

// What a provider answers that does not prove who signs in, signs nobody in.
func TestWhatTheProviderMustProve(t *testing.T) {
	t.Parallel()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		claims map[string]any // besides those that are right
		key    *rsa.PrivateKey
		status int
	}{
		"all of it":              {nil, nil, 303},
		"an unverified address":  {map[string]any{"email_verified": false}, nil, 403},
		"no word on the address": {map[string]any{"email_verified": nil}, nil, 403},
		"no address":             {map[string]any{"email": ""}, nil, 403},
		"nobody's address":       {map[string]any{"email": "nobody@acme.example"}, nil, 403},
		"another nonce":          {map[string]any{"nonce": "another"}, nil, 403},
		"no nonce":               {map[string]any{"nonce": nil}, nil, 403},
		"another audience":       {map[string]any{"aud": "another"}, nil, 403},
		"another issuer":         {map[string]any{"iss": "https://another.example"}, nil, 403},
		"an expired token":       {map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, nil, 403},
		"another's signature":    {nil, stranger, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var nonce string
			h := newHouse(t, func(string) auth.Provider { return fakeProvider(t, &nonce, test.claims, test.key) })
			c := browser(t, false)
			response, _ := get(t, c, h.url+"/auth/login")
			to, err := url.Parse(response.Header.Get("Location"))
			require.NoError(t, err)
			nonce = to.Query().Get("nonce")
			require.Equal(t, "S256", to.Query().Get("code_challenge_method"))
			response, body := get(t, c, h.url+"/auth/callback?code=c&state="+url.QueryEscape(to.Query().Get("state")))
			require.Equal(t, test.status, response.StatusCode, body)
			require.Equal(t, test.status == 303, h.Count(`SELECT count(*) FROM sessions`) == 1)
			require.NotContains(t, body, "acme.example")
		})
	}
}

// fakeProvider is a provider whose ID tokens say what the test wants, signed by its
// own key or by another.
func fakeProvider(t *testing.T, nonce *string, claims map[string]any, key *rsa.PrivateKey) auth.Provider {
	t.Helper()
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	if key == nil {
		key = own
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	require.NoError(t, err)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	reply := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v()) // the client would fail
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", reply(func() any {
		return map[string]any{
			"issuer": server.URL, "authorization_endpoint": server.URL + "/authorize", "token_endpoint": server.URL + "/token", "jwks_uri": server.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		}
	}))
	mux.HandleFunc("/keys", reply(func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: own.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}}
	}))
	mux.HandleFunc("/token", reply(func() any {
		all := map[string]any{
			"iss": server.URL, "aud": "client", "sub": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "nonce": *nonce,
			"email": "m4@acme.example", "email_verified": true,
		}
		for name, value := range claims {
			all[name] = value
		}
		text, _ := json.Marshal(all)
		signed, _ := signer.Sign(text)
		token, _ := signed.CompactSerialize()
		return map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": token}
	}))
	return auth.Provider{Issuer: server.URL, ClientID: "client", ClientSecret: "s"}
}

// Without a provider nobody signs in; one that does not answer is not a reason to
// fail for good.
func TestNoProvider(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(string) auth.Provider { return auth.Provider{} })
	response, body := get(t, browser(t, false), h.url+"/auth/login")
	require.Equal(t, 404, response.StatusCode)
	require.Equal(t, problem.CodeNotFound, code(body))
	h = newHouse(t, func(string) auth.Provider {
		return auth.Provider{Issuer: "http://127.0.0.1:1", ClientID: "c", ClientSecret: "s"}
	})
	response, body = get(t, browser(t, false), h.url+"/auth/login")
	require.Equal(t, 503, response.StatusCode)
	require.Equal(t, offboarding.CodeTryAgain, code(body))
	require.NotEmpty(t, response.Header.Get("Retry-After"))
}

// Sign-ins do not queue for a provider that does not answer, and it is asked again
// after a pause.
func TestAProviderThatIsAway(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var back atomic.Bool
	var issuer string
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if !back.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/k",
		})
	}))
	t.Cleanup(idp.Close)
	issuer = idp.URL
	h := newHouse(t, func(string) auth.Provider { return auth.Provider{Issuer: issuer, ClientID: "c", ClientSecret: "s"} })
	for range 3 {
		response, _ := get(t, browser(t, false), h.url+"/auth/login")
		require.Equal(t, 503, response.StatusCode)
		require.Equal(t, "5", response.Header.Get("Retry-After"))
	}
	require.EqualValues(t, 1, asked.Load())
	back.Store(true)
	h.later(5 * time.Second)
	response, _ := get(t, browser(t, false), h.url+"/auth/login")
	require.Equal(t, 303, response.StatusCode)
}
