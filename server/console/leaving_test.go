package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// An offboarding is asked about, shown in numbers, and done when it is confirmed (seed 000).
func TestOffboardAMember(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document := d.Document(d.Leaver, "")
	d.Document(d.Leaver, d.Folder("", "", "Team"))
	d.Schedule(document)
	d.Credential(d.Leaver)
	d.Session(d.Leaver)
	status := func() string { return d.Text(`SELECT status FROM members WHERE id = $1`, d.Leaver) }
	admin := d.as(d.Admin)
	member := admin.get(t, "/console/members/"+d.Leaver)
	form := admin.get(t, member.Find(`a.button:contains("Offboard")`).AttrOr("href", ""))
	require.Equal(t, "retain", form.Find("input[name=disposition][checked]").AttrOr("value", ""), "the organization's is proposed")
	require.Contains(t, form.text("#successor-"+d.Manager), "The member's manager")

	chosen := form.submit(t, "form#leave", url.Values{"choose": {"m3@acme.example"}})
	require.Equal(t, "m3@acme.example", chosen.Find("[name=new_owner_id]").AttrOr("value", ""))
	require.Equal(t, "transfer", chosen.Find("input[name=disposition][checked]").AttrOr("value", ""))

	review := chosen.submit(t, "form#leave", url.Values{"step": {"review"}, "reason": {"the contract ends"}})
	require.Equal(t, "Offboard Member 4?", review.text("h1"))
	require.Equal(t, "2 documents need a decision 1 active schedule 1 credential is revoked 1 session ends", review.text(".figures"))
	for _, says := range []string{
		"It begins at once.", "2 documents go to Member 3 (m3@acme.example).", "1 of them is moved to My Documents / Archived Users / Member 4 of Member 3.",
		"1 of them keeps its place in a shared folder.", "1 schedule goes on for the new owner.",
	} {
		require.Contains(t, review.text(".steps"), says)
	}
	require.Equal(t, "active", status(), "nothing has happened yet")
	require.Equal(t, "the contract ends", review.submit(t, "form#confirm", url.Values{"step": {"edit"}}).text("[name=reason]"), "nothing typed is lost")

	for range 2 { // a form that is sent twice does once what it does
		done := review.submit(t, "form#confirm", nil)
		caseID := d.Text(`SELECT id FROM cases WHERE member_id = $1`, d.Leaver)
		require.Equal(t, "/console/leavers/"+caseID+"?notice=left", done.url.RequestURI())
	}
	require.Equal(t, "inactive", status())
	require.Eventually(t, func() bool { return d.DocumentState(document) == d.Manager+" editable" }, 30*time.Second, 20*time.Millisecond)
	admin.await(t, "/console/members/"+d.Leaver+"/deactivate", "The member is not active, or is leaving already.")
}

// What the numbers say is what the choice comes to.
func TestOffboardByDisposition(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	d.Schedule(d.Document(d.Leaver, ""))
	held := d.Document(d.Leaver, "")
	d.Exec(`UPDATE documents SET held = true WHERE id = $1`, held)
	form := d.as(d.Admin).get(t, "/console/members/"+d.Leaver+"/deactivate")
	for _, one := range []struct {
		choice url.Values
		says   []string
	}{
		{url.Values{"disposition": {"archive"}}, []string{"3 documents are archived.", "1 schedule is archived.", "1 document is under legal hold and stays as it is."}},
		{url.Values{"disposition": {"retain"}, "grace_period": {"2d"}, "effective_at": {"2030-05-31"}}, []string{
			"It begins at 1 Jun 2030, 00:00", "3 documents wait for new owners.", "becomes read-only at 3 Jun 2030, 00:00", "Nobody could claim 3 of them",
		}},
		{url.Values{"disposition": {"transfer"}, "archive_schedules": {"true"}}, []string{"3 documents go to Member 2 (m2@acme.example).", "1 schedule is archived."}},
		{url.Values{"disposition": {"transfer"}, "new_owner_id": {"manager"}}, []string{"3 documents go to Member 3 (m3@acme.example)."}},
		{url.Values{"disposition": {"transfer"}, "new_owner_id": {"m1"}}, []string{"3 documents go to Member 1 (m1@acme.example)."}},
	} {
		one.choice.Set("step", "review")
		review := form.submit(t, "form#leave", one.choice)
		require.Equal(t, http.StatusOK, review.status, "%v: %s", one.choice, review.text("main"))
		for _, says := range one.says {
			require.Contains(t, review.text(".steps"), says, "%v", one.choice)
		}
	}
	require.Zero(t, d.Count(`SELECT count(*) FROM cases`))
}

