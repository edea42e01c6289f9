package console_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// tomorrow is a last day that lies ahead everywhere.
func tomorrow() string { return time.Now().AddDate(0, 0, 2).Format(time.DateOnly) }

// ended is the page of a run once it has closed.
func (p *person) ended(t *testing.T, path string) *page {
	t.Helper()
	var got *page
	require.Eventually(t, func() bool {
		got = p.get(t, path)
		return got.Find("#polls").Length() == 0
	}, 30*time.Second, 50*time.Millisecond)
	return got
}

// A list is pasted, previewed with every mistake and in numbers, and only then started;
// its page says what became of everybody.
func TestBulkFromPasteToResults(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	one, two := d.Maker(), d.Maker() // m5, m6
	d.Document(one, "")
	d.Document(one, "")
	d.Credential(one)
	d.Exec(`UPDATE members SET email = 'home@gmail.com' WHERE id = $1`, d.Leaver)
	admin := d.as(d.Admin)
	require.Equal(t, "No list has been started.", admin.get(t, "/console/bulk").text(".empty"))
	form := admin.get(t, "/console/bulk/new")
	past := time.Now().AddDate(0, 0, -2).UTC().Format(time.RFC3339)
	list := "email,last_day,reason,disposition\nm5@acme.example," + past + ",left,retain\nm6@acme.example," + tomorrow() + ",left,\nhome@gmail.com," + tomorrow() + ",left,\ngh&amp=st@acme.example," + tomorrow() + ",left,\n"
	review := form.submit(t, "form#bulk", url.Values{"csv": {list}})
	require.Equal(t, http.StatusOK, review.status)
	require.Equal(t, "/console/bulk/new", review.url.RequestURI())
	require.Equal(t, "Offboard 2 members?", review.text("h1"))
	require.Equal(t, "1 loses access now 1 loses access later 2 are refused 2 documents wait for an owner 1 credential is revoked", review.text(".figures"))
	refused := review.Find("table[aria-labelledby=refused] tbody tr")
	require.Equal(t, 2, refused.Length())
	require.Equal(t, "Member 4 home@gmail.com", strings.Join(strings.Fields(refused.Eq(0).Find("th").Text()), " "))
	require.Contains(t, refused.Eq(0).Text(), "4")
	require.Equal(t, "gh&amp=st@acme.example", strings.TrimSpace(refused.Eq(1).Find("th").Text()), "as the list has it")
	require.Equal(t, "There is no such member.", refused.Eq(1).Find("li").Text())
	others := review.Find("table[aria-labelledby=others] tbody tr")
	require.Equal(t, "Loses access now", others.Eq(0).Find(".badge").Text(), "nothing has happened")
	require.Equal(t, "Loses access later", others.Eq(1).Find(".badge").Text())
	require.Equal(t, "/console/leavers", review.Find("form#confirm a").AttrOr("href", ""))
	require.Equal(t, "Offboard 2 members", review.text("form#confirm button[value=start]"))
	require.Zero(t, d.Count(`SELECT count(*) FROM bulk_runs`)+d.Count(`SELECT count(*) FROM cases`), "nothing has happened yet")

	changed := review.submit(t, "form#confirm", url.Values{"step": {"edit"}})
	require.Equal(t, list, changed.Find("#field-csv").Text(), "the list is still there")

	run := review.submit(t, "form#confirm", url.Values{"step": {"start"}})
	require.Equal(t, http.StatusOK, run.status, run.text("main"))
	require.Equal(t, "The list has been started. What becomes of everybody shows here.", run.text(".notice"))
	again := review.submit(t, "form#confirm", url.Values{"step": {"start"}})
	require.Equal(t, run.url.Path, again.url.Path, "sent twice, started once")
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM bulk_runs`))

	end := admin.ended(t, run.url.Path)
	require.Equal(t, "Done, but for some", end.text("p.run .badge"))
	require.Equal(t, "A list of 4 members", end.text("h1"))
	require.Equal(t, "Access is gone", end.text("#position-1 td[data-label=Outcome]"))
	require.Equal(t, "/console/leavers/"+d.Text(`SELECT id FROM cases WHERE member_id = $1`, one), end.Find("#position-1 td[data-label=Case] a").AttrOr("href", ""))
	require.Equal(t, "Scheduled", end.text("#position-2 td[data-label=Outcome]"))
	require.NotEmpty(t, end.text("#position-3 td[data-label=Why]"))
	require.Zero(t, end.Find("form#cancel").Length())
	only := admin.get(t, end.Find(`.tabs a[href*="outcome=refused"]`).AttrOr("href", ""))
	require.Equal(t, 2, only.Find("tbody tr").Length())
	require.Equal(t, "inactive", d.Text(`SELECT status FROM members WHERE id = $1`, one))
	require.Equal(t, "active", d.Text(`SELECT status FROM members WHERE id = $1`, two))
	runs := admin.get(t, "/console/bulk")
	require.Equal(t, 1, runs.Find("tbody tr").Length())
	require.Equal(t, end.url.Path, runs.Find("tbody th a").AttrOr("href", ""))

	other := fixture.New(t, d.DB)
	require.Equal(t, http.StatusNotFound, d.as(other.Admin).open(t, http.MethodGet, run.url.Path, nil).status)
	require.Equal(t, http.StatusNotFound, d.as(other.Admin).open(t, http.MethodPost, run.url.Path+"/cancel", url.Values{"step": {"confirm"}}).status)
	require.Zero(t, d.as(other.Admin).get(t, "/console/bulk").Find("tbody tr").Length())
	late := admin.open(t, http.MethodPost, run.url.Path+"/cancel", url.Values{"step": {"confirm"}})
	require.Equal(t, http.StatusConflict, late.status)
	require.NotEmpty(t, late.text(".faults"))
	require.Equal(t, http.StatusBadRequest, admin.open(t, http.MethodGet, run.url.Path+"?outcome=nonsense", nil).status)
}

// Lines that cannot be read are shown where they are, and the list is not taken.
func TestBulkThatCannotBeRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	form := d.as(d.Admin).get(t, "/console/bulk/new")
	review := form.submit(t, "form#bulk", url.Values{"csv": {"email,last_day,reason\nm4@acme.example," + tomorrow() + ",left\nm5@acme.example,soon,left\nonly one\n"}})
	require.Equal(t, "This list cannot be started", review.text("h1"))
	rows := review.Find("table[aria-labelledby=refused] tbody tr")
	require.Equal(t, 2, rows.Length())
	require.Equal(t, "3", rows.Eq(0).Find("td.number").Text())
	require.Equal(t, "m5@acme.example", rows.Eq(0).Find("th").Text())
	require.Contains(t, rows.Eq(0).Find("li").Text(), "last_day: ")
	require.Equal(t, "only one", rows.Eq(1).Find("th").Text(), "what stands in the column of addresses")
	require.Zero(t, review.Find("button[value=start]").Length())
	forced := review.submit(t, "form#confirm", url.Values{"step": {"edit"}}).submit(t, "form#bulk", url.Values{"step": {"review"}})
	require.Equal(t, "This list cannot be started", forced.text("h1"))

	for text, mistake := range map[string]string{
		"":                                     "Paste a list, or choose a file.",
		" \n ":                                 "Paste a list, or choose a file.",
		"email,last_day\nm4@acme.example,soon": "reason: the column is missing",
		"email,last_day,reason\n":              "the file names nobody",
		"<script>":                             `unknown column "<script>"`,
		`"email,last_day,reason`:               `line 1: the row is not CSV: a field that begins with " does not end with one`,
	} {
		wrong := form.submit(t, "form#bulk", url.Values{"csv": {text}})
		require.Equal(t, http.StatusBadRequest, wrong.status, text)
		require.Contains(t, wrong.text(".faults"), mistake, text)
		require.NotEmpty(t, wrong.text("#fault-csv"), text)
		require.Equal(t, text, wrong.Find("#field-csv").Text())
	}
	start := d.as(d.Admin).open(t, http.MethodPost, "/console/bulk/new", url.Values{"step": {"start"}, "csv": {"email,last_day,reason\nm4@acme.example,soon,left\n"}}, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusBadRequest, start.status)
	require.Zero(t, d.Count(`SELECT count(*) FROM bulk_runs`))
	big := d.as(d.Admin).open(t, http.MethodPost, "/console/bulk/new", url.Values{"csv": {strings.Repeat("x", 5<<20)}}, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusRequestEntityTooLarge, big.status)
}

// More than may be removed by mistake is started by who has read that it is.
func TestBulkOfManyIsConfirmed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	list := "email,last_day,reason\n"
	for i := range 12 {
		d.Maker()
		list += fmt.Sprintf("m%d@acme.example,%s,left\n", i+5, tomorrow())
	}
	list += "ghost@acme.example," + tomorrow() + ",left\n"
	form := d.as(d.Admin).get(t, "/console/bulk/new")
	none := form.submit(t, "form#bulk", url.Values{"csv": {list}, "all_or_nothing": {"true"}})
	require.Equal(t, "This list cannot be started", none.text("h1"), "one is refused, so all are")
	require.Contains(t, none.text(".figures"), "12 are left alone because of that")
	review := form.submit(t, "form#bulk", url.Values{"csv": {list}})
	require.Contains(t, review.text(".callout.warn"), "This is more than is usually offboarded at once. Is it the right list?")
	run := review.submit(t, "form#confirm", url.Values{"step": {"start"}})
	require.Equal(t, "A list of 13 members", run.text("h1"))
}

// Whose session has ended gets an uploaded list back too, and sends it again.
func TestBulkUploadOutlivesASession(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	list := "email,last_day,reason\nm4@acme.example," + tomorrow() + ",\"left, \"\"quietly\"\"\"\n"
	upload := func(p *person) *page {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		require.NoError(t, form.WriteField("csv", ""))
		file, err := form.CreateFormFile("file", "leavers.csv")
		require.NoError(t, err)
		_, err = file.Write([]byte(list))
		require.NoError(t, err)
		require.NoError(t, form.WriteField("step", "review"))
		require.NoError(t, form.Close())
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/console/bulk/new", &body)
		require.NoError(t, err)
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		response, err := p.client.Do(r)
		require.NoError(t, err)
		defer func() { require.NoError(t, response.Body.Close()) }()
		document, err := goquery.NewDocumentFromReader(response.Body)
		require.NoError(t, err)
		return &page{document, p, response.StatusCode, response.Request.URL, response.Header}
	}
	require.Equal(t, "Offboard 1 member?", upload(d.as(d.Admin)).text("h1"))
	expired := upload(d.as(""))
	require.Equal(t, http.StatusUnauthorized, expired.status)
	again := expired.Find(`form[action="/console/bulk/new"]`)
	require.Equal(t, 1, again.Length())
	expired.person = d.as(d.Admin) // signed in, in another window
	sent := expired.submit(t, `form[action="/console/bulk/new"]`, nil)
	require.Equal(t, "Offboard 1 member?", sent.text("h1"))
	require.Equal(t, list, sent.Find("textarea[name=csv]").Text())
}

// A run that cannot go on says so; the rest of it is canceled by who has read what that
// means.
func TestBulkIsCanceled(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Exec(`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.result <> 'canceled' THEN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END IF;
		RETURN NEW; END $$`)
	d.Exec(`CREATE TRIGGER no_room BEFORE UPDATE ON bulk_members FOR EACH ROW EXECUTE FUNCTION no_room()`)
	admin := d.as(d.Admin)
	list := "email,last_day,reason\nm4@acme.example," + tomorrow() + ",left\n"
	run := admin.get(t, "/console/bulk/new").submit(t, "form#bulk", url.Values{"csv": {list}}).submit(t, "form#confirm", url.Values{"step": {"start"}})
	require.Equal(t, "Taking access", run.text("p.run .badge:first-child"))
	require.Equal(t, 1, run.Find("#polls").Length(), "it is looked at again while it goes on")
	d.Exec(`UPDATE bulk_runs SET trouble_step = 'revoke', trouble_attempt = 6, trouble_error = 'revoke: no room', trouble_since = $1`, time.Now())
	require.Equal(t, "Taking access 0 of 1 Cannot go on Step revoke, attempt 6 revoke: no room", admin.get(t, run.url.Path).text("p.run"))

	ask := run.submit(t, "form#cancel", nil)
	require.Equal(t, http.StatusOK, ask.status)
	require.Contains(t, ask.text("main"), "1 member has not been processed and is taken off the list.")
	require.Equal(t, "Take 1 member off the list", ask.text("form#confirm button"))
	require.Zero(t, ask.Find(".faults").Length())
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM bulk_members WHERE result = 'pending'`))
	long := ask.submit(t, "form#confirm", url.Values{"reason": {strings.Repeat("a", 2001)}})
	require.Equal(t, http.StatusBadRequest, long.status)
	require.NotEmpty(t, long.text("#fault-reason"))
	require.Len(t, long.Find("#field-reason").AttrOr("value", ""), 2001)
	canceled := ask.submit(t, "form#confirm", url.Values{"reason": {"a mistake"}})
	require.Equal(t, http.StatusOK, canceled.status, canceled.text("main"))
	require.Equal(t, "Who had not been processed has been taken off the list.", canceled.text(".notice"))
	require.Equal(t, "Canceled", canceled.text("#position-1 td[data-label=Outcome]"))
	require.Equal(t, "active", d.Text(`SELECT status FROM members WHERE id = $1`, d.Leaver))
}

