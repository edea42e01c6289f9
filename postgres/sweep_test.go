package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// Each sweep goes over seven documents, three at once, and is torn off after each
// batch: with its connections gone, its context canceled, or its answer lost. What
// another run from the last cursor known comes to is the same as without.
func TestASweepResumes(t *testing.T) {
	t.Parallel()
	const documents = 7
	inTransfer := func(disposition offboarding.Disposition) func(*leaving) {
		return func(l *leaving) {
			r := l.request()
			r.Disposition = disposition
			l.deactivated(r).advance(offboarding.PhaseTransferring)
		}
	}
	for name, test := range map[string]struct {
		prepare func(*leaving)
		sweep   func(*leaving) batch
		event   string
		batches int
	}{
		"transfer": {
			inTransfer(offboarding.DispositionTransfer), func(l *leaving) batch { return l.store.TransferBatch }, offboarding.EventTransferDocs, 3,
		},
		"archive": {
			inTransfer(offboarding.DispositionArchive), func(l *leaving) batch { return l.store.ArchiveBatch }, offboarding.EventArchiveDocs, 3,
		},
		"lock": {
			func(l *leaving) { l.inGrace().advance(offboarding.PhaseReadOnly) },
			func(l *leaving) batch { return l.store.LockBatch }, offboarding.EventMarkDocsReadOnly, 3,
		},
		"restore": {
			func(l *leaving) { l.inGrace().readOnly() }, func(l *leaving) batch { return l.store.RestoreBatch }, offboarding.EventMarkDocsEditable, 3,
		},
		"return": {
			movedAndActive, func(l *leaving) batch { return l.store.ReturnBatch }, offboarding.EventReturnDocs, 3,
		},
		"grant": {
			movedAndActive, func(l *leaving) batch { return l.store.GrantBatch }, offboarding.EventGrantEdit, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			for range documents {
				l.Document(l.member, "")
			}
			test.prepare(l)
			do := test.sweep(l)
			in := offboarding.SweepInput{Step: l.step(name), ActorID: l.Admin, NewOwnerID: l.Manager}

			var total offboarding.Sweep
			batches := 0
			for ; !total.Done; batches++ {
				canceled, cancel := context.WithCancel(t.Context())
				cancel()
				_, err := do(canceled, in, total.Cursor)
				require.ErrorIs(t, err, context.Canceled)
				require.Empty(t, offboarding.CodeOf(err))
				_, err = l.DB.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()`)
				require.NoError(t, err)

				s := l.oneBatch(do, in, total.Cursor)
				require.Equal(t, s, l.oneBatch(do, in, total.Cursor), "the answer was lost")
				total.Documents += s.Documents
				total.Cursor, total.Done = s.Cursor, s.Done
			}
			require.GreaterOrEqual(t, batches, test.batches)
			require.Equal(t, documents, total.Documents)
			require.Equal(t, documents, l.eventsOf(test.event), "one event a document")
			require.Equal(t, documents, l.Count(`SELECT count(DISTINCT document_id) FROM audit_events WHERE event = $1`, test.event))
			if name != "restore" && name != "transfer" && name != "lock" && name != "archive" {
				require.NoError(t, l.store.CloseReactivated(t.Context(), l.step("close")))
			}
		})
	}
}

// movedAndActive is a case whose documents all moved, and whose member is back.
func movedAndActive(l *leaving) {
	l.inGrace().transfer(l.Manager)
	_, err := l.store.ReactivateMember(l.t.Context(), reactivateInput(l))
	require.NoError(l.t, err)
}

// oneBatch does one batch; connections that have been cut are given up one by one.
func (l *leaving) oneBatch(do batch, in offboarding.SweepInput, cursor string) offboarding.Sweep {
	l.t.Helper()
	for try := 0; ; try++ {
		s, err := do(l.t.Context(), in, cursor)
		if err == nil || try == 20 {
			require.NoError(l.t, err)
			return s
		}
	}
}
