package console

import (
	"errors"
	"net/http"
	"net/url"

	"handover/offboarding"
	"handover/server/problem"
)

// document is a document as the API shows it to who asks.
type document struct {
	offboarding.DocumentRow
	May           string               `json:"may"`
	ClaimObstacle offboarding.Obstacle `json:"claim_obstacle"`
}

// myDocuments is one of the lists of a maker.
type myDocuments struct {
	Documents offboarding.Page[document]
	Requests  offboarding.Page[offboarding.RequestRow]
}

// documents registers what makers look at.
func (c *Console) documents(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"documents", AccessMember, (*visit).myDocuments)
	c.route(mux, "GET "+Path+"documents/{id}", AccessMember, (*visit).document)
	c.route(mux, "POST "+Path+"documents/{id}/claim", AccessMember, func(v *visit) error {
		err := v.post(at("/v1/documents/%s/claim", v.r.PathValue("id")), map[string]any{}, nil)
		switch {
		case v.late(err) || v.refused(err):
			v.opens(Path + "documents")
			return v.myDocuments()
		case err != nil:
			return err
		}
		return v.done(Path+"documents", "claimed")
	})
	c.route(mux, "POST "+Path+"documents/{id}/request", AccessMember, func(v *visit) error {
		err := v.post(at("/v1/documents/%s/request-ownership", v.r.PathValue("id")), map[string]any{"note": v.Value("note")}, nil)
		switch {
		case v.late(err) || v.refused(err):
			return v.document()
		case err != nil:
			return err
		}
		return v.done(Path+"documents?show=requests", "requested")
	})
}

// late tells who has asked for a document that somebody else has got before who that
// is, where they may know it. The case may have ended with it, and says no more than that.
func (v *visit) late(err error) bool {
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != http.StatusConflict {
		return false
	}
	var d document
	if v.get(at("/v1/documents/%s", v.r.PathValue("id")), nil, &d) != nil || d.OwnerID == v.Me() || d.OwnerStatus != offboarding.MemberActive {
		return false
	}
	v.status = p.Status
	v.fault("", v.T("documents.late", "document", d.Title, "owner", d.OwnerName))
	return true
}

// myDocuments shows what waits for an owner and the reader may claim or ask for, what
// they have asked for, or what they own.
func (v *visit) myDocuments() error {
	if err := v.follow(); err != nil {
		return err
	}
	var data myDocuments
	query := url.Values{"limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"]}
	var err error
	switch v.Query("show") {
	case "requests":
		query.Set("member", "me")
		query.Set("status", "all")
		query.Set("order", "desc")
		err = v.get("/v1/ownership-requests", query, &data.Requests)
	case "mine":
		query.Set("owner", "me")
		err = v.get("/v1/documents", query, &data.Documents)
	default:
		query.Set("claimable", "true")
		err = v.get("/v1/documents", query, &data.Documents)
	}
	if err != nil {
		return err
	}
	return v.show("documents", data)
}

// MyLists are the lists of a maker.
func (v *visit) MyLists() []Option {
	return []Option{
		{Label: v.T("documents.tab.claimable")},
		{Value: "requests", Label: v.T("documents.tab.requests")},
		{Value: "mine", Label: v.T("documents.tab.mine")},
	}
}

// document shows one document, and what the reader may do about it.
func (v *visit) document() error {
	if err := v.followOpened(); err != nil {
		return err
	}
	var d document
	if err := v.get(at("/v1/documents/%s", v.r.PathValue("id")), nil, &d); err != nil {
		return err
	}
	return v.show("document", d)
}
