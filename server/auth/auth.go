package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"handover/offboarding"
	"handover/postgres"
	"handover/server/load"
	"handover/server/problem"
)

// Options are what telling callers apart takes.
type Options struct {
	Store *postgres.Store
	Log   *slog.Logger
	Now   func() time.Time // nil is time.Now
	// Rate is how many requests a second each caller may make, for long; twice as many
	// at once. 0 is no limit.
	Rate int
	// Proxies are networks whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// PublicURL is where people reach the server, without a slash at the end.
	PublicURL string
	// Provider signs people in; without an issuer nobody signs in.
	Provider Provider
}

// Auth tells who is calling.
type Auth struct {
	store   *postgres.Store
	log     *slog.Logger
	now     func() time.Time
	proxies []netip.Prefix
	callers *Limiter // by credential, session or, where nobody is known, address
	guesses *Limiter // by address and client ID: secrets that were wrong
	origins *http.CrossOriginProtection
	people  people
}

// Wrong secrets of one client ID from one address.
const (
	guessesAtOnce = 10
	guessesPerSec = 0.1
)

// New returns what tells who is calling.
func New(o Options) *Auth {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Auth{
		store: o.Store, log: o.Log, now: o.Now, proxies: o.Proxies,
		callers: NewLimiter(float64(o.Rate), 2*o.Rate), guesses: NewLimiter(guessesPerSec, guessesAtOnce),
		origins: origins(o.PublicURL), people: people{url: o.PublicURL, provider: o.Provider},
	}
}

// Authenticate finds out who is calling, for From, and limits how often each may.
// It refuses nobody else: that is for the routes, which are closed unless they say
// otherwise.
func (a *Auth) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, from := a.now(), Address(r, a.proxies)
		caller, err := a.within(r, from, at)
		key := "address " + from
		if caller != nil {
			key = "credential " + caller.CredentialID + caller.SessionID
		}
		quota := a.callers.Take(key, at)
		quota.Head(w.Header())
		if !quota.OK {
			a.Busy(w, r, quota.Problem(r.Context()))
			return
		}
		if !load.By(r.Context(), key) {
			a.Busy(w, r, problem.New(r.Context(), problem.CodeRateLimited, load.TooMany).With("Retry-After", "1"))
			return
		}
		ctx := context.WithValue(With(r.Context(), caller, err), addressKey{}, from)
		if caller != nil {
			ctx = postgres.Within(ctx, caller.Organizations...)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Busy tells somebody to come again, people who look at a page on a page.
func (a *Auth) Busy(w http.ResponseWriter, r *http.Request, err error) {
	if a.people.pages == nil || !a.people.pages.Busy(w, r, err) {
		problem.Write(w, r, a.log, err)
	}
}

// LookupWithin is how long it may take to find out who is calling. A database that is
// not there, or has more to do than it can, is noticed by then, and nothing was done.
const LookupWithin = 3 * time.Second

// within is caller within bounds of time.
func (a *Auth) within(r *http.Request, from string, at time.Time) (*Caller, error) {
	ctx, cancel := context.WithTimeout(r.Context(), LookupWithin)
	defer cancel()
	return a.caller(r.WithContext(ctx), from, at)
}

// caller is who sends the request; nil and nil where it names nobody.
func (a *Auth) caller(r *http.Request, from string, at time.Time) (*Caller, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return a.session(r, at)
	}
	if id, secret, ok := r.BasicAuth(); ok && len(headers) == 1 {
		if err := a.SameOrigin(r); err != nil { // browsers send it along by themselves, once they know it
			return nil, err
		}
		return callerOf(a.credential(r.Context(), from, id, secret, at))
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || len(headers) > 1 {
		return nil, unauthenticated(r.Context(), "send one Authorization header: Basic with a client ID and secret, or Bearer with a token")
	}
	identity, err := a.store.TokenIdentity(r.Context(), offboarding.HashSecret(strings.TrimSpace(token)))
	switch {
	case err != nil:
		return nil, err
	case identity == nil || !at.Before(*identity.ExpiresAt):
		return nil, unauthenticated(r.Context(), "the token is not one of ours, or it has expired")
	}
	return callerOf(identity, a.admit(r.Context(), identity, at))
}

type addressKey struct{}

// Client is who shows a client ID and secret in a request's body.
func (a *Auth) Client(ctx context.Context, clientID, secret string) (*Caller, error) {
	from, _ := ctx.Value(addressKey{}).(string)
	return callerOf(a.credential(ctx, from, clientID, secret, a.now()))
}

// credential is whose API credential it is that a client shows. Unknown client IDs
// and wrong secrets cost the same, and say the same.
func (a *Auth) credential(ctx context.Context, from, clientID, secret string, at time.Time) (*offboarding.Identity, error) {
	guess := from + " " + clientID[:min(len(clientID), 36)]
	if quota := a.guesses.Look(guess, at); !quota.OK {
		return nil, quota.Problem(ctx)
	}
	identity, err := a.store.CredentialIdentity(ctx, clientID)
	if err != nil {
		return nil, err
	}
	if !Matches(identity, secret) {
		a.guesses.Take(guess, at)
		return nil, unauthenticated(ctx, "the client ID or the secret is wrong")
	}
	return identity, a.admit(ctx, identity, at)
}

// Matches reports whether the secret is the identity's, in the same time for
// identities that are nobody's or have none.
func Matches(i *offboarding.Identity, secret string) bool {
	hash, known := offboarding.HashSecret(secret), make([]byte, len(offboarding.HashSecret("")))
	usable := 0
	if i != nil && len(i.SecretHash) == len(known) {
		known, usable = i.SecretHash, 1
	}
	return subtle.ConstantTimeCompare(hash, known)&usable == 1
}

// admit judges whether what was shown, and is genuine, works: seed 000 has an
// invalid-request error where it no longer does.
func (a *Auth) admit(ctx context.Context, i *offboarding.Identity, at time.Time) error {
	switch {
	case !i.Live(at):
		return problem.New(ctx, problem.CodeInvalidRequest, "the credential or session is revoked, or its member is not active").
			With("WWW-Authenticate", challenge)
	case i.Kind == offboarding.CredentialEmbed:
		return offboarding.Refuse("", offboarding.CodeNotAuthorized, "", "an embed credential does not call the API")
	}
	return nil
}

const challenge = `Basic realm="handover", Bearer realm="handover"`

func unauthenticated(ctx context.Context, message string) error {
	return problem.New(ctx, problem.CodeUnauthenticated, message).With("WWW-Authenticate", challenge)
}

func callerOf(i *offboarding.Identity, err error) (*Caller, error) {
	switch {
	case err != nil:
		return nil, err
	case i == nil:
		return nil, errors.New("who is calling was not found")
	}
	return &Caller{Member: i.Member, Organizations: i.Organizations, CredentialID: i.CredentialID, SessionID: i.SessionID}, nil
}