// Of a file that was sent nothing stays on the server's disk.
func TestNoFileStaysOnTheDisk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	marker := uuid.NewString()
	for _, member := range []string{d.Admin, ""} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "leavers.csv")
		require.NoError(t, err)
		_, err = part.Write([]byte(marker + strings.Repeat("x", 1<<20)))
		require.NoError(t, err)
		require.NoError(t, form.Close())
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/console/bulk/new", &body)
		require.NoError(t, err)
		r.Header.Set("Content-Type", form.FormDataContentType())
		response, err := d.as(member).client.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*"))
	require.NoError(t, err)
	for _, name := range left { // of others too
		text, _ := os.ReadFile(name)
		require.NotContains(t, string(text[:min(len(text), len(marker))]), marker, name)
	}
}

// Who goes back and confirms what they had not confirmed has it done, though it is the
// same form.
func TestBulkIsConfirmedWithTheSameForm(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var list strings.Builder
	list.WriteString("email,last_day,reason\n")
	for range 12 {
		fmt.Fprintf(&list, "%s,%s,left\n", d.Text(`SELECT email FROM members WHERE id = $1`, d.Maker()), tomorrow())
	}
	d.Exec(`UPDATE organizations SET bulk_limit_percent = 1 WHERE id = $1`, d.ID)
	admin := d.as(d.Admin)
	form := url.Values{"key": {uuid.NewString()}, "step": {"start"}, "csv": {list.String()}}
	review := admin.open(t, http.MethodPost, "/console/bulk/new", form)
	require.NotEmpty(t, review.text(".callout.warn"))
	require.Contains(t, review.text(".faults"), "What would happen is not what you were shown", "nobody was shown anything")
	form.Set("shown", review.Find("input[name=shown]").AttrOr("value", ""))
	require.NotEmpty(t, admin.open(t, http.MethodPost, "/console/bulk/new", form).text(".callout.warn"))
	require.Zero(t, d.Count(`SELECT count(*) FROM bulk_runs`))
	form.Set("confirmed", "true")
	done := admin.open(t, http.MethodPost, "/console/bulk/new", form)
	require.Equal(t, 1, d.Count(`SELECT count(*) FROM bulk_runs`), done.text("main"))
}

