package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// The audit says what changed in words, and narrows to an event, a member, a document,
// a case and days, with nobody's name in an address.
func TestAudit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document := d.Document(d.Leaver, "")
	d.Exec(`UPDATE documents SET external_id = 'plan', title = 'The plan' WHERE id = $1`, document)
	d.Document(d.Leaver, "")
	d.Grant(document, d.Manager, offboarding.GrantEdit)
	caseID := d.offboard(t, d.Leaver)
	maker := d.as(d.Manager)
	maker.get(t, "/console/documents").submit(t, `form[action="/console/documents/`+document+`/claim"]`, nil)
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/audit")
	require.Equal(t, 1, page.Find("#refresh").Length(), "it is live")
	all := page.Find("tbody tr").Length()
	require.Equal(t, d.Count(`SELECT count(*) FROM audit_events`), all)

	claims := page.submit(t, "form#narrow", url.Values{"event": {"ClaimDocOwnership"}})
	require.Equal(t, "event=ClaimDocOwnership", claims.url.RawQuery)
	require.Equal(t, 1, claims.Find("tbody tr").Length())
	require.Contains(t, claims.text("tbody tr"), "Member 3 claimed “The plan” ClaimDocOwnership")
	require.Contains(t, claims.text("tbody tr"), "Member 3 Member 4 The plan The case")
	require.Contains(t, claims.text("tbody tr"), "Owner from Member 4 → to Member 3")
	require.Equal(t, "ClaimDocOwnership", claims.Find("[name=event] option[selected]").AttrOr("value", ""))
	require.NotContains(t, claims.text(".changes"), "Access", "what stays as it was is no change")

	narrowed := claims.submit(t, "form#narrow", url.Values{"event": {""}, "member": {"m4@acme.example"}, "document": {"plan"}})
	require.Equal(t, url.Values{"member": {d.Leaver}, "document": {document}}, narrowed.url.Query())
	require.Equal(t, "m4@acme.example", narrowed.Find("[name=member]").AttrOr("value", ""))
	require.Equal(t, "plan", narrowed.Find("[name=document]").AttrOr("value", ""))
	require.Equal(t, 1, narrowed.Find("tbody tr").Length())

	of := page.submit(t, "form#narrow", url.Values{"case": {caseID}})
	require.Equal(t, d.Count(`SELECT count(*) FROM audit_events WHERE case_id = $1`, caseID), of.Find("tbody tr").Length())
	require.Contains(t, of.text("main"), "Phase from Deactivated → to Grace period", of.text("main"))

	day := time.Now().UTC().Format(time.DateOnly)
	require.Equal(t, all, page.submit(t, "form#narrow", url.Values{"from": {day}, "to": {day}}).Find("tbody tr").Length())
	require.Equal(t, "Nothing of that kind is in the audit.", page.submit(t, "form#narrow", url.Values{"to": {"2020-01-01"}}).text(".empty"))

	// No phrase is missing for anything that this case has changed.
	require.NotRegexp(t, `\b[a-z]+_[a-z_]+\b`, page.text(".changes"))
}

// A day is one in the reader's zone.
func TestAuditByDay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Exec(`UPDATE members SET time_zone = 'Pacific/Auckland' WHERE id = $1`, d.Admin)
	place := func(at string) {
		moment, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		_, err = d.store.PlaceHold(t.Context(), offboarding.Hold{MemberID: d.Leaver, Reason: at}, d.Admin, moment)
		require.NoError(t, err)
	}
	place("2025-06-01T11:59:59Z") // the end of June 1st in Auckland
	place("2025-06-01T12:00:00Z") // the beginning of June 2nd
	place("2025-06-02T11:59:59Z")
	place("2025-06-02T12:00:00Z")
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/audit?from=2025-06-02&to=2025-06-02")
	require.Equal(t, 2, page.Find("tbody tr").Length())
	require.Equal(t, "2025-06-02", page.Find("[name=from]").AttrOr("value", ""))

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+page.Find(`a[href*="format=ndjson"]`).AttrOr("href", ""), nil)
	require.NoError(t, err)
	response, err := admin.client.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 3, "%s", text)
	var end struct {
		Event  string `json:"event"`
		Events int    `json:"events"`
	}
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &end))
	require.Equal(t, 2, end.Events)
	require.Contains(t, response.Header.Get("Content-Disposition"), "attachment")
}

