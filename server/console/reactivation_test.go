package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// inactive makes members inactive, as an import has them.
func (d *desk) inactive(members ...string) {
	for _, m := range members {
		d.Exec(`UPDATE members SET status = 'inactive', deactivated_at = created_at WHERE id = $1`, m)
	}
}

func (d *desk) status(member string) string {
	return d.Text(`SELECT status FROM members WHERE id = $1`, member)
}

// A reactivation says in numbers what it comes to, and gives back what is asked for.
func TestReactivateAMember(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	kept, moved := d.Document(d.Leaver, ""), d.Document(d.Leaver, "")
	caseID := d.offboard(t, d.Leaver)
	_, err := d.cases.Transfer(t.Context(), offboarding.WorkflowID(d.Leaver), offboarding.TransferDocuments{
		AdminID: d.Admin, NewOwnerID: d.Manager, DocumentIDs: []string{moved},
	})
	require.NoError(t, err)
	require.Equal(t, d.Manager+" editable", d.DocumentState(moved))
	admin := d.as(d.Admin)
	member := admin.get(t, "/console/members/"+d.Leaver)
	form := admin.get(t, member.Find(`a.button:contains("Reactivate")`).AttrOr("href", ""))
	require.Equal(t, "1 document is still theirs 1 document has found a new owner 0 requests wait for a decision", form.text(".figures"))
	require.Equal(t, "Give 1 document back", form.text("label[for=field-return_documents]"))
	for range 2 {
		back := form.submit(t, "form#reactivate", url.Values{"return_documents": {"true"}})
		require.Equal(t, "/console/members/"+d.Leaver+"?notice=member_back", back.url.RequestURI(), back.text("main"))
	}
	require.Equal(t, "active", d.status(d.Leaver))
	for _, document := range []string{kept, moved} {
		require.Equal(t, d.Leaver+" editable", d.DocumentState(document))
	}
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'ReactivateMember' AND case_id = $1`, caseID))
	again := admin.get(t, "/console/members/"+d.Leaver+"/reactivate")
	require.Contains(t, again.text(".callout.bad"), "The member is active.")
	require.Zero(t, again.Find("form#reactivate").Length())
}

// Who cannot come back: the page says why, and so does a reactivation that is sent all the same.
func TestNotToReactivate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := fixture.New(t, d.DB)
	owner, managed := d.Member(offboarding.RoleOwner, offboarding.AccountMaker), d.Maker()
	d.Provisioned("okta", managed)
	d.inactive(owner, managed, d.Leaver)
	d.Exec(`UPDATE organizations SET seat_limit = 3 WHERE id = $1`, d.ID)
	admin := d.as(d.Admin)
	for member, why := range map[string]string{
		owner: "Admins do not act on owners", managed: "An identity provider manages this account", d.Leaver: "No seat is free.", d.Manager: "The member is active.",
	} {
		form := admin.get(t, "/console/members/"+member+"/reactivate")
		require.Contains(t, form.text(".callout.bad"), why)
		require.Zero(t, form.Find("form#reactivate").Length())
		sent := admin.open(t, http.MethodPost, "/console/members/"+member+"/reactivate", url.Values{})
		require.GreaterOrEqual(t, sent.status, 400)
		require.Contains(t, sent.text(".faults"), why)
	}
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/members/"+other.Leaver+"/reactivate", nil).status)
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodPost, "/console/members/"+other.Leaver+"/reactivate", url.Values{}).status)
}

// Those who are ticked come back together; of each it is said what became of them (seed 000).
func TestReactivateThoseTicked(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	second, managed, third := d.Maker(), d.Maker(), d.Maker()
	d.inactive(second, managed, third)
	d.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, managed)
	d.Document(second, "")
	admin := d.as(d.Admin)
	require.Zero(t, admin.get(t, "/console/members").Find(`button[formaction="/console/members/reactivate"]`).Length(), "who is active does not come back")
	list := admin.get(t, "/console/members?status=inactive")
	require.Equal(t, 3, list.Find("#ticked tbody input[name=member]").Length())
	require.Contains(t, list.submit(t, "form#ticked", nil).text(".notice"), "Tick somebody first.")

	review := list.submit(t, "form#ticked", url.Values{"member": {second, managed, third}})
	require.Equal(t, "Reactivate 3 members?", review.text("h1"))
	require.Equal(t, "1 document is still theirs 0 documents have found new owners 0 requests wait for a decision", review.text(".figures"))
	require.Contains(t, review.text("#member-"+managed), "An identity provider manages this account")
	require.Equal(t, "inactive", d.status(second), "nothing has happened yet")
	require.Equal(t, "Reactivate 2 members", review.text("form#confirm button"))
	d.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, third) // meanwhile
	for range 2 {
		done := review.submit(t, "form#confirm", nil)
		require.Equal(t, "1 member is active again", done.text("h1"), done.text("main"))
		require.Contains(t, done.text("#member-"+third), "An identity provider manages this account, and it is done there.")
		require.NotContains(t, done.text("#member-"+second), "active.")
	}
	require.Equal(t, "active", d.status(second))
	require.Equal(t, "inactive", d.status(third))
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'ReactivateMember'`))

	all := admin.open(t, http.MethodPost, "/console/members/reactivate", url.Values{"step": {"confirm"}, "member": {third, managed}})
	require.Equal(t, "0 members are active again", all.text("h1"), all.text("main"))
	require.Contains(t, all.text("#member-"+third), "An identity provider manages this account")
}

// Where an identity provider authenticates people nobody comes back with others (rule R2),
// and other tenants' members and nonsense are nobody.
func TestReactivateManyWithAProvider(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := fixture.New(t, d.DB)
	second := d.Maker()
	d.inactive(second)
	admin := d.as(d.Admin)
	foreign := admin.open(t, http.MethodPost, "/console/members/reactivate", url.Values{"step": {"review"}, "member": {other.Leaver, "x", second}})
	require.Contains(t, foreign.text("#member-"+other.Leaver), "There is no such member.")
	require.NotContains(t, foreign.text("main"), "m4@acme.example")
	require.Equal(t, 1, foreign.Find("form#confirm input[name=member]").Length())
	d.Provisioned("saml")
	review := admin.open(t, http.MethodPost, "/console/members/reactivate", url.Values{"step": {"review"}, "member": {second}})
	require.Contains(t, review.text(".callout.bad"), "An identity provider signs people in here")
	require.Zero(t, review.Find("form#confirm").Length())
	confirmed := admin.open(t, http.MethodPost, "/console/members/reactivate", url.Values{"step": {"confirm"}, "member": {second}})
	require.Contains(t, confirmed.text(".faults"), "An identity provider signs people in here")
	require.Equal(t, "inactive", d.status(second))
}
