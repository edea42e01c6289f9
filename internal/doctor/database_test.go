package doctor_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/doctor"
	"handover/internal/fixture"
	"handover/offboarding"
)

func TestLiveAccessOfWhoHasLeftIsRevoked(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	old := c.Credential(c.Leaver)
	status, _ := c.inGrace(c.Leaver)
	c.behindTheGuards("credentials", `UPDATE credentials SET status = 'active', revoked_at = NULL WHERE id = $1`, old)
	c.behindTheGuards("sessions", `INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at)
		VALUES (gen_random_uuid(), $1, $2, false, 'active', now())`, c.ID, c.Leaver)
	c.mends(offboarding.DriftLiveAccess)
	require.Zero(t, c.Count(`SELECT count(*) FROM credentials WHERE status = 'active'`)+c.Count(`SELECT count(*) FROM sessions WHERE status = 'active'`))
	require.Equal(t, 1, c.Count(`SELECT count(*) FROM audit_events WHERE event = 'RevokeSessions'`), "of the session, which nobody had revoked")
	c.transfer(status.WorkflowID)
}

func TestALeaverWhoIsActiveIsDeactivatedAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, _ := c.inGrace(c.Leaver)
	since := c.Text(`SELECT deactivated_at::text FROM members WHERE id = $1`, c.Leaver)
	c.behindTheGuards("members", `UPDATE members SET status = 'active', deactivated_at = NULL WHERE id = $1`, c.Leaver)
	c.Session(c.Leaver)
	c.mends(offboarding.DriftStillActive)
	require.Equal(t, "inactive "+since, c.Text(`SELECT status || ' ' || deactivated_at FROM members WHERE id = $1`, c.Leaver))
	c.transfer(status.WorkflowID)
}

func TestALeaverIsTakenOutOfTheWorkspaceAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	workspace := c.Workspace()
	c.Join(workspace, c.Leaver, offboarding.WorkspaceMember)
	document := c.DocumentIn(workspace, c.Leaver)
	c.leave(c.Leaver, func(r *offboarding.Request) { r.WorkspaceID = workspace })
	status := c.reaches(offboarding.RemovalWorkflowID(workspace, c.Leaver), offboarding.PhaseGrace)
	c.Join(workspace, c.Leaver, offboarding.WorkspaceMember)
	c.mends(offboarding.DriftStillInWorkspace)
	c.transfer(status.WorkflowID)
	require.Equal(t, c.Manager+" editable", c.DocumentState(document))
}

func TestDocumentsAreLockedAndOpenedAsTheirCasesSay(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	theirs := c.Document(c.Manager, "")
	completed := c.closes(c.leave(c.Maker(), nil).WorkflowID).CaseID
	document, opened := c.Document(c.Leaver, ""), c.Document(c.Leaver, "")
	schedule := c.Schedule(opened)
	c.leave(c.Leaver, func(r *offboarding.Request) { r.GracePeriod = "0s" })
	status := c.reaches(offboarding.WorkflowID(c.Leaver), offboarding.PhaseReadOnly)
	c.finds()

	c.Exec(`UPDATE documents SET access = 'read_only', access_case_id = $2 WHERE id = $1`, theirs, completed)
	c.Exec(`UPDATE documents SET access = 'editable', access_case_id = NULL WHERE id = $1`, opened)
	c.Exec(`UPDATE schedules SET status = 'active', paused_by_case_id = NULL WHERE id = $1`, schedule)
	late := c.Document(c.Leaver, "") // somebody has given it to who has left
	c.mends(offboarding.DriftLockedWrongly, offboarding.DriftNotLocked)
	require.Equal(t, c.Manager+" editable", c.DocumentState(theirs))
	for _, d := range []string{document, opened, late} {
		require.Equal(t, c.Leaver+" read_only", c.DocumentState(d))
	}
	require.Equal(t, "paused", c.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))

	running := c.Schedule(theirs)
	c.Exec(`UPDATE schedules SET status = 'paused', paused_by_case_id = $2 WHERE id = $1`, running, completed)
	c.finds(offboarding.DriftPausedWrongly)
	c.repairs()
	require.Equal(t, "active", c.Text(`SELECT status FROM schedules WHERE id = $1`, running))
	c.transfer(status.WorkflowID)
	require.Equal(t, "active", c.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
}

