package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
)

func TestMessagesOfACase(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	other := fixture.New(t, s.DB)
	admin := s.as(s.Admin).with("Handover-Integration-Source", "APPLICATION,Acme,console")
	day := func(n int) string {
		return time.Now().AddDate(0, 0, n).UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	documents := []string{s.Document(s.Leaver, ""), s.Document(s.Leaver, "")}
	var start api.Start
	admin.post(t, "/v1/offboardings", body{"member_id": s.Leaver, "effective_at": day(3)}).into(t, 201, &start)
	var out offboarding.Outcome
	admin.post(t, start.URL+"/reschedule", body{"effective_at": day(5)}).into(t, 200, &out)
	require.Equal(t, offboarding.OutcomeRescheduled, out.Outcome)
	require.Equal(t, "APPLICATION,Acme,console", s.Text(`SELECT origin FROM audit_events WHERE event = 'RescheduleOffboarding'`))
	admin.post(t, start.URL+"/extend-grace", body{"until": day(9)}).want(t, 409, offboarding.CodeWrongPhase)
	admin.post(t, start.URL+"/cancel", nil).into(t, 200, &out)
	require.Equal(t, offboarding.OutcomeCanceled, out.Outcome)
	admin.post(t, start.URL+"/cancel", nil).want(t, 409, offboarding.CodeWrongPhase)

	admin.post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &start)
	admin.post(t, start.URL+"/extend-grace", body{"until": day(30)}).into(t, 200, &out)
	require.Equal(t, offboarding.OutcomeExtended, out.Outcome)
	admin.post(t, start.URL+"/extend-grace", body{"until": "later"}).want(t, 400, offboarding.CodeInvalidArgument)
	c := admin.with(api.HeaderKey, "move-one")
	move := body{"new_owner_id": "manager", "document_ids": documents[:1]}
	var moved, again offboarding.Outcome
	c.post(t, start.URL+"/transfer", move).into(t, 200, &moved)
	require.Equal(t, 1, moved.Documents)
	require.Equal(t, s.Manager+" editable", s.DocumentState(documents[0]))
	events := len(s.Events())
	s.died(-time.Second)
	c.post(t, start.URL+"/transfer", move).into(t, 200, &again)
	require.Equal(t, moved, again, "whoever takes over gets the outcome of the first")
	require.Len(t, s.Events(), events)
	require.Equal(t, "APPLICATION,Acme,console", s.Text(`SELECT DISTINCT origin FROM audit_events WHERE event = 'TransferDocs'`))

	var detail api.CaseDetail
	admin.get(t, start.URL).into(t, 200, &detail)
	require.Equal(t, "workflow", detail.Source)
	require.Equal(t, 1, detail.Live.Documents.Transferred)
	require.Equal(t, 1, detail.Unowned)
	var page offboarding.Page[offboarding.CaseRow]
	for query, want := range map[string]int{
		"": 2, "?open=true": 1, "?phase=canceled": 1, "?member=external:m4": 2, "?troubled=true": 0, "?overdue=true": 0, "?waiting=true": 1, "?organization=" + s.ID: 2, "?limit=1": 1,
	} {
		admin.get(t, "/v1/offboardings"+query).into(t, 200, &page)
		require.Len(t, page.Items, want, query)
	}

	for _, path := range []string{"/cancel", "/reactivate"} {
		s.as(other.Admin).post(t, start.URL+path, nil).want(t, 404, offboarding.CodeCaseNotFound)
		s.as(s.Manager).post(t, start.URL+path, nil).want(t, 404, offboarding.CodeCaseNotFound)
	}
	s.as(other.Admin).get(t, start.URL).want(t, 404, offboarding.CodeCaseNotFound)
	admin.get(t, "/v1/offboardings/"+uuid.NewString()).want(t, 404, offboarding.CodeCaseNotFound)
	admin.get(t, "/v1/offboardings/"+s.Leaver).want(t, 404, offboarding.CodeCaseNotFound)
	admin.get(t, "/v1/offboardings/nothing").want(t, 400, offboarding.CodeInvalidArgument)
	s.as(other.Admin).get(t, "/v1/offboardings").into(t, 200, &page)
	require.Empty(t, page.Items)

	admin.post(t, start.URL+"/reactivate", body{"return_documents": true}).into(t, 200, &out)
	require.Equal(t, offboarding.OutcomeReactivated, out.Outcome)
	require.Equal(t, s.Leaver+" editable", s.DocumentState(documents[0]))
	require.Equal(t, "APPLICATION,Acme,console", s.Text(`SELECT DISTINCT origin FROM audit_events WHERE event = 'ReactivateMember'`))
}

func TestACaseIsReadWhileNothingRunsIt(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &start)
	require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), start.WorkflowID, "", "test"))
	s.Exec(`UPDATE cases SET workflow_id = 'nobody/knows' WHERE id = $1`, start.CaseID)
	var detail api.CaseDetail
	s.as(s.Admin).get(t, start.URL).into(t, 200, &detail)
	require.Equal(t, "database", detail.Source)
	require.Nil(t, detail.Live)
}

func TestARefusalIsFoundInTheLog(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	p := s.as(s.Admin).post(t, "/v1/members/"+s.Owner+"/deactivate", nil).want(t, 403, offboarding.CodeNotAuthorized, offboarding.CodeLastOwner)
	require.NotZero(t, p.ErrorCode)
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), p.RefID) }, 5*time.Second, 10*time.Millisecond)
	require.False(t, strings.Contains(s.log.String(), "@acme.example"))
}
