package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

const (
	// heartbeat keeps proxies from cutting a stream on which nothing happens. With it,
	// as with each event, the server looks whether the caller may still see the case.
	heartbeat = 10 * time.Second
	// eventWithin is how long a watcher may take to take an event.
	eventWithin = 10 * time.Second
	// maxStreams is how many cases a member may watch at once, in a process: each is a
	// connection, and each case is looked at again and again.
	maxStreams = 50
)

// EventsInput follows a case.
type EventsInput struct {
	CasePath
	LastEventID string `header:"Last-Event-ID" maxLength:"100" doc:"The last event that arrived before the stream broke off"`
}

func (a *API) events() {
	a.feeds = &feeds{
		byCase: map[string]*feed{}, streams: map[string]int{},
		read: func(ctx context.Context, caseID string) (offboarding.CaseRow, error) {
			return a.store.FindCase(ctx, caseID, a.now().UTC())
		},
		failed: func(caseID string, err error) {
			a.log.Warn("a case that is watched was not read", "case_id", caseID, "error", err)
		},
	}
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
		if now := look(row); now.closed && in.LastEventID == now.id {
			return &huma.StreamResponse{Body: func(hc huma.Context) { hc.SetStatus(http.StatusNoContent) }}, nil
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			r, w := humago.Unwrap(hc)
			leave, ok := a.feeds.enter(c.Member.ID)
			if !ok {
				problem.Write(w, r, a.log, problem.New(r.Context(), problem.CodeRateLimited,
					fmt.Sprintf("nobody watches more than %d cases at once", maxStreams)).With("Retry-After", "10"))
				return
			}
			defer leave()
			a.stream(w, r, row.ID)
		}}, nil
	})
}

// stream sends what changes until there is nothing more to say, or nobody to say it to.
func (a *API) stream(w http.ResponseWriter, r *http.Request, caseID string) {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back
	w.WriteHeader(http.StatusOK)
	latest, stop := a.feeds.watch(caseID)
	defer stop()
	s := sender{w: w, rc: http.NewResponseController(w)}
	defer func() { _ = s.rc.SetWriteDeadline(time.Time{}) }() // the connection may be used again
	if !s.send("retry: 2000\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-a.stopping:
			return
		case now := <-latest:
			if !a.maySee(r, caseID) || !s.send(fmt.Sprintf("event: case\nid: %s\ndata: %s\n\n", now.id, now.data)) || now.closed {
				return
			}
		case <-beat.C:
			if !a.maySee(r, caseID) || !s.send(": still here\n\n") {
				return
			}
		}
	}
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

// sender writes events at once.
type sender struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (s sender) send(text string) bool {
	_ = s.rc.SetWriteDeadline(time.Now().Add(eventWithin)) // a connection without deadlines is a test's
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.rc.Flush() == nil
}