func TestRequestsOfAClosedCaseEnd(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, document := c.inGrace(c.Leaver)
	c.transfer(status.WorkflowID)
	c.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
		VALUES (gen_random_uuid(), $1, $2, $3, $4, '', 'pending', now())`, c.ID, status.CaseID, document, c.Owner)
	c.mends(offboarding.DriftPendingRequests)
	require.Equal(t, "superseded", c.Text(`SELECT status FROM ownership_requests`))
}

// A request that ends outside of its case, because the member who asked leaves, is no
// reason to begin the case again; one that the database does not know is.
func TestARequestThatWasWithdrawnIsNotLost(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, document := c.inGrace(c.Leaver)
	asks := func() (asker string) {
		asker = c.Maker()
		c.Grant(document, asker, offboarding.GrantView)
		out, err := c.cases.Claim(t.Context(), status.WorkflowID, offboarding.ClaimRequest{DocumentID: document, MemberID: asker})
		require.NoError(t, err)
		require.Equal(t, offboarding.OutcomeRequested, out.Outcome)
		return asker
	}
	gone := asks()
	c.closes(c.leave(gone, nil).WorkflowID)
	require.Equal(t, "withdrawn", c.Text(`SELECT status FROM ownership_requests WHERE member_id = $1`, gone))
	require.Equal(t, 1, c.reaches(status.WorkflowID, offboarding.PhaseGrace).PendingCount, "the case has not heard of it")
	c.healthy()

	lost := asks()
	c.Exec(`DELETE FROM ownership_requests WHERE member_id = $1`, lost)
	c.finds(offboarding.DriftWorkflowAhead)
}

// A time that is finer than the database keeps is the same in a case and in its workflow.
func TestAFineTimeIsNoDrift(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, _ := c.inGrace(c.Leaver)
	until := time.Now().Add(30 * 24 * time.Hour).UTC().Truncate(time.Second).Add(123456789 * time.Nanosecond)
	_, err := c.cases.Extend(t.Context(), status.WorkflowID, offboarding.ExtendGrace{AdminID: c.Admin, Until: until.Format(time.RFC3339Nano)})
	require.NoError(t, err)
	c.healthy()
	is := c.reaches(status.WorkflowID, offboarding.PhaseGrace)
	require.Equal(t, until.Truncate(time.Microsecond), is.GraceEndsAt.UTC())
}

func TestACompletedCaseIsOpenedAgainForDocumentsThatAppeared(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status := c.leave(c.Leaver, nil)
	c.closes(status.WorkflowID)
	document := c.Document(c.Leaver, "")
	c.mends(offboarding.DriftDocumentsWithoutCase)
	c.eventually(func() bool { return c.DocumentState(document) == c.Leaver+" read_only" }, "the document is locked")
	c.transfer(status.WorkflowID)
	require.Equal(t, c.Manager+" editable", c.DocumentState(document))
	require.Equal(t, 1, c.Count(`SELECT count(*) FROM cases`))
}

func TestWhatOnlyAPersonCanMendIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	_, document := c.inGrace(c.Leaver)
	other := c.Document(c.Maker(), "")
	c.Exec(`UPDATE members SET status = 'inactive', deactivated_at = now() WHERE id = (SELECT owner_id FROM documents WHERE id = $1)`, other)
	c.finds(offboarding.DriftInactiveWithDocuments, offboarding.DriftInvariant) // nor has the audit heard of it
	require.Equal(t, 2, c.repairs().Left)
	c.Exec(`UPDATE members SET status = 'active', deactivated_at = NULL WHERE id = (SELECT owner_id FROM documents WHERE id = $1)`, other)

	_, err := c.cases.Claim(t.Context(), offboarding.WorkflowID(c.Leaver), offboarding.ClaimRequest{DocumentID: document, MemberID: c.grantee(document)})
	require.NoError(t, err)
	c.healthy()
	c.Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, document, c.Owner)
	r := c.finds(offboarding.DriftInvariant)
	require.Contains(t, r.Checks[0].Findings[0].Detail, "one_owner_and_every_change_audited")

	c.Exec(`ALTER TABLE members DISABLE TRIGGER members_last_owner`)
	c.finds(offboarding.DriftInvariant, offboarding.DriftGuards)
}

func TestOfTwoOpenCasesTheUntouchedOneIsCanceled(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, _ := c.inGrace(c.Leaver)
	c.Exec(`DROP INDEX cases_one_open_per_member`)
	c.Exec(`INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules,
		grace_period_seconds, created_at, effective_at) VALUES (gen_random_uuid(), 'ours/1', $1, $2, $3, '', '', 'scheduled', 'retain', false, 60, now(), now())`,
		c.ID, c.Leaver, c.Admin)
	c.finds(offboarding.DriftGuards, offboarding.DriftUntouchedDuplicate, offboarding.DriftCaseWithoutWorkflow)
	r := c.repairs()
	require.Equal(t, []offboarding.Drift{offboarding.DriftUntouchedDuplicate, offboarding.DriftGuards}, driftsOf(r))
	require.Equal(t, "canceled", c.Text(`SELECT phase FROM cases WHERE workflow_id = 'ours/1'`))

	c.Exec(`UPDATE cases SET phase = 'deactivated', closed_at = NULL, deactivated_at = now() WHERE workflow_id = 'ours/1'`)
	require.Contains(t, driftsOf(c.finds(offboarding.DriftGuards, offboarding.DriftDuplicateCases, offboarding.DriftCaseWithoutWorkflow)), offboarding.DriftDuplicateCases)
	c.Exec(`UPDATE cases SET phase = 'canceled', closed_at = now() WHERE workflow_id = 'ours/1'`)
	c.Exec(`CREATE UNIQUE INDEX cases_one_open_per_member ON cases (member_id) WHERE closed_at IS NULL AND workspace_id IS NULL`)
	c.transfer(status.WorkflowID)
}

// A doctor that dies between its event and its deed, and two at the same time, do no harm.
func TestDoctorsThatDieOrMeetDoNoHarm(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, _ := c.inGrace(c.Leaver)
	c.terminate(status.WorkflowID)
	found := c.finds(offboarding.DriftCaseWithoutWorkflow).Checks[0].Findings[0]
	require.NoError(t, c.store.RecordRepair(t.Context(), found, offboarding.Repair{ActorID: c.Admin, At: time.Now()}))
	c.finds(offboarding.DriftCaseWithoutWorkflow)
	c.behindTheGuards("members", `UPDATE members SET status = 'active', deactivated_at = NULL WHERE id = $1`, c.Leaver)
	var doctors sync.WaitGroup
	for range 3 {
		doctors.Go(func() {
			o := c.options()
			o.Repair = true
			_, err := doctor.Run(t.Context(), o)
			assert.NoError(t, err)
		})
	}
	doctors.Wait()
	c.healthy()
	require.Equal(t, 1, c.Count(`SELECT count(*) FROM audit_events WHERE event = 'RepairDrift' AND after->>'check' = 'leaver_still_active'`))
	c.transfer(status.WorkflowID)
}

// Of one organization is found what is its own, by every check.
func TestOneOrganizationIsLookedAtAlone(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status, _ := c.inGrace(c.Leaver)
	c.terminate(status.WorkflowID)
	other := fixture.New(t, c.db())
	o := c.options()
	o.OrganizationID = other.ID
	r, err := doctor.Run(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, r.Checks)
	require.Zero(t, r.Cases)
	o.OrganizationID = c.ID
	r, err = doctor.Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []offboarding.Drift{offboarding.DriftCaseWithoutWorkflow}, driftsOf(r))
}
