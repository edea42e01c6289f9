package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// asked is a desk on which a maker and a viewer have asked for a document of the leaver.
func asked(t *testing.T) (d *desk, document, maker, viewer, ofMaker, ofViewer string) {
	t.Helper()
	d, document, maker, _, viewer = left(t)
	ask := func(member, note string) string {
		t.Helper()
		ownership, err := d.cases.Claim(t.Context(), offboarding.WorkflowID(d.Leaver), offboarding.ClaimRequest{
			DocumentID: document, MemberID: member, Note: note, As: offboarding.AsRequest,
		})
		require.NoError(t, err)
		return ownership.RequestID
	}
	return d, document, maker, viewer, ask(maker, "I keep it\nup to date"), ask(viewer, "")
}

// Rule C3: one click approves; the others read that it went to somebody else.
func TestApprove(t *testing.T) {
	t.Parallel()
	d, document, maker, _, ofMaker, ofViewer := asked(t)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/transfers")
	row := list.text("#request-" + ofMaker)
	for _, want := range []string{"Document 5", "Member 6", "m6@acme.example", "I keep it up to date", "Member 4"} {
		require.Contains(t, row, want)
	}
	require.Equal(t, 1, list.Find("#request-"+ofMaker+" time.countdown").Length())
	require.Zero(t, list.Find("#approve-"+ofViewer).Length(), "a viewer owns nothing")
	require.Contains(t, list.text("#request-"+ofViewer), "only makers own documents")

	for range 2 {
		done := list.submit(t, "#approve-"+ofMaker, nil)
		require.Equal(t, http.StatusOK, done.status, done.text("main"))
		require.Equal(t, "The request is approved.", done.text(".notice"))
		require.Equal(t, "Nobody asks for a document.", done.text(".empty"))
	}
	require.Equal(t, maker+" editable", d.DocumentState(document))
	decided := admin.get(t, "/console/transfers?show=decided")
	require.Contains(t, decided.text("#request-"+ofMaker), "Approved Member 2")
	require.Contains(t, decided.text("#request-"+ofViewer), "Went to somebody else")
	require.Equal(t, "Decided", decided.text(".tabs a[aria-current]"))

	late := list.submit(t, "#approve-"+ofMaker, url.Values{"key": {uuid.NewString()}})
	require.Equal(t, http.StatusConflict, late.status)
	require.Contains(t, late.text(".faults"), "The request for “Document 5” has been decided already (Approved). The document belongs to Member 6 now.")
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'ApproveDocOwnership'`))
}

// Two admins decide at the same moment: one does, the other is told what came of it.
func TestTwoDecideAtTheSameMoment(t *testing.T) {
	t.Parallel()
	d, document, maker, _, ofMaker, _ := asked(t)
	pages := make(chan *page, 2)
	for _, admin := range []string{d.Admin, d.Owner} {
		list := d.as(admin).get(t, "/console/transfers")
		go func() { pages <- list.submit(t, "#approve-"+ofMaker, nil) }()
	}
	seen := map[int]*page{}
	for range 2 {
		p := <-pages
		seen[p.status] = p
	}
	require.Len(t, seen, 2)
	require.Equal(t, "The request is approved.", seen[http.StatusOK].text(".notice"))
	require.Contains(t, seen[http.StatusConflict].text(".faults"), "decided already")
	require.Equal(t, maker+" editable", d.DocumentState(document))
}

// Seed 002: an admin gives the document to somebody else.
func TestGiveToSomebodyElse(t *testing.T) {
	t.Parallel()
	d, document, _, _, _, ofViewer := asked(t)
	form := d.as(d.Admin).get(t, "/console/transfers/requests/"+ofViewer)
	_, disabled := form.Find("#decision-approve").Attr("disabled")
	require.True(t, disabled, "whom the rules do not let have it cannot be chosen")
	for name, c := range map[string]struct {
		values url.Values
		field  string
		status int
	}{
		"nothing is chosen":  {url.Values{"note": {"so"}}, "decision", http.StatusBadRequest},
		"what is not there":  {url.Values{"decision": {"sell"}, "note": {"so"}}, "decision", http.StatusBadRequest},
		"nobody is named":    {url.Values{"decision": {"give"}, "note": {"so"}}, "new_owner", http.StatusBadRequest},
		"named for nothing":  {url.Values{"decision": {"reject"}, "new_owner": {"m3@acme.example"}, "note": {"so"}}, "decision", http.StatusBadRequest},
		"nobody by the name": {url.Values{"decision": {"give"}, "new_owner": {"nobody@acme.example"}, "note": {"so"}}, "new_owner", http.StatusConflict},
		"not a maker":        {url.Values{"decision": {"give"}, "new_owner": {"m8@acme.example"}, "note": {"so"}}, "new_owner", http.StatusConflict},
	} {
		refused := form.submit(t, "#decide", c.values)
		require.Equal(t, c.status, refused.status, name)
		require.NotEmpty(t, refused.text("#fault-"+c.field), name)
		require.Equal(t, "so", refused.text("#field-note"), name)
		require.Equal(t, c.values.Get("new_owner"), refused.Find("#field-new_owner").AttrOr("value", ""), name)
		require.Zero(t, refused.Find("#refresh").Length(), name)
	}
	require.Equal(t, d.Leaver+" editable", d.DocumentState(document))
	done := form.submit(t, "#decide", url.Values{"decision": {"give"}, "new_owner": {"m3@acme.example"}, "note": {"as agreed"}})
	require.Equal(t, "The document has a new owner.", done.text(".notice"), done.text("main"))
	require.Equal(t, d.Manager+" editable", d.DocumentState(document))
	page := d.as(d.Owner).get(t, "/console/transfers/requests/"+ofViewer)
	require.Zero(t, page.Find("#decide").Length())
	for _, want := range []string{"Approved", "Given to", "Member 3", "Member 2", "as agreed"} {
		require.Contains(t, page.text("main .facts"), want)
	}
	late := form.submit(t, "#decide", url.Values{"decision": {"reject"}, "key": {uuid.NewString()}})
	require.Equal(t, http.StatusConflict, late.status)
	require.Contains(t, late.text(".faults"), "The document belongs to Member 3 now.")
	require.Zero(t, late.Find("#decide").Length())
}

// An admin rejects with a note, which the requester reads.
func TestReject(t *testing.T) {
	t.Parallel()
	d, document, maker, _, ofMaker, _ := asked(t)
	form := d.as(d.Admin).get(t, "/console/transfers/requests/"+ofMaker)
	require.Equal(t, "approve", form.Find("input[name=decision][checked]").AttrOr("value", ""))
	done := form.submit(t, "#decide", url.Values{"decision": {"reject"}, "note": {"it stays <b>here</b>"}})
	require.Equal(t, "The request is rejected.", done.text(".notice"), done.text("main"))
	mine := d.as(maker).get(t, "/console/documents?show=requests")
	require.Contains(t, mine.text("#request-"+ofMaker), "Rejected Member 2")
	require.Contains(t, mine.text("#request-"+ofMaker), "it stays <b>here</b>")
	require.Equal(t, d.Leaver+" editable", d.DocumentState(document))
	require.Equal(t, 1, d.as(maker).get(t, "/console/documents").Find("#claim-"+document).Length(), "they can still claim it")
}

// A legal hold keeps a document from being given away, and the page says so.
func TestARequestForWhatIsHeld(t *testing.T) {
	t.Parallel()
	d, document, _, _, ofMaker, _ := asked(t)
	admin := d.as(d.Admin)
	open := admin.get(t, "/console/transfers")
	_, err := d.store.PlaceHold(t.Context(), offboarding.Hold{DocumentID: document, Reason: "matter 1"}, d.Admin, fixture.Start)
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, open.submit(t, "#approve-"+ofMaker, nil).status)
	list := admin.get(t, "/console/transfers")
	require.Zero(t, list.Find("#approve-"+ofMaker).Length())
	require.Contains(t, list.text("#request-"+ofMaker), "Under legal hold")
	form := admin.get(t, "/console/transfers/requests/"+ofMaker)
	require.Equal(t, 2, form.Find("input[name=decision][disabled]").Length(), "it can be rejected only")
	require.Equal(t, "The request is rejected.", form.submit(t, "#decide", url.Values{"decision": {"reject"}}).text(".notice"))
}

func TestRequestsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	d, _, _, _, ofMaker, _ := asked(t)
	stranger := fixture.New(t, d.DB)
	who := d.as(stranger.Owner)
	require.Equal(t, "Nobody asks for a document.", who.get(t, "/console/transfers").text(".empty"))
	require.Equal(t, "No request has been decided.", who.get(t, "/console/transfers?show=decided").text(".empty"))
	for _, id := range []string{ofMaker, uuid.NewString(), "x", "%2e%2e"} {
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodGet, "/console/transfers/requests/"+id, nil).status, id)
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodPost, "/console/transfers/requests/"+id, url.Values{"decision": {"approve"}}).status, id)
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodPost, "/console/transfers/requests/"+id+"/approve", url.Values{}).status, id)
	}
	require.Equal(t, http.StatusBadRequest, d.as(d.Admin).open(t, http.MethodGet, "/console/transfers?cursor=x", nil).status)
}
