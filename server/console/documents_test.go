package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// left is a desk on which the leaver has left a document that two makers may edit and a
// viewer may view.
func left(t *testing.T) (d *desk, document, first, second, viewer string) {
	t.Helper()
	d = newDesk(t)
	document = d.Document(d.Leaver, "")
	first, second, viewer = d.Maker(), d.Maker(), d.Member(offboarding.RoleReader, offboarding.AccountViewer)
	d.Grant(document, first, offboarding.GrantEdit)
	d.Grant(document, second, offboarding.GrantEdit)
	d.Grant(document, viewer, offboarding.GrantView)
	d.offboard(t, d.Leaver)
	return d, document, first, second, viewer
}

// Rule C1: one click claims, and sent twice it is done once.
func TestClaim(t *testing.T) {
	t.Parallel()
	d, document, first, _, _ := left(t)
	maker := d.as(first)
	list := maker.get(t, "/console/documents")
	row := "#document-" + document
	require.Contains(t, list.text(row), "Member 4")
	require.Equal(t, 1, list.Find(row+" time.countdown").Length(), "it says how long")
	for range 2 {
		claimed := list.submit(t, "#claim-"+document, nil)
		require.Equal(t, http.StatusOK, claimed.status, claimed.text("main"))
		require.Equal(t, "The document is yours now.", claimed.text(".notice"))
		require.Zero(t, claimed.Find(row).Length())
	}
	require.Equal(t, first+" editable", d.DocumentState(document))
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'ClaimDocOwnership'`))
	mine := maker.get(t, "/console/documents?show=mine")
	require.Contains(t, mine.text(row), "Editable")
	require.Equal(t, "What I own", mine.text(`.tabs a[aria-current]`))
	require.Contains(t, maker.get(t, "/console/documents/"+document).text("main"), "It is yours.")
}

// Rule C1, two people at the same moment: one gets it, the other is told who has.
func TestTwoClaimAtTheSameMoment(t *testing.T) {
	t.Parallel()
	d, document, first, second, _ := left(t)
	type seen struct {
		who  string
		page *page
	}
	both := make(chan seen, 2)
	for _, member := range []string{first, second} {
		list := d.as(member).get(t, "/console/documents")
		go func() { both <- seen{member, list.submit(t, "#claim-"+document, nil)} }()
	}
	statuses := map[int]seen{}
	for range 2 {
		s := <-both
		statuses[s.page.status] = s
	}
	require.Len(t, statuses, 2)
	winner, loser := statuses[http.StatusOK], statuses[http.StatusConflict]
	require.Equal(t, winner.who+" editable", d.DocumentState(document))
	name := d.Text(`SELECT display_name FROM members WHERE id = $1`, winner.who)
	title := d.Text(`SELECT title FROM documents WHERE id = $1`, document)
	require.Contains(t, loser.page.text(".faults"), name+" was quicker and has “"+title+"” now.")
	require.Zero(t, loser.page.Find("#document-"+document).Length(), "it waits no more")
	require.Equal(t, "/console/documents?show=mine", loser.page.Find(`.tabs a:contains("What I own")`).AttrOr("href", ""), "the way on")
	require.Contains(t, d.as(loser.who).get(t, "/console/documents/"+document).text("main"), name+" has it.")
}

// Rule C2: who may not claim asks, is told why, and sees what became of it.
func TestRequest(t *testing.T) {
	t.Parallel()
	d, document, first, _, viewer := left(t)
	reader := d.as(viewer)
	list := reader.get(t, "/console/documents")
	require.Contains(t, list.text("#document-"+document), "Only makers own documents.")
	ask := reader.get(t, list.Find("#document-"+document+" td a").AttrOr("href", ""))
	require.Contains(t, ask.text("main"), "Only makers own documents. You can ask for it")
	require.Zero(t, ask.Find("#claim-"+document).Length())

	note := strings.Repeat("long ", 500)
	refused := ask.submit(t, "form#request", url.Values{"note": {note}})
	require.Equal(t, http.StatusBadRequest, refused.status)
	require.NotEmpty(t, refused.text("#fault-note"))
	require.Equal(t, note, refused.Find("#field-note").Text(), "what was typed is there")
	require.Zero(t, refused.Find("#refresh").Length(), "nothing sends it again")

	for range 2 {
		sent := ask.submit(t, "form#request", url.Values{"note": {"<b>I</b> keep it up to date"}})
		require.Equal(t, http.StatusOK, sent.status, sent.text("main"))
		require.Equal(t, "You have asked for the document. An admin decides.", sent.text(".notice"))
		require.Contains(t, sent.text("tbody tr"), "<b>I</b> keep it up to date")
		require.Contains(t, sent.text("tbody tr"), "Waiting")
	}
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM ownership_requests`))
	require.Contains(t, reader.get(t, "/console/documents").text("#document-"+document), "You have asked for it")
	again := ask.submit(t, "form#request", url.Values{"key": {uuid.NewString()}})
	require.Equal(t, http.StatusConflict, again.status)
	require.Contains(t, again.text(".faults"), "You have asked for it already.")

	d.as(first).get(t, "/console/documents").submit(t, "#claim-"+document, nil)
	requests := reader.get(t, "/console/documents?show=requests")
	require.Contains(t, requests.text("tbody tr"), "Went to somebody else")
	require.Contains(t, requests.text("tbody tr"), d.Text(`SELECT display_name FROM members WHERE id = $1`, first))
	late := ask.submit(t, "form#request", url.Values{"key": {uuid.NewString()}})
	require.Equal(t, http.StatusConflict, late.status)
	require.Contains(t, late.text(".faults"), "was quicker")
}

