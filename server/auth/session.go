package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"handover/offboarding"
	"handover/server/problem"
)

// cookie is the name of a cookie of ours. Over https no other host can have set it:
// the browser sees to it by the prefix.
func (a *Auth) cookie(name string) string {
	if a.secure() {
		return "__Host-" + name
	}
	return name
}

func (a *Auth) secure() bool { return strings.HasPrefix(a.people.url, "https://") }

// The cookies.
const (
	sessionCookie = "handover_session"
	signInCookie  = "handover_sign_in" // what a sign-in that has begun has to come back with
)

// setCookie sets a cookie of ours; an empty value takes it away.
func (a *Auth) setCookie(w http.ResponseWriter, name, value string, lasts time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure wherever the server is reached by https
		Name: a.cookie(name), Value: value, Path: "/", HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteLaxMode,
		MaxAge: int(lasts.Seconds()),
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// origins lets requests of our own pages through, and those of programs.
func origins(publicURL string) *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	if publicURL != "" {
		_ = p.AddTrustedOrigin(publicURL) // one with a path is none; the host of the request is compared all the same
	}
	return p
}

// SameOrigin refuses what another site has made a browser send.
func (a *Auth) SameOrigin(r *http.Request) error {
	if a.origins.Check(r) != nil {
		return problem.New(r.Context(), problem.CodeCrossOrigin, "another site has sent the request")
	}
	return nil
}

// session is who has signed in, nil and nil where nobody has.
func (a *Auth) session(r *http.Request, at time.Time) (*Caller, error) {
	cookie, err := r.Cookie(a.cookie(sessionCookie))
	if err != nil {
		return nil, nil //nolint:nilerr // there is none
	}
	if err := a.SameOrigin(r); err != nil {
		return nil, err
	}
	return a.sessionOf(r, cookie, at)
}

// SignedIn is session for a request from another origin, which the caller knows.
func (a *Auth) SignedIn(r *http.Request) (*Caller, error) {
	cookie, err := r.Cookie(a.cookie(sessionCookie))
	if err != nil {
		return nil, nil //nolint:nilerr // there is none
	}
	return a.sessionOf(r, cookie, a.now())
}

func (a *Auth) sessionOf(r *http.Request, cookie *http.Cookie, at time.Time) (*Caller, error) {
	identity, err := a.store.SessionIdentity(r.Context(), offboarding.HashSecret(cookie.Value))
	switch {
	case err != nil:
		return nil, err
	case identity == nil, identity.Status == "ended", identity.ExpiresAt != nil && !at.Before(*identity.ExpiresAt):
		return nil, unauthenticated(r.Context(), "the session has ended; sign in again")
	}
	return callerOf(identity, a.admit(r.Context(), identity, at))
}

// Signed tells who is signed in.
type Signed struct {
	MemberID       string           `json:"member_id"`
	DisplayName    string           `json:"display_name"`
	Email          string           `json:"email"`
	Role           offboarding.Role `json:"role"`
	OrganizationID string           `json:"organization_id"`
	Organizations  []string         `json:"organizations"` // within reach
}

// tellSession answers GET /auth/session.
func (a *Auth) tellSession(w http.ResponseWriter, r *http.Request) {
	c, err := From(r.Context())
	if err == nil && c == nil {
		err = unauthenticated(r.Context(), "nobody is signed in")
	}
	if err != nil {
		problem.Write(w, r, a.log, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(Signed{ // the caller has gone; nobody is left to tell
		MemberID: c.Member.ID, DisplayName: c.Member.DisplayName, Email: c.Member.Email, Role: c.Member.Role,
		OrganizationID: c.Member.OrganizationID, Organizations: c.Organizations,
	})
}

// logout answers POST /auth/logout: the session ends, if there is one, and the
// cookie goes.
func (a *Auth) logout(w http.ResponseWriter, r *http.Request) {
	err := a.SameOrigin(r)
	if err == nil {
		err = a.SignOut(w, r)
	}
	if err != nil {
		problem.Write(w, r, a.log, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// SignOut ends the session of who sends a request, and takes the cookie away.
func (a *Auth) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.end(r.Context(), r); err != nil {
		return err
	}
	a.setCookie(w, sessionCookie, "", 0)
	return nil
}

// end ends the session whose cookie a request has.
func (a *Auth) end(ctx context.Context, r *http.Request) error {
	cookie, err := r.Cookie(a.cookie(sessionCookie))
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	identity, err := a.store.SessionIdentity(ctx, offboarding.HashSecret(cookie.Value))
	if err != nil || identity == nil {
		return err
	}
	return a.store.SignOut(ctx, identity.SessionID, a.now().UTC())
}
