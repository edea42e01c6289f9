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

// unowned is a desk on which a leaver has left so many documents.
func unowned(t *testing.T, n int) (d *desk, caseID string, documents []string) {
	t.Helper()
	d = newDesk(t)
	for range n {
		documents = append(documents, d.Document(d.Leaver, ""))
	}
	return d, d.offboard(t, d.Leaver), documents
}

// Seed 002: all documents without an owner by who left them, each to a new owner of its
// own; what happens is said in numbers before it does.
func TestGiveDocumentsAway(t *testing.T) {
	t.Parallel()
	d, caseID, documents := unowned(t, 4)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/transfers/unowned")
	require.Contains(t, list.text("#case-"+caseID), "Member 4 m4@acme.example 4 0")
	form := admin.get(t, list.Find("#case-"+caseID+" th a").AttrOr("href", ""))
	require.Contains(t, form.text(".lead"), "4 documents wait.")

	names := url.Values{
		"owner-" + documents[0]: {"m3@acme.example"}, "owner-" + documents[1]: {"m1"}, "owner-" + documents[2]: {"M3@acme.example "},
	}
	review := form.submit(t, "#give", names)
	require.Equal(t, http.StatusOK, review.status, review.text("main"))
	require.Contains(t, review.text("main"), "Member 3 (m3@acme.example) gets 2 documents")
	require.Contains(t, review.text("main"), "Member 1 (m1@acme.example) gets 1 document")
	require.Equal(t, "Transfer 3 documents", review.text("#confirm .primary"))
	require.Equal(t, d.Leaver+" editable", d.DocumentState(documents[0]), "nothing happens before that is confirmed")

	changed := review.submit(t, "#confirm", url.Values{"step": {"edit"}})
	require.Equal(t, "m1", changed.Find("#field-owner-"+documents[1]).AttrOr("value", ""), "what was typed is there")
	for range 2 {
		done := review.submit(t, "#confirm", nil)
		require.Equal(t, "The documents have new owners.", done.text(".notice"), done.text("main"))
		require.Equal(t, 1, done.Find("tbody tr").Length())
		require.NotContains(t, done.Find("#give").AttrOr("action", ""), "notice")
	}
	require.Equal(t, d.Manager+" editable", d.DocumentState(documents[0]))
	require.Equal(t, d.Owner+" editable", d.DocumentState(documents[1]))
	require.Equal(t, d.Manager+" editable", d.DocumentState(documents[2]))
	require.Equal(t, d.Leaver+" editable", d.DocumentState(documents[3]))
	require.Equal(t, 3, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'TransferDocs'`))
}

// What is wrong stands beside the document that it is about.
func TestWhoGetsNothing(t *testing.T) {
	t.Parallel()
	d, caseID, documents := unowned(t, 2)
	viewer := d.Member(offboarding.RoleReader, offboarding.AccountViewer)
	path := "/console/transfers/unowned/" + caseID
	form := d.as(d.Admin).get(t, path)
	none := form.submit(t, "#give", nil)
	require.Equal(t, http.StatusBadRequest, none.status)
	require.Contains(t, none.text(".faults"), "Name a new owner")
	for _, typed := range []string{"nobody@acme.example", "external:", d.Text(`SELECT email FROM members WHERE id = $1`, viewer), "..", "a/b"} {
		refused := form.submit(t, "#give", url.Values{"owner-" + documents[1]: {typed}})
		require.GreaterOrEqual(t, refused.status, 400, typed)
		require.NotEmpty(t, refused.text("#fault-owner-"+documents[1]), typed)
		require.Equal(t, typed, refused.Find("#field-owner-"+documents[1]).AttrOr("value", ""))
	}
	require.Zero(t, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'TransferDocs'`))
}

