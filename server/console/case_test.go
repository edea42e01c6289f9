package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testengine"
	"handover/offboarding"
)

// schedule starts an offboarding that waits for its time, and returns the case's ID.
func (d *desk) schedule(t testing.TB, in time.Duration) string {
	t.Helper()
	status, err := d.cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: d.Leaver, RequestedBy: d.Admin, Disposition: offboarding.DispositionRetain,
		EffectiveAt: time.Now().Add(in).UTC().Format(time.RFC3339),
	})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseScheduled, status.Phase)
	return status.CaseID
}

// phase waits until a case is in a phase.
func (d *desk) phase(t testing.TB, caseID string, phase offboarding.Phase) {
	t.Helper()
	require.Eventually(t, func() bool {
		return d.Text(`SELECT phase FROM cases WHERE id = $1`, caseID) == string(phase)
	}, 30*time.Second, 20*time.Millisecond, "it never is %s", phase)
}

// documents is how many documents a page lists.
func (p *page) documents() int { return p.Find("tr[id^=document-]").Length() }

// name is how people know a member.
func (d *desk) name(member string) string {
	return d.Text(`SELECT display_name FROM members WHERE id = $1`, member)
}

// A case's page says where it stands, what waits, and what has happened.
func TestCase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	asked, _ := d.Document(d.Leaver, ""), d.Document(d.Leaver, "")
	d.Credential(d.Leaver)
	viewer := d.Member(offboarding.RoleReader, offboarding.AccountViewer)
	d.Grant(asked, viewer, offboarding.GrantView)
	id := d.offboard(t, d.Leaver)
	_, err := d.cases.Claim(t.Context(), d.Text(`SELECT workflow_id FROM cases`), offboarding.ClaimRequest{
		DocumentID: asked, MemberID: viewer, Note: "I need <b>it</b>",
	})
	require.NoError(t, err)

	admin := d.as(d.Admin)
	page := admin.get(t, "/console/leavers/"+id)
	require.Equal(t, d.name(d.Leaver)+" Grace period", page.text("h1"))
	require.Equal(t, 1, page.Find(`#live[data-stamp]`).Length(), "it is live")
	figures := page.text(".figures")
	require.Contains(t, figures, "6 days 23 hours until documents become read-only")
	require.Contains(t, figures, "2 documents wait for an owner")
	require.Contains(t, figures, "1 request waits for a decision")
	require.Contains(t, page.text("section"), "I need <b>it</b>")
	require.Contains(t, page.text(".facts"), d.name(d.Admin))
	require.Equal(t, "Timeline Waiting for an owner 2 Read-only With a new owner Archived", page.text(".tabs"))
	timeline := page.text(".timeline")
	for _, phrase := range []string{
		"Offboarding started", "A credential was revoked", d.name(d.Leaver) + " was deactivated", "was asked for", "The case went on to Grace period",
	} {
		require.Contains(t, timeline, phrase)
	}
	require.Less(t, strings.Index(timeline, "was asked for"), strings.Index(timeline, "Offboarding started"), "the newest is first")
	oldest := admin.get(t, page.Find(`a:contains("The oldest first")`).AttrOr("href", "")).text(".timeline")
	require.Greater(t, strings.Index(oldest, "was asked for"), strings.Index(oldest, "Offboarding started"))

	require.Equal(t, 2, admin.get(t, "/console/leavers/"+id+"?show=waiting").documents())
	for _, none := range []string{"read_only", "moved", "archived"} {
		require.Equal(t, 1, admin.get(t, "/console/leavers/"+id+"?show="+none).Find(".empty").Length(), none)
	}
	for _, nonsense := range []string{"?show=lost", "?cursor=x", "?show=moved&cursor=%00"} {
		require.Equal(t, http.StatusBadRequest, admin.open(t, http.MethodGet, "/console/leavers/"+id+nonsense, nil).status, nonsense)
	}
	foreign := d.as(fixture.New(t, d.DB).Admin)
	for _, action := range []string{"", "/transfer", "/extend", "/reschedule", "/cancel", "/reactivate"} {
		require.Equal(t, http.StatusNotFound, foreign.open(t, http.MethodGet, "/console/leavers/"+id+action, nil).status, action)
		require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/leavers/"+d.Leaver+action, nil).status, "a member is no case")
		require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/leavers/"+uuid.NewString()+action, nil).status)
		require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/leavers/x"+action, nil).status)
	}
}

