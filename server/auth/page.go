package auth

import (
	"net/http"
	"net/url"
	"strings"

	"handover/offboarding"
	"handover/server/problem"
)

// Pages are what people are shown on the way through a sign-in, and where they are not
// let in. Programs, and people
// where there are no pages, are answered with problems.
type Pages interface {
	// SignInFailed says why a sign-in has come to nothing.
	SignInFailed(w http.ResponseWriter, r *http.Request, err error)
	// ChooseOrganization asks a member of several organizations which is meant.
	ChooseOrganization(w http.ResponseWriter, r *http.Request, choices []Choice)
	// Busy says why somebody has to wait. It reports false, and answers nothing, where the
	// request is not for a page.
	Busy(w http.ResponseWriter, r *http.Request, err error) bool
}

// Choice is an organization, and where its member signs in to it.
type Choice struct{ Name, URL string }

// Show makes people see pages. To be called before requests are answered.
func (a *Auth) Show(pages Pages) { a.people.pages = pages }

// page reports whether a page is what to answer with.
func (a *Auth) page(r *http.Request) bool {
	return a.people.pages != nil && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (a *Auth) failed(w http.ResponseWriter, r *http.Request, err error) {
	if a.page(r) {
		a.people.pages.SignInFailed(w, r, err)
		return
	}
	problem.Write(w, r, a.log, err)
}

// choose lets somebody who is a member of several organizations say which is meant,
// by signing in to it: the provider knows them already.
func (a *Auth) choose(w http.ResponseWriter, r *http.Request, members []offboarding.SignInMember, returnTo string) error {
	choices, slugs := make([]Choice, len(members)), make([]string, len(members))
	for i, m := range members {
		query := url.Values{"organization": {m.OrganizationSlug}, "return_to": {returnTo}}
		choices[i], slugs[i] = Choice{m.OrganizationName, "/auth/login?" + query.Encode()}, m.OrganizationSlug
	}
	if !a.page(r) {
		return offboarding.Refuse("", offboarding.CodeInvalidArgument, "organization",
			"the address is that of a member of several organizations; name one at /auth/login: "+strings.Join(slugs, ", "))
	}
	a.people.pages.ChooseOrganization(w, r, choices)
	return nil
}
