package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"handover/offboarding"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/live"
	"handover/server/load"
	"handover/server/problem"
)

// EventsInput follows a case.
type EventsInput struct {
	CasePath
	LastEventID string `header:"Last-Event-ID" maxLength:"100" doc:"The last event that arrived before the stream broke off"`
}

func (a *API) events() {
	a.feeds = live.NewFeeds(func(ctx context.Context, key string) (live.Seen, error) {
		organizationID, caseID, _ := strings.Cut(key, " ")
		row, err := a.store.FindCase(postgres.Within(ctx, organizationID), caseID, a.now().UTC())
		return look(row), err
	}, func(key string, err error) {
		_, caseID, _ := strings.Cut(key, " ")
		a.log.Warn("a case that is watched was not read", "case_id", caseID, "error", err)
	})
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/offboardings/{id}/events", OperationID: "watch-offboarding", Summary: "Watch a case change", Tags: []string{"Offboardings"},
		Description: "Server-sent events: `case` with the case as the list has it, at once and whenever it has changed; comments in between. The stream ends when " +
			"the case has closed, the caller may no longer see it, or the server is about to stop. Who comes back with the Last-Event-ID of a closed case gets 204.",
		Errors: []int{http.StatusNotFound},
		Responses: map[string]*huma.Response{
			"200": {Description: "Events", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}},
			"204": {Description: "The case has closed, and the caller knows"},
		},
	}, func(ctx context.Context, c *auth.Caller, in *EventsInput) (*huma.StreamResponse, error) {
		row, err := a.findCase(ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		if now := look(row); now.Last() && in.LastEventID == now.ID() {
			return &huma.StreamResponse{Body: func(hc huma.Context) { hc.SetStatus(http.StatusNoContent) }}, nil
		}
		return a.stream(c, func(hc huma.Context) {
			r, w := humago.Unwrap(hc)
			a.feeds.Send(w, r, live.Stream{
				Key: row.OrganizationID + " " + row.ID, Event: "case", MaySee: func() bool { return a.maySee(r, row.ID) }, Stopping: a.stopping,
			})
		}), nil
	})
}

// stream is an answer that goes on, where there are not too many of them.
func (a *API) stream(c *auth.Caller, send func(huma.Context)) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		refuse := func(code offboarding.Code, message string) {
			problem.Write(w, r, a.log, problem.New(r.Context(), code, message).With("Retry-After", "10"))
		}
		leave, ok := a.feeds.Enter(c.Member.ID)
		if !ok {
			refuse(problem.CodeRateLimited, live.TooMany())
			return
		}
		defer leave()
		if !load.Stream(r.Context()) {
			refuse(offboarding.CodeTryAgain, load.TooManyStreams)
			return
		}
		send(hc)
	}}
}

// maySee reports whether the caller of a stream may still see the case.
func (a *API) maySee(r *http.Request, caseID string) bool {
	ctx := r.Context()
	caller, err := a.auth.Again(r)
	if err == nil {
		_, err = a.findCase(ctx, caller, caseID)
	}
	if err == nil {
		return true
	}
	a.log.InfoContext(ctx, "a stream ends", "error", err, "ref_id", problem.RefID(ctx))
	return false
}

func look(row offboarding.CaseRow) live.Seen {
	data, err := json.Marshal(row)
	if err != nil {
		panic(err) // a row of ours is always JSON
	}
	return live.See(data, row.ClosedAt != nil)
}