// A mistake stands beside its field, with what was typed.
func TestOffboardWithMistakes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	viewer := d.Member(offboarding.RoleContributor, offboarding.AccountViewer)
	d.Document(d.Leaver, "")
	form := d.as(d.Admin).get(t, "/console/members/"+d.Leaver+"/deactivate")
	for field, typed := range map[string]url.Values{
		"disposition":       {"disposition": {"burn"}},
		"new_owner_id":      {"disposition": {"archive"}, "new_owner_id": {"m3@acme.example"}},
		"archive_schedules": {"disposition": {"retain"}, "archive_schedules": {"true"}},
		"grace_period":      {"grace_period": {"soon"}},
		"effective_at":      {"effective_at": {"tomorrow"}},
		"reason":            {"reason": {strings.Repeat("long", 600)}},
	} {
		typed.Set("step", "review")
		got := form.submit(t, "form#leave", typed)
		require.Equal(t, http.StatusBadRequest, got.status, "%s: %s", field, got.text("main"))
		require.NotEmpty(t, got.text("#fault-"+field), field)
		require.Equal(t, 1, got.Find(`.faults a[href="#field-`+field+`"]`).Length(), field)
		require.Equal(t, 1, got.Find("#field-"+field).Length(), field)
		if field != "disposition" && field != "archive_schedules" {
			require.Equal(t, typed.Get(field), got.Find("#field-"+field).AttrOr("value", got.text("#field-"+field)))
		}
	}
	unknown := form.submit(t, "form#leave", url.Values{"step": {"review"}, "disposition": {"transfer"}, "new_owner_id": {"nobody@acme.example"}})
	require.Equal(t, "There is no such member.", unknown.text("#fault-new_owner_id"))
	require.Equal(t, "transfer", unknown.Find("input[name=disposition][checked]").AttrOr("value", ""))
	twice := form.submit(t, "form#leave", url.Values{"step": {"review"}, "disposition": {"archive"}, "archive_schedules": {"true"}, "new_owner_id": {"m3@acme.example"}})
	require.Len(t, twice.Find(".field .fault p, fieldset > .fault p").Nodes, twice.Find(".faults li").Length(), "each stands beside its field")
	for _, nobody := range []string{"m4", d.Text(`SELECT external_id FROM members WHERE id = $1`, viewer)} {
		got := form.submit(t, "form#leave", url.Values{"step": {"review"}, "disposition": {"transfer"}, "new_owner_id": {nobody}})
		require.NotEmpty(t, got.text("#fault-new_owner_id"), nobody)
	}
	confirmed := form.person.open(t, http.MethodPost, "/console/members/"+d.Leaver+"/deactivate", url.Values{"step": {"confirm"}, "grace_period": {"soon"}})
	require.NotEmpty(t, confirmed.text("#fault-grace_period"), "who goes past the review is judged all the same")
	require.Zero(t, d.Count(`SELECT count(*) FROM cases`))
}

// Who cannot be offboarded from here: the page says why, and has no form.
func TestNotToOffboard(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := fixture.New(t, d.DB)
	managed, isp, foreign := d.Maker(), d.Maker(), d.Maker()
	d.Provisioned("okta", managed)
	d.Exec(`UPDATE members SET email = 'ada@gmail.com' WHERE id = $1`, isp)
	d.Exec(`UPDATE members SET email = 'ada@elsewhere.example' WHERE id = $1`, foreign)
	admin := d.as(d.Admin)
	for member, why := range map[string]string{
		managed: "An identity provider manages this account", isp: "one of a public mail provider", foreign: "none of the organization's domains",
		d.Owner: "Admins do not act on owners", d.Admin: "Nobody acts on their own account",
	} {
		got := admin.get(t, "/console/members/"+member+"/deactivate")
		require.Contains(t, got.text(".callout.bad"), why)
		require.Zero(t, got.Find("form#leave").Length())
		sent := admin.open(t, http.MethodPost, "/console/members/"+member+"/deactivate", url.Values{"step": {"confirm"}})
		require.GreaterOrEqual(t, sent.status, 400)
		require.Contains(t, sent.text(".faults"), why)
	}
	require.Contains(t, d.as(d.Owner).get(t, "/console/members/"+d.Owner+"/deactivate").text(".callout.bad"), "Nobody acts on their own account")
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/members/"+other.Leaver+"/deactivate", nil).status)
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodPost, "/console/members/"+other.Leaver+"/deactivate", url.Values{"step": {"confirm"}}).status)
	require.Zero(t, d.Count(`SELECT count(*) FROM cases`))
}

// What is confirmed is what was shown: where the plan is another one since, it is shown
// again.
func TestOffboardWhatWasShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	admin := d.as(d.Admin)
	review := admin.get(t, "/console/members/"+d.Leaver+"/deactivate").submit(t, "form#leave", url.Values{"step": {"review"}, "disposition": {"transfer"}, "new_owner_id": {"manager"}})
	require.Contains(t, review.text(".steps"), "Member 3 (m3@acme.example)")
	another := d.Maker()
	d.Exec(`UPDATE members SET manager_id = $2 WHERE id = $1`, d.Leaver, another)
	again := review.submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusConflict, again.status)
	require.Contains(t, again.text(".faults"), "not what you were shown")
	require.Zero(t, d.Count(`SELECT count(*) FROM cases`), "nothing has happened yet")
	require.Contains(t, again.text(".steps"), "(m6@acme.example)")
	d.Document(d.Leaver, "")
	d.Session(d.Leaver)
	require.Equal(t, http.StatusOK, again.submit(t, "form#confirm", nil).status, "the member cannot keep it from being done")
	require.Equal(t, another, d.Text(`SELECT new_owner_id FROM cases WHERE member_id = $1`, d.Leaver))
}
