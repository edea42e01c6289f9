package console_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// The overview shows what waits, and follows what is done; each number leads to what it
// counts.
func TestOverview(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	admin := d.as(d.Admin)
	empty := admin.get(t, "/console/overview")
	require.Contains(t, empty.text("main"), "Nobody was offboarded in the last twelve weeks.")
	require.Contains(t, empty.text("main"), "No document has found a new owner yet.")
	require.Zero(t, empty.Find("main svg.chart").Length())
	require.Zero(t, empty.Find(".alarm").Length())

	document := d.Document(d.Leaver, "")
	d.Document(d.Leaver, "")
	d.Grant(document, d.Manager, offboarding.GrantEdit)
	id := d.offboard(t, d.Leaver)
	page := admin.get(t, "/console/overview")
	require.Equal(t, "1 open case", page.text(`.figures a[href="/console/leavers"]`))
	require.Contains(t, page.text(".figures"), "2 documents wait for an owner")
	require.Contains(t, page.text("main"), "1 member was offboarded in the last twelve weeks.")
	require.Equal(t, offboarding.OverviewWeeks, page.Find("svg.chart g").Length())
	require.Equal(t, "100", page.Find("svg.chart g:last-child rect:last-child").AttrOr("height", ""))
	require.Equal(t, "1", page.text("details tbody tr:last-child td"), "the chart is a table too")
	require.Equal(t, "less than 1 day 2", page.text(`[aria-labelledby=waiting] tbody tr:first-child`))
	require.Equal(t, "1 to 3 days 0", page.text(`[aria-labelledby=waiting] tbody tr:nth-child(2)`))
	require.Equal(t, "Grace period 1", page.text(`[aria-labelledby=phases] tr:has(a[href="/console/leavers?phase=grace"])`))

	claimed := d.as(d.Manager).get(t, "/console/documents").submit(t, `form[action="/console/documents/`+document+`/claim"]`, nil)
	require.Equal(t, http.StatusOK, claimed.status)
	d.Exec(`UPDATE cases SET trouble_step = 'settle', trouble_attempt = 3, trouble_error = 'x', trouble_since = now() WHERE id = $1`, id)
	page = admin.get(t, "/console/overview")
	require.Contains(t, page.text("main"), "half had one within less than a minute")
	require.Equal(t, "less than 1 day 1", page.text(`[aria-labelledby=owners] tbody tr:first-child`))
	require.Equal(t, "1 case cannot go on", page.text(`.alarm a[href="/console/leavers?show=troubled"]`))
	leads := page.Find(`.figures a[href^="/console/leavers"]`)
	require.Equal(t, 3, leads.Length())
	for i, want := range []int{1, 0, 1} { // open, overdue, troubled
		list := admin.get(t, leads.Eq(i).AttrOr("href", ""))
		require.Equal(t, want, list.Find("table.list tbody tr").Length(), leads.Eq(i).Text())
	}
	require.Equal(t, "/console/overview", page.Find("#refresh").AttrOr("hx-get", ""), "the page is live")
}

// Who reaches several organizations sees all or one of them, and no others.
func TestOverviewOfOneOrganization(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	below := fixture.New(t, d.DB)
	d.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, d.ID)
	d.Exec(`UPDATE organizations SET parent_id = $2, name = 'Below' WHERE id = $1`, below.ID, d.ID)
	below.Exec(`INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules,
		grace_period_seconds, created_at, effective_at) VALUES (gen_random_uuid(), 'x', $1, $2, $3, '', '', 'scheduled', 'retain', false, 0, $4, $5)`,
		below.ID, below.Leaver, below.Admin, time.Now(), time.Now().AddDate(0, 0, 1))
	open := func(p *page) string { return p.text(".figures li:first-child") }
	all := d.as(d.Admin).get(t, "/console/overview")
	require.Equal(t, "1 open case", open(all))
	require.Contains(t, all.text("select[name=organization]"), "Below")
	require.Equal(t, "0 open cases", open(d.as(d.Admin).get(t, "/console/overview?organization="+d.ID)))
	one := d.as(d.Admin).get(t, "/console/overview?organization="+below.ID)
	require.Equal(t, "1 open case", open(one))
	require.Equal(t, 1, one.Find(`.figures a[href="/console/leavers?organization=`+below.ID+`"]`).Length())
	require.Zero(t, d.as(below.Admin).get(t, "/console/overview").Find("select[name=organization]").Length())
	require.Equal(t, http.StatusBadRequest, d.as(below.Admin).open(t, http.MethodGet, "/console/overview?organization="+d.ID, nil).status)
	require.Equal(t, http.StatusBadRequest, d.as(d.Admin).open(t, http.MethodGet, "/console/overview?organization=%00nonsense", nil).status)
}

// What was counted no further than to the limit says so.
func TestOverviewOfTooManyToCount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Documents(d.Leaver, offboarding.CountLimit+1)
	d.offboard(t, d.Leaver)
	require.Contains(t, d.as(d.Admin).get(t, "/console/overview").text(".figures"), "10,000+ documents wait for an owner")
}
