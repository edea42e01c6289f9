package postgres_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// interrupted takes lines, and does something when some of them have come.
type interrupted struct {
	bytes.Buffer
	after int
	do    func()
}

func (w *interrupted) Write(line []byte) (int, error) {
	if w.after--; w.after == 0 {
		w.do()
	}
	return w.Buffer.Write(line)
}

// An export with proof is of one moment: a deletion and new seals in the midst of it do
// not make it look tampered with.
func TestAnExportWithProofIsOfOneMoment(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]int{"before the first line": 0, "at the first line": 1, "in the middle": 700, "at the end of a page": offboarding.MaxLimit + 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := known(t)
			l.Exec(`INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at)
				SELECT $1::uuid, 'Test', '', 'case', i::text, '{}', '{}', now() FROM generate_series(1, $2) i`, l.ID, offboarding.MaxLimit)
			for range 10 {
				add(t, l.DB, l.Organization, `{"reason": "has left for the sea"}`)
			}
			sealed(t, l.store, 5000)
			add(t, l.DB, l.Organization, `{"reason": "too new for a seal"}`)
			before := l.Count(`SELECT count(*) FROM audit_events`)
			export := func(after int, do func()) offboarding.AuditReport {
				t.Helper()
				trail, err := l.store.BeginAuditTrail(t.Context(), offboarding.AuditFilter{OrganizationID: l.ID}, true)
				require.NoError(t, err)
				defer trail.Close()
				if after == 0 {
					do()
				}
				w := &interrupted{after: after, do: do}
				require.NoError(t, trail.WriteLines(t.Context(), w))
				require.LessOrEqual(t, w.after, 0, "so many lines there were")
				v := &offboarding.AuditVerifier{}
				require.NoError(t, v.VerifyExport(&w.Buffer))
				r := v.Report()
				require.Empty(t, r.Breaks)
				require.Len(t, r.Organizations, 1)
				return r
			}
			r := export(after, func() {
				l.deleted()
				sealed(t, l.store, 100)
			})
			require.Equal(t, []int{before - 1, 0, 1}, []int{r.Organizations[0].Events, r.Organizations[0].Erased, r.Organizations[0].Unsealed})
			r = export(0, func() {})
			require.Positive(t, r.Organizations[0].Erased, "after the deletion")
			require.Zero(t, r.Organizations[0].Unsealed)
		})
	}
}
