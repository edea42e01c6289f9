package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// Every setting can be read and changed, and what was not touched stays as others have
// made it meanwhile.
func TestSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/settings")
	for _, s := range (&offboarding.Organization{}).Settings() {
		require.Equal(t, 1, page.Find(`#settings [name="`+s.Name+`"]`).Length(), s.Name)
	}
	require.Equal(t, "7d", page.Find(`[name=grace_period]`).AttrOr("value", ""))
	require.Equal(t, "self_serve", page.Find(`[name=claim_policy] option[selected]`).AttrOr("value", ""))

	d.Exec(`UPDATE organizations SET seat_limit = 1000000 WHERE id = $1`, d.ID) // by somebody else
	changed := page.submit(t, "form#settings", url.Values{
		"claim_policy": {"admin_approval"}, "grace_period": {"36h"}, "domains": {"acme.example\r\nacme.org, acme.net"},
		"provisioning_admin": {"m1@acme.example"}, "enterprise_plan_manager": {"true"},
	})
	require.Equal(t, "The settings are changed.", changed.text(".notice"))
	require.Equal(t, "/console/settings", changed.url.Path)
	require.Equal(t, "36h0m0s", changed.Find(`[name=grace_period]`).AttrOr("value", ""))
	require.Equal(t, "1000000", changed.Find(`[name=seat_limit]`).AttrOr("value", ""))
	require.Equal(t, "m1@acme.example", changed.Find(`[name=provisioning_admin]`).AttrOr("value", ""))
	require.Equal(t, 1, changed.Find(`[name=enterprise_plan_manager][checked]`).Length())
	require.Equal(t, "admin_approval 129600 {acme.example,acme.org,acme.net} 1000000 true "+d.Owner, d.Text(`SELECT concat_ws(' ', claim_policy,
		grace_period_seconds, domains, seat_limit, enterprise_plan_manager::text, provisioning_admin_id) FROM organizations WHERE id = $1`, d.ID))
	require.Len(t, d.Events(), 6, "a sign-in, and an event for each change")

	again := changed.submit(t, "form#settings", nil)
	require.Equal(t, "Nothing was changed: the settings are as before.", again.text(".notice"))
	require.Len(t, d.Events(), 6)
	off := again.submit(t, "form#settings", url.Values{"enterprise_plan_manager": nil, "provisioning_admin": {""}})
	require.Equal(t, "The settings are changed.", off.text(".notice"))
	require.Zero(t, off.Find(`[name=enterprise_plan_manager][checked]`).Length())
}

// All mistakes are said at once, each beside its field, and nothing typed is lost.
func TestMistakesInSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	page := d.as(d.Admin).get(t, "/console/settings")
	wrong := page.submit(t, "form#settings", url.Values{
		"grace_period": {"a week"}, "seat_limit": {"2"}, "time_zone": {"Mars"}, "provisioning_admin": {"nobody@acme.example"}, "domains": {"not a domain!"},
	})
	require.Equal(t, http.StatusNotFound, wrong.status)
	require.Equal(t, "There is no such member.", wrong.text("#fault-provisioning_admin"), wrong.text("main"))

	wrong = wrong.submit(t, "form#settings", url.Values{"provisioning_admin": {""}})
	require.Equal(t, http.StatusBadRequest, wrong.status)
	require.Contains(t, wrong.text("#fault-grace_period"), "Grace period ")
	require.Equal(t, "Seat limit is less than the 4 members who are active", wrong.text("#fault-seat_limit"))
	require.Contains(t, wrong.text("#fault-time_zone"), "Time zone ")
	require.Contains(t, wrong.text("#fault-domains"), "Domains is not a list of domains")
	require.Equal(t, 4, wrong.Find(".faults li a").Length())
	require.Equal(t, "a week", wrong.Find(`[name=grace_period]`).AttrOr("value", ""))
	require.Equal(t, "not a domain!", wrong.text(`[name=domains]`))

	mended := wrong.submit(t, "form#settings", url.Values{
		"grace_period": {"1d"}, "seat_limit": {"many"}, "time_zone": {"UTC"}, "domains": {"acme.example"},
	})
	require.Equal(t, "Must be a whole number", mended.text("#fault-seat_limit"))
	require.Empty(t, d.Text(`SELECT string_agg(event, ' ') FROM audit_events WHERE event = 'ChangeSettings'`))
	mended = mended.submit(t, "form#settings", url.Values{"seat_limit": {"10"}})
	require.Equal(t, "The settings are changed.", mended.text(".notice"), "what was typed is told from what was there, as when the page was opened first")
	require.Equal(t, 2, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'ChangeSettings'`))
}

// An admin of an organization above chooses whose settings they are; those of another
// tenant are not there.
func TestSettingsOfAnotherOrganization(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	below, stranger := fixture.New(t, d.DB), fixture.New(t, d.DB)
	d.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, d.ID)
	d.Exec(`UPDATE organizations SET parent_id = $2, name = 'Below' WHERE id = $1`, below.ID, d.ID)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/settings")
	chosen := page.submit(t, "form.filter", url.Values{"organization": {below.ID}})
	require.Equal(t, "Below", chosen.text("#field-organization option[selected]"))
	changed := chosen.submit(t, "form#settings", url.Values{"seat_limit": {"77"}})
	require.Equal(t, "The settings are changed.", changed.text(".notice"))
	require.Equal(t, below.ID, changed.url.Query().Get("organization"))
	require.Equal(t, "77", changed.Find(`[name=seat_limit]`).AttrOr("value", ""))
	require.Equal(t, "0", d.Text(`SELECT seat_limit FROM organizations WHERE id = $1`, d.ID))

	for _, there := range []string{"/console/settings", "/console/settings/webhooks", "/console/settings/holds"} {
		got := admin.open(t, http.MethodGet, there+"?organization="+stranger.ID, nil)
		require.GreaterOrEqual(t, got.status, 400, there)
		require.NotContains(t, got.text("body"), stranger.ID, there)
	}
	form := url.Values{"organization": {stranger.ID}, "was_seat_limit": {"0"}, "seat_limit": {"5"}}
	require.Equal(t, http.StatusBadRequest, admin.open(t, http.MethodPost, "/console/settings", form, "Sec-Fetch-Site", "same-origin").status)
	require.Equal(t, "0", d.Text(`SELECT seat_limit FROM organizations WHERE id = $1`, stranger.ID))
	require.Zero(t, d.as(stranger.Admin).get(t, "/console/settings").Find("#field-organization").Length(), "there is nothing to choose")
}
