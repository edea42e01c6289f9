package workflows_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	cases "handover/client"
	"handover/offboarding"
	"handover/workflows"
)

// comesBack runs a Reactivation a day after the case's; change alters the request.
func (s *scene) comesBack(change func(*offboarding.ReactivationRequest), before func()) {
	s.t.Helper()
	s.now = s.env.Now().Add(day)
	r := offboarding.ReactivationRequest{MemberID: s.Leaver, RequestedBy: s.Admin}
	if change != nil {
		change(&r)
	}
	s.asked++ // the suite gives every first run the same ID
	s.stage(offboarding.ReactivationWorkflowID(fmt.Sprintf("%s-%d", s.Leaver, s.asked)))
	if before != nil {
		before()
	}
	s.env.ExecuteWorkflow(offboarding.WorkflowReactivation, r)
}

func (s *scene) reactivated() offboarding.ReactivationResult {
	s.t.Helper()
	require.True(s.t, s.env.IsWorkflowCompleted())
	require.NoError(s.t, s.env.GetWorkflowError())
	var result offboarding.ReactivationResult
	require.NoError(s.t, s.env.GetWorkflowResult(&result))
	return result
}

func (s *scene) reactivationStatus() offboarding.ReactivationStatus {
	s.t.Helper()
	value, err := s.env.QueryWorkflow(offboarding.QueryStatus)
	require.NoError(s.t, err)
	var status offboarding.ReactivationStatus
	require.NoError(s.t, value.Get(&status))
	return status
}

func toManager(s *scene) func(*offboarding.Request) {
	return func(r *offboarding.Request) { r.NewOwnerID = s.Manager }
}

func TestReactivationAfterTheCase(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"keeping the new owner": false, "with return": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			document := s.Document(s.Leaver, "")
			s.run(toManager(s))
			caseID := s.result().CaseID
			s.comesBack(func(r *offboarding.ReactivationRequest) { r.ReturnDocuments = back }, nil)
			want := offboarding.MemberReactivation{MemberID: s.Leaver, Outcome: offboarding.OutcomeReactivated, CaseID: caseID, Granted: 1}
			owner := s.Manager
			if back {
				want.Granted, want.Returned, owner = 0, 1, s.Leaver
			}
			require.Equal(t, offboarding.ReactivationResult{MemberReactivation: &want}, s.reactivated())
			require.Equal(t, owner+" editable", s.DocumentState(document))
			require.Equal(t, "reactivated", s.Text(`SELECT phase FROM cases`))

			s.comesBack(nil, nil)
			require.Equal(t, offboarding.CodeAlreadyActive, s.refusal().Code())
		})
	}
}

// The worker dies, the database is away: between any two steps a reactivation says
// where it is stuck, continues as new, and goes on.
func TestReactivationThatFailsForAWhile(t *testing.T) {
	t.Parallel()
	for table, step := range map[string]string{"members": "reactivate/", "schedules": "restore/", "folders": "restore/", "grants": "grant/", "scim_tokens": ""} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			document := s.Document(s.Leaver, "")
			s.run(toManager(s))
			s.breakTable(table)
			s.comesBack(returning, func() {
				s.after(10*time.Minute, func() {
					if step != "" {
						require.Equal(t, step+s.Leaver, s.reactivationStatus().Trouble.Step)
						require.NotEmpty(t, s.reactivationStatus().Trouble.LastError)
						if table != "members" { // nothing has begun, at no case
							require.Equal(t, step+s.Leaver, s.Text(`SELECT trouble_step FROM cases`), "in the lists")
						}
					}
					s.env.SetContinueAsNewSuggested(true)
				})
			})
			if step != "" {
				var again *workflow.ContinueAsNewError
				require.ErrorAs(t, s.env.GetWorkflowError(), &again)
				var in workflows.ReactivationInput
				require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
				s.repairTable(table)
				s.stage(offboarding.ReactivationWorkflowID(fmt.Sprintf("%s-%d", s.Leaver, s.asked)))
				s.env.SetContinuedExecutionRunID("earlier")
				s.env.ExecuteWorkflow(offboarding.WorkflowReactivation, in)
			}
			require.Equal(t, 1, s.reactivated().Returned)
			require.Nil(t, s.reactivationStatus().Trouble)
			require.Equal(t, "0", s.Text(`SELECT trouble_attempt FROM cases`))
			require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
			require.Equal(t, 1, s.count(offboarding.EventReactivateMember))
			require.Equal(t, 1, s.count(offboarding.EventReturnDocs))
		})
	}
}

func returning(r *offboarding.ReactivationRequest) { r.ReturnDocuments = true }

