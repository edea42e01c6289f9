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

// The list says of each leaver how far they are, what comes next and when, and how much
// waits; it is searched without anybody's name in an address.
func TestLeavers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	admin := d.as(d.Admin)
	require.Equal(t, "Nobody is being offboarded.", admin.get(t, "/console/leavers").text(".empty"))

	d.Document(d.Leaver, "")
	d.Document(d.Leaver, "")
	d.Exec(`UPDATE members SET display_name = 'Ada <b>Lovelace' WHERE id = $1`, d.Leaver)
	grace := d.offboard(t, d.Leaver)
	later := d.Maker()
	status, err := d.cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: later, RequestedBy: d.Admin, EffectiveAt: time.Now().Add(49 * time.Hour).Format(time.RFC3339),
	})
	require.NoError(t, err)
	other := fixture.New(t, d.DB)
	other.Document(other.Leaver, "")
	_, err = d.cases.StartAndAwait(t.Context(), offboarding.Request{MemberID: other.Leaver, RequestedBy: other.Admin})
	require.NoError(t, err)

	list := admin.get(t, "/console/leavers")
	require.Equal(t, 2, list.Find("tbody tr").Length(), "another organization's case is not there")
	row := "#case-" + grace
	require.Equal(t, "Ada <b>Lovelace m4@acme.example", list.text(row+" th"))
	require.Equal(t, "/console/leavers/"+grace, list.Find(row+" th a").AttrOr("href", ""))
	require.Equal(t, "Grace period", list.text(row+" .badge"))
	require.Equal(t, "Read-only in 6 days 23 hours", list.text(row+" td[data-label=Next]"))
	require.NotEmpty(t, list.Find(row+" time.countdown[data-from]").AttrOr("datetime", ""))
	require.Equal(t, "2", list.text(row+` td[data-label="Documents waiting"]`))
	require.Equal(t, "Access ends in 2 days", list.text("#case-"+status.CaseID+" td[data-label=Next]"))
	require.NotEmpty(t, list.Find("#live").AttrOr("data-stamp", ""), "the list is live")

	found := list.submit(t, "form#search", url.Values{"q": {"love"}})
	require.Equal(t, http.StatusOK, found.status)
	require.Equal(t, "/console/leavers", found.url.RequestURI(), "no name in the address")
	require.Equal(t, "love", found.Find("#field-q").AttrOr("value", ""))
	require.Equal(t, 1, found.Find("tbody tr").Length())
	require.Equal(t, "No case is like that.", list.submit(t, "form#search", url.Values{"q": {"'); DROP"}}).text(".empty"))

	scheduled := list.submit(t, "form#search", url.Values{"phase": {"scheduled"}})
	require.Equal(t, "/console/leavers?phase=scheduled", scheduled.url.RequestURI(), "what narrows can be kept as a bookmark")
	require.Equal(t, 1, scheduled.Find("tbody tr").Length())
	require.Equal(t, "scheduled", scheduled.Find("#field-phase option[selected]").AttrOr("value", ""))
	require.Equal(t, 1, scheduled.submit(t, "form#search", url.Values{"q": {"m"}}).Find("tbody tr").Length())

	for _, address := range []string{"?phase=nonsense", "?cursor=nonsense", "?organization=" + other.ID} {
		wrong := admin.open(t, http.MethodGet, "/console/leavers"+address, nil)
		require.Equal(t, http.StatusBadRequest, wrong.status, address)
		require.NotZero(t, wrong.Find(".faults li").Length(), address)
	}
	long := list.submit(t, "form#search", url.Values{"q": {strings.Repeat("a", 201)}})
	require.Equal(t, http.StatusBadRequest, long.status)
	require.NotEmpty(t, long.text("#fault-q"), "the mistake stands beside the field")
	require.Equal(t, 201, len(long.Find("#field-q").AttrOr("value", "")), "and what was typed is still there")
}

// A case that cannot go on says so, and is found.
func TestLeaversInTrouble(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Document(d.Leaver, "")
	id := d.offboard(t, d.Leaver)
	quiet := d.Maker()
	d.Document(quiet, "")
	d.offboard(t, quiet)
	require.NoError(t, d.store.RecordTrouble(t.Context(), offboarding.TroubleInput{CaseID: id, Trouble: &offboarding.Trouble{
		Step: "lock", Attempt: 7, LastError: "lock: the database failed (SQLSTATE 53300)", Since: time.Now(),
	}}))
	list := d.as(d.Admin).get(t, "/console/leavers").submit(t, "form#search", url.Values{"show": {"troubled"}})
	require.Equal(t, 1, list.Find("tbody tr").Length())
	require.Equal(t, "Grace period Cannot go on Step lock, attempt 7 lock: the database failed (SQLSTATE 53300)", list.text("#case-"+id+" td[data-label=Phase]"))
	require.Equal(t, 1, d.as(d.Admin).get(t, "/console/leavers?show=overdue").Find(".empty").Length())
	d.Exec(`UPDATE cases SET grace_ends_at = $2 WHERE id = $1`, id, time.Now().Add(-10*time.Minute))
	list = d.as(d.Admin).get(t, "/console/leavers?show=overdue")
	require.Equal(t, 1, list.Find("#case-"+id+" .badge.late").Length())
}

// A list that is longer than a page goes on, found or not.
func TestLeaversByPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Exec(`INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at, deactivated_at)
		SELECT gen_random_uuid(), $1, 'x' || i, 'x' || i || '@acme.example', 'Number ' || i, 'reader', 'maker', 'inactive', '', '', $2, $2 FROM generate_series(1, 120) i`,
		d.ID, fixture.Start)
	d.Exec(`INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules,
			grace_period_seconds, created_at, effective_at, deactivated_at, grace_ends_at)
		SELECT gen_random_uuid(), 'offboarding/' || id, $1, id, $2, '', '', 'read_only', 'retain', false, 0, $3, $3, $3, $3 FROM members WHERE status = 'inactive'`,
		d.ID, d.Admin, fixture.Start)
	admin := d.as(d.Admin)
	seen := map[string]bool{}
	count := func(p *page) int {
		n := p.Find("tbody tr").Length()
		for i := range n {
			seen[p.Find("tbody tr").Eq(i).AttrOr("id", "")] = true
		}
		return n
	}
	first := admin.get(t, "/console/leavers")
	require.Equal(t, 50, count(first))
	second := admin.get(t, first.Find("a[rel=next]").AttrOr("href", ""))
	require.Equal(t, 50, count(second))
	require.Zero(t, second.Find("#live").Length(), "a later page is not made anew under the reader")
	third := admin.get(t, second.Find("a[rel=next]").AttrOr("href", ""))
	require.Equal(t, 20, count(third))
	require.Len(t, seen, 120)
	require.Zero(t, third.Find("a[rel=next]").Length())

	seen = map[string]bool{}
	found := first.submit(t, "form#search", url.Values{"q": {"number acme"}})
	for pages := 1; ; pages++ {
		count(found)
		cursor := found.Find("button[name=cursor]").AttrOr("value", "")
		if cursor == "" {
			require.Equal(t, 3, pages)
			break
		}
		found = admin.open(t, http.MethodPost, "/console/leavers", url.Values{"q": {"number acme"}, "cursor": {cursor}}, "Sec-Fetch-Site", "same-origin")
		require.Equal(t, http.StatusOK, found.status)
	}
	require.Len(t, seen, 120)
}
