package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"handover/activities"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// environment runs the activities on a store, and keeps their heartbeats.
type environment struct {
	*testsuite.TestActivityEnvironment
	mu    sync.Mutex
	beats []offboarding.Sweep
}

func newEnvironment(acts *activities.Activities) *environment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	e := &environment{TestActivityEnvironment: suite.NewTestActivityEnvironment()}
	e.RegisterActivity(acts)
	e.SetTestTimeout(time.Minute)
	e.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var s offboarding.Sweep
		if details.Get(&s) == nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.beats = append(e.beats, s)
		}
	})
	return e
}

func (e *environment) sweep(t *testing.T, name any, in offboarding.SweepInput) (offboarding.Sweep, error) {
	t.Helper()
	value, err := e.ExecuteActivity(name, in)
	if err != nil {
		return offboarding.Sweep{}, err
	}
	var s offboarding.Sweep
	require.NoError(t, value.Get(&s))
	return s, nil
}

// inactive opens a case of the organization's leaver and goes on until the leaver
// is inactive.
func inactive(t *testing.T, o *fixture.Organization, store *postgres.Store, disposition offboarding.Disposition) func(string) offboarding.Step {
	t.Helper()
	id, at := uuid.Must(uuid.NewV7()).String(), fixture.Start
	step := func(name string) offboarding.Step {
		at = at.Add(time.Minute)
		return offboarding.Step{CaseID: id, Name: name, At: at}
	}
	_, err := store.Admit(t.Context(), offboarding.AdmitInput{
		CaseID: id, WorkflowID: offboarding.WorkflowID(o.Leaver), At: at,
		Request: offboarding.Request{MemberID: o.Leaver, RequestedBy: o.Owner, Disposition: disposition},
	})
	require.NoError(t, err)
	_, err = store.Revoke(t.Context(), offboarding.RevokeInput{Step: step("revoke")})
	require.NoError(t, err)
	_, err = store.Deactivate(t.Context(), step("deactivate"))
	require.NoError(t, err)
	return step
}

// flaky is a store whose transfers fail at some batches, before or after their commit.
type flaky struct {
	*postgres.Store
	batches int
	before  int
	after   int
}

var errCut = errors.New("the connection was cut")

func (f *flaky) TransferBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error) {
	f.batches++
	if f.batches == f.before {
		return offboarding.Sweep{}, errCut
	}
	s, err := f.Store.TransferBatch(ctx, in, cursor)
	if err == nil && f.batches == f.after {
		return offboarding.Sweep{}, errCut // committed, and nobody learned of it
	}
	return s, err
}

// Another attempt goes on from the heartbeat, or from the start where it was lost,
// and the sums are exact either way.
func TestASweepGoesOnFromItsHeartbeat(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]bool{"with the heartbeat": true, "heartbeat lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testdb.New(t)
			o := fixture.New(t, db)
			o.Documents(o.Leaver, 10)
			store := &flaky{Store: postgres.New(db).WithBatchSize(2), before: 2, after: 5}
			step := inactive(t, o, store.Store, offboarding.DispositionTransfer)
			acts := activities.New(store, nil, activities.LogNotifier{Log: slog.New(slog.DiscardHandler)}, slog.New(slog.DiscardHandler))
			in := offboarding.SweepInput{Step: step("transfer"), NewOwnerID: o.Manager}

			var last offboarding.Sweep
			failures := 0
			for {
				e := newEnvironment(acts)
				if keep && last.Cursor != "" {
					e.SetHeartbeatDetails(last)
				}
				s, err := e.sweep(t, acts.TransferDocuments, in)
				if len(e.beats) > 0 {
					last = e.beats[len(e.beats)-1]
				}
				if err == nil {
					require.Equal(t, 10, s.Documents)
					break
				}
				failures++
			}
			require.Equal(t, 2, failures)
			require.Equal(t, 10, o.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, o.Manager))
			require.Equal(t, 10, o.Count(`SELECT count(*) FROM audit_events WHERE event = 'TransferDocs'`))
		})
	}
}

