package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	cases "handover/client"
	"handover/offboarding"
	"handover/workflows"
)

// deletes runs a MemberDeletion a day after the case's end.
func (s *scene) deletes(in any, before func()) {
	s.t.Helper()
	s.now = s.env.Now().Add(day)
	s.stage(fmt.Sprintf("%s-%d", offboarding.DeletionWorkflowID(s.Leaver), s.asked))
	before()
	s.env.ExecuteWorkflow(offboarding.WorkflowMemberDeletion, in)
}

func (s *scene) deletionStatus() offboarding.DeletionStatus {
	s.t.Helper()
	value, err := s.env.QueryWorkflow(offboarding.QueryStatus)
	require.NoError(s.t, err)
	var status offboarding.DeletionStatus
	require.NoError(s.t, value.Get(&status))
	return status
}

func TestDeletionOfAMemberWhoHasLeft(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	s.run(toManager(s))
	request := offboarding.DeletionRequest{MemberID: s.Leaver, RequestedBy: s.Admin}
	s.deletes(request, func() {})
	var result offboarding.DeletionResult
	require.NoError(t, s.env.GetWorkflowResult(&result))
	require.Equal(t, offboarding.OutcomeDeleted, result.Outcome)
	require.Equal(t, 1, result.Cases)
	require.Equal(t, offboarding.DeletionDone, s.deletionStatus().Stage)
	require.Equal(t, "deleted", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	require.Equal(t, s.Manager+" editable", s.DocumentState(document))

	s.asked++
	s.deletes(request, func() {})
	require.Equal(t, offboarding.CodeMemberNotFound, s.refusal().Code())
	s.comesBack(nil, nil)
	require.Equal(t, offboarding.CodeMemberNotFound, s.refusal().Code())
	require.Equal(t, 1, s.count(offboarding.EventDeleteMember))
}

// Whatever fails, and wherever the deletion is taken up again, it is done once.
func TestDeletionThatFailsForAWhile(t *testing.T) {
	t.Parallel()
	for table, step := range map[string]string{"members": "admit", "case_steps": "admit", "folders": "erase", "audit_events": "erase"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Exec(`UPDATE organizations SET attribution = 'anonymous'`)
			s.Document(s.Leaver, "")
			s.run(toManager(s))
			s.breakTable(table)
			s.deletes(offboarding.DeletionRequest{MemberID: s.Leaver, RequestedBy: s.Admin}, func() {
				s.after(30*time.Minute, func() {
					require.Equal(t, step, s.deletionStatus().Trouble.Step)
					s.env.SetContinueAsNewSuggested(true)
				})
			})
			var again *workflow.ContinueAsNewError
			require.ErrorAs(t, s.env.GetWorkflowError(), &again)
			var in workflows.DeletionInput
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
			s.repairTable(table)
			require.Equal(t, 0, s.count(offboarding.EventDeleteMember))
			s.deletes(in, func() { s.env.SetContinuedExecutionRunID("earlier") })
			require.NoError(t, s.env.GetWorkflowError())
			require.Equal(t, 1, s.count(offboarding.EventDeleteMember))
			require.Equal(t, "Deleted member", s.Text(`SELECT display_name FROM members WHERE id = $1`, s.Leaver))
		})
	}
}

// An answer that got lost after the erasure is found again by the next run.
func TestDeletionWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run(toManager(s))
	request := offboarding.DeletionRequest{MemberID: s.Leaver, RequestedBy: s.Admin}
	s.deletes(request, func() {})
	require.NoError(t, s.env.GetWorkflowError())
	s.deletes(request, func() {}) // the same run, from its beginning
	var result offboarding.DeletionResult
	require.NoError(t, s.env.GetWorkflowResult(&result))
	require.Equal(t, offboarding.OutcomeDeleted, result.Outcome)
	require.Equal(t, 1, s.count(offboarding.EventDeleteMember))
}

// On a server: an active member is offboarded first, the case goes on without the
// person, and no history knows who it was.
func TestDeletionOfAnActiveMemberOnAServer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	c := cases.New(s.client)
	s.Exec(`UPDATE members SET email = 'zzmarker@acme.example', display_name = 'Ada Zzmarker', external_id = 'zzmarker-7' WHERE id = $1`, s.Leaver)
	s.Exec(`UPDATE organizations SET attribution = 'anonymous', seat_limit = (SELECT count(*) FROM members WHERE status = 'active')`)
	s.Credential(s.Leaver)
	document := documents(s.Organization, s.Leaver, 1)[0]

	_, err := c.Delete(t.Context(), offboarding.DeletionRequest{MemberID: s.Leaver, RequestedBy: s.Manager})
	require.Equal(t, offboarding.CodeNotAuthorized, offboarding.CodeOf(err))
	result, err := c.Delete(t.Context(), offboarding.DeletionRequest{MemberID: s.Leaver, RequestedBy: s.Admin, Disposition: offboarding.DispositionRetain})
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeDeleted, result.Outcome)
	require.Equal(t, 1, result.Documents)
	require.Equal(t, "deleted", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	s.Maker() // takes the seat that is free: the database would refuse one too many

	open := s.live(offboarding.WorkflowID(s.Leaver))
	require.Equal(t, result.CaseID, open.reaches(phase(offboarding.PhaseGrace)).CaseID)
	_, err = open.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
	require.ErrorContains(t, err, "deleted")
	open.forward(8 * day)
	open.reaches(phase(offboarding.PhaseReadOnly))
	open.claim(document, s.Manager)
	open.ends(offboarding.PhaseCompleted)
	require.Equal(t, s.Manager+" editable", s.DocumentState(document))

	for _, id := range []string{offboarding.WorkflowID(s.Leaver), offboarding.DeletionWorkflowID(s.Leaver)} {
		for _, run := range s.live(id).histories() {
			raw, err := proto.Marshal(run) // payloads are in it byte for byte
			require.NoError(t, err)
			require.NotContains(t, strings.ToLower(string(raw)), "zzmarker")
		}
	}
}

// losing loses the first update that comes with a start: the case has started, and ends
// before anybody asks it again.
type losing struct {
	client.Client

	lost    bool
	request offboarding.Request
}

func (l *losing) UpdateWithStartWorkflow(ctx context.Context, options client.UpdateWithStartWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	if l.lost {
		return l.Client.UpdateWithStartWorkflow(ctx, options)
	}
	l.lost = true
	started, err := cases.New(l.Client).Start(ctx, l.request)
	if err == nil {
		err = l.GetWorkflow(ctx, started.WorkflowID, started.RunID).Get(ctx, nil)
	}
	return nil, errors.Join(errors.New("the update is lost"), err)
}

// The case may have ended before anybody has heard that it has begun.
func TestDeletionThatHearsOfTheCaseTooLate(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := offboarding.DeletionRequest{MemberID: s.Leaver, RequestedBy: s.Admin, NewOwnerID: s.Manager}
	deaf := &losing{Client: s.client, request: r.Offboarding()}
	s.workAsking(deaf, nil, nil)
	s.Document(s.Leaver, "")
	result, err := cases.New(s.client).Delete(t.Context(), r)
	require.NoError(t, err)
	require.True(t, deaf.lost)
	require.Equal(t, offboarding.OutcomeDeleted, result.Outcome)
	require.Equal(t, "deleted", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
}
