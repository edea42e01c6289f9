package schema_test

import (
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

const eraseMember = `UPDATE members SET status = 'deleted', email = 'deleted-' || id || '@deleted.invalid', external_id = 'deleted:' || id,
	manager_id = NULL WHERE id = $1`

const eraseTexts = `UPDATE audit_events SET before = without_texts(before), after = without_texts(after) WHERE event = $1`

// The audit's one exception: the transaction that deletes a member takes the texts
// out of the events about that member, and does nothing else to them.
func TestTheAuditForgetsNothingButTextsOfADeletedMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := func(name, member, caseID string) {
		w.Exec(`INSERT INTO audit_events (organization_id, event, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
			VALUES ($1, $2, '', $3, nullif($4, '')::uuid, 'case', 'x', '{"reason": "Ada is ill", "phase": "grace"}', '{}', $5)`, w.ID, name, member, caseID, fixture.Start)
	}
	event("AboutThem", w.Leaver, "")
	event("InTheirCase", w.Manager, w.caseID)
	event("AboutAnother", w.Manager, "")

	tries := map[string]struct {
		deletes bool // the member, in the same transaction
		query   string
		allowed bool
	}{
		"outside of a deletion":         {false, `UPDATE audit_events SET before = without_texts(before) WHERE event = 'AboutThem'`, false},
		"about them":                    {true, `UPDATE audit_events SET before = without_texts(before) WHERE event = 'AboutThem'`, true},
		"in their case":                 {true, `UPDATE audit_events SET before = without_texts(before) WHERE event = 'InTheirCase'`, true},
		"about somebody else":           {true, `UPDATE audit_events SET before = without_texts(before) WHERE event = 'AboutAnother'`, false},
		"other details than the erased": {true, `UPDATE audit_events SET before = '{"reason": "", "phase": "grace"}' WHERE event = 'AboutThem'`, false},
		"no details at all":             {true, `UPDATE audit_events SET before = '{}' WHERE event = 'AboutThem'`, false},
		"the phase with the texts": {
			true, `UPDATE audit_events SET before = without_texts(before) || '{"phase": "read_only"}' WHERE event = 'AboutThem'`, false,
		},
		"the event": {true, `UPDATE audit_events SET before = without_texts(before), event = 'Nothing' WHERE event = 'AboutThem'`, false},
		"the actor": {true, `UPDATE audit_events SET before = without_texts(before), actor_id = member_id WHERE event = 'AboutThem'`, false},
		"the time":  {true, `UPDATE audit_events SET before = without_texts(before), at = at + interval '1 day' WHERE event = 'AboutThem'`, false},
		"the member": {
			true, `UPDATE audit_events SET before = without_texts(before), member_id = NULL WHERE event = 'AboutThem'`, false,
		},
		"deletion of events": {true, `DELETE FROM audit_events WHERE event = 'AboutThem'`, false},
		"truncation":         {true, `TRUNCATE audit_events`, false},
	}
	for name, try := range tries {
		t.Run(name, func(t *testing.T) {
			within(t, w.DB, func(tx *sqlx.Tx) {
				if try.deletes {
					_, err := tx.Exec(eraseMember, w.Leaver)
					require.NoError(t, err)
				}
				_, err := tx.Exec(try.query)
				if try.allowed {
					require.NoError(t, err)
					return
				}
				refusedBy(t, "audit_is_append_only", err)
			})
		})
	}

	w.Exec(eraseMember, w.Leaver)
	within(t, w.DB, func(tx *sqlx.Tx) {
		_, err := tx.Exec(eraseTexts, "AboutThem")
		refusedBy(t, "audit_is_append_only", err) // the deletion's transaction is over
	})
}

func TestADeletedMemberStaysDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, try := range map[string]struct{ constraint, query string }{
		"deleted while active":    {"members_offboarded_first", `UPDATE members SET status = 'deleted' WHERE id = (SELECT manager_id FROM members WHERE id = $1)`},
		"deleted with an address": {"members_deleted_check", `UPDATE members SET status = 'deleted' WHERE id = $1`},
	} {
		within(t, w.DB, func(tx *sqlx.Tx) {
			_, err := tx.Exec(try.query, w.Leaver)
			refusedBy(t, try.constraint, err, name)
		})
	}
	w.Exec(eraseMember, w.Leaver)
	for query, constraint := range map[string]string{
		`UPDATE members SET status = 'active' WHERE id = $1`:          "members_deleted_stays",
		`UPDATE members SET status = 'inactive' WHERE id = $1`:        "members_deleted_stays",
		`UPDATE members SET status = 'archived' WHERE id = $1`:        "members_deleted_stays",
		`DELETE FROM members WHERE id = $1`:                           "members_deleted_stays",
		`UPDATE members SET email = 'ada@acme.example' WHERE id = $1`: "members_deleted_check",
		`UPDATE members SET external_id = 'ada' WHERE id = $1`:        "members_deleted_check",
		`UPDATE members SET time_zone = 'Europe/Paris' WHERE id = $1`: "members_deleted_check",
	} {
		within(t, w.DB, func(tx *sqlx.Tx) {
			_, err := tx.Exec(query, w.Leaver)
			refusedBy(t, constraint, err, query)
		})
	}
}

// within runs fn in a transaction that leaves nothing.
func within(t *testing.T, db *sqlx.DB, fn func(*sqlx.Tx)) {
	t.Helper()
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	fn(tx)
}

func refusedBy(t *testing.T, constraint string, err error, what ...any) {
	t.Helper()
	var refused *pq.Error
	require.ErrorAs(t, err, &refused, what...)
	require.Equal(t, constraint, refused.Constraint, what...)
}