// A refusal is an application error that is not tried again, with the rule's code
// as its type; anything else is tried again.
func TestRefusalsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	o := fixture.New(t, db)
	o.Documents(o.Leaver, 1)
	store := postgres.New(db)
	step := inactive(t, o, store, offboarding.DispositionRetain)
	acts := activities.New(store, nil, activities.LogNotifier{Log: slog.New(slog.DiscardHandler)}, slog.New(slog.DiscardHandler))
	e := newEnvironment(acts)
	_, err := e.sweep(t, acts.TransferDocuments, offboarding.SweepInput{Step: step("transfer"), NewOwnerID: o.Leaver})
	refusal := activities.RefusalFrom(err)
	require.NotNil(t, refusal, "%v", err)
	require.Equal(t, offboarding.CodeNewOwnerNotEligible, refusal.Code())
	require.Equal(t, "N1", refusal.Violations[0].Rule)

	_, err = e.ExecuteActivity(acts.Notify, offboarding.Notice{Key: "k"})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = e.ExecuteActivity(acts.Admit, offboarding.AdmitInput{CaseID: uuid.NewString()})
	require.Error(t, err)
	require.Nil(t, activities.RefusalFrom(err))
}

// 100,000 documents are locked, transferred and archived, in one activity each,
// with an event a document, heartbeats, and memory that does not grow with them.
func TestAHundredThousandDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	const documents = 100_000
	db := testdb.New(t)
	store := postgres.New(db)
	acts := activities.New(store, nil, activities.LogNotifier{Log: slog.New(slog.DiscardHandler)}, slog.New(slog.DiscardHandler))
	o := fixture.New(t, db)
	o.Documents(o.Leaver, documents)
	sweep := func(name any, in offboarding.SweepInput, event, access string) {
		t.Helper()
		e := newEnvironment(acts)
		before, began := heap(), time.Now()
		s, err := e.sweep(t, name, in)
		require.NoError(t, err)
		t.Logf("%s: %.1f s", event, time.Since(began).Seconds())
		require.Less(t, heap()-before, 32.0, "MiB that stay in memory")
		require.Equal(t, documents, s.Documents)
		require.NotEmpty(t, e.beats)
		require.Equal(t, documents, o.Count(`SELECT count(*) FROM audit_events WHERE event = $1`, event))
		require.Equal(t, documents, o.Count(`SELECT count(DISTINCT document_id) FROM audit_events WHERE event = $1`, event))
		require.Equal(t, documents, o.Count(`SELECT count(*) FROM documents WHERE access = $1`, access))
	}

	step := inactive(t, o, store, offboarding.DispositionRetain)
	ends := fixture.Start.Add(time.Hour)
	_, err := store.Settle(t.Context(), offboarding.SettleInput{Step: step("settle"), GraceEndsAt: &ends})
	require.NoError(t, err)
	_, err = store.Advance(t.Context(), offboarding.AdvanceInput{Step: step("end-grace"), Phase: offboarding.PhaseReadOnly})
	require.NoError(t, err)
	sweep(acts.LockDocuments, offboarding.SweepInput{Step: step("lock")}, offboarding.EventMarkDocsReadOnly, "read_only")
	sweep(acts.TransferDocuments, offboarding.SweepInput{Step: step("transfer"), NewOwnerID: o.Manager}, offboarding.EventTransferDocs, "editable")

	o.Leaver = o.Manager // who leaves next
	step = inactive(t, o, store, offboarding.DispositionArchive)
	_, err = store.Advance(t.Context(), offboarding.AdvanceInput{Step: step("transferring"), Phase: offboarding.PhaseTransferring})
	require.NoError(t, err)
	sweep(acts.ArchiveDocuments, offboarding.SweepInput{Step: step("archive")}, offboarding.EventArchiveDocs, "archived")
}

// heap is what is in use after a collection, in MiB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
