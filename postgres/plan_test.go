package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// leaveAuditAlone keeps the database from working on the index of the audit's times by
// itself: each of its ranges counts as a scan, a minute later too. To be called before
// there is much.
func leaveAuditAlone(o *fixture.Organization) {
	o.Exec(`ALTER INDEX audit_events_at_idx SET (autosummarize = off)`)
	o.Exec(`ALTER TABLE audit_events SET (autovacuum_enabled = off)`)
}

// Sweeps and messages find what they work on by an index: none of them reads
// all documents or the whole audit. (Of the schedules, a sweep may: for thousands of
// documents at once that is cheaper while the table is small.)
func TestNoStepReadsWholeTables(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	db.SetMaxOpenConns(1) // which counts its scans and tells them when asked
	o := fixture.New(t, db)
	l := newLeavingOn(t, o, postgres.New(db))
	leaveAuditAlone(l.Organization)
	document, maker := l.claimable()
	wanted := l.Document(l.member, "")
	l.Documents(l.Admin, 54_000)
	l.Documents(l.member, 6_000)
	l.Exec(`INSERT INTO schedules (id, organization_id, document_id, kind, cron, status)
		SELECT gen_random_uuid(), organization_id, id, 'export', '0 6 * * 1', 'active' FROM documents`)
	l.Exec(`INSERT INTO audit_events (organization_id, event, member_id, document_id, origin, subject_kind, subject_id, before, after, at)
		SELECT organization_id, 'TransferDocs', owner_id, id, '', 'document', id, '{}', '{}', created_at FROM documents`)
	l.Exec(`INSERT INTO grants (organization_id, document_id, member_id, level)
		SELECT organization_id, id, $1, 'edit' FROM documents ON CONFLICT DO NOTHING`, l.Manager)
	l.inGrace()
	l.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at, decided_at)
		SELECT gen_random_uuid(), organization_id, $1, id, $2, '', 'superseded', $3, $3 FROM documents`, l.id, l.Manager, l.at)
	l.Exec(`ANALYZE`)

	scans := func() map[string]int {
		t.Helper()
		l.Exec(`SELECT pg_stat_force_next_flush()`)
		l.Exec(`SELECT pg_stat_clear_snapshot()`)
		var rows []struct {
			Table string `db:"relname"`
			N     int    `db:"n"`
		}
		require.NoError(t, db.Select(&rows, `SELECT relname, coalesce(seq_scan, 0) AS n FROM pg_stat_user_tables
			WHERE relname IN ('documents', 'audit_events', 'grants', 'ownership_requests')`))
		out := map[string]int{}
		for _, row := range rows {
			out[row.Table] = row.N
		}
		return out
	}
	before := scans()
	check := func(step string) {
		t.Helper()
		require.Equal(t, before, scans(), "%s reads a table from end to end", step)
		l.Exec(`ANALYZE`) // as the database does by itself at any time: the next step is planned anew
	}

	of := offboarding.Case{ID: l.id, MemberID: l.member}
	for range 8 { // the later ones with a plan made for any member
		for _, f := range []offboarding.DocumentFilter{
			{ViewerID: l.Manager, ViewerOnly: true, Limit: 10},
			{ViewerID: l.Manager, ViewerOnly: true, Cursor: document, Limit: 10},
			{ViewerID: l.Manager, ViewerOnly: true, Unowned: true, Reach: []string{l.ID}, Limit: 10},
			{ViewerID: l.Manager, Claimable: true, Reach: []string{l.ID}, Limit: 10},
			{ViewerID: maker, Claimable: true, Reach: []string{l.ID}, Limit: 10},
			{ViewerID: l.Manager, Reach: []string{l.ID}, Cursor: document, Limit: 10},
			{ViewerID: l.Admin, Reach: []string{l.ID}, Limit: 10},
			{ViewerID: l.Admin, Unowned: true, Reach: []string{l.ID}, Limit: 10},
			{ViewerID: l.Admin, OwnerID: l.member, Reach: []string{l.ID}, Limit: 10},
			{ViewerID: l.Admin, Reach: []string{l.ID}, Case: &of, State: offboarding.DocumentWaiting, Limit: 10},
			{ViewerID: l.Admin, Reach: []string{l.ID}, Case: &of, State: offboarding.DocumentReadOnly, Limit: 10},
			{ViewerID: l.Admin, Reach: []string{l.ID}, Case: &of, State: offboarding.DocumentMoved, Limit: 10},
			{ViewerID: l.Admin, Reach: []string{l.ID}, Case: &of, State: offboarding.DocumentArchived, Limit: 10},
			{ViewerID: l.Manager, ViewerOnly: true, Case: &of, State: offboarding.DocumentMoved, Limit: 10},
		} {
			_, err := l.store.Documents(t.Context(), f)
			require.NoError(t, err)
		}
		_, err := l.store.ReadDocument(t.Context(), document, maker, false, l.ID)
		require.NoError(t, err)
		check("a list of documents")
	}
	for range 8 {
		for _, f := range []offboarding.RequestFilter{
			{Reach: []string{l.ID}, Limit: 10},
			{Reach: []string{l.ID}, Decided: true, NewestFirst: true, Limit: 10},
			{MemberID: l.Manager, Reach: []string{l.ID}, AnyStatus: true, NewestFirst: true, Limit: 10},
			{MemberID: maker, Reach: []string{l.ID}, AnyStatus: true, NewestFirst: true, Limit: 10},
			{CaseID: l.id, Reach: []string{l.ID}, Limit: 10},
		} {
			_, err := l.store.Requests(t.Context(), f)
			require.NoError(t, err)
		}
		check("a list of ownership requests")
	}
	for range 8 {
		left := l.of(l.Maker())
		a, err := l.store.Admit(t.Context(), left.atOnce(left.request()))
		require.NoError(t, err)
		require.Equal(t, offboarding.PhaseDeactivated, a.Phase)
		_, err = l.store.Settle(t.Context(), offboarding.SettleInput{Step: left.step("settle/1")})
		require.NoError(t, err)
		check("a start at once")
	}
	l.claim(document, maker)
	check("a claim")
	for range 8 { // the later ones with a plan made for any claim
		l.claim(l.claimable()) // makes the folders
		again := l.Document(l.member, "")
		l.Grant(again, maker, offboarding.GrantEdit)
		l.claim(again, maker)
		check("a claim")
		_, err := l.store.Claim(t.Context(), l.claimInput(again, l.Manager))
		require.Equal(t, offboarding.CodeNoAccess, offboarding.CodeOf(err))
		check("a refused claim")
	}
	_, err := l.store.Decide(t.Context(), l.decideInput(l.requested(wanted, l.Maker()), offboarding.DecisionApprove, ""))
	require.NoError(t, err)
	check("an approval")
	for range 8 { // the later ones with a plan made for any member
		_, err = l.store.Successors(t.Context(), l.member, "", "", 0)
		require.NoError(t, err)
		check("a suggestion")
		_, err = l.store.Remind(t.Context(), l.remindInput("remind/"+newID()))
		require.NoError(t, err)
		check("a reminder")
		_, err = l.store.Escalate(t.Context(), l.step("escalate/"+newID()))
		require.NoError(t, err)
		check("an escalation")
	}
	l.advance(offboarding.PhaseReadOnly)
	l.sweep(l.store.LockBatch, offboarding.SweepInput{Step: l.step("lock")})
	check("the lock")
	l.sweep(l.store.RestoreBatch, offboarding.SweepInput{Step: l.step("restore"), ActorID: l.Admin})
	check("the restoration")
	l.sweep(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager, ArchiveSchedules: true})
	check("the transfer")
	_, err = l.store.ReactivateMember(t.Context(), reactivateInput(l))
	require.NoError(t, err)
	check("the reactivation")
	l.sweep(l.store.ReturnBatch, offboarding.SweepInput{Step: l.step("return"), ActorID: l.Admin})
	check("the return")
	l.sweep(l.store.GrantBatch, offboarding.SweepInput{Step: l.step("grant"), ActorID: l.Admin})
	check("the grants")

	other := l.of(l.member)
	require.NoError(t, l.store.CloseReactivated(t.Context(), l.step("close")))
	r := other.request()
	r.Disposition = offboarding.DispositionArchive
	other.deactivated(r).advance(offboarding.PhaseTransferring)
	before = scans() // counting what the member owns may well read the table
	l.sweep(l.store.ArchiveBatch, offboarding.SweepInput{Step: other.step("archive")})
	check("the archiving")

	l.Exec(`SELECT count(*) FROM documents WHERE title = 'nothing like it'`)
	require.NotEqual(t, before, scans(), "the check sees a scan where there is one")
}