// What happened together is one entry of the timeline, which has pages.
func TestTimeline(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 3 {
		d.Document(d.Leaver, "")
	}
	heir := d.Maker()
	status, err := d.cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: d.Leaver, RequestedBy: d.Admin, Disposition: offboarding.DispositionTransfer, NewOwnerID: heir,
	})
	require.NoError(t, err)
	d.phase(t, status.CaseID, offboarding.PhaseCompleted)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/leavers/"+status.CaseID)
	require.Contains(t, page.text(".timeline"), "3 documents went to "+d.name(heir))
	require.Contains(t, page.text(".facts"), "They go to a new owner "+d.name(heir))
	require.Equal(t, 3, admin.get(t, "/console/leavers/"+status.CaseID+"?show=moved").documents())

	d.Exec(`INSERT INTO audit_events (organization_id, event, case_id, member_id, origin, subject_kind, subject_id, before, after, at)
		SELECT $1, 'RemindGraceEnding', $2::uuid, $3, '', 'case', $2::uuid::text, '{}', '{}', $4 FROM generate_series(1, 250)`,
		d.ID, status.CaseID, d.Leaver, time.Now())
	first := admin.get(t, "/console/leavers/"+status.CaseID)
	require.Equal(t, 200, first.Find(".timeline li").Length(), "a case's own events are an entry each")
	second := admin.get(t, first.Find("a[rel=next]").AttrOr("href", ""))
	require.Contains(t, second.text(".timeline"), "Offboarding started")
	require.Zero(t, second.Find("a[rel=next]").Length())
}

// The countdown goes by the case's clock: time that is skipped is gone.
func TestTheCountdownGoesByTheCasesClock(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	id := d.offboard(t, d.Leaver)
	admin := d.as(d.Admin)
	require.Equal(t, "6 days 23 hours", admin.get(t, "/console/leavers/"+id).text(".figures .countdown"))
	workflow := d.Text(`SELECT workflow_id FROM cases WHERE id = $1`, id)
	testengine.FastForward(t, d.temporal, workflow, 48*time.Hour)
	page := admin.get(t, "/console/leavers/"+id)
	require.Equal(t, "4 days 23 hours", page.text(".figures .countdown"))
	from, err := time.Parse(time.RFC3339, page.Find(".figures .countdown").AttrOr("data-from", ""))
	require.NoError(t, err)
	require.True(t, from.After(time.Now().Add(47*time.Hour)), "scripts count from there")
	testengine.FastForward(t, d.temporal, workflow, 6*24*time.Hour)
	d.phase(t, id, offboarding.PhaseReadOnly)
	require.Contains(t, admin.get(t, "/console/leavers/"+id).text(".figures"), "1 of them is read-only")
	require.Equal(t, 1, admin.get(t, "/console/leavers/"+id+"?show=read_only").documents())
}