// Seed 002: where an admin decides, makers ask.
func TestWhyAMakerAsks(t *testing.T) {
	t.Parallel()
	d, document, first, second, _ := left(t)
	open := d.as(second).get(t, "/console/documents")
	d.Exec(`UPDATE organizations SET claim_policy = 'admin_approval'`)
	d.Exec(`UPDATE grants SET level = 'view' WHERE member_id = $1`, first)
	require.Contains(t, d.as(first).get(t, "/console/documents").text("#document-"+document), "In your organization an admin decides.")
	refused := open.submit(t, "#claim-"+document, nil)
	require.Equal(t, http.StatusForbidden, refused.status)
	require.Contains(t, refused.text(".faults"), "You cannot claim it, but you can ask for it.")
	require.Equal(t, 1, refused.Find("#document-"+document+" a.button").Length(), "the list says how")
	d.Exec(`UPDATE organizations SET claim_policy = 'self_serve'`)
	require.Contains(t, d.as(first).get(t, "/console/documents").text("#document-"+document), "Only who may edit it can claim it.")
}

// Nobody learns of a document that they cannot open.
func TestDocumentsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	d, document, _, _, _ := left(t)
	stranger := fixture.New(t, d.DB)
	for _, member := range []string{d.Manager, stranger.Owner} {
		who := d.as(member)
		require.Contains(t, who.get(t, "/console/documents").text("main"), "No document that you can open is without an owner.")
		require.Contains(t, who.get(t, "/console/documents?show=requests").text(".empty"), "You have asked for no document.")
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodGet, "/console/documents/"+document, nil).status)
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodPost, "/console/documents/"+document+"/claim", url.Values{}).status)
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodPost, "/console/documents/"+document+"/request", url.Values{}).status)
	}
	who := d.as(d.Manager)
	require.Contains(t, who.get(t, "/console/documents?show=mine").text(".empty"), "You own no documents.")
	require.Equal(t, http.StatusBadRequest, who.open(t, http.MethodGet, "/console/documents?cursor=x", nil).status)
	require.Equal(t, http.StatusOK, who.open(t, http.MethodGet, "/console/documents?show=x%00", nil).status)
	require.Equal(t, http.StatusNotFound, who.open(t, http.MethodGet, "/console/documents/..%2fmembers", nil).status)
}
