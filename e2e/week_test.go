package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/client"
	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/offboarding"
)

const day = 24 * time.Hour

// dueTolerance is the time on the case's own clock from a timer to the end of what
// it sets off; that clock runs with the machine's while something is done.
const dueTolerance = 5*time.Minute + 30*time.Second // by which cases are spread, and the machine

// requireAt checks that the audit has the event of the case once for each time,
// then and not before.
func requireAt(t *testing.T, o *fixture.Organization, caseID, event string, want ...time.Time) {
	t.Helper()
	var have []time.Time
	require.NoError(t, o.DB.Select(&have, `SELECT DISTINCT at FROM audit_events WHERE case_id = $1 AND event = $2 ORDER BY at`, caseID, event))
	require.Len(t, have, len(want), "%s: %v", event, have)
	for i := range want {
		late := have[i].Sub(want[i])
		require.True(t, late >= 0 && late < dueTolerance, "%s is %s late", event, late)
	}
}

// reach waits for the phase in the database and in the status.
func reach(t *testing.T, o *fixture.Organization, f *foreign, caseID, phase string) {
	t.Helper()
	f.until("phase", phase)
	require.Equal(t, phase, o.Text(`SELECT phase FROM cases WHERE id = $1`, caseID))
}

func TestAWeek(t *testing.T) {
	t.Parallel()
	o, s := newOrganization(t)
	editor := o.Member("contributor", "editor")
	f, documents, maker := caseInGrace(t, o, s, 5)
	for _, document := range documents[1:3] {
		o.Grant(document, editor, "view")
	}
	cases := client.New(s.client)
	status, err := cases.Status(t.Context(), f.id)
	require.NoError(t, err)
	begun := *status.DeactivatedAt
	require.Equal(t, begun.Add(7*day), *status.GraceEndsAt)
	require.Equal(t, begun.Add(4*day), *status.NextReminderAt)

	forward(t, s.client, f.id, 2*day)
	before, err := temporalserver.VirtualNow(t.Context(), s.client, f.id)
	require.NoError(t, err)
	require.WithinDuration(t, begun.Add(2*day), before, dueTolerance)
	claimed, err := cases.Claim(t.Context(), f.id, offboarding.ClaimRequest{DocumentID: documents[0], MemberID: maker})
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeClaimed, claimed.Outcome)
	after, err := temporalserver.VirtualNow(t.Context(), s.client, f.id)
	require.NoError(t, err)
	var when time.Time
	require.NoError(t, o.DB.Get(&when, `SELECT at FROM audit_events WHERE document_id = $1 AND event = 'ClaimDocOwnership'`, documents[0]))
	require.False(t, when.Before(before.Add(-time.Millisecond)) || when.After(after.Add(time.Millisecond)), "%s is not from %s to %s", when, before, after)

	forward(t, s.client, f.id, day)
	for i, decision := range []string{offboarding.DecisionApprove, offboarding.DecisionReject} {
		asked, err := cases.Claim(t.Context(), f.id, offboarding.ClaimRequest{DocumentID: documents[1+i], MemberID: editor})
		require.NoError(t, err)
		require.Equal(t, offboarding.OutcomeRequested, asked.Outcome)
		approval := offboarding.AdminApproval{RequestID: asked.RequestID, AdminID: o.Admin, Decision: decision}
		if decision == offboarding.DecisionApprove {
			approval.NewOwnerID = o.Manager
		}
		_, err = cases.Decide(t.Context(), f.id, approval)
		require.NoError(t, err)
	}
	require.Equal(t, o.Manager+" editable", o.DocumentState(documents[1]))
	requireAt(t, o, status.CaseID, "RejectDocOwnership", begun.Add(3*day))

	ends := begun.Add(9 * day)
	extended, err := cases.Extend(t.Context(), f.id, offboarding.ExtendGrace{AdminID: o.Admin, Until: ends.Format(time.RFC3339Nano)})
	require.NoError(t, err)
	require.Equal(t, ends, extended.At.UTC())

	forward(t, s.client, f.id, 4*day+12*time.Hour)
	reach(t, o, f, status.CaseID, "grace")
	requireAt(t, o, status.CaseID, "RemindGraceEnding", ends.Add(-3*day))
	forward(t, s.client, f.id, day)
	requireAt(t, o, status.CaseID, "RemindGraceEnding", ends.Add(-3*day), ends.Add(-day))
	require.Zero(t, o.Count(`SELECT count(*) FROM documents WHERE owner_id = $1 AND access <> 'editable'`, o.Leaver))

	forward(t, s.client, f.id, day)
	reach(t, o, f, status.CaseID, "read_only")
	f.until("documents", "read_only", 3)
	requireAt(t, o, status.CaseID, "MarkDocsReadOnly", ends)
	require.Equal(t, o.Leaver+" read_only", o.DocumentState(documents[2]))

	// Weeks later it is still open, and takes claims and transfers.
	forward(t, s.client, f.id, 30*day)
	_, err = cases.Claim(t.Context(), f.id, offboarding.ClaimRequest{DocumentID: documents[2], MemberID: maker})
	require.NoError(t, err)
	require.Equal(t, maker+" editable", o.DocumentState(documents[2]))
	_, err = cases.Transfer(t.Context(), f.id, offboarding.TransferDocuments{AdminID: o.Admin, NewOwnerID: o.Manager})
	require.NoError(t, err)
	result, err := cases.Result(t.Context(), f.id)
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, result.Phase)
	require.Equal(t, offboarding.Counts{Total: 5, Transferred: 2, Claimed: 2, Approved: 1}, result.Documents)
	requireAt(t, o, status.CaseID, "CompleteOffboarding", begun.Add(3*day+4*day+12*time.Hour+2*day+30*day))
	requireNoPersonalData(t, s.client, f.id)
}

