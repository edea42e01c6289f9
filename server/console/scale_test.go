package console_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/server/console"
)

// great are the tables that grow with an organization.
var great = []string{
	"members", "documents", "grants", "cases", "audit_events", "ownership_requests", "credentials", "sessions", "legal_holds",
	"webhook_deliveries", "bulk_members", "workspace_members", "folders", "schedules", "notices", "case_steps",
}

// maxRead is how many rows of a table and of its indexes a page may read: each count
// stops somewhere, and a list counts for each of its rows.
const maxRead = 60_000

// mayRead is how many a page may read. What will happen to everything that one member
// has is said in numbers that are right.
func mayRead(s sight) int {
	for _, action := range []string{"/deactivate", "/delete", "/transfer", "/reactivate"} {
		if strings.HasSuffix(s.path, action) {
			return 10 * maxRead
		}
	}
	return maxRead
}

// sight is a page as it is opened.
type sight struct {
	path string
	form url.Values // nil where it is got
}

// sights are the pages of a route, as somebody in a crowd opens them, each in a few
// ways. A route that is new is opened as it is; where its path has an ID in it that
// nobody here knows, this fails.
func sights(t testing.TB, c *crowd, pattern string) (all []sight) {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	path = strings.TrimSuffix(path, "{$}")
	switch pattern {
	case "GET /console/changes", "GET /console/{rest...}": // a stream, and nothing
		return nil
	}
	forms := map[string][]url.Values{
		"POST /console/leavers": {{"q": {"person 77"}}, {"q": {"p"}}, {"q": {"acme"}}, {"q": {"nobody"}}},
		"POST /console/members": {{"q": {"person 77"}}, {"q": {"p"}}, {"q": {"nobody"}}},
	}
	if pattern == "POST /console/people" {
		path += "?field=who"
		forms[pattern] = []url.Values{{"who": {"person 77"}}, {"who": {"p"}}, {"who": {"nobody"}}}
	}
	if method == http.MethodPost {
		for _, form := range forms[pattern] {
			all = append(all, sight{path, form})
		}
		return all // others do something
	}
	paths := []string{path}
	if strings.Contains(path, "{") {
		paths = nil
		things := map[string][]string{
			"/console/members/":            {c.id("MEMBER", 1), c.id("MEMBER", largest), c.id("MEMBER", 20)},
			"/console/leavers/":            {c.id("CASE", largest), c.id("CASE", 200), c.id("CASE", 20), c.id("SCHEDULED", 105)},
			"/console/documents/":          {c.id("DOCUMENT", 0), c.id("DOCUMENT", 50), c.id("DOCUMENT", 51)},
			"/console/bulk/":               {fmt.Sprintf("run-%d-1", c.number)},
			"/console/transfers/unowned/":  {c.id("CASE", largest), c.id("CASE", 200)},
			"/console/transfers/requests/": {c.id("REQUEST", 0), c.id("REQUEST", 50)},
			"/console/settings/webhooks/":  {c.id("WEBHOOK", 1)},
		}
		prefix, rest, _ := strings.Cut(path, "{id}")
		for _, id := range things[prefix] {
			paths = append(paths, prefix+id+strings.ReplaceAll(rest, "{run}", c.id("CASE", 1)))
		}
		require.NotEmpty(t, paths, "what is %s? A line in scale_test.go opens it", pattern)
	}
	queries := map[string][]string{
		"GET /console/members":   {"status=inactive", "status=archived", "status=deleted", "status=all"},
		"GET /console/leavers":   {"show=troubled", "show=overdue", "show=all", "phase=scheduled", "phase=grace", "phase=read_only", "phase=completed", "phase=failed", "phase=canceled"},
		"GET /console/transfers": {"show=decided"},
		"GET /console/audit":     {"event=ClaimDocOwnership", "event=DeleteMember", "case=" + c.id("CASE", largest), "from=2020-01-01&to=2020-02-01"},
	}
	for _, path := range paths {
		all = append(all, sight{path: path})
		for _, query := range queries[pattern] {
			all = append(all, sight{path: path + "?" + query})
		}
	}
	return all
}

// Beside 100,000 members and 1,000,000 documents every page asks as many statements as
// beside a few, and none of them reads a table whole.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	connector, err := pq.NewConnector(testdb.URL(t))
	require.NoError(t, err)
	w := &watched{Connector: connector}
	db := sqlx.NewDb(sql.OpenDB(w), "postgres")
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1) // which counts what it reads and tells it when asked
	d := newDeskOn(t, db)
	few, many := &crowd{fixture.New(t, db), 0, 1_000, 10_000}, &crowd{d.Organization, 1, 100_000, 1_000_000}
	dress := bare(t, d.Organization, "members", "cases", "documents", "grants", "audit_events", "ownership_requests", "credentials", "sessions", "bulk_members",
		"webhook_deliveries", "legal_holds", "workspace_members")
	few.fill(t)
	many.fill(t)
	dress()
	d.Exec(`VACUUM ANALYZE`)

	look := func(c *crowd, as func(*crowd) string, route console.Route) (counts []int, pages []sight) {
		p := d.as(as(c))
		pages = sights(t, c, route.Pattern)
		counts = make([]int, len(pages))
		for i, s := range pages {
			method := http.MethodGet
			if s.form != nil {
				method = http.MethodPost
			}
			for range 2 { // the second time everything is prepared
				w.take()
				before := read(t, db)
				w.take()
				got := p.open(t, method, s.path, s.form)
				asked := w.take()
				if got.status >= 400 && got.status != http.StatusNotFound && got.status != http.StatusForbidden {
					assert.Failf(t, "not opened", "%s: %d %s", s.path, got.status, got.text("main")+d.log.String())
				}
				after := read(t, db)
				w.take()
				for table, n := range after {
					assert.LessOrEqual(t, n-before[table], mayRead(s), "%s %v reads so much of %s", s.path, s.form, table)
				}
				if c == many {
					for _, found := range wholly(t, db, asked, great...) {
						assert.Fail(t, "read whole", "%s %v: %s", s.path, s.form, found)
					}
				}
				w.take()
				counts[i] = statements(asked)
			}
		}
		return counts, pages
	}
	people := map[string]func(*crowd) string{
		"an admin":            func(c *crowd) string { return c.Admin },
		"a maker":             func(c *crowd) string { return c.Manager },
		"a maker who may ask": func(c *crowd) string { return c.Leaver },
	}
	for name, as := range people {
		for _, route := range d.console.Routes {
			if route.Access == console.AccessAdmin && name != "an admin" {
				continue
			}
			small, _ := look(few, as, route)
			large, pages := look(many, as, route)
			for i, s := range pages {
				assert.Equal(t, small[i], large[i], "%s %s %v asks so many statements", name, s.path, s.form)
				t.Logf("%s %s %v: %d statements", name, s.path, s.form, large[i])
			}
		}
	}
}
