package api_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testengine"
	"handover/offboarding"
	"handover/server/api"
)

// What became of a leaver's documents in a case: each is in one state at a time.
func TestDocumentsOfACase(t *testing.T) {
	t.Parallel()
	s, claimed, maker := leaves(t)
	other := s.Document(s.Leaver, "")
	s.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, s.Document(s.Leaver, "")) // by no case
	of := s.Text(`SELECT id::text FROM cases`)
	list := func(member, state string) []string {
		var page documentsPage
		s.as(member).get(t, "/v1/documents?limit=10&case="+of+"&state="+state).into(t, 200, &page)
		return ids(page)
	}
	require.Len(t, list(s.Admin, "waiting"), 3)
	require.Empty(t, list(s.Admin, "moved"))
	require.Empty(t, list(s.Admin, "read_only"))

	s.as(maker).post(t, "/v1/documents/"+claimed+"/claim", body{}).into(t, 200, nil)
	require.Equal(t, []string{claimed}, list(s.Admin, "moved"))
	require.NotContains(t, list(s.Admin, "waiting"), claimed)
	s.Exec(`UPDATE documents SET access = 'archived', access_case_id = $2 WHERE id = $1`, other, of)
	require.Equal(t, []string{other}, list(s.Admin, "archived"))
	waiting := list(s.Admin, "waiting")
	require.Len(t, waiting, 1)
	s.Exec(`UPDATE documents SET access = 'read_only', access_case_id = $2 WHERE id = $1`, waiting[0], of)
	require.Equal(t, waiting, list(s.Admin, "read_only"))
	require.Equal(t, waiting, list(s.Admin, "waiting"), "it still waits")

	s.as(maker).get(t, "/v1/documents?case="+of).want(t, 404, offboarding.CodeCaseNotFound)
	s.as(s.Admin).get(t, "/v1/documents?case="+uuid.NewString()).want(t, 404, offboarding.CodeCaseNotFound)
	s.as(fixture.New(t, s.DB).Admin).get(t, "/v1/documents?case="+of).want(t, 404, offboarding.CodeCaseNotFound)
	s.as(s.Admin).get(t, "/v1/documents?state=moved").want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).get(t, "/v1/documents?case="+of+"&state=lost").want(t, 400, offboarding.CodeInvalidArgument)
}

// A removal is about the documents of its workspace, and its admins see theirs of it.
func TestDocumentsOfARemoval(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	workspace := s.Workspace()
	s.Join(workspace, s.Leaver, offboarding.WorkspaceMember)
	s.Join(workspace, s.Manager, offboarding.WorkspaceAdmin)
	in, granted := s.DocumentIn(workspace, s.Leaver), s.DocumentIn(workspace, s.Leaver)
	s.Document(s.Leaver, "")
	s.Grant(granted, s.Manager, offboarding.GrantView)
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver, "workspace_id": workspace, "disposition": "retain"}).into(t, 201, &start)
	var page documentsPage
	s.as(s.Admin).get(t, "/v1/documents?case="+start.CaseID).into(t, 200, &page)
	require.Equal(t, []string{in, granted}, ids(page))
	s.as(s.Manager).get(t, "/v1/documents?case="+start.CaseID).into(t, 200, &page)
	require.Equal(t, []string{granted}, ids(page), "what they have a grant on")

	var detail api.CaseDetail
	s.as(s.Admin).get(t, "/v1/offboardings/"+start.CaseID).into(t, 200, &detail)
	require.Equal(t, s.Text(`SELECT name FROM workspaces`), detail.WorkspaceName)
	require.Equal(t, s.Text(`SELECT display_name FROM members WHERE id = $1`, s.Admin), detail.RequestedByName)
}

// A case says what time it is by its own clock, which may be ahead of the machine's;
// where it does not answer, its latest event does.
func TestTheCasesClock(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver, "disposition": "retain"}).into(t, 201, &start)
	var detail api.CaseDetail
	read := func() api.CaseDetail {
		detail = api.CaseDetail{}
		s.as(s.Admin).get(t, "/v1/offboardings/"+start.CaseID).into(t, 200, &detail)
		return detail
	}
	before := time.Now()
	require.False(t, read().Now.Before(before.Add(-time.Second)))
	require.Eventually(t, func() bool { return read().Phase == offboarding.PhaseGrace }, 30*time.Second, 20*time.Millisecond)
	testengine.FastForward(t, s.temporal, start.WorkflowID, 3*24*time.Hour)
	read()
	require.Equal(t, "workflow", detail.Source)
	left := detail.GraceEndsAt.Sub(detail.Now)
	require.Less(t, left, 4*24*time.Hour)
	require.Greater(t, left, 3*24*time.Hour)
	require.True(t, detail.LastEventAt.Before(before.Add(time.Minute)), "nothing has happened since")

	testengine.FastForward(t, s.temporal, start.WorkflowID, 5*24*time.Hour)
	require.Eventually(t, func() bool { return read().Phase == offboarding.PhaseReadOnly }, 30*time.Second, 20*time.Millisecond)
	s.Exec(`UPDATE cases SET workflow_id = 'lost'`)
	read()
	require.Equal(t, "database", detail.Source)
	require.Equal(t, *detail.LastEventAt, detail.Now)
	require.True(t, detail.Now.After(before.Add(6*24*time.Hour)))
}
