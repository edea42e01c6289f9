package console

import (
	"net/http"
	"net/url"

	"handover/offboarding"
)

// documents registers what makers look at.
func (c *Console) documents(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"documents", AccessMember, (*visit).claimable)
	c.route(mux, "POST "+Path+"documents/{id}/claim", AccessMember, func(v *visit) error {
		var outcome offboarding.Outcome
		err := v.post(at("/v1/documents/%s/claim", v.r.PathValue("id")), map[string]any{}, &outcome)
		switch {
		case v.refused(err):
			return v.claimable()
		case err != nil:
			return err
		}
		return v.done(Path+"documents", "claimed")
	})
}

// claimable shows what waits for an owner and the reader may claim or ask for.
func (v *visit) claimable() error {
	if err := v.follow(); err != nil {
		return err
	}
	var page offboarding.Page[offboarding.DocumentRow]
	if err := v.get("/v1/documents", url.Values{"claimable": {"true"}, "limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"]}, &page); err != nil {
		return err
	}
	return v.show("documents", page)
}