// A case that cannot go on says so, and why; so do one that nobody runs, one that failed,
// one whose plan fell back, and messages that were refused.
func TestACaseSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	id := d.offboard(t, d.Leaver)
	admin := d.as(d.Admin)
	require.Zero(t, admin.get(t, "/console/leavers/"+id).Find(".callout").Length())
	_, err := d.cases.Extend(t.Context(), d.Text(`SELECT workflow_id FROM cases`), offboarding.ExtendGrace{AdminID: d.Leaver, Until: "2030-01-01"})
	require.Error(t, err)
	require.Contains(t, admin.get(t, "/console/leavers/"+id).text("#refused"), "1 message was refused and changed nothing A longer grace period")
	d.Exec(`UPDATE cases SET trouble_step = 'settle/3', trouble_attempt = 12, trouble_error = 'settle: 53300', trouble_since = $1,
		fallback_reason = 'the new owner is not eligible'`, time.Now())
	page := admin.get(t, "/console/leavers/"+id)
	require.Contains(t, page.text(".callout.bad"), "It has been tried 12 times")
	require.Contains(t, page.text(".callout.bad"), "settle/3 settle: 53300")
	require.Contains(t, page.text(".callout.warn"), "Neither the new owner nor the member's manager can own documents")
	d.Exec(`UPDATE cases SET trouble_step = '', grace_ends_at = $1`, time.Now().Add(-time.Hour))
	require.Contains(t, admin.get(t, "/console/leavers/"+id).text(".callout.warn"), "Nothing seems to run the case")
	d.Exec(`UPDATE cases SET phase = 'failed', closed_at = $1, failure = 'last_owner,odd_code'`, time.Now())
	require.Contains(t, admin.get(t, "/console/leavers/"+id).text(".callout.bad"), "odd_code")
}

// All documents go to somebody who is suggested: chosen, shown in numbers, confirmed,
// and done once however often it is sent.
func TestTransferAllOfACase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document, held, colleague := d.Document(d.Leaver, ""), d.Document(d.Leaver, ""), d.Maker()
	d.Document(d.Leaver, d.Folder("", "", "Shared"))
	d.Grant(document, colleague, offboarding.GrantEdit)
	id := d.offboard(t, d.Leaver)
	d.Exec(`UPDATE documents SET held = true WHERE id = $1`, held)
	admin := d.as(d.Admin)
	form := admin.get(t, admin.get(t, "/console/leavers/"+id).Find(`a:contains("Transfer documents")`).AttrOr("href", ""))
	numbers := form.text(".callout")
	require.Contains(t, numbers, "3 documents wait for an owner, and go.")
	require.Contains(t, numbers, "1 is in a shared folder and keeps its place.")
	require.Contains(t, numbers, "1 stays where it is, under legal hold.")
	require.Contains(t, form.text("fieldset"), "edits 1 of the documents")

	review := form.submit(t, "form#transfer", url.Values{"owner": {colleague}})
	require.Contains(t, review.text(".callout"), d.name(colleague))
	require.Equal(t, "Transfer all documents to "+d.name(colleague), review.text("form#confirm button"))
	require.Zero(t, d.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, colleague), "nothing has been done")
	done := review.submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusOK, done.status, done.text("main"))
	require.Equal(t, "The documents have their new owner.", done.text(".notice"))
	require.Equal(t, 2, done.documents())
	again := review.submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusOK, again.status)
	require.Equal(t, 2, d.Count(`SELECT count(*) FROM audit_events WHERE event = 'TransferDocs'`))
}

