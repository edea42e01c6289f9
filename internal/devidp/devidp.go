// Package devidp is a small OpenID Connect provider for the devstack and tests: it
// asks nobody for a password, whoever opens its page signs in as whom they like. It
// listens on this machine alone, only the devstack starts it, and nothing that runs
// in production may import it (a linter sees to that).
package devidp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Person is somebody who can be signed in.
type Person struct{ Email, Name, About string }

// Options are what the provider works with.
type Options struct {
	// Address to listen on, which must be this machine's own; "127.0.0.1:0" is a free port.
	Address string
	// People lists who is offered on the page.
	People func(context.Context) ([]Person, error)
}

// Client is what the provider knows its only client by. It is no secret: who reaches
// the provider needs none.
const (
	ClientID     = "handover"
	ClientSecret = "development"
)

const (
	codeLife  = time.Minute
	tokenLife = 5 * time.Minute
	keyBits   = 2048
)

// Server is a running provider.
type Server struct {
	issuer string
	http   *http.Server
	people func(context.Context) ([]Person, error)
	signer jose.Signer
	keys   jose.JSONWebKeySet

	mu    sync.Mutex
	codes map[string]grant // what each code that nobody has taken yet is good for
}

// grant is a sign-in that the client may take by its code.
type grant struct {
	email, nonce, challenge, redirectURI string
	expires                              time.Time
}

// Start starts a provider.
func Start(ctx context.Context, o Options) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("the local identity provider: %w", err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		return nil, errors.Join(errors.New("the local identity provider listens on this machine alone, such as on 127.0.0.1"), listener.Close())
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the local identity provider: %w", err), listener.Close())
	}
	private := jose.JSONWebKey{Key: key, KeyID: rand.Text(), Algorithm: string(jose.RS256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: private}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the local identity provider: %w", err), listener.Close())
	}
	s := &Server{
		issuer: "http://" + listener.Addr().String(), people: o.People, signer: signer,
		keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}}, codes: map[string]grant{},
	}
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.http.Serve(listener) }() // until Close
	return s, nil
}

// Issuer is the provider's URL.
func (s *Server) Issuer() string { return s.issuer }

// Close stops it.
func (s *Server) Close() error { return s.http.Close() }

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": s.issuer, "authorization_endpoint": s.issuer + "/authorize", "token_endpoint": s.issuer + "/token",
			"jwks_uri": s.issuer + "/keys", "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{string(jose.RS256)}, "code_challenge_methods_supported": []string{"S256"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
			"scopes_supported":                      []string{"openid", "email", "profile"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.keys) })
	mux.HandleFunc("GET /authorize", s.page)
	mux.HandleFunc("POST /authorize", s.choose)
	mux.HandleFunc("POST /token", s.token)
	return http.NewCrossOriginProtection().Handler(mux)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // the caller has gone; nobody is left to tell
}
