package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// A hold is placed on a member or a document, and lifted.
func TestHolds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document := d.Document(d.Leaver, "")
	d.Exec(`UPDATE documents SET external_id = 'plan', title = 'The plan' WHERE id = $1`, document)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/settings/holds")
	require.Equal(t, "No legal hold is in force.", page.text(".empty"))

	page = page.submit(t, "form#place", url.Values{"document": {"plan"}, "reason": {"matter 1"}})
	require.Equal(t, "The legal hold is in force.", page.text(".notice"), page.text("main"))
	require.Contains(t, page.text("tbody tr"), "The plan Document matter 1")
	require.Contains(t, page.text("tbody tr"), "Member 2", "who placed it")
	require.Equal(t, "true", d.Text(`SELECT held::text FROM documents WHERE id = $1`, document))

	page = page.submit(t, "form#place", url.Values{"member": {"m4@acme.example"}, "reason": {"matter 2"}})
	require.Equal(t, 2, page.Find("tbody tr").Length())
	require.Contains(t, page.text("tbody tr:first-child"), "Member 4 Member, with all documents matter 2")

	// Sent twice, lifted once.
	lift := page.Find("tbody tr:last-child form")
	form := url.Values{}
	for _, name := range []string{"key", "do", "hold"} {
		form.Set(name, lift.Find(`[name=`+name+`]`).AttrOr("value", ""))
	}
	for range 2 {
		lifted := admin.open(t, http.MethodPost, "/console/settings/holds", form, "Sec-Fetch-Site", "same-origin")
		require.Equal(t, "The legal hold is lifted.", lifted.text(".notice"), lifted.text("main"))
		require.Equal(t, 1, lifted.Find("tbody tr").Length())
	}
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'LiftLegalHold'`))
	all := admin.get(t, "/console/settings/holds?lifted=true")
	require.Equal(t, 2, all.Find("tbody tr").Length())
	require.Equal(t, 1, all.Find("tbody details").Length(), "what is lifted is not lifted again")
	require.Equal(t, 1, admin.get(t, "/console/settings/holds?member="+d.Leaver).Find("tbody tr").Length())
}

// What is wrong stands beside its field, and what was typed stays.
func TestMistakesInHolds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stranger := fixture.New(t, d.DB)
	theirs := stranger.Document(stranger.Leaver, "")
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/settings/holds")
	for _, test := range []struct {
		typed url.Values
		field string
	}{
		{url.Values{"reason": {"x"}}, "member"},
		{url.Values{"reason": {"x"}, "member": {"m4"}, "document": {d.Document(d.Leaver, "")}}, "member"},
		{url.Values{"reason": {""}, "member": {"m4"}}, "reason"},
		{url.Values{"reason": {"x"}, "member": {"<nobody>"}}, "member"},
		{url.Values{"reason": {"x"}, "member": {stranger.Leaver}}, "member"},
		{url.Values{"reason": {"x"}, "document": {theirs}}, "document"},
		{url.Values{"reason": {"x"}, "document": {"../.."}}, "document"},
	} {
		wrong := page.submit(t, "form#place", test.typed)
		require.GreaterOrEqual(t, wrong.status, 400)
		require.NotEmpty(t, wrong.text("#fault-"+test.field), "%v: %s", test.typed, wrong.text("main"))
		require.Equal(t, test.typed.Get("member"), wrong.Find("[name=member]").AttrOr("value", ""))
		require.Equal(t, test.typed.Get("reason"), wrong.text("[name=reason]"))
	}
	require.Zero(t, d.Count(`SELECT count(*) FROM legal_holds`))

	form := url.Values{"do": {"lift"}, "hold": {"../x"}}
	gone := admin.open(t, http.MethodPost, "/console/settings/holds", form, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusNotFound, gone.status)
	require.NotEmpty(t, gone.text(".faults"))
}
