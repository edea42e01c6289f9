package console

import (
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"handover/offboarding"
	"handover/server/problem"
)

// members registers members, and what admins do with them.
func (c *Console) members(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"members", AccessAdmin, (*visit).memberList)
	c.route(mux, "POST "+Path+"members", AccessAdmin, (*visit).memberSearch)
	c.route(mux, "GET "+Path+"members/{id}", AccessAdmin, (*visit).memberPage)
	c.leaving(mux)
	c.bulkTicked(mux)
	c.reactivation(mux)
	c.deletion(mux)
}

// memberList is what the list of members shows.
type memberList struct {
	offboarding.Page[offboarding.MemberRow]
	Rows          []memberRow
	Status        string // of the members, "" for active ones
	Tabs          []Option
	Organizations []Option
	MayLeave      bool // somebody is there who can be ticked to be offboarded
	MayReturn     bool // or to come back
}

// memberRow is a member in the list.
type memberRow struct {
	offboarding.MemberRow
	Organization string // by name, "" where there is only one
	MayLeave     bool
	MayReturn    bool
}

// Count is how many members there are on all pages; a search does not count.
func (l memberList) Count() int { return *l.Total }

func (v *visit) memberList() error {
	query := url.Values{"limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"]}
	for _, name := range []string{"status", "organization"} {
		if value := v.Query(name); value != "" {
			query.Set(name, value)
		}
	}
	return v.showMembers(v.Query("status"), func(page *memberList) error { return v.get("/v1/members", query, &page.Page) })
}

// memberSearch narrows the list by what is typed, which no address has. The tabs are
// buttons of its form then.
func (v *visit) memberSearch() error {
	status := v.Value("status")
	if tab := v.Value("tab"); tab != "" {
		status = tab
		v.r.PostForm.Set("status", tab)
	}
	if v.Value("q") == "" {
		query := url.Values{}
		for name, value := range map[string]string{"status": status, "organization": v.Value("organization")} {
			if value != "" {
				query.Set(name, value)
			}
		}
		return v.redirect(Path + "members?" + query.Encode())
	}
	body := map[string]any{"q": v.Value("q"), "limit": 50, "cursor": v.Value("cursor"), "organization": v.Value("organization")}
	if status != "" {
		body["status"] = status
	}
	return v.showMembers(status, func(page *memberList) error {
		err := v.post("/v1/members/search", body, &page.Page)
		if v.refused(err) {
			return nil
		}
		return err
	})
}

func (v *visit) showMembers(status string, read func(*memberList) error) error {
	if v.narrowing("cursor") == "" { // a later page is not made anew under the reader
		if err := v.follow(); err != nil {
			return err
		}
	}
	list := memberList{Status: status, Tabs: v.memberTabs()}
	var err error
	if list.Organizations, err = v.organizations(); err != nil {
		return err
	}
	if err := read(&list); err != nil {
		return err
	}
	names := map[string]string{}
	for _, o := range list.Organizations {
		names[o.Value] = o.Label
	}
	for _, m := range list.Items {
		inactive := m.Status == offboarding.MemberInactive || m.Status == offboarding.MemberArchived
		leaves := m.Status == offboarding.MemberActive && m.OpenCaseID == "" && m.ID != v.Me()
		list.Rows = append(list.Rows, memberRow{m, names[m.OrganizationID], leaves, inactive})
		list.MayLeave, list.MayReturn = list.MayLeave || leaves, list.MayReturn || inactive
	}
	return v.show("members", list)
}

// memberTabs are the lists of members by status: active ones unless others are asked
// for (seeds 000 and 002).
func (v *visit) memberTabs() []Option {
	tabs := options(v, "status", offboarding.MemberActive, offboarding.MemberInactive, offboarding.MemberArchived, offboarding.MemberDeleted)
	tabs[0].Value = ""
	return append(tabs, Option{Value: "all", Label: v.T("members.all")})
}

// member is the member whom the address names, by ID: anything else that the API knows
// somebody by is personal data, which no address has.
func (v *visit) member() (m offboarding.MemberDetail, err error) {
	id := v.r.PathValue("id")
	if uuid.Validate(id) != nil {
		return m, problem.New(v.r.Context(), problem.CodeNotFound, v.T("error.no_page"))
	}
	return m, v.get(at("/v1/members/%s", id), nil, &m)
}

// What the page of a member lists.
const (
	ofDocuments   = ""
	ofCases       = "cases"
	ofCredentials = "credentials"
)

// memberPage is what the page of a member shows: who they are, and one of three lists.
type memberPage struct {
	offboarding.MemberDetail
	Tabs        []Option
	Documents   *offboarding.Page[offboarding.DocumentRow]
	Cases       *offboarding.Page[offboarding.CaseRow]
	Credentials *offboarding.Page[offboarding.CredentialRow]
}

func (v *visit) memberPage() error {
	if err := v.follow(); err != nil {
		return err
	}
	m, err := v.member()
	if err != nil {
		return err
	}
	p := memberPage{MemberDetail: m, Tabs: []Option{
		{Value: ofDocuments, Label: v.T("member.documents"), Count: m.Documents},
		{Value: ofCases, Label: v.T("member.cases")},
		{Value: ofCredentials, Label: v.T("member.credentials")},
	}}
	query := url.Values{"limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"]}
	switch v.Query("of") {
	case ofDocuments:
		err = v.get(at("/v1/members/%s/documents", m.ID), query, &p.Documents)
	case ofCases:
		query.Set("member", m.ID)
		err = v.get("/v1/offboardings", query, &p.Cases)
	case ofCredentials:
		query.Set("member", m.ID)
		query.Set("revoked", "true")
		err = v.get("/v1/credentials", query, &p.Credentials)
	default:
		err = problem.New(v.r.Context(), problem.CodeNotFound, v.T("error.no_page"))
	}
	if err != nil {
		return err
	}
	return v.show("member", p)
}