// Some documents go to somebody who is named. What has found an owner meanwhile is left
// out, and who cannot own documents is refused beside the field, nothing lost.
func TestTransferSomeOfACase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	gone, goes := d.Document(d.Leaver, ""), d.Document(d.Leaver, "")
	stays := d.Document(d.Leaver, "")
	d.Grant(gone, d.Manager, offboarding.GrantEdit)
	id := d.offboard(t, d.Leaver)
	viewer := d.Member(offboarding.RoleReader, offboarding.AccountViewer)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/leavers/"+id+"?show=waiting")
	claimed := d.as(d.Manager).get(t, "/console/documents").submit(t, `form[action="/console/documents/`+gone+`/claim"]`, nil)
	require.Equal(t, http.StatusOK, claimed.status)

	nothing := list.submit(t, "form#ticked", nil)
	require.Contains(t, nothing.text(".faults"), "No document is ticked.")
	require.Zero(t, nothing.Find("main form").Length(), "none is not all")
	form := list.submit(t, "form#ticked", url.Values{"document": {gone, goes}})
	require.Contains(t, form.text(".callout"), "1 document goes:")
	require.Contains(t, form.text(".callout"), "1 of the ticked documents does not wait for an owner any more")

	both := form.submit(t, "form#transfer", url.Values{"new_owner": {"m3@acme.example"}})
	require.NotEmpty(t, both.text("#fault-new_owner"), "one of them is chosen, and somebody else named")
	unnamed := form.submit(t, "form#transfer", url.Values{"owner": {"other"}})
	require.Equal(t, "Name the new owner.", unnamed.text("#fault-new_owner"))
	nobody := unnamed.submit(t, "form#transfer", url.Values{"new_owner": {"nobody@acme.example"}})
	require.Equal(t, http.StatusNotFound, nobody.status)
	require.NotEmpty(t, nobody.text("#fault-new_owner"))
	require.Equal(t, "nobody@acme.example", nobody.Find("#field-new_owner").AttrOr("value", ""))

	email := d.Text(`SELECT email FROM members WHERE id = $1`, viewer)
	refused := nobody.submit(t, "form#transfer", url.Values{"new_owner": {email}}).submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusConflict, refused.status)
	require.NotEmpty(t, refused.text("#fault-new_owner"))
	require.Equal(t, email, refused.Find("#field-new_owner").AttrOr("value", ""))
	maker := d.Text(`SELECT email FROM members WHERE id = $1`, d.Manager)
	review := refused.submit(t, "form#transfer", url.Values{"new_owner": {maker}})
	require.Equal(t, "Transfer 1 document to "+d.name(d.Manager), review.text("form#confirm button"))
	done := review.submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusOK, done.status, done.text("main"))
	require.Equal(t, d.Manager, d.Text(`SELECT owner_id::text FROM documents WHERE id = $1`, goes))
	require.Equal(t, d.Leaver, d.Text(`SELECT owner_id::text FROM documents WHERE id = $1`, stays))
}

// The end of the grace moves later, to the end of a day or to a time, and not earlier.
func TestExtendTheGrace(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	id := d.offboard(t, d.Leaver)
	d.Exec(`UPDATE members SET time_zone = 'Europe/Berlin' WHERE id = $1`, d.Admin)
	form := d.as(d.Admin).get(t, "/console/leavers/"+id+"/extend")
	require.Contains(t, form.text(".callout"), "1 document waits for an owner and becomes read-only on")
	earlier := form.submit(t, "form#extend", url.Values{"day": {time.Now().UTC().Format(time.DateOnly)}})
	require.Equal(t, http.StatusBadRequest, earlier.status)
	require.Contains(t, earlier.text("#fault-day"), "later than the present end")
	require.Equal(t, "Give a day.", earlier.submit(t, "form#extend", url.Values{"day": {""}}).text("#fault-day"))
	require.Equal(t, http.StatusBadRequest, form.submit(t, "form#extend", url.Values{"day": {"soon"}, "clock": {"x"}}).status)
	done := earlier.submit(t, "form#extend", url.Values{"day": {"2030-07-01"}, "clock": {"17:30"}})
	require.Equal(t, "The grace period is longer now.", done.text(".notice"), done.text("main"))
	require.Equal(t, "2030-07-01 15:30", d.Text(`SELECT to_char(grace_ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM cases`))
	require.Contains(t, done.text(".timeline"), "The grace period was extended")
}

