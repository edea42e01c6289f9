package console_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"handover/internal/devidp"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/console"
	"handover/server/problem"
)

// Who signs in is told on pages of the console what is asked of them and what went
// wrong.
func TestSigningInShowsPages(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	first, second := fixture.New(t, db), fixture.New(t, db)
	idp, err := devidp.Start(t.Context(), devidp.Options{Address: "127.0.0.1:0", People: func(context.Context) ([]devidp.Person, error) { return nil, nil }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, idp.Close()) })
	log, store, mux := slog.New(slog.DiscardHandler), postgres.New(db), http.NewServeMux()
	server := httptest.NewUnstartedServer(nil)
	at := "http://" + server.Listener.Addr().String()
	callers := auth.New(auth.Options{Store: store, Log: log, PublicURL: at, Provider: auth.Provider{
		Issuer: idp.Issuer(), ClientID: devidp.ClientID, ClientSecret: devidp.ClientSecret,
	}})
	callers.Register(mux)
	console.New(mux, console.Options{API: mux, Store: store, Auth: callers, Log: log})
	server.Config.Handler = problem.Track(log, callers.Authenticate(mux))
	server.Start()
	t.Cleanup(server.Close)
	signIn := func(email string) *page {
		someone := (&desk{url: at}).as("")
		someone.client.CheckRedirect = nil
		asked := someone.open(t, http.MethodGet, "/auth/login?return_to=%2Fconsole%2Fsigned-in", nil, "Accept", browser)
		form := url.Values{"email": {email}}
		asked.Find("form input[type=hidden]").Each(func(_ int, f *goquery.Selection) { form.Set(f.AttrOr("name", ""), f.AttrOr("value", "")) })
		return (&person{"http://" + asked.url.Host, someone.client}).open(t, http.MethodPost, asked.Find("form").AttrOr("action", ""), form, "Accept", browser)
	}

	several := signIn("m4@acme.example")
	require.Equal(t, http.StatusOK, several.status)
	require.Equal(t, "Choose an organization", several.text("h1"))
	require.Contains(t, several.header.Get("Content-Security-Policy"), "script-src 'self'")
	require.Equal(t, "no-referrer", several.header.Get("Referrer-Policy"))
	require.Equal(t, 2, several.Find(".choices a").Length())
	for _, o := range []*fixture.Organization{first, second} {
		slug := o.Text(`SELECT slug FROM organizations WHERE id = $1`, o.ID)
		link := several.Find(`.choices a[href="/auth/login?organization=` + slug + `&return_to=%2Fconsole%2Fsigned-in"]`)
		require.Equal(t, o.Text(`SELECT name FROM organizations WHERE id = $1`, o.ID), link.Text())
	}

	nobody := signIn("nobody@acme.example")
	require.Equal(t, http.StatusForbidden, nobody.status)
	require.Equal(t, "You are not signed in", nobody.text("h1"))
	require.Contains(t, nobody.text("main"), "no active member has the address")
	require.Equal(t, 1, nobody.Find(`a[href="/auth/login?return_to=%2Fconsole%2F"]`).Length())

	elsewhere := (&desk{url: at}).as("").open(t, http.MethodGet, "/auth/login?return_to=https://evil.example", nil, "Accept", browser)
	require.Equal(t, http.StatusBadRequest, elsewhere.status)
	require.Equal(t, "You are not signed in", elsewhere.text("h1"))
	program := (&desk{url: at}).as("").open(t, http.MethodGet, "/auth/login?return_to=https://evil.example", nil, "Accept", "*/*")
	require.Equal(t, problem.ContentType, program.header.Get("Content-Type"))
}
