package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// The preview of a list says of everybody what the run then does, and changes nothing.
func TestBulkPreviewSaysWhatTheRunDoes(t *testing.T) {
	t.Parallel()
	l := everything(t)
	manager := l.add(l.Maker(), offboarding.BulkPlan{})
	l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: manager}) // who leaves in the same run
	state := func() string {
		return l.Text(`SELECT (SELECT count(*) FROM cases) || ' ' || (SELECT count(*) FROM audit_events) || ' ' || (SELECT count(*) FROM bulk_runs)
			|| ' ' || (SELECT count(*) FROM members WHERE status = 'active')`)
	}
	before := state()
	preview, err := l.store.PreviewBulk(t.Context(), l.request, l.at)
	require.NoError(t, err)
	require.Equal(t, before, state())
	require.True(t, preview.Allowed)

	documents := map[offboarding.Disposition]int{}
	credentials, sessions := 0, 0
	for _, row := range preview.Items {
		if row.Outcome != offboarding.BulkMemberStarted && row.Outcome != offboarding.BulkMemberScheduled {
			continue
		}
		documents[row.Disposition] += l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1 AND access <> 'archived'`, row.MemberID)
		credentials += l.Count(`SELECT count(*) FROM credentials WHERE member_id = $1 AND status = 'active'`, row.MemberID)
		sessions += l.Count(`SELECT count(*) FROM sessions WHERE member_id = $1 AND status = 'active'`, row.MemberID)
	}
	require.Equal(t, documents, preview.Documents)
	require.Positive(t, documents[offboarding.DispositionRetain])
	require.Equal(t, credentials, preview.Credentials)
	require.Equal(t, sessions, preview.Sessions)
	require.Positive(t, credentials*sessions)

	rows := l.bulk(t)
	require.Len(t, preview.Items, len(rows))
	for i, row := range rows {
		said := preview.Items[i]
		require.Equal(t, row.Outcome, said.Outcome, "place %d: %+v, and the run %+v", row.Position, said, row)
		require.Equal(t, row.Violations, said.Violations)
		require.Equal(t, row.MemberID, said.MemberID)
		require.Equal(t, row.MemberName, said.MemberName)
		if row.Outcome == offboarding.BulkMemberStarted || row.Outcome == offboarding.BulkMemberScheduled {
			require.Equal(t, l.Text(`SELECT c.disposition || coalesce(m.display_name, '') || c.fallback_reason FROM cases c LEFT JOIN members m ON m.id = c.new_owner_id WHERE c.id = $1`, row.CaseID),
				string(said.Disposition)+said.NewOwnerName+said.FallbackReason, "place %d", row.Position)
		}
	}
	run, err := l.store.FindBulkRun(t.Context(), "run")
	require.NoError(t, err)
	message, _ := run.Counts.Result()
	require.Equal(t, message, preview.Message)
	require.Equal(t, run.Counts.Refused, preview.Counts.Refused)
}

// What refuses a run as a whole is said, and so is what one refusal does to the others.
func TestBulkPreviewOfARunThatIsRefused(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	for range 12 {
		l.add(l.Maker(), offboarding.BulkPlan{})
	}
	l.request.Confirmed = false
	preview, err := l.store.PreviewBulk(t.Context(), l.request, l.at)
	require.NoError(t, err)
	require.False(t, preview.Allowed)
	require.Equal(t, offboarding.CodeBulkLimitExceeded, preview.Violations[0].Code)
	require.Equal(t, 12, preview.Counts.Started)

	l.request.Confirmed, l.request.AllOrNothing = true, true
	l.add("external:nobody", offboarding.BulkPlan{})
	preview, err = l.store.PreviewBulk(t.Context(), l.request, l.at)
	require.NoError(t, err)
	require.Equal(t, offboarding.BulkPreviewCounts{Total: 13, Refused: 1, NotStarted: 12}, preview.Counts)
	require.Equal(t, offboarding.BulkRefused, preview.Message)
	require.Equal(t, offboarding.CodeMemberNotFound, preview.Items[12].Violations[0].Code)

	l.request.RequestedBy = l.Manager
	_, err = l.store.PreviewBulk(t.Context(), l.request, l.at)
	require.Equal(t, offboarding.CodeNotAuthorized, offboarding.CodeOf(err))
}