// What cannot be looked for is said beside its field; another tenant's things are not
// there.
func TestMistakesInAudit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stranger := fixture.New(t, d.DB)
	theirs := stranger.Document(stranger.Leaver, "")
	admin := d.as(d.Admin)
	page := admin.get(t, "/console/audit")
	wrong := page.submit(t, "form#narrow", url.Values{
		"member": {"nobody@acme.example"}, "document": {theirs}, "case": {"that one"}, "from": {"yesterday"}, "event": {"Nothing"},
	})
	require.GreaterOrEqual(t, wrong.status, 400)
	for _, field := range []string{"member", "document", "case", "from", "event"} {
		require.NotEmpty(t, wrong.text("#fault-"+field), field)
	}
	require.Equal(t, "nobody@acme.example", wrong.Find("[name=member]").AttrOr("value", ""))
	require.Equal(t, "/console/audit", wrong.url.RequestURI())
	require.Zero(t, wrong.Find("tbody tr").Length()+wrong.Find(".empty").Length()+wrong.Find("#refresh").Length())

	for _, query := range []string{
		"member=" + stranger.Leaver, "document=" + theirs, "organization=" + stranger.ID, "member=..", "from=yesterday", "cursor=x", "member=" + uuid.NewString(),
	} {
		got := admin.open(t, http.MethodGet, "/console/audit?"+query, nil)
		require.GreaterOrEqual(t, got.status, 400, query)
		require.Less(t, got.status, 500, query)
		require.Zero(t, got.Find("tbody tr").Length(), query)
	}
	require.Equal(t, http.StatusForbidden, d.as(d.Manager).open(t, http.MethodGet, "/console/audit", nil).status)
}

// Further pages follow each other and hold every event once.
func TestPagesOfTheAudit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Exec(`INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at)
		SELECT $1::uuid, 'ChangeSettings', '', 'organization', $1::uuid::text, '{"seat_limit": "1"}', '{"seat_limit": "2"}', $2 FROM generate_series(1, 120)`, d.ID, fixture.Start)
	seen := map[string]bool{}
	page := d.as(d.Admin).get(t, "/console/audit?event=ChangeSettings")
	require.Contains(t, page.text("tbody tr:first-child"), "Seat limit from 1 → to 2")
	for pages := 1; ; pages++ {
		for _, row := range page.Find("tbody tr").EachIter() {
			id := row.AttrOr("id", "")
			require.False(t, seen[id], id)
			seen[id] = true
		}
		next, ok := page.Find(".pager a[rel=next]").Attr("href")
		if !ok {
			require.Equal(t, 3, pages)
			break
		}
		page = page.person.get(t, next)
		require.Zero(t, page.Find("#refresh").Length(), "it does not change any more")
	}
	require.Len(t, seen, 120)
}

// Whatever an event can be about has words.
func TestSubjectsHaveWords(t *testing.T) {
	t.Parallel()
	have := words(t, "en")
	for _, kind := range []offboarding.Subject{
		offboarding.SubjectOrganization, offboarding.SubjectCase, offboarding.SubjectMember, offboarding.SubjectDocument, offboarding.SubjectFolder,
		offboarding.SubjectSchedule, offboarding.SubjectCredential, offboarding.SubjectSession, offboarding.SubjectRequest, offboarding.SubjectGrant,
		offboarding.SubjectBulk, offboarding.SubjectWorkspace, offboarding.SubjectHold, offboarding.SubjectScimToken, offboarding.SubjectWebhook,
	} {
		require.True(t, have["audit.subject."+string(kind)], kind)
	}
}
