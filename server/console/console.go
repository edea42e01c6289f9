// Package console is what admins and makers look at: pages made on the server, which
// work without scripts and are live with them. It asks the API for everything, as the
// person who looks, so that nobody sees or does more here than there.
package console

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"

	"handover/postgres"
	"handover/server/auth"
	"handover/server/live"
)

// Path is where the console is.
const Path = "/console/"

// Options are what the console works with.
type Options struct {
	// API answers requests under /v1; who calls is in their context.
	API http.Handler
	// Store tells when something has changed; everything else comes from the API.
	Store *postgres.Store
	Auth  *auth.Auth
	Log   *slog.Logger
	Now   func() time.Time // nil is time.Now
	// Stopping is closed when the server drains: streams end then. nil is never.
	Stopping <-chan struct{}
}

// Console answers requests under /console/.
type Console struct {
	api       http.Handler
	auth      *auth.Auth
	log       *slog.Logger
	now       func() time.Time
	stopping  <-chan struct{}
	strangers chan struct{} // places for large forms of people who are not signed in
	words     *i18n.Bundle
	templates map[string]*template.Template
	changes   *live.Feeds
	look      func(ctx context.Context, organizations string) (live.Seen, error)

	// Routes lists every route with who may open it.
	Routes []Route
}

// bare is a console that has pages and nothing to show on them.
func bare(log *slog.Logger, now func() time.Time) *Console {
	return &Console{log: log, now: now, words: readWords(), templates: readTemplates()}
}

// New registers the console on a mux. Who is calling is found in the request's
// context (auth.From).
func New(mux *http.ServeMux, o Options) *Console {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := bare(o.Log, o.Now)
	c.api, c.auth, c.stopping, c.strangers = o.API, o.Auth, o.Stopping, make(chan struct{}, maxStrangers)
	c.look = func(ctx context.Context, organizations string) (live.Seen, error) {
		return look(ctx, o.Store, organizations)
	}
	c.changes = live.NewFeeds(c.look, func(_ string, err error) {
		c.log.Warn("what has changed was not read", "error", err)
	})
	c.auth.Show(c)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, Path, http.StatusSeeOther) })
	mux.Handle("GET "+Path+"static/{file}", static())
	c.route(mux, "GET "+Path+"{$}", AccessMember, func(v *visit) error {
		if v.caller.Admin() {
			return v.redirect(Path + "overview")
		}
		return v.redirect(Path + "documents")
	})
	c.people(mux)
	c.changed(mux)
	c.overview(mux)
	c.leavers(mux)
	c.bulk(mux)
	c.cases(mux)
	c.transfers(mux)
	c.members(mux)
	c.audit(mux)
	c.settings(mux)
	c.documents(mux)
	c.routes(mux, "POST "+Path+"{rest...}", "GET "+Path+"{rest...}")
	return c
}