// A case that waits for its time is given another one, or canceled; each says in
// numbers what is planned.
func TestRescheduleAndCancel(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	d.Credential(d.Leaver)
	id := d.schedule(t, 72*time.Hour)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/leavers/"+id)
	require.Equal(t, "2 days 23 hours", page.text(".figures .countdown"))
	require.Equal(t, "Reschedule Cancel the offboarding", page.text(".case-actions"))
	form := admin.get(t, "/console/leavers/"+id+"/reschedule")
	require.Contains(t, form.text(".callout"), "1 credential is revoked")
	require.Contains(t, form.text(".callout"), "1 document waits for an owner")
	moved := form.submit(t, "form#reschedule", url.Values{"day": {"2030-07-01"}})
	require.Equal(t, "The offboarding takes effect at another time.", moved.text(".notice"), moved.text("main"))
	require.Equal(t, "2030", d.Text(`SELECT to_char(effective_at, 'YYYY') FROM cases`))

	cancel := admin.get(t, "/console/leavers/"+id+"/cancel")
	require.Equal(t, "Cancel the offboarding of "+d.name(d.Leaver), cancel.text("form#cancel button"))
	long := cancel.submit(t, "form#cancel", url.Values{"reason": {strings.Repeat("x", 2001)}})
	require.Equal(t, http.StatusBadRequest, long.status)
	require.NotEmpty(t, long.text("#fault-reason"))
	require.Len(t, long.text("textarea"), 2001, "nothing is lost")
	done := long.submit(t, "form#cancel", url.Values{"reason": {"stays after all"}})
	require.Equal(t, "The offboarding is canceled. Nothing has changed for the member.", done.text(".notice"), done.text("main"))
	require.Contains(t, done.text(".timeline"), "stays after all")
	require.Zero(t, done.Find(".case-actions").Length())

	late := form.submit(t, "form#reschedule", url.Values{"day": {"2029-07-01"}})
	require.Equal(t, http.StatusConflict, late.status)
	require.Contains(t, late.text(".faults"), "to the phase “Canceled”")
	require.Equal(t, "/console/leavers/"+id, admin.get(t, "/console/leavers/"+id+"/cancel").url.Path, "there is nothing to cancel")
}

// The leaver comes back while the case is open, and after it has closed, with what
// others were given where that is asked for.
func TestReactivateFromTheCase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document := d.Document(d.Leaver, "")
	id := d.offboard(t, d.Leaver)
	admin := d.as(d.Admin)
	form := admin.get(t, "/console/leavers/"+id+"/reactivate")
	require.Contains(t, form.text(".callout"), "1 document that waits for an owner is theirs and editable again.")
	done := form.submit(t, "form#reactivate", nil)
	require.Equal(t, "It is done. The documents follow.", done.text(".notice"), done.text("main"))
	require.Equal(t, "active", d.Text(`SELECT status FROM members WHERE id = $1`, d.Leaver))
	d.phase(t, id, offboarding.PhaseReactivated)
	require.Eventually(t, func() bool { return d.Count(`SELECT count(*) FROM cases WHERE closed_at IS NULL`) == 0 }, 30*time.Second, 20*time.Millisecond)

	status, err := d.cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: d.Leaver, RequestedBy: d.Admin, Disposition: offboarding.DispositionTransfer, NewOwnerID: d.Manager,
	})
	require.NoError(t, err)
	d.phase(t, status.CaseID, offboarding.PhaseCompleted)
	closed := admin.get(t, "/console/leavers/"+status.CaseID)
	require.Equal(t, "Reactivate", closed.text(".case-actions"))
	d.Exec(`UPDATE organizations SET seat_limit = 1`)
	full := admin.get(t, "/console/leavers/"+status.CaseID+"/reactivate").submit(t, "form#reactivate", url.Values{"return_documents": {"true"}})
	require.Equal(t, http.StatusConflict, full.status)
	require.NotEmpty(t, full.text(".faults"))
	require.Equal(t, 1, full.Find("#field-return_documents[checked]").Length(), "nothing is lost")
	d.Exec(`UPDATE organizations SET seat_limit = 0`)
	back := full.submit(t, "form#reactivate", nil)
	require.Equal(t, http.StatusOK, back.status, back.text("main"))
	require.Equal(t, d.Leaver, d.Text(`SELECT owner_id::text FROM documents WHERE id = $1`, document))
}

