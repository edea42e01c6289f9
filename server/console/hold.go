package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"handover/offboarding"
)

const holdsPath = settingsPath + "/holds"

// holds registers legal holds.
func (c *Console) holds(mux *http.ServeMux) {
	c.route(mux, "GET "+holdsPath, AccessAdmin, (*visit).listHolds)
	c.route(mux, "POST "+holdsPath, AccessAdmin, (*visit).toHolds)
}

// holdList is what the list of legal holds shows.
type holdList struct {
	Organizations []Option
	offboarding.Page[offboarding.HoldRow]
	Statuses []Option
}

func (v *visit) listHolds() error {
	if err := v.followOpened(); err != nil {
		return err
	}
	list := holdList{Statuses: []Option{{Label: v.T("holds.live")}, {Value: "true", Label: v.T("holds.all")}}}
	var err error
	if list.Organizations, err = v.organizations(); err != nil {
		return err
	}
	query := url.Values{"limit": {pageSize}}
	for _, name := range []string{"organization", "member", "document", "lifted", "cursor"} {
		if value := v.Query(name); value != "" {
			query.Set(name, value)
		}
	}
	if err := v.get("/v1/legal-holds", query, &list.Page); err != nil {
		return err
	}
	return v.show("holds", list)
}

// toHolds lifts a hold where the button says so, and places one otherwise.
func (v *visit) toHolds() error {
	if v.Value("do") == "lift" {
		return v.judged(v.call(http.MethodDelete, at("/v1/legal-holds/%s", v.Value("hold")), nil, nil, nil), v.listHolds,
			func() error { return v.done(holdsPath, "hold_lifted") })
	}
	body := map[string]any{"reason": v.Value("reason")}
	if member := who(v.Value("member")); member != "" {
		body["member_id"] = member
	}
	if document := which(v.Value("document")); document != "" {
		body["document_id"] = document
	}
	return v.judged(v.post("/v1/legal-holds", body, nil), v.listHolds,
		func() error { return v.done(holdsPath, "hold_placed") },
		"member_id", "member", "document_id", "document")
}

// which is how the API knows a document that the reader has typed, by ID or external ID.
func which(typed string) string {
	typed = strings.TrimSpace(typed)
	if typed == "" || uuid.Validate(typed) == nil || strings.HasPrefix(typed, "external:") {
		return typed
	}
	return "external:" + typed
}
