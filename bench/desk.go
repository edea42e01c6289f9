package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	cases "handover/client"
	"handover/internal/crowd"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/api"
	"handover/server/auth"
	"handover/server/console"
	"handover/server/problem"
)

// desk answers HTTP, as a server does, on a database with a crowd in it.
type desk struct {
	crowd.Crowd
	handler  http.Handler
	routes   []route
	sessions map[string]string // by member
	close    func() error
}

// route is one of the API or of the console.
type route struct{ method, path string }

// desk fills a new database and signs in an admin and a maker.
func (b *bench) desk(ctx context.Context, name string, members int) (_ *desk, err error) {
	store, _, closeStore, err := b.database(ctx, name)
	if err != nil {
		return nil, err
	}
	d := &desk{sessions: map[string]string{}, close: closeStore}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := d.crowd(ctx, store, members); err != nil {
		return nil, err
	}
	for _, member := range []string{d.Admin, d.Manager} {
		token, hash := offboarding.NewSecret(offboarding.SecretOfSession)
		err := store.SignIn(ctx, offboarding.SignIn{SessionID: uuid.NewString(), MemberID: member, TokenHash: hash, At: time.Now().UTC()})
		if err != nil {
			return nil, err
		}
		d.sessions[member] = token
	}
	log := slog.New(slog.DiscardHandler)
	engine, err := b.temporal.Client(ctx, client.Options{Namespace: b.temporal.Namespace(), Logger: sdklog.NewStructuredLogger(log)})
	if err != nil {
		return nil, err
	}
	d.close = func() error {
		engine.Close()
		return closeStore()
	}
	mux := http.NewServeMux()
	callers := auth.New(auth.Options{Store: store, Log: log})
	a := api.New(mux, api.Options{Store: store, Cases: cases.New(engine), Auth: callers, Log: log})
	c := console.New(mux, console.Options{API: mux, Store: store, Auth: callers, Log: log})
	d.handler = problem.Track(log, callers.Authenticate(mux))
	for _, r := range a.Routes {
		d.routes = append(d.routes, route{r.Method, r.Path})
	}
	for _, r := range c.Routes {
		method, path, _ := strings.Cut(r.Pattern, " ")
		d.routes = append(d.routes, route{method, path})
	}
	return d, nil
}

// crowd fills the database.
func (d *desk) crowd(ctx context.Context, store *postgres.Store, members int) error {
	db := store.DB()
	o, err := fill(ctx, db, size{members: 2})
	if err != nil {
		return err
	}
	d.Crowd = crowd.Crowd{Organization: o.id, Admin: o.admin, Manager: o.members[0], Maker: o.members[1], Number: 1, Members: members, Documents: 10 * members}
	if err := crowd.Fill(ctx, db, &d.Crowd); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM ANALYZE`)
	return err
}

// answer is how something was answered.
type answer struct {
	status, length int
	ms             float64
}

// open looks at something as somebody.
func (d *desk) open(ctx context.Context, member string, s crowd.Sight) (answer, error) {
	body, kind := s.JSON, "application/json"
	if s.Form != nil {
		body, kind = s.Form.Encode(), "application/x-www-form-urlencoded"
	}
	var sent io.Reader = http.NoBody
	if body != "" {
		sent = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, s.Method(), s.Path, sent)
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.RemoteAddr = "127.0.0.1:1"
	r.AddCookie(&http.Cookie{Name: "handover_session", Value: d.sessions[member]}) //nolint:gosec // sent, not set
	w := httptest.NewRecorder()
	began := time.Now()
	d.handler.ServeHTTP(w, r)
	a := answer{w.Code, w.Body.Len(), 1000 * time.Since(began).Seconds()}
	switch a.status {
	case http.StatusOK, http.StatusSeeOther, http.StatusForbidden, http.StatusNotFound:
		return a, nil
	}
	return a, fmt.Errorf("%s: answered %d: %.300s", s, a.status, w.Body.String())
}
