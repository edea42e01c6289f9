package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

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
