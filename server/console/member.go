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
	c.route(mux, "GET "+Path+"members/{id}", AccessAdmin, (*visit).memberPage)
	c.leaving(mux)
	c.deletion(mux)
}

// memberList is what the list of members shows.
type memberList struct {
	offboarding.Page[offboarding.MemberRow]
	Tabs []Option
}

// Count is how many members there are on all pages.
func (l memberList) Count() int { return *l.Total }

func (v *visit) memberList() error {
	if err := v.follow(); err != nil {
		return err
	}
	query := url.Values{"limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"]}
	if status := v.Query("status"); status != "" {
		query.Set("status", status)
	}
	list := memberList{Tabs: v.memberTabs()}
	if err := v.get("/v1/members", query, &list.Page); err != nil {
		return err
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
		{Value: ofCases, Label: v.T("member.cases")}, {Value: ofCredentials, Label: v.T("member.credentials")},
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
