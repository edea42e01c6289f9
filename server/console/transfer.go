package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"handover/offboarding"
	"handover/server/problem"
)

// transfers registers ownership requests, and all documents without an owner by whom
// they were left.
func (c *Console) transfers(mux *http.ServeMux) {
	c.requests(mux)
	c.route(mux, "GET "+Path+"transfers/unowned", AccessAdmin, (*visit).unownedList)
	c.route(mux, "POST "+Path+"transfers/unowned", AccessAdmin, (*visit).unownedList)
	c.route(mux, "GET "+Path+"transfers/unowned/{id}", AccessAdmin, func(v *visit) error {
		u, err := v.unowned()
		if err != nil {
			return err
		}
		return v.unownedPage(u)
	})
	c.route(mux, "POST "+Path+"transfers/unowned/{id}", AccessAdmin, func(v *visit) error {
		u, err := v.unowned()
		if err != nil {
			return err
		}
		switch v.Value("step") {
		case "transfer":
			return v.give(u)
		case "edit":
			return v.unownedPage(u)
		}
		return v.reviewGive(u)
	})
}

// TransferTabs are the pages of doc transfers, by their addresses.
func (v *visit) TransferTabs() []Option {
	return []Option{
		{Value: Path + "transfers", Label: v.T("transfers.tab.pending")},
		{Value: Path + "transfers?show=decided", Label: v.T("transfers.tab.decided")},
		{Value: Path + "transfers/unowned", Label: v.T("transfers.tab.unowned")},
	}
}

// unownedList shows those who have left documents without an owner (seed 002), all of
// them or those who are searched for.
func (v *visit) unownedList() error {
	if v.narrowing("cursor") == "" { // a later page is not made anew under the reader
		if err := v.follow(); err != nil {
			return err
		}
	}
	var list struct {
		offboarding.Page[offboarding.CaseRow]
		Organizations []Option
		Narrowed      bool
	}
	var err error
	if list.Organizations, err = v.organizations(); err != nil {
		return err
	}
	body := map[string]any{
		"waiting": true, "q": v.Value("q"), "organization": v.narrowing("organization"), "cursor": v.narrowing("cursor"), "limit": leaversOnAPage,
	}
	err = v.post("/v1/offboardings/search", body, &list.Page)
	if err != nil && !v.refused(err) {
		return err
	}
	list.Narrowed = v.Value("q") != "" || v.narrowing("organization") != ""
	return v.show("unowned", list)
}

// unowned is a page of the documents that wait in one case, and who is to get them.
type unowned struct {
	offboarding.CaseRow
	Documents offboarding.Page[document]
	Gifts     []gift
	Given     int    // documents that have gone, where others have not
	Here      string // the address of the page
}

// Gifting is how many documents get an owner.
func (u unowned) Gifting() (n int) {
	for _, g := range u.Gifts {
		n += len(g.Documents)
	}
	return n
}

// gift is what one new owner gets.
type gift struct {
	Typed     string   // how they were named
	IDs       []string // of the documents
	To        offboarding.Member
	Documents []document // that still wait
}

// unowned reads the case whose ID is in the address, and a page of what waits in it.
func (v *visit) unowned() (u unowned, err error) {
	id := v.r.PathValue("id")
	if uuid.Validate(id) != nil {
		return u, problem.New(v.r.Context(), problem.CodeNotFound, v.T("error.no_page"))
	}
	if !v.Posted() {
		if err := v.follow(); err != nil {
			return u, err
		}
	}
	if err := v.get(at("/v1/offboardings/%s", id), nil, &u.CaseRow); err != nil {
		return u, err
	}
	u.Here = v.With("cursor", v.Query("cursor"))
	query := url.Values{"case": {id}, "state": {string(offboarding.DocumentWaiting)}, "limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"]}
	return u, v.get("/v1/documents", query, &u.Documents)
}

func (v *visit) unownedPage(u unowned) error { return v.show("unowned-of", u) }

// owners are the new owners whom the form names, and which documents of it each gets.
func (v *visit) owners() (gifts []gift) {
	for _, name := range slices.Sorted(maps.Keys(v.r.PostForm)) {
		id, ok := strings.CutPrefix(name, "owner-")
		typed := strings.TrimSpace(v.Value(name))
		if !ok || typed == "" {
			continue
		}
		i := slices.IndexFunc(gifts, func(g gift) bool { return strings.EqualFold(g.Typed, typed) })
		if i < 0 {
			i = len(gifts)
			gifts = append(gifts, gift{Typed: typed})
		}
		gifts[i].IDs = append(gifts[i].IDs, id)
	}
	return gifts
}

// field is where it was typed who gets something.
func (g gift) field() string { return "owner-" + g.IDs[0] }

// name finds the new owners whom the form names.
func (v *visit) name(gifts []gift) error {
	for i := range gifts {
		g := &gifts[i]
		if err := v.get(at("/v1/members/%s", who(g.Typed)), nil, &g.To); v.refused(err, "id", g.field()) {
			continue
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Shown names what is confirmed: who gets which documents.
func (u unowned) Shown() string { return shownGifts(u.Gifts) }

func shownGifts(gifts []gift) string {
	var all []string
	for _, g := range gifts {
		for _, id := range g.IDs {
			all = append(all, id+" "+g.To.ID)
		}
	}
	slices.Sort(all)
	return shown(all)
}

// reviewGive shows who gets what. What has found an owner in between is left out.
func (v *visit) reviewGive(u unowned) error {
	for _, g := range v.owners() {
		for _, d := range u.Documents.Items {
			if slices.Contains(g.IDs, d.ID) {
				g.Documents = append(g.Documents, d)
			}
		}
		if len(g.Documents) > 0 {
			g.IDs = g.IDs[:0]
			for _, d := range g.Documents {
				g.IDs = append(g.IDs, d.ID)
			}
			u.Gifts = append(u.Gifts, g)
		}
	}
	if len(u.Gifts) == 0 {
		v.fault("", v.T("transfers.nobody_is_named"))
	}
	if err := v.name(u.Gifts); err != nil {
		return err
	}
	for _, g := range u.Gifts {
		if g.To.ID != "" && !g.To.MayOwn() {
			v.fault(g.field(), v.T("code.new_owner_not_eligible"))
		}
	}
	if len(v.Faults) > 0 {
		return v.unownedPage(u)
	}
	if v.Value("step") == "transfer" {
		v.notAsShown()
	}
	return v.show("unowned-review", u)
}

// give transfers the documents, to one new owner after the other: what one may not get
// keeps nobody else from theirs.
func (v *visit) give(u unowned) error {
	gifts, given := v.owners(), 0
	if err := v.name(gifts); err != nil {
		return err
	}
	if shownGifts(gifts) != v.Value("shown") {
		v.Faults, v.status = nil, 0 // of those, the review says what is still so
		return v.reviewGive(u)
	}
	for _, g := range gifts {
		var outcome offboarding.Outcome
		body := map[string]any{"new_owner_id": who(g.Typed), "document_ids": g.IDs}
		err := v.post(at("/v1/offboardings/%s/transfer", u.ID), body, &outcome)
		if v.refused(err, "new_owner_id", g.field()) {
			continue
		} else if err != nil {
			return err // sent again it goes on where it stopped
		}
		given += outcome.Documents
	}
	if len(v.Faults) == 0 {
		return v.done(Path+"transfers/unowned/"+u.ID, "transferred")
	}
	u, err := v.unowned() // what has gone waits no more
	if err != nil {
		return err
	}
	u.Given = given
	return v.unownedPage(u)
}
