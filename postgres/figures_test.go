package postgres_test

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// What metrics tell follows the cases, and a document is counted once however many
// cases it waits in.
func TestFiguresFollowTheCases(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	l := r.leaving
	figures := func(now time.Time) offboarding.Figures {
		t.Helper()
		f, err := l.store.Figures(t.Context(), now)
		require.NoError(t, err)
		return f
	}
	require.Equal(t, offboarding.Figures{Open: map[offboarding.Phase]int{}}, figures(l.at))

	r.deactivated(r.request()) // from the workspace only
	f := figures(l.at)
	require.Equal(t, map[offboarding.Phase]int{offboarding.PhaseDeactivated: 1}, f.Open)
	require.Equal(t, 1, f.Waiting, "what is outside of the workspace waits for nobody")
	require.Equal(t, 1, figures(l.at.Add(time.Hour)).Overdue)

	other := l.of(l.Maker())
	scheduled := other.request()
	scheduled.EffectiveAt = l.at.Add(48 * time.Hour).Format(time.RFC3339)
	other.admit(scheduled)
	require.Equal(t, 1, figures(l.at).Open[offboarding.PhaseScheduled])

	whole := l.of(l.member)
	archived := whole.Document(whole.member, "")
	whole.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived)
	whole.inGrace()
	f = figures(whole.at)
	require.Equal(t, map[offboarding.Phase]int{offboarding.PhaseDeactivated: 1, offboarding.PhaseScheduled: 1, offboarding.PhaseGrace: 1}, f.Open)
	require.Equal(t, 2, f.Waiting)
	require.Zero(t, f.PendingRequests)

	request := whole.requested(r.outside, whole.Maker())
	asked := whole.at
	f = figures(asked.Add(time.Hour))
	require.Equal(t, 1, f.PendingRequests)
	require.Zero(t, f.OverdueRequests)
	require.Equal(t, time.Hour, f.OldestRequestAge)
	require.Equal(t, 1, figures(asked.Add(offboarding.EscalateAfter)).OverdueRequests)
	_, err := whole.store.Decide(t.Context(), whole.decideInput(request, offboarding.DecisionApprove, l.Manager))
	require.NoError(t, err)
	f = figures(whole.at)
	require.Zero(t, f.PendingRequests)
	require.Zero(t, f.OldestRequestAge)
	require.Equal(t, 1, f.Waiting)

	trouble := func(c *leaving, worst *offboarding.Trouble) {
		t.Helper()
		require.NoError(t, l.store.RecordTrouble(t.Context(), offboarding.TroubleInput{CaseID: c.id, Trouble: worst}))
	}
	trouble(whole, &offboarding.Trouble{Step: "settle", Attempt: 3, LastError: "settle: the database failed (SQLSTATE 53300)", Since: whole.at})
	require.Equal(t, 1, figures(whole.at).Troubled)
	trouble(whole, nil)
	require.Zero(t, figures(whole.at).Troubled)
}

// However many documents, closed cases and decided requests there are, none of them
// is read but those that wait.
func TestFiguresReadWhatIsOpen(t *testing.T) {
	t.Parallel()
	l := figuresAmong(t, 60_000, 20_000)
	read := func() map[string]int {
		t.Helper()
		l.Exec(`SELECT pg_stat_force_next_flush()`)
		l.Exec(`SELECT pg_stat_clear_snapshot()`)
		var rows []struct {
			Table string `db:"relname"`
			N     int    `db:"n"`
		}
		require.NoError(t, l.DB.Select(&rows, `SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_user_tables
			WHERE relname IN ('documents', 'cases', 'members', 'ownership_requests')`))
		out := map[string]int{}
		for _, row := range rows {
			out[row.Table] = row.N
		}
		return out
	}
	before := read()
	const times = 8 // the later ones with a plan made for any time
	for range times {
		f, err := l.store.Figures(t.Context(), l.at)
		require.NoError(t, err)
		require.Equal(t, 100, f.Waiting)
		require.Equal(t, 1, f.PendingRequests)
	}
	for table, n := range read() {
		require.LessOrEqual(t, (n-before[table])/times, 300, table)
	}
	l.Exec(`SELECT count(*) FROM documents WHERE title = 'nothing like it'`)
	require.Greater(t, read()["documents"]-before["documents"], 50_000, "the check sees a scan where there is one")
}

// figuresAmong is a case in grace with a hundred documents and a pending request,
// among so many documents of others, and closed cases with a decided request each.
func figuresAmong(t *testing.T, documents, closed int) *leaving {
	t.Helper()
	db := testdb.New(t)
	db.SetMaxOpenConns(1) // which counts what it reads and tells it when asked
	l := newLeavingOn(t, fixture.New(t, db), postgres.New(db))
	l.Documents(l.Admin, documents)
	l.Documents(l.member, 99)
	wanted := l.Document(l.member, "")
	l.inGrace()
	l.requested(wanted, l.Maker())
	l.Exec(`INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules,
			grace_period_seconds, created_at, effective_at, deactivated_at, closed_at)
		SELECT gen_random_uuid(), 'offboarding/' || i, $1, $2, $3, '', '', 'completed', 'retain', false, 0, $4, $4, $4, $4
		FROM generate_series(1, $5) i`, l.ID, l.Manager, l.Admin, l.at, closed)
	l.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at, decided_at)
		SELECT gen_random_uuid(), organization_id, id, $1, $2, '', 'superseded', $3, $3 FROM cases WHERE phase = 'completed'`, wanted, l.Manager, l.at)
	l.Exec(`ANALYZE`)
	return l
}

var measure = flag.Bool("measure-figures", false, "measure how long Figures takes among 1,000,000 documents")

// TestMeasureFigures says how long it takes among a million documents, a tenth of
// which wait.
func TestMeasureFigures(t *testing.T) {
	if !*measure {
		t.Skip("measures only with -measure-figures")
	}
	l := figuresAmong(t, 900_000, 100_000)
	for leaver := range 1000 {
		other := l.of(l.Maker())
		other.Documents(other.member, 100)
		other.inGrace()
		if leaver == 0 {
			l.Exec(`ANALYZE`)
		}
	}
	for range 5 {
		began := time.Now()
		f, err := l.store.Figures(t.Context(), l.at)
		require.NoError(t, err)
		t.Logf("%d documents wait in %d cases: %s", f.Waiting, f.Open[offboarding.PhaseGrace], time.Since(began).Round(time.Millisecond))
	}
}
