// Package api is Handover's HTTP API under /v1: what programs and the console
// call. Handlers look up what a request names, within the caller's reach, ask the
// store or the case, and answer; the rules are judged where they always are.
package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"handover/client"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/live"
	"handover/server/problem"
)

// Options are what the API works with.
type Options struct {
	Store *postgres.Store
	// Gate is asked before it is known whose data a request is about, and for what belongs
	// to callers and to no organization: tokens and idempotency keys. nil is Store.
	Gate  *postgres.Store
	Cases *client.Client
	Auth  *auth.Auth // nil is one without limits
	// Webhooks says what their secrets are made of; without keys they are switched off.
	Webhooks Webhooks
	Log      *slog.Logger
	Now      func() time.Time // nil is time.Now
	// Stopping is closed when the server drains: answers that go on for as long as the
	// caller listens end then. nil is never.
	Stopping <-chan struct{}
}

// API answers requests under /v1.
type API struct {
	huma     huma.API
	store    *postgres.Store
	gate     *postgres.Store // see Options
	cases    *client.Client
	auth     *auth.Auth
	webhooks Webhooks
	log      *slog.Logger
	now      func() time.Time
	stopping <-chan struct{} // see Options

	feeds  *live.Feeds
	proofs chan struct{} // of exports that are under way

	// Routes lists every route with who may call it.
	Routes []Route
}

// New registers the API on a mux. Who is calling is found in the request's context
// (auth.From).
func New(mux *http.ServeMux, o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Gate = cmp.Or(o.Gate, o.Store)
	if o.Auth == nil {
		o.Auth = auth.New(auth.Options{Store: o.Gate, Log: o.Log, Now: o.Now})
	}
	problemsOnce.Do(answerWithProblems)
	config := huma.DefaultConfig("Handover", "1.0.0")
	config.Info.Description = "Durable user offboarding for document platforms."
	config.DocsPath = ""    // server-rendered, without scripts of others
	config.SchemasPath = "" // the document has them
	config.CreateHooks = nil
	config.RejectUnknownQueryParameters = true // a filter with a slip in its name would narrow nothing
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"basic":   {Type: "http", Scheme: "basic", Description: "Client ID and secret of an API credential"},
		"bearer":  {Type: "http", Scheme: "bearer", Description: "Access token from /oauth/token"},
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-handover_session", Description: "A person who has signed in at /auth/login; handover_session where the server is reached by http"},
	}
	a := &API{
		huma: humago.New(conditional{mux}, config), store: o.Store, gate: o.Gate, cases: o.Cases, auth: o.Auth, webhooks: o.Webhooks, log: o.Log, now: o.Now, stopping: o.Stopping,
		proofs: make(chan struct{}, proofsAtOnce),
	}
	a.huma.UseMiddleware(a.trace)
	a.members()
	a.offboardings()
	a.overview()
	a.bulk()
	a.credentials()
	a.oauth()
	a.webhookRoutes()
	a.documents()
	a.claims()
	a.transfers()
	a.requests()
	a.audit()
	a.settings()
	a.holds()
	a.workspaces()
	a.organizations()
	a.describe()
	a.docs(conditional{mux})
	return a
}

// OpenAPI is the description of the API.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

var problemsOnce sync.Once

// answerWithProblems makes huma answer its own findings (malformed bodies, fields that
// break their schema) as problems of ours, and find all of it; it has globals for that.
func answerWithProblems() {
	huma.ValidateStrictCasing = true // else a second spelling of a field gets past its schema, and is the one that counts
	huma.NewErrorWithContext = func(hc huma.Context, status int, message string, errs ...error) huma.StatusError {
		ctx := context.Background() // while routes are registered there is no request
		if hc != nil {
			ctx = hc.Context()
		}
		return fromHuma(ctx, status, message, errs)
	}
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return fromHuma(context.Background(), status, message, errs)
	}
}

// trace says which route answers.
func (a *API) trace(ctx huma.Context, next func(huma.Context)) {
	problem.SetRoute(ctx.Context(), ctx.Operation().Method+" "+ctx.Operation().Path)
	next(ctx)
}
