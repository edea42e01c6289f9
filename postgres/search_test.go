package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// Members are found by how the words of their name, address and external ID begin.
func TestSearchMembers(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	_, err := store.DB().Exec(`UPDATE members SET display_name = $2, external_id = $3 WHERE id = $1`, readID("member", 4), "Zoë O'Brien-Müller", "EMP_1041/x")
	require.NoError(t, err)
	acme := []string{readID("organization", 1)}
	for text, want := range map[string][]int{
		"":                      {1, 2, 3, 4, 5},
		"  ":                    {1, 2, 3, 4, 5},
		"mem":                   {1, 2, 3, 5},
		"MEMBER 3":              {3},
		"3 member":              {3},
		"ember":                 {},
		"ada":                   {3},
		"ada@acme":              {3},
		"Ada@ACME.example":      {3},
		"example gra":           {4},
		"zoë":                   {4},
		"Zo":                    {4},
		"müll":                  {4},
		"brien":                 {4},
		"o'brien-müller":        {4},
		"emp_1041":              {4},
		"104":                   {4},
		"041":                   {},
		"zoë grace 1041 acme":   {4},
		"zoë ada":               {},
		"m3":                    {3},
		"bob":                   {},
		"'":                     {},
		"%":                     {},
		"–":                     {},
		"– …":                   {},
		"mem – …":               {1, 2, 3, 5},
		"ada –":                 {3},
		"acme – example":        {1, 2, 3, 4, 5},
		"ada':* | 'grace":       {},
		"ada & !grace":          {},
		`\':`:                   {},
		"ada\x00":               {3},
		"a\xffda":               {},
		"1e5 2.5e3 <b>&amp;/x/": {},
	} {
		page, err := store.Members(t.Context(), offboarding.MemberFilter{Search: text, Reach: acme})
		require.NoError(t, err, text)
		found := []string{}
		for _, m := range page.Items {
			found = append(found, m.ID)
		}
		ids := []string{}
		for _, n := range want {
			ids = append(ids, readID("member", n))
		}
		require.Equal(t, ids, found, "%q", text)
	}
	none, err := store.Members(t.Context(), offboarding.MemberFilter{Search: "ada", Status: offboarding.MemberInactive})
	require.NoError(t, err)
	require.Empty(t, none.Items, "the other filters hold too")
	page, err := store.Members(t.Context(), offboarding.MemberFilter{Search: "acme", Limit: 2})
	require.NoError(t, err)
	rest, err := store.Members(t.Context(), offboarding.MemberFilter{Search: "acme", Cursor: page.Next})
	require.NoError(t, err)
	require.Equal(t, readID("member", 3), rest.Items[0].ID, "the next page goes on")
	require.Len(t, rest.Items, 3)
}

func TestSearchCases(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	openCase(t, store, 1, 3, "2026-04-01")
	openCase(t, store, 2, 4, "2026-04-01")
	list := func(f offboarding.CaseFilter) []string {
		t.Helper()
		f.Now = readTime
		page, err := store.Cases(t.Context(), f)
		require.NoError(t, err)
		ids := []string{}
		for _, row := range page.Items {
			ids = append(ids, row.ID)
		}
		return ids
	}
	one, two := readID("case", 1), readID("case", 2)
	require.Equal(t, []string{one}, list(offboarding.CaseFilter{Search: "ada"}))
	require.Equal(t, []string{two, one}, list(offboarding.CaseFilter{Search: "acme mem"}))
	require.Equal(t, []string{one}, list(offboarding.CaseFilter{Search: "m3", Phase: offboarding.PhaseScheduled, OpenOnly: true}))
	require.Empty(t, list(offboarding.CaseFilter{Search: "m3", Overdue: true}))
	require.Empty(t, list(offboarding.CaseFilter{Search: "ada", Reach: []string{readID("organization", 2)}}))
}

