package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"handover/offboarding"
	"handover/server/problem"
)

// Provider is an OpenID Connect provider, and what it knows us by.
type Provider struct{ Issuer, ClientID, ClientSecret string }

// people is what signing in takes.
type people struct {
	url      string
	provider Provider
	pages    Pages // nil for none

	mu         sync.Mutex
	discovered *oidc.Provider // nil until the provider has answered once
	failed     error          // why it has not, the last time
	until      time.Time      // when it is asked again
}

const (
	providerTimeout = 10 * time.Second
	providerPause   = 5 * time.Second  // after the provider has not answered, so that sign-ins do not wait for it one after the other
	signInTime      = 10 * time.Minute // from login to callback
)

// Paths are the routes of people, which anybody may call.
var Paths = []string{"GET /auth/login", "GET /auth/callback", "POST /auth/logout", "GET /auth/session"}

// Register adds the routes of people.
func (a *Auth) Register(mux *http.ServeMux) {
	for i, handle := range []http.HandlerFunc{a.login, a.callback, a.logout, a.tellSession} {
		mux.HandleFunc(Paths[i], func(w http.ResponseWriter, r *http.Request) {
			problem.SetRoute(r.Context(), Paths[i])
			handle(w, r)
		})
	}
}

// client is what talks to the provider; discovery is done once it is needed, so that
// the server starts without the provider.
func (a *Auth) client(ctx context.Context) (context.Context, *oauth2.Config, *oidc.Provider, error) {
	p := &a.people
	if p.provider.Issuer == "" {
		return nil, nil, nil, problem.New(ctx, problem.CodeNotFound, "nobody signs in here: no OpenID Connect provider is set up")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx = oidc.ClientContext(ctx, &http.Client{Timeout: providerTimeout})
	if p.discovered == nil {
		if a.now().Before(p.until) {
			return nil, nil, nil, a.unavailable(ctx, p.failed)
		}
		found, err := oidc.NewProvider(ctx, p.provider.Issuer)
		if err != nil {
			if ctx.Err() == nil { // the caller is still there
				p.failed, p.until = err, a.now().Add(providerPause)
			}
			return nil, nil, nil, a.unavailable(ctx, err)
		}
		p.discovered = found
	}
	return ctx, &oauth2.Config{
		ClientID: p.provider.ClientID, ClientSecret: p.provider.ClientSecret, Endpoint: p.discovered.Endpoint(),
		RedirectURL: p.url + "/auth/callback", Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}, p.discovered, nil
}

func (a *Auth) unavailable(ctx context.Context, err error) error {
	a.log.WarnContext(ctx, "the identity provider does not answer as it should", "error", err, "ref_id", problem.RefID(ctx))
	return problem.New(ctx, offboarding.CodeTryAgain, "the identity provider does not answer as it should").With("Retry-After", "5")
}

// begun is a sign-in on its way through the provider. The browser keeps it, and only
// the browser: it is worth nothing to anybody who has no code for its state.
type begun struct {
	State        string `json:"s"`
	Nonce        string `json:"n"`
	Verifier     string `json:"v"`
	Organization string `json:"o,omitempty"`
	ReturnTo     string `json:"r"`
}

// login answers GET /auth/login: it sends the browser to the provider.
func (a *Auth) login(w http.ResponseWriter, r *http.Request) {
	if public, err := url.Parse(a.people.url); err == nil && public.Host != "" && public.Host != r.Host { // the cookies would not come back
		http.Redirect(w, r, a.people.url+"/auth/login?"+r.URL.RawQuery, http.StatusSeeOther) // to our own address; login judges the rest
		return
	}
	_, config, _, err := a.client(r.Context())
	returnTo, ok := localPath(r.URL.Query().Get("return_to"))
	if err == nil && !ok {
		err = offboarding.Refuse("", offboarding.CodeInvalidArgument, "return_to", "return_to must be a path on this server")
	}
	if err != nil {
		a.failed(w, r, err)
		return
	}
	b := begun{
		State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(),
		Organization: r.URL.Query().Get("organization"), ReturnTo: returnTo,
	}
	text, err := json.Marshal(b)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	a.setCookie(w, signInCookie, base64.RawURLEncoding.EncodeToString(text), signInTime)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, config.AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)), http.StatusSeeOther)
}

// home is where somebody goes who has not said where: the console.
const home = "/"