// Whose sessions are waited for stays, with them.
func TestReactivateWhoseSessionsAreWaitedFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Exec(`UPDATE organizations SET sso_sessions = 'wait' WHERE id = $1`, d.ID)
	session := d.SSOSession(d.Leaver, 0)
	status, err := d.cases.StartAndAwait(t.Context(), offboarding.Request{MemberID: d.Leaver, RequestedBy: d.Admin, Disposition: offboarding.DispositionRetain})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseRevoking, status.Phase)
	form := d.as(d.Admin).get(t, "/console/leavers/"+status.CaseID+"/reactivate")
	require.Contains(t, form.text(".callout"), "stays active, with the sessions that are waited for.")
	done := form.submit(t, "form#reactivate", nil)
	require.Equal(t, "It is done. The documents follow.", done.text(".notice"), done.text("main"))
	d.phase(t, status.CaseID, offboarding.PhaseReactivated)
	require.Equal(t, "active active", d.Text(`SELECT m.status || ' ' || s.status FROM members m JOIN sessions s ON s.member_id = m.id WHERE s.id = $1`, session))
	require.NotContains(t, d.as(d.Admin).get(t, "/console/leavers/"+status.CaseID).text("main"), "Sessions end")
}

// Who is managed by an identity provider comes back there, and the page says so.
func TestReactivateWhoIsManagedElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	id := d.offboard(t, d.Leaver)
	d.Provisioned("okta", d.Leaver)
	refused := d.as(d.Admin).get(t, "/console/leavers/"+id+"/reactivate").submit(t, "form#reactivate", nil)
	require.Equal(t, http.StatusConflict, refused.status)
	require.Contains(t, refused.text(".faults"), "provider")
}

// A removal from a workspace is about the documents there.
func TestRemovalFromAWorkspace(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	workspace := d.Workspace()
	d.Join(workspace, d.Leaver, offboarding.WorkspaceMember)
	d.DocumentIn(workspace, d.Leaver)
	d.Document(d.Leaver, "")
	status, err := d.cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: d.Leaver, RequestedBy: d.Admin, WorkspaceID: workspace, Disposition: offboarding.DispositionRetain,
	})
	require.NoError(t, err)
	d.phase(t, status.CaseID, offboarding.PhaseGrace)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/leavers/"+status.CaseID)
	require.Contains(t, page.text(".facts"), "From the workspace "+d.Text(`SELECT name FROM workspaces`))
	require.Contains(t, page.text(".timeline"), "was removed from a workspace")
	require.Equal(t, "Transfer documents Extend the grace period Put back into the workspace", page.text(".case-actions"))
	require.Equal(t, 1, admin.get(t, "/console/leavers/"+status.CaseID+"?show=waiting").documents())
	require.Contains(t, admin.get(t, "/console/leavers/"+status.CaseID+"/transfer").text(".callout"), "1 document waits for an owner, and goes.")
	back := admin.get(t, "/console/leavers/"+status.CaseID+"/reactivate")
	require.Equal(t, "Put "+d.name(d.Leaver)+" back into the workspace", back.text("form#reactivate button"))
	require.Equal(t, http.StatusOK, back.submit(t, "form#reactivate", nil).status)
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM workspace_members WHERE member_id = $1`, d.Leaver))
}

// Who gets the documents is who was shown, whoever goes by the address since.
func TestTransferToWhoWasShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document, another := d.Document(d.Leaver, ""), d.Maker()
	admin := d.as(d.Admin)
	path := "/console/leavers/" + d.offboard(t, d.Leaver) + "/transfer"
	review := admin.get(t, path).submit(t, "form#transfer", url.Values{"owner": {"other"}, "new_owner": {"m3@acme.example"}, "step": {"review"}})
	d.Exec(`UPDATE members SET email = 'before@acme.example' WHERE id = $1`, d.Manager)
	d.Exec(`UPDATE members SET email = 'm3@acme.example' WHERE id = $1`, another)
	again := review.submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusConflict, again.status)
	require.Contains(t, d.DocumentState(document), d.Leaver)
	require.Contains(t, again.text(".callout.warn"), d.name(another))
	require.Equal(t, http.StatusOK, again.submit(t, "form#confirm", nil).status)
	require.Contains(t, d.DocumentState(document), another)
}
