package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"handover/offboarding"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/live"
	"handover/server/load"
	"handover/server/problem"
)

// look is a look at what has changed in organizations. Every change has its audit
// event, so the latest events tell; of them nothing is sent but that they are others.
func look(ctx context.Context, store *postgres.Store, organizations string) (live.Seen, error) {
	ids := strings.Split(organizations, ",")
	stamp, err := store.LatestChanges(postgres.Within(ctx, ids...), ids)
	return live.See([]byte(live.See([]byte(stamp), false).ID()), false), err
}

// reach names the organizations within somebody's reach.
func reach(c *auth.Caller) string {
	return strings.Join(slices.Sorted(slices.Values(c.Organizations)), ",")
}

// changed registers the stream that pages follow: an event "changed" for every change
// within reach, which says nothing about it. since is what the page has seen.
func (c *Console) changed(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"changes", AccessMember, func(v *visit) error {
		leave, ok := c.changes.Enter(v.caller.Member.ID)
		if !ok {
			return problem.New(v.r.Context(), problem.CodeRateLimited, live.TooMany()).With("Retry-After", "10")
		}
		defer leave()
		if !load.Stream(v.r.Context()) {
			return problem.New(v.r.Context(), offboarding.CodeTryAgain, load.TooManyStreams).With("Retry-After", "10")
		}
		known := v.r.Header.Get("Last-Event-ID")
		if known == "" {
			known = v.Query("since")
		}
		c.changes.Send(v.w, v.r, live.Stream{Key: reach(v.caller), Event: "changed", Known: known, Stopping: c.stopping, MaySee: func() bool {
			caller, err := c.auth.Again(v.r)
			return err == nil && caller.SessionID == v.caller.SessionID && reach(caller) == reach(v.caller)
		}})
		return nil
	})
}
