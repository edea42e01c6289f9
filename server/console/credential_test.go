package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// An admin makes a credential for a member, sees its secret once, and revokes it.
func TestCredentials(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/settings/credentials")
	require.Equal(t, "Credentials of Member 2", page.text("h1"), "one's own at first")
	page = page.submit(t, "form#find", url.Values{"person": {"m4@acme.example"}})
	require.Equal(t, "Credentials of Member 4", page.text("h1"))
	require.Equal(t, "member="+d.Leaver, page.url.RawQuery, "no address is in an address")

	form := url.Values{"key": {"once"}, "member": {d.Leaver}, "name": {"HR"}, "kind": {"api"}}
	secret := admin.open(t, http.MethodPost, "/console/settings/credentials", form, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, secret.status, secret.text("main"))
	id, word := secret.Find("#secret-id").AttrOr("value", ""), secret.Find("#secret").AttrOr("value", "")
	require.NotEmpty(t, word)
	require.Equal(t, "no-store", secret.header.Get("Cache-Control"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/v1/members/me", nil)
	require.NoError(t, err)
	r.SetBasicAuth(id, word)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode, "it works")

	again := admin.open(t, http.MethodPost, "/console/settings/credentials", form, "Sec-Fetch-Site", "same-origin")
	require.Contains(t, again.text(".callout"), "the secret has been shown already")
	require.Zero(t, again.Find("#secret").Length())
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM credentials`))

	list := admin.get(t, "/console/settings/credentials?member="+d.Leaver)
	require.Contains(t, list.text("tbody tr"), "HR "+id+" API Active")
	require.NotContains(t, list.text("body"), word)
	list = list.submit(t, "#credential-"+id+" form", nil)
	require.Equal(t, "The credential is revoked.", list.text(".notice"))
	require.Equal(t, "There are none.", list.text(".empty"))
	all := admin.get(t, "/console/settings/credentials?revoked=true&member="+d.Leaver)
	require.Contains(t, all.text("tbody tr"), "Revoked")
	require.Zero(t, all.Find("tbody form").Length())
	require.NotContains(t, d.log.String(), word)
	require.NotContains(t, d.log.String(), "m4@acme.example")
}

// What the rules refuse stands on the page, beside its field where it has one.
func TestMistakesInCredentials(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stranger := fixture.New(t, d.DB)
	theirs := stranger.Credential(stranger.Leaver)
	owners := d.Credential(d.Owner)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/settings/credentials?member="+d.Owner)

	wrong := page.submit(t, "form#create", url.Values{"name": {"for the owner"}})
	require.Equal(t, http.StatusForbidden, wrong.status)
	require.Equal(t, "Credentials of Member 1", wrong.text("h1"))
	require.Equal(t, "for the owner", wrong.Find("[name=name]").AttrOr("value", ""))
	require.NotEmpty(t, wrong.text(".faults"))
	wrong = page.submit(t, "form#create", url.Values{"name": {""}})
	require.NotEmpty(t, wrong.text("#fault-name"), wrong.text("main"))
	wrong = page.submit(t, "#credential-"+owners+" form", nil)
	require.Equal(t, http.StatusForbidden, wrong.status)
	for _, typed := range []string{"", "nobody@acme.example", stranger.Leaver, "../../me"} {
		wrong = page.submit(t, "form#find", url.Values{"person": {typed}})
		require.NotEmpty(t, wrong.text("#fault-person"), typed)
		require.Equal(t, typed, wrong.Find("[name=person]").AttrOr("value", ""))
	}
	form := url.Values{"do": {"revoke"}, "credential": {theirs}, "member": {d.Leaver}}
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodPost, "/console/settings/credentials", form, "Sec-Fetch-Site", "same-origin").status)
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/settings/credentials?member="+stranger.Leaver, nil).status)
	require.Zero(t, d.Count(`SELECT count(*) FROM credentials WHERE status <> 'active'`))

	gone := d.Maker()
	d.Document(gone, "")
	d.offboard(t, gone)
	left := admin.get(t, "/console/settings/credentials?member="+gone).submit(t, "form#create", url.Values{"name": {"x"}})
	require.Equal(t, http.StatusConflict, left.status, "nobody who has left gets one")
}