// Rule R2: one result a member, in the order of the request; what is wrong with one
// is not the others' concern.
func TestManyAreReactivated(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run(toManager(s))
	members := []string{s.Leaver, s.Manager, "external:nobody"}
	for range 45 {
		member := s.Maker()
		s.deactivateOutside(member)
		members = append(members, member)
	}
	s.comesBack(func(r *offboarding.ReactivationRequest) { r.MemberID, r.MemberIDs = "", members }, nil)
	result := s.reactivated()
	require.Nil(t, result.MemberReactivation)
	require.Equal(t, "PARTIAL_SUCCESS", result.Message)
	require.Equal(t, 3, result.ResultCode)
	require.Equal(t, []int{48, 46, 2}, []int{result.Total, result.Reactivated, result.Refused})
	for i, m := range result.Members {
		require.Equal(t, members[i], m.MemberID)
	}
	require.Equal(t, []offboarding.Code{offboarding.CodeAlreadyActive}, result.Members[1].Codes)
	require.Equal(t, []offboarding.Code{offboarding.CodeMemberNotFound}, result.Members[2].Codes)
	require.Equal(t, 48, len(s.reactivationStatus().Members))
	text := string(mustMarshal(t, result))
	require.Contains(t, text, `"message":"PARTIAL_SUCCESS","resultCode":3`)

	s.Exec(`UPDATE organizations SET identity_provider = 'saml'`)
	s.comesBack(func(r *offboarding.ReactivationRequest) { r.MemberID, r.MemberIDs = "", members }, nil)
	require.Equal(t, offboarding.CodeIDPAuthentication, s.refusal().Code())
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

// The largest result is far below what the server takes (512 KiB warns, 2 MiB is refused).
func TestTheLargestResultIsSmall(t *testing.T) {
	t.Parallel()
	var members []offboarding.MemberReactivation
	for i := range offboarding.MaxReactivated {
		members = append(members, offboarding.MemberReactivation{
			MemberID: fmt.Sprintf("01a1ffde-c038-72a2-abd3-%012d", i), Outcome: offboarding.OutcomeRefused, Codes: []offboarding.Code{
				offboarding.CodeNotAuthorized, offboarding.CodeSelfOffboarding, offboarding.CodeSeatLimitExceeded, offboarding.CodeExternallyManaged,
			},
		})
	}
	size := len(mustMarshal(t, offboarding.ReactivationResult{BulkReactivation: offboarding.NewBulkReactivation(members)}))
	t.Logf("%d bytes", size)
	require.Less(t, size, 300<<10)
}

// On a server: an open case is sent the message and its outcome is the answer; many
// members continue as new, and every run's history is bounded.
func TestReactivationOnAServer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	c := cases.New(s.client)
	open := s.Document(s.Leaver, "")
	s.start(s.Leaver, nil).reaches(phase(offboarding.PhaseGrace))
	result, err := c.ReactivateMembers(t.Context(), "", offboarding.ReactivationRequest{MemberID: s.Leaver, RequestedBy: s.Admin, ReturnDocuments: true})
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeReactivated, result.Outcome)
	require.Equal(t, s.Leaver+" editable", s.DocumentState(open))
	s.live(offboarding.WorkflowID(s.Leaver)).ends(offboarding.PhaseReactivated)

	_, err = c.ReactivateMembers(t.Context(), "", offboarding.ReactivationRequest{MemberID: s.Leaver, RequestedBy: s.Admin})
	require.Equal(t, offboarding.CodeAlreadyActive, offboarding.CodeOf(err))

	// The next case of the same member closes while the message is on its way, or not.
	for range 5 {
		next := s.start(s.Leaver, func(r *offboarding.Request) { r.NewOwnerID = s.Manager })
		next.reaches(func(s offboarding.Status) bool { return s.DeactivatedAt != nil })
		_, err = c.ReactivateMembers(t.Context(), "", offboarding.ReactivationRequest{MemberID: s.Leaver, RequestedBy: s.Admin, ReturnDocuments: true})
		require.NoError(t, err)
		require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
		require.Equal(t, s.Leaver+" editable", s.DocumentState(open))
		_, err = next.result()
		require.NoError(t, err)
	}

	var members []string
	for range 260 {
		member := s.Maker()
		members = append(members, member)
		s.Exec(`INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules,
			grace_period_seconds, created_at, effective_at, deactivated_at, closed_at)
			SELECT gen_random_uuid(), 'w', organization_id, id, $2, '', '', 'completed', 'retain', false, 0, created_at, created_at, created_at, created_at
			FROM members WHERE id = $1`, member, s.Admin)
		s.Exec(`UPDATE members SET status = 'inactive', deactivated_at = created_at WHERE id = $1`, member)
	}
	result, err = c.ReactivateMembers(t.Context(), "all", offboarding.ReactivationRequest{MemberIDs: members, RequestedBy: s.Admin})
	require.NoError(t, err)
	require.Equal(t, offboarding.BulkSuccess, result.Message)
	require.Equal(t, 260, result.Reactivated)
	runs := s.live(offboarding.ReactivationWorkflowID("all")).histories()
	require.Greater(t, len(runs), 1)
	for _, run := range runs {
		t.Logf("%d events", len(run.Events))
		require.Less(t, len(run.Events), 3000)
	}
}

// live is a workflow that was started elsewhere.
func (s *stand) live(id string) *live { return &live{stand: s, id: id} }

var _ activities.Cases = (*cases.Client)(nil)

// What is logged as failing does not name a member by external ID.
func TestReactivationThatFailsNamesNobody(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run(toManager(s))
	s.breakTable("members")
	s.comesBack(func(r *offboarding.ReactivationRequest) { r.MemberID = "external:m4" }, func() {
		s.after(time.Minute, func() {
			require.Equal(t, "reactivate/1", s.reactivationStatus().Trouble.Step)
			s.repairTable("members")
		})
	})
	require.Equal(t, s.Leaver, s.reactivated().MemberID)
}
