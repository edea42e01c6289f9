package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/server/console"
)

// Nobody sees anything who has not signed in, and what is for admins is for admins.
func TestWhoMayOpenWhat(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	nobody, maker := d.as(""), d.as(d.Leaver)
	key := d.as("")
	require.Greater(t, len(d.console.Routes), 5)
	for _, route := range d.console.Routes {
		method, path, ok := strings.Cut(route.Pattern, " ")
		require.True(t, ok)
		path = strings.ReplaceAll(path, "{$}", "")
		path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllLiteralString(path, uuid.NewString())
		var form url.Values
		if method == http.MethodPost {
			form = url.Values{"typed": {"text <b>"}}
		}
		got := nobody.open(t, method, path, form)
		if method == http.MethodGet {
			require.Equal(t, http.StatusSeeOther, got.status, route.Pattern)
			require.Equal(t, "/auth/login?return_to="+url.QueryEscape(path), got.header.Get("Location"), route.Pattern)
		} else if path == "/console/sign-out" {
			require.Equal(t, "You are signed out", got.text("h1"))
		} else {
			require.Equal(t, http.StatusUnauthorized, got.status, route.Pattern)
			require.Equal(t, "text <b>", got.Find(`form[action="`+path+`"] input[name=typed]`).AttrOr("value", ""), "%s loses what was typed", route.Pattern)
		}
		require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self';", route.Pattern)

		if method == http.MethodPost {
			stranger := maker.open(t, method, path, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
			require.Equal(t, http.StatusForbidden, stranger.status, "%s takes what another site sends", route.Pattern)
			stranger = nobody.open(t, method, path, form, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
			require.Equal(t, http.StatusForbidden, stranger.status, "%s keeps what another site sends", route.Pattern)
			require.Zero(t, stranger.Find("input[name=typed]").Length())
		}
		if route.Access == console.AccessAdmin {
			got := maker.open(t, method, path, form)
			require.Equal(t, http.StatusForbidden, got.status, route.Pattern)
			require.Contains(t, got.text("main"), "Only owners and admins open this page.", route.Pattern)
		}
	}
	require.Equal(t, http.StatusNotFound, maker.open(t, http.MethodGet, "/console/nothing", nil).status)
	require.Equal(t, http.StatusOK, key.open(t, http.MethodGet, "/console/static/console.css", nil).status)
}

// A form does nothing for somebody else than it was given to, who has signed in on the
// same browser since; nor where it was kept over the end of a session.
func TestAFormIsOfOnePerson(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	another := d.Member(offboarding.RoleAdmin, offboarding.AccountMaker)
	review := d.as(d.Admin).get(t, "/console/members/"+d.Leaver+"/deactivate").submit(t, "form#leave", url.Values{"step": {"review"}})
	require.Equal(t, 1, review.Find("form#confirm").Length())
	own := review.person
	kept := (&page{review.Document, d.as(""), review.status, review.url, review.header}).submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusUnauthorized, kept.status)
	for name, form := range map[string]*page{"form#confirm": review, "main form": kept} {
		form.person = d.as(another)
		refused := form.submit(t, name, nil)
		require.Equal(t, http.StatusForbidden, refused.status)
		require.Contains(t, refused.text("main"), "Somebody else filled this in")
	}
	require.Equal(t, "active", d.Text(`SELECT status FROM members WHERE id = $1`, d.Leaver))
	kept.person = own
	require.Equal(t, http.StatusOK, kept.submit(t, "main form", nil).status)
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM cases WHERE member_id = $1`, d.Leaver))
}