// Somebody takes one of the documents, and one new owner leaves, while an admin makes up
// their mind: what can be given is given, and the rest is said.
func TestGivingMeetsOthers(t *testing.T) {
	t.Parallel()
	d, caseID, documents := unowned(t, 3)
	maker := d.Maker()
	review := d.as(d.Admin).get(t, "/console/transfers/unowned/"+caseID).submit(t, "#give", url.Values{
		"owner-" + documents[0]: {"m3"}, "owner-" + documents[1]: {"m1"},
	})
	require.Equal(t, "Transfer 2 documents", review.text("#confirm .primary"))
	d.Exec(`UPDATE members SET account_type = 'viewer' WHERE id = $1`, d.Manager)
	partly := review.submit(t, "#confirm", nil)
	require.Equal(t, http.StatusConflict, partly.status)
	require.Contains(t, partly.text("main"), "1 document has been transferred, the others have not.")
	require.NotEmpty(t, partly.text("#fault-owner-"+documents[0]))
	require.Equal(t, d.Owner+" editable", d.DocumentState(documents[1]))

	d.Grant(documents[2], maker, offboarding.GrantEdit)
	late := partly.submit(t, "#give", url.Values{"owner-" + documents[0]: {""}, "owner-" + documents[2]: {"m1"}})
	require.Equal(t, "Transfer 1 document", late.text("#confirm .primary"))
	d.as(maker).get(t, "/console/documents").submit(t, "#claim-"+documents[2], nil)
	refused := late.submit(t, "#confirm", nil)
	require.Equal(t, http.StatusConflict, refused.status)
	require.NotEmpty(t, refused.text(".faults"))
	require.Equal(t, maker+" editable", d.DocumentState(documents[2]))
}

// Who was typed is somebody else by now: that is shown before anything is given.
func TestGivingIsAsItWasShown(t *testing.T) {
	t.Parallel()
	d, caseID, documents := unowned(t, 1)
	heir := d.Maker()
	review := d.as(d.Admin).get(t, "/console/transfers/unowned/"+caseID).submit(t, "#give", url.Values{"owner-" + documents[0]: {"m3"}})
	d.Exec(`UPDATE members SET external_id = 'was-m3' WHERE external_id = 'm3'`)
	d.Exec(`UPDATE members SET external_id = 'm3' WHERE id = $1`, heir)
	changed := review.submit(t, "#confirm", nil)
	require.Equal(t, http.StatusConflict, changed.status)
	require.Contains(t, changed.text(".faults"), "What would happen is not what you were shown.")
	require.Contains(t, changed.text("main .card"), d.Text(`SELECT email FROM members WHERE id = $1`, heir))
	require.Zero(t, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'TransferDocs'`))
	require.Equal(t, "The documents have new owners.", changed.submit(t, "#confirm", nil).text(".notice"))
}

// The list finds a leaver by name, which is in no address.
func TestFindUnownedDocuments(t *testing.T) {
	t.Parallel()
	d, caseID, documents := unowned(t, 60)
	second := d.Maker()
	d.Document(second, "")
	other := d.offboard(t, second)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/transfers/unowned")
	require.Equal(t, 2, list.Find("tbody tr").Length())
	found := list.submit(t, "#search", url.Values{"q": {"m4"}})
	require.Equal(t, 1, found.Find("tbody tr").Length())
	require.Equal(t, 1, found.Find("#case-"+caseID).Length())
	require.Empty(t, found.url.RawQuery)
	require.Equal(t, "m4", found.Find("#field-q").AttrOr("value", ""))
	require.Contains(t, list.submit(t, "#search", url.Values{"q": {"nobody"}}).text(".empty"), "Nobody by that name")

	first := admin.get(t, "/console/transfers/unowned/"+caseID)
	require.Equal(t, 50, first.Find("tbody tr").Length())
	next := admin.get(t, first.Find(".pager a[rel=next]").AttrOr("href", ""))
	require.Equal(t, 10, next.Find("tbody tr").Length())
	review := next.submit(t, "#give", url.Values{"owner-" + documents[59]: {"m3"}})
	require.Equal(t, "Transfer 1 document", review.text("#confirm .primary"), "a later page has its own form")
	require.Equal(t, "The documents have new owners.", review.submit(t, "#confirm", nil).text(".notice"))

	d.Exec(`UPDATE members SET display_name = 'x' WHERE id = $1`, second)
	require.Equal(t, 1, admin.get(t, "/console/transfers/unowned/"+other).Find("tbody tr").Length())
	stranger := fixture.New(t, d.DB)
	who := d.as(stranger.Owner)
	require.Contains(t, who.get(t, "/console/transfers/unowned").text(".empty"), "No document is without an owner.")
	for _, id := range []string{caseID, uuid.NewString(), "x"} {
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodGet, "/console/transfers/unowned/"+id, nil).status, id)
		require.Equal(t, http.StatusNotFound, who.open(t, http.MethodPost, "/console/transfers/unowned/"+id, url.Values{"step": {"transfer"}}).status, id)
	}
}
