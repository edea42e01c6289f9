package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// Those who are ticked in the list of members leave together: what would happen is shown
// in numbers, can be changed, and is done when it is confirmed.
func TestOffboardThoseTicked(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	second, owner := d.Maker(), d.Owner
	document := d.Document(d.Leaver, "")
	d.Document(second, "")
	d.Credential(second)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/members")
	require.Zero(t, list.Find(`input[name=member][value="`+d.Admin+`"]`).Length(), "nobody offboards themselves")
	require.Contains(t, list.submit(t, "form#ticked", nil).text(".notice"), "Tick somebody first.")

	review := list.submit(t, "form#ticked", url.Values{"member": {d.Leaver, second, owner}})
	require.Equal(t, "Offboard 2 members?", review.text("h1"), review.text("main"))
	require.Equal(t, "2 lose access now 1 is refused 2 documents wait for an owner 1 credential is revoked", review.text(".figures"))
	require.Contains(t, review.text("table[aria-labelledby=refused]"), "Admins do not act on owners")
	unknown := review.submit(t, "form#confirm", url.Values{"step": {"review"}, "disposition": {"transfer"}, "new_owner_id": {"nobody@acme.example"}})
	require.Equal(t, http.StatusNotFound, unknown.status)
	require.Equal(t, "There is no such member.", unknown.text("#fault-new_owner_id"))
	require.Zero(t, unknown.Find("button[value=start]").Length())
	early := review.submit(t, "form#confirm", url.Values{"step": {"start"}, "disposition": {"archive"}})
	require.Equal(t, http.StatusConflict, early.status)
	require.Contains(t, early.text(".faults"), "What would happen is not what you were shown.")
	changed := unknown.submit(t, "form#confirm", url.Values{"step": {"review"}, "new_owner_id": {"m3@acme.example"}, "reason": {"the office closes"}})
	require.Equal(t, http.StatusOK, changed.status, changed.text("main"))
	require.Contains(t, changed.text(".figures"), "2 documents get a new owner")
	require.Contains(t, changed.text("table[aria-labelledby=others]"), "To Member 3")
	require.Zero(t, d.Count(`SELECT count(*) FROM bulk_runs`), "nothing has happened yet")

	run := changed.submit(t, "form#confirm", url.Values{"step": {"start"}})
	require.Equal(t, "A list of 3 members", run.text("h1"), run.text("main"))
	end := admin.ended(t, run.url.Path)
	require.Equal(t, "Done, but for some", end.text("p.run .badge"))
	require.Equal(t, "inactive", d.status(second))
	require.Equal(t, "active", d.status(owner))
	require.Equal(t, 2, d.Count(`SELECT count(*) FROM cases WHERE reason = 'the office closes'`))
	require.Equal(t, d.Manager+" editable", d.DocumentState(document))
	require.Equal(t, run.url.Path, changed.submit(t, "form#confirm", url.Values{"step": {"start"}}).url.Path, "sent twice, started once")

	other := fixture.New(t, d.DB)
	foreign := admin.open(t, http.MethodPost, "/console/members/deactivate", url.Values{"step": {"review"}, "member": {other.Leaver, "x"}})
	require.Equal(t, "This list cannot be started", foreign.text("h1"))
	require.Contains(t, foreign.text("table[aria-labelledby=refused]"), "There is no such member.")
	require.NotContains(t, foreign.text("main"), "m4@acme.example")
}