// What is started is what was shown: where something else would happen to somebody by
// now, that is shown first; where less would, it is done.
func TestBulkIsAsItWasShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Maker() // m5
	admin := d.as(d.Admin)
	list := "email,last_day,reason\nm4@acme.example," + tomorrow() + ",left\nm5@acme.example," + tomorrow() + ",left\n"
	review := admin.get(t, "/console/bulk/new").submit(t, "form#bulk", url.Values{"csv": {list}})
	require.Contains(t, review.text("table[aria-labelledby=others]"), "They wait for an owner")
	d.Exec(`UPDATE organizations SET default_disposition = 'archive' WHERE id = $1`, d.ID)
	changed := review.submit(t, "form#confirm", url.Values{"step": {"start"}})
	require.Equal(t, http.StatusConflict, changed.status)
	require.Contains(t, changed.text(".faults"), "What would happen is not what you were shown. Nothing was done")
	require.Contains(t, changed.text("table[aria-labelledby=others]"), "They are archived")
	require.Zero(t, d.Count(`SELECT count(*) FROM bulk_runs`))
	d.Exec(`UPDATE members SET email = 'home@gmail.com' WHERE id = $1`, d.Leaver) // who was on the list
	run := changed.submit(t, "form#confirm", url.Values{"step": {"start"}})
	require.Equal(t, "A list of 2 members", run.text("h1"))
}
