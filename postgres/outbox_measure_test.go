package postgres_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
)

var measureOutbox = flag.Int("measure-outbox", 0, "audit events to write, for the measurements")

// TestMeasureOutbox says what the outbox costs per audit event: one event per
// transaction, as steps write them, and many in one statement, as sweeps do.
//
//	go test -run TestMeasureOutbox ./postgres -measure-outbox 20000 -v
func TestMeasureOutbox(t *testing.T) {
	if *measureOutbox == 0 {
		t.Skip("measures only with -measure-outbox")
	}
	db := testdb.New(t)
	o, other := fixture.New(t, db), fixture.New(t, db)
	const one = `INSERT INTO audit_events (organization_id, event, case_id, origin, subject_kind, subject_id, before, after, at)
		VALUES ($1, 'TransferDocs', $1, '', 'document', 'x', '{"owner_id": "a"}', '{"owner_id": "b"}', '2026-03-02')`
	const many = `INSERT INTO audit_events (organization_id, event, case_id, origin, subject_kind, subject_id, before, after, at)
		SELECT $1, 'TransferDocs', $1::uuid, '', 'document', 'x', '{"owner_id": "a"}', '{"owner_id": "b"}', '2026-03-02' FROM generate_series(1, 2000)`
	hook := func(organization, creator string) {
		o.Exec(`INSERT INTO webhooks (id, organization_id, url, description, events, status, secret_ref, created_by, created_at)
			VALUES (gen_random_uuid(), $1, 'https://a.example', '', '{}', 'active', 'x', $2, '2026-03-02')`, organization, creator)
	}
	situations := []struct {
		name string
		make func()
	}{
		{"no trigger", func() { o.Exec(`ALTER TABLE audit_events DISABLE TRIGGER audit_events_to_webhooks`) }},
		{"no webhook", func() { o.Exec(`ALTER TABLE audit_events ENABLE TRIGGER audit_events_to_webhooks`) }},
		{"others have 100", func() {
			for range 100 {
				hook(other.ID, other.Admin)
			}
		}},
		{"one webhook", func() { hook(o.ID, o.Admin) }},
	}
	for round := range 3 {
		for _, s := range situations {
			s.make()
			stmt, err := db.Prepare(one)
			require.NoError(t, err)
			start := time.Now()
			tx, err := db.Begin()
			require.NoError(t, err)
			txStmt := tx.Stmt(stmt)
			for range *measureOutbox {
				_, err := txStmt.Exec(o.ID)
				require.NoError(t, err)
			}
			require.NoError(t, tx.Commit())
			single := time.Since(start) / time.Duration(*measureOutbox)
			require.NoError(t, stmt.Close())
			start = time.Now()
			for range *measureOutbox / 2000 {
				o.Exec(many, o.ID)
			}
			batch := time.Since(start) / time.Duration(*measureOutbox)
			fmt.Printf("round %d  %-16s one by one %v, 2,000 in a statement %v an event\n", round+1, s.name, single, batch)
		}
		o.Exec(`TRUNCATE webhooks`)
	}
}