// A text that many have, one that few have and one that nobody has: none makes a list
// read all members or all cases, however often it is asked.
func TestSearchReadsWhatItFinds(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	db.SetMaxOpenConns(1) // which counts what it reads and tells it when asked
	o, store := fixture.New(t, db), postgres.New(db)
	const many = 40_000
	o.Exec(`INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at, deactivated_at)
		SELECT gen_random_uuid(), $1, 'emp-' || i, 'p' || i || '@acme.example', (ARRAY['Ada','Grace','Alan','Edsger'])[1 + i % 4] || ' Number' || i,
			'reader', 'maker', CASE WHEN i % 10 = 0 THEN 'inactive' ELSE 'active' END, '', '', $2, CASE WHEN i % 10 = 0 THEN $2::timestamptz END
		FROM generate_series(1, $3) i`, o.ID, fixture.Start, many)
	o.Exec(`INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules,
			grace_period_seconds, created_at, effective_at, deactivated_at, closed_at)
		SELECT gen_random_uuid(), 'offboarding/' || m.id || n, $1, m.id, $2, '', '', 'completed', 'retain', false, 0, at, at, at, at
		FROM members m, generate_series(1, 5) n, LATERAL (SELECT $3::timestamptz + n * interval '1 day' + random() * interval '1 hour' AS at) x
		WHERE m.status = 'inactive'`, o.ID, o.Admin, fixture.Start)
	// The first of them and the last are not like the others.
	o.Exec(`UPDATE members SET display_name = 'Trial ' || display_name WHERE id IN (
		(SELECT id FROM members WHERE organization_id = $1 ORDER BY id LIMIT 25) UNION (SELECT id FROM members WHERE organization_id = $1 ORDER BY id DESC LIMIT 25))`, o.ID)
	o.Exec(`ANALYZE`)
	read := func() map[string]int {
		t.Helper()
		o.Exec(`SELECT pg_stat_force_next_flush()`)
		o.Exec(`SELECT pg_stat_clear_snapshot()`)
		var rows []struct {
			Table string `db:"relname"`
			N     int    `db:"n"`
		}
		require.NoError(t, db.Select(&rows, `SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_user_tables
			WHERE relname IN ('members', 'cases')`))
		out := map[string]int{}
		for _, row := range rows {
			out[row.Table] = row.N
		}
		return out
	}
	reach := []string{o.ID}
	for text, found := range map[string]int{"": 50, "acme": 50, "ada": 50, "a": 50, "number1234": 11, "acme number1234": 11, "example acme": 50, "acme nobody": 0, "emp 17 grace": 3, "nobody": 0, "acme –": 50, "acme – number1234": 11, "–": 0, "trial": 50} {
		for range 8 { // the later ones with a plan made for any text, if there is one
			before := read()
			page, err := store.Members(t.Context(), offboarding.MemberFilter{Search: text, Reach: reach, AnyStatus: true, Limit: 50})
			require.NoError(t, err)
			if text != "" { // without, they are counted
				require.LessOrEqual(t, read()["members"]-before["members"], 2000, "members of %q", text)
			}
			if text != "emp 17 grace" {
				require.Len(t, page.Items, found, text)
			}
			before = read()
			_, err = store.Cases(t.Context(), offboarding.CaseFilter{Search: text, Reach: reach, Now: time.Now(), Limit: 50})
			require.NoError(t, err)
			after := read()
			require.LessOrEqual(t, after["members"]-before["members"], 2000, "members of cases of %q", text)
			require.LessOrEqual(t, after["cases"]-before["cases"], 2000, "cases of %q", text)
		}
	}
	words := func() (n int) {
		t.Helper()
		read()
		require.NoError(t, db.Get(&n, `SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'members_search_idx'`))
		return n
	}
	for text, found := range map[string]int{"acme": 0, "ada": many / 4, "acme number1234": 11, "ada number1234": many / 4} { // both words are gathered
		before := words()
		_, err := store.Members(t.Context(), offboarding.MemberFilter{Search: text, Reach: reach, AnyStatus: true, Limit: 50})
		require.NoError(t, err)
		gathered := words() - before
		require.LessOrEqual(t, gathered, 2*found, "what everybody is called is not gathered: %q", text)
		require.Equal(t, found > 0, gathered > 0, "%q", text)
	}
	for _, f := range []offboarding.CaseFilter{
		{Phase: offboarding.PhaseCompleted}, {Phase: offboarding.PhaseGrace}, {Phase: offboarding.PhaseFailed}, {OpenOnly: true}, {Troubled: true}, {Overdue: true}, {Waiting: true},
	} {
		f.Reach, f.Now, f.Limit = reach, time.Now(), 50
		for range 8 {
			before := read()
			_, err := store.Cases(t.Context(), f)
			require.NoError(t, err)
			require.LessOrEqual(t, read()["cases"]-before["cases"], 2000, "%+v", f)
		}
	}
	o.Exec(`SELECT count(*) FROM members WHERE email = 'nothing like it'`)
	require.Greater(t, read()["members"], many, "the check sees a scan where there is one")
}
