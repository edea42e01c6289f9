package console_test

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/crowd"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/postgres"
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
func mayRead(s crowd.Sight) int {
	for _, action := range []string{"/deactivate", "/delete", "/transfer", "/reactivate"} {
		if strings.HasSuffix(s.Path, action) {
			return 10 * maxRead
		}
	}
	return maxRead
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
	d := newDeskOn(t, db, postgres.New(db))
	of := func(o *fixture.Organization, number, members int) *crowd.Crowd {
		return &crowd.Crowd{Organization: o.ID, Admin: o.Admin, Manager: o.Manager, Maker: o.Leaver, Number: number, Members: members, Documents: 10 * members}
	}
	few, many := of(fixture.New(t, db), 0, 1_000), of(d.Organization, 1, 100_000)
	require.NoError(t, crowd.Fill(t.Context(), db, few, many))
	d.Exec(`VACUUM ANALYZE`)

	look := func(c *crowd.Crowd, as func(*crowd.Crowd) string, route console.Route) (counts []int, pages []crowd.Sight) {
		p := d.as(as(c))
		method, path, _ := strings.Cut(route.Pattern, " ")
		pages, err := c.Sights(method, path)
		require.NoError(t, err)
		counts = make([]int, len(pages))
		for i, s := range pages {
			for range 2 { // the second time everything is prepared
				w.take()
				before := read(t, db)
				w.take()
				got := p.open(t, s.Method(), s.Path, s.Form)
				asked := w.take()
				if got.status >= 400 && got.status != http.StatusNotFound && got.status != http.StatusForbidden {
					assert.Failf(t, "not opened", "%s: %d %s", s, got.status, got.text("main")+d.log.String())
				}
				after := read(t, db)
				w.take()
				for table, n := range after {
					assert.LessOrEqual(t, n-before[table], mayRead(s), "%s reads so much of %s", s, table)
				}
				if c == many {
					for _, found := range wholly(t, db, asked, great...) {
						assert.Fail(t, "read whole", "%s: %s", s, found)
					}
				}
				w.take()
				counts[i] = statements(asked)
			}
		}
		return counts, pages
	}
	people := map[string]func(*crowd.Crowd) string{
		"an admin":            func(c *crowd.Crowd) string { return c.Admin },
		"a maker":             func(c *crowd.Crowd) string { return c.Manager },
		"a maker who may ask": func(c *crowd.Crowd) string { return c.Maker },
	}
	for name, as := range people {
		for _, route := range d.console.Routes {
			if route.Access == console.AccessAdmin && name != "an admin" {
				continue
			}
			small, _ := look(few, as, route)
			large, pages := look(many, as, route)
			for i, s := range pages {
				assert.Equal(t, small[i], large[i], "%s %s asks so many statements", name, s)
				t.Logf("%s %s: %d statements", name, s, large[i])
			}
		}
	}
}
