package console

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"handover/offboarding"
	"handover/server/problem"
)

// requests registers ownership requests, and how admins decide them.
func (c *Console) requests(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"transfers", AccessAdmin, (*visit).requestList)
	c.route(mux, "GET "+Path+"transfers/requests/{id}", AccessAdmin, func(v *visit) error {
		r, err := v.request()
		if err != nil {
			return err
		}
		return v.requestPage(r)
	})
	c.route(mux, "POST "+Path+"transfers/requests/{id}/approve", AccessAdmin, func(v *visit) error {
		r, err := v.request()
		if err != nil {
			return err
		}
		err = v.post(at("/v1/ownership-requests/%s/approve", r.ID), map[string]any{}, nil)
		switch {
		case v.decided(err) || v.refused(err):
			v.opens(Path + "transfers")
			return v.requestList()
		case err != nil:
			return err
		}
		return v.done(Path+"transfers", "approved")
	})
	c.route(mux, "POST "+Path+"transfers/requests/{id}", AccessAdmin, (*visit).decide)
}

// requestList is what the list of requests shows.
type requestList struct {
	offboarding.Page[offboarding.RequestRow]
	Organizations []Option
}

// requestList shows the requests that wait, the oldest first, or those that have been
// decided, the newest first.
func (v *visit) requestList() error {
	if err := v.follow(); err != nil {
		return err
	}
	var list requestList
	var err error
	if list.Organizations, err = v.organizations(); err != nil {
		return err
	}
	query := url.Values{"limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"], "organization": {v.Query("organization")}}
	if v.Query("show") == "decided" {
		query.Set("status", "decided")
		query.Set("order", "desc")
	}
	if err := v.get("/v1/ownership-requests", query, &list.Page); err != nil {
		return err
	}
	return v.show("requests", list)
}

// request is the request whose ID is in the address.
func (v *visit) request() (r offboarding.RequestRow, err error) {
	id := v.r.PathValue("id")
	if uuid.Validate(id) != nil {
		return r, problem.New(v.r.Context(), problem.CodeNotFound, v.T("error.no_page"))
	}
	return r, v.get(at("/v1/ownership-requests/%s", id), nil, &r)
}

// requestPage shows one request: how to decide it, or what was decided.
func (v *visit) requestPage(r offboarding.RequestRow) error {
	if err := v.followOpened(); err != nil {
		return err
	}
	return v.show("request", r)
}

// What an admin decides about a request.
const (
	decideApprove = "approve" // the requester gets the document
	decideGive    = "give"    // somebody else does
	decideReject  = "reject"
)

// decide decides a request as its page says (rule C3).
func (v *visit) decide() error {
	r, err := v.request()
	if err != nil {
		return err
	}
	decision, owner := v.Value("decision"), who(v.Value("new_owner"))
	body, action := map[string]any{"note": v.Value("note")}, "approve"
	switch {
	case decision == decideGive && owner == "":
		v.fault("new_owner", v.T("transfers.who_is_missing"))
	case decision == decideGive:
		body["new_owner_id"] = owner
	case owner != "": // typed for nothing, or the wrong box was ticked
		v.fault("decision", v.T("transfers.for_somebody_else"))
	case decision == decideReject:
		action = "reject"
	case decision != decideApprove:
		v.fault("decision", v.T("transfers.decision_is_missing"))
	}
	if len(v.Faults) > 0 {
		return v.requestPage(r)
	}
	err = v.post(at("/v1/ownership-requests/%s/"+action, r.ID), body, nil)
	switch {
	case v.decided(err):
		v.opens(Path + "transfers/requests/" + r.ID)
		if r, err = v.request(); err != nil {
			return err
		}
		return v.requestPage(r)
	case v.refused(err, "new_owner_id", "new_owner"):
		return v.requestPage(r)
	case err != nil:
		return err
	case decision == decideGive:
		return v.done(Path+"transfers", "given")
	case decision == decideReject:
		return v.done(Path+"transfers", "rejected")
	}
	return v.done(Path+"transfers", "approved")
}

// decided tells who decides a request that is decided already what has become of it:
// the case may have ended with it, and says no more than that.
func (v *visit) decided(err error) bool {
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != http.StatusConflict {
		return false
	}
	r, err := v.request()
	if err != nil || r.Status == offboarding.RequestPending {
		return false
	}
	v.status = p.Status
	v.fault("", v.T("transfers.decided_already", "document", r.DocumentTitle, "state", v.T("request."+string(r.Status)), "owner", r.OwnerName))
	return true
}