// localPath is where to go after the sign-in: a path on this server and nowhere
// else, whatever a browser makes of backslashes and control characters.
func localPath(text string) (path string, ok bool) {
	if text == "" {
		return home, true
	}
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || len(text) > 2000 {
		return "", false
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c == '\\' || c <= ' ' || c == 0x7f }) {
		return "", false
	}
	return text, true
}

// callback answers GET /auth/callback: the provider has sent the browser back.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address has a code in it
	b, err := a.begun(r)
	a.setCookie(w, signInCookie, "", 0)
	if err == nil {
		err = a.signIn(w, r, b)
	}
	if err != nil {
		a.failed(w, r, err)
	}
}

// begun is the sign-in that the browser has begun, and that this is the end of.
func (a *Auth) begun(r *http.Request) (begun, error) {
	var b begun
	broken := offboarding.Refuse("", offboarding.CodeInvalidArgument, "state", "this sign-in was not begun here, or too long ago; begin again at /auth/login")
	cookie, err := r.Cookie(a.cookie(signInCookie))
	if err != nil {
		return b, broken
	}
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || json.Unmarshal(text, &b) != nil || b.State == "" || b.Nonce == "" || b.Verifier == "" {
		return b, broken
	}
	if subtle.ConstantTimeCompare([]byte(b.State), []byte(r.URL.Query().Get("state"))) != 1 {
		return b, broken
	}
	if r.URL.Query().Get("error") != "" { // its text is not repeated: anybody can have written it
		return b, problem.New(r.Context(), offboarding.CodeNotAuthorized, "the identity provider has refused the sign-in")
	}
	return b, nil
}

func (a *Auth) signIn(w http.ResponseWriter, r *http.Request, b begun) error {
	email, err := a.vouched(r.Context(), r.URL.Query().Get("code"), b)
	if err != nil {
		return err
	}
	found, err := a.store.SignInMembers(r.Context(), email)
	if err != nil {
		return err
	}
	var meant []offboarding.SignInMember
	for _, m := range found {
		if b.Organization == "" || m.OrganizationSlug == b.Organization {
			meant = append(meant, m)
		}
	}
	returnTo, ok := localPath(b.ReturnTo) // it comes from a cookie
	switch {
	case !ok:
		return offboarding.Refuse("", offboarding.CodeInvalidArgument, "return_to", "return_to must be a path on this server")
	case len(meant) == 0:
		return problem.New(r.Context(), offboarding.CodeNotAuthorized, "no active member has the address that the identity provider vouches for")
	case len(meant) > 1:
		return a.choose(w, r, meant, returnTo)
	}
	if err := a.end(r.Context(), r); err != nil { // the browser's former session; its cookie is written over
		return err
	}
	token, hash := offboarding.NewSecret(offboarding.SecretOfSession)
	if err := a.store.SignIn(r.Context(), offboarding.SignIn{
		SessionID: uuid.Must(uuid.NewV7()).String(), MemberID: meant[0].MemberID, TokenHash: hash, At: a.now().UTC(),
	}); err != nil {
		return err
	}
	a.setCookie(w, sessionCookie, token, offboarding.SessionLife)
	http.Redirect(w, r, returnTo, http.StatusSeeOther)
	return nil
}

// vouched is the verified address of who has signed in at the provider.
func (a *Auth) vouched(ctx context.Context, code string, b begun) (string, error) {
	refused := func(why error) error {
		a.log.WarnContext(ctx, "a sign-in was not proved", "error", why, "ref_id", problem.RefID(ctx))
		return problem.New(ctx, offboarding.CodeNotAuthorized, "the identity provider has not proved who signs in; begin again at /auth/login")
	}
	ctx, config, provider, err := a.client(ctx)
	if err != nil {
		return "", err
	}
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(b.Verifier))
	var answer *oauth2.RetrieveError
	switch {
	case err != nil && errors.As(err, &answer):
		return "", refused(fmt.Errorf("the provider answered %d %q", answer.Response.StatusCode, answer.ErrorCode))
	case err != nil:
		return "", a.unavailable(ctx, err)
	}
	raw, _ := token.Extra("id_token").(string)
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: config.ClientID, Now: a.now})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return "", refused(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(b.Nonce)) != 1 {
		return "", refused(errors.New("the nonce is another sign-in's"))
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil {
		return "", refused(errors.New("the claims cannot be read"))
	}
	if claims.Email == "" || !claims.Verified {
		return "", problem.New(ctx, offboarding.CodeNotAuthorized, "the identity provider has not verified the address")
	}
	return claims.Email, nil
}
