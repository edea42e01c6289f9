package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// sideBySide offboards the admitted list in batches of one, three at the same moment,
// beside something else.
func (l *listed) sideBySide(t *testing.T, beside func() error) {
	t.Helper()
	store := l.store.WithBatchSize(1)
	batches := func(ctx context.Context) (any, error) {
		for after := 0; ; {
			var err error
			after, err = store.OffboardBatch(ctx, offboarding.BulkStep{BulkID: "run", At: l.at}, after)
			if err != nil || after == 0 {
				return after, err
			}
		}
	}
	errs := make([]error, 4)
	atOnce(
		func() { errs[0] = persistent(t, batches) },
		func() { errs[1] = persistent(t, batches) },
		func() { errs[2] = persistent(t, batches) },
		func() { errs[3] = beside() },
	)
	require.NoError(t, errors.Join(errs...))
}

// Batches that go on at the same moment process each row once, find the row that the
// database refuses, and of the last owners let the first on the list go (rule A3).
func TestBulkBatchesSideBySide(t *testing.T) {
	t.Parallel()
	for range 5 {
		l := newListed(t)
		want := []offboarding.BulkOutcome{}
		add := func(member string, outcome offboarding.BulkOutcome) {
			l.Credential(l.add(member, offboarding.BulkPlan{}))
			want = append(want, outcome)
		}
		for range 3 {
			add(l.Maker(), offboarding.BulkMemberStarted)
		}
		bad := l.Maker()
		add(bad, offboarding.BulkMemberFailed)
		add(l.Member(offboarding.RoleOwner, offboarding.AccountMaker), offboarding.BulkMemberStarted)
		add(l.Owner, offboarding.BulkMemberRefused)
		for range 4 {
			add(l.Maker(), offboarding.BulkMemberStarted)
		}
		l.Exec(fmt.Sprintf(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
			CREATE TRIGGER fails BEFORE UPDATE ON members FOR EACH ROW WHEN (NEW.id = '%s') EXECUTE FUNCTION fail()`, bad))
		_, err := l.admitted(t, "run")
		require.NoError(t, err)
		l.sideBySide(t, func() error { return nil })
		for i, row := range l.rows(t) {
			require.Equal(t, want[i], row.Outcome, "row %d", row.Position)
		}
		require.Equal(t, offboarding.CodeLastOwner, code(l.rows(t)[5]))
		require.Equal(t, 8, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'DeactivateMember'`))
		invariantsHold(t, l.store)
	}
}

// A cancel beside batches: who has lost access is on the list as that, and everybody
// else as canceled.
func TestBulkCancelBesideBatches(t *testing.T) {
	t.Parallel()
	for range 5 {
		l := newListed(t)
		for range 20 {
			l.add(l.Maker(), offboarding.BulkPlan{})
		}
		_, err := l.admitted(t, "run")
		require.NoError(t, err)
		l.sideBySide(t, func() error {
			_, err := l.store.CancelBulk(t.Context(), offboarding.BulkCancelInput{
				BulkStep: offboarding.BulkStep{BulkID: "run", At: l.at}, Message: offboarding.Cancel{AdminID: l.actor},
			})
			if offboarding.CodeOf(err) == offboarding.CodeWrongPhase { // came too late
				return nil
			}
			return err
		})
		run, err := l.store.BulkRun(t.Context(), "run")
		require.NoError(t, err)
		require.Equal(t, 20, run.Counts.Started+run.Counts.Canceled)
		require.Equal(t, run.Counts.Started, l.Count(`SELECT count(*) FROM bulk_members b JOIN members m ON m.id = b.member_id
			WHERE b.result = 'started' AND m.status = 'inactive'`))
		require.Equal(t, run.Counts.Canceled, l.Count(`SELECT count(*) FROM bulk_members b JOIN members m ON m.id = b.member_id
			WHERE b.result = 'canceled' AND m.status = 'active'`))
		invariantsHold(t, l.store)
	}
}

// A batch looks up what its leavers own, however little there is beside it, also before
// its statements are planned for any values.
func TestBulkBatchReadsNotAllDocuments(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.DB.SetMaxOpenConns(1) // which counts its scans and tells them when asked
	for range 300 {
		l.Documents(l.add(l.Maker(), offboarding.BulkPlan{}), 30)
	}
	l.Exec(`ANALYZE`)
	_, err := l.admitted(t, "run")
	require.NoError(t, err)
	scans := func() int {
		l.Exec(`SELECT pg_stat_force_next_flush()`)
		l.Exec(`SELECT pg_stat_clear_snapshot()`)
		return l.Count(`SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'documents'`)
	}
	before := scans()
	last, err := l.store.OffboardBatch(t.Context(), offboarding.BulkStep{BulkID: "run", At: l.at}, 0)
	require.NoError(t, err)
	require.Equal(t, 300, last)
	require.Equal(t, before, scans())
}
