package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// Who leaves may have got all documents a moment ago, and the statistics know nothing of
// it: a document costs a few rows all the same, and not all of the batch or of a table.
func TestSweepsDoNotGoByStatistics(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	db.SetMaxOpenConns(1) // which counts its scans and tells them when asked
	o := fixture.New(t, db)
	l := newLeavingOn(t, o, postgres.New(db).WithBatchSize(1000))
	leaveAuditAlone(l.Organization)
	for _, table := range []string{"documents", "schedules", "ownership_requests"} {
		l.Exec(`ALTER TABLE ` + table + ` SET (autovacuum_enabled = off)`)
	}
	const schedule = `INSERT INTO schedules (id, organization_id, document_id, kind, cron, status)
		SELECT gen_random_uuid(), organization_id, id, 'export', '0 6 * * 1', 'active' FROM documents WHERE owner_id = $1`
	l.Documents(l.Admin, 20_000)
	l.Exec(schedule, l.Admin)
	l.Document(l.member, "")
	l.inGrace()
	l.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at, decided_at)
		SELECT gen_random_uuid(), c.organization_id, c.id, d.id, $1, '', 'superseded', c.created_at, c.created_at FROM cases c, documents d`, l.Manager)
	l.Exec(`ANALYZE`)
	const documents = 6_000
	l.Documents(l.member, documents-1)
	l.Exec(schedule, l.member)
	l.advance(offboarding.PhaseReadOnly)

	read := func() int { // rows
		l.Exec(`SELECT pg_stat_force_next_flush()`)
		l.Exec(`SELECT pg_stat_clear_snapshot()`)
		return l.Count(`SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables
			WHERE relname IN ('documents', 'schedules', 'ownership_requests')`)
	}
	sweep := func(do batch, in offboarding.SweepInput, schedules int) {
		t.Helper()
		before := read()
		s := l.sweep(do, in)
		require.Equal(t, documents, s.Documents)
		require.Equal(t, schedules, s.Schedules)
		require.Less(t, (read()-before)/documents, 20, "rows that are read for each document in %s", in.Name)
	}
	sweep(l.store.LockBatch, offboarding.SweepInput{Step: l.step("lock")}, documents)
	sweep(l.store.RestoreBatch, offboarding.SweepInput{Step: l.step("restore"), ActorID: l.Admin}, documents)
	sweep(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager, ArchiveSchedules: true}, documents)
}

// A transfer of documents that are named goes by their IDs, not through all that the
// leaver has.
func TestATransferOfNamedDocumentsIsOneBatch(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	documents := make([]string, 7)
	for i := range documents {
		documents[i] = l.Document(l.member, "")
	}
	l.inGrace()
	s, err := l.store.TransferBatch(t.Context(), offboarding.SweepInput{
		Step: l.step("transfer"), ActorID: l.Admin, NewOwnerID: l.Manager, DocumentIDs: documents[5:],
	}, "")
	require.NoError(t, err)
	require.Equal(t, 2, s.Documents)
	require.True(t, s.Done)
	require.Equal(t, l.Manager+" editable", l.DocumentState(documents[6]))
	require.Equal(t, l.member+" editable", l.DocumentState(documents[4]))
}