// TestScheduledAhead: the rules are looked at again when the time comes.
func TestScheduledAhead(t *testing.T) {
	t.Parallel()
	o, s := newOrganization(t)
	successor := o.Maker()
	document := o.Document(o.Leaver, "")
	cases := client.New(s.client)
	begun := time.Now().UTC().Truncate(time.Second)
	status, err := cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: o.Leaver, RequestedBy: o.Admin, Disposition: offboarding.DispositionTransfer, NewOwnerID: successor,
		EffectiveAt: begun.Add(10 * day).Format(time.RFC3339),
	})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseScheduled, status.Phase)
	forward(t, s.client, status.WorkflowID, 2*day)
	moved, err := cases.Reschedule(t.Context(), status.WorkflowID, offboarding.Reschedule{
		AdminID: o.Admin, EffectiveAt: begun.Add(5 * day).Format(time.RFC3339),
	})
	require.NoError(t, err)
	require.Equal(t, begun.Add(5*day), moved.At.UTC())

	// Meanwhile the successor leaves too.
	_, err = cases.StartAndAwait(t.Context(), offboarding.Request{MemberID: successor, RequestedBy: o.Admin})
	require.NoError(t, err)
	forward(t, s.client, status.WorkflowID, 2*day)
	require.Equal(t, "active", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver), "not yet")
	forward(t, s.client, status.WorkflowID, 2*day)
	result, err := cases.Result(t.Context(), status.WorkflowID)
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, result.Phase)
	require.Equal(t, o.Manager+" editable", o.DocumentState(document), "the leaver's manager instead")
	require.NotEmpty(t, o.Text(`SELECT fallback_reason FROM cases WHERE id = $1`, status.CaseID))
	for _, event := range []string{"ChangeNewOwner", "DeactivateMember", "TransferDocs", "CompleteOffboarding"} {
		requireAt(t, o, status.CaseID, event, begun.Add(5*day))
	}
	requireNoPersonalData(t, s.client, status.WorkflowID)
}

// TestALastDayEndsInTheMembersZone, and a case that waits for it can be canceled.
func TestALastDayEndsInTheMembersZone(t *testing.T) {
	t.Parallel()
	o, s := newOrganization(t)
	o.Exec(`UPDATE members SET time_zone = 'Asia/Tokyo' WHERE id = $1`, o.Leaver)
	cases := client.New(s.client)
	last := time.Now().UTC().AddDate(0, 0, 20)
	status, err := cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: o.Leaver, RequestedBy: o.Admin, EffectiveAt: last.Format(time.DateOnly),
	})
	require.NoError(t, err)
	want := fmt.Sprintf("%sT15:00:00Z", last.Format(time.DateOnly)) // midnight in Tokyo
	require.Equal(t, want, status.EffectiveAt.UTC().Format(time.RFC3339))
	forward(t, s.client, status.WorkflowID, 10*day)
	_, err = cases.Cancel(t.Context(), status.WorkflowID, offboarding.Cancel{AdminID: o.Admin})
	require.NoError(t, err)
	result, err := cases.Result(t.Context(), status.WorkflowID)
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCanceled, result.Phase)
	require.Equal(t, []string{"ScheduleOffboarding", "CancelOffboarding"}, o.Events())
	require.Equal(t, "active", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver))
}
