package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/workflows"
)

// remove runs the removal of the leaver from a workspace.
func (s *scene) remove(workspace string, change func(*offboarding.Request)) {
	s.t.Helper()
	r := s.request(change)
	r.WorkspaceID = workspace
	s.env.ExecuteWorkflow(offboarding.WorkflowWorkspaceRemoval, workflows.Input{Request: r})
}

// Rule W1, seed 002: who is removed from a workspace leaves its documents to the
// same grace; a workspace's admin decides there, and nowhere else.
func TestRemovalGoesThroughGraceAndReadOnlyWhileTheMemberStaysActive(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	workspace, asker, workspaceAdmin := s.Workspace(), s.Member(offboarding.RoleContributor, offboarding.AccountMaker), s.Maker()
	s.Join(workspace, s.Leaver, offboarding.WorkspaceMember)
	s.Join(workspace, workspaceAdmin, offboarding.WorkspaceAdmin)
	session := s.Session(s.Leaver)
	inside, outside := s.DocumentIn(workspace, s.Leaver), s.Document(s.Leaver, "")
	s.Grant(inside, asker, offboarding.GrantView)
	s.Grant(outside, asker, offboarding.GrantEdit)

	var elsewhere, request, decision *answer
	s.after(time.Hour, func() {
		status := s.status()
		require.Equal(t, offboarding.PhaseGrace, status.Phase)
		require.Equal(t, workspace, status.WorkspaceID)
		require.Equal(t, 1, status.Documents.Total)
		require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
		require.Equal(t, "active", s.Text(`SELECT status FROM sessions WHERE id = $1`, session))
		elsewhere = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: outside, MemberID: asker})
	})
	s.after(8*day, func() {
		require.Equal(t, s.Leaver+" read_only", s.DocumentState(inside))
		require.Equal(t, s.Leaver+" editable", s.DocumentState(outside))
		request = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: inside, MemberID: asker})
	})
	s.after(9*day, func() {
		decision = s.ask(offboarding.MessageDecision, offboarding.AdminApproval{
			RequestID: request.outcome.RequestID, AdminID: workspaceAdmin, Decision: offboarding.DecisionApprove,
		})
	})
	s.remove(workspace, func(r *offboarding.Request) { r.RequestedBy = workspaceAdmin })

	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, offboarding.CodeNoAccess, elsewhere.code())
	require.NoError(t, decision.err)
	require.Equal(t, asker+" editable", s.DocumentState(inside))
	require.Equal(t, 1, s.count(offboarding.EventRemoveFromWorkspace))
	require.Zero(t, s.count(offboarding.EventRevokeSessions))
}

// Before it is over the removal can be undone, by the message reactivate.
func TestRemovalIsUndoneByReactivate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	workspace := s.Workspace()
	s.Join(workspace, s.Leaver, offboarding.WorkspaceMember)
	document := s.DocumentIn(workspace, s.Leaver)
	var back *answer
	s.after(8*day, func() { back = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin}) })
	s.remove(workspace, nil)
	require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
	require.NoError(t, back.err)
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
	require.Equal(t, "member", s.Text(`SELECT role FROM workspace_members WHERE member_id = $1`, s.Leaver))
}

// A removal that waits is judged again; a member who has left the organization
// meanwhile is not removed.
func TestScheduledRemovalIsJudgedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	workspace := s.Workspace()
	s.Join(workspace, s.Leaver, offboarding.WorkspaceMember)
	s.DocumentIn(workspace, s.Leaver)
	s.after(time.Hour, func() { s.deactivateOutside(s.Leaver) })
	s.remove(workspace, func(r *offboarding.Request) { r.EffectiveAt = at(day) })
	require.True(t, s.refusal().Has(offboarding.CodeAlreadyInactive))
	require.Equal(t, "failed", s.Text(`SELECT phase FROM cases`))
}

func TestRemovalNamesItsWorkspaceAndAnOffboardingNone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.remove("", nil)
	require.Equal(t, "workspace_id", s.refusal().Violations[0].Field)
	s.stage("another")
	s.run(func(r *offboarding.Request) { r.WorkspaceID = s.Workspace() })
	require.Equal(t, "workspace_id", s.refusal().Violations[0].Field)
	require.Zero(t, s.Count(`SELECT count(*) FROM cases`))
}

// Rule H1: the plan of a held leaver waits; once the hold is lifted the documents
// can be given.
func TestHeldDocumentsWaitInTheCase(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	hold, err := s.store().PlaceHold(t.Context(), offboarding.Hold{MemberID: s.Leaver, Reason: "matter 12"}, s.Owner, s.now)
	require.NoError(t, err)
	var refusedTransfer, transfer *answer
	s.after(time.Hour, func() {
		require.Equal(t, offboarding.PhaseGrace, s.status().Phase)
		require.Equal(t, "inactive", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
		require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
		refusedTransfer = s.ask(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin})
	})
	s.after(8*day, func() {
		require.Equal(t, s.Leaver+" read_only", s.DocumentState(document))
		require.NoError(t, s.store().LiftHold(t.Context(), hold, s.Owner, "", s.now))
		transfer = s.ask(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, NewOwnerID: s.Manager})
	})
	s.run(func(r *offboarding.Request) { r.NewOwnerID = s.Manager })
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, offboarding.CodeLegalHold, refusedTransfer.code())
	require.NoError(t, transfer.err)
	require.Equal(t, s.Manager+" editable", s.DocumentState(document))
}
