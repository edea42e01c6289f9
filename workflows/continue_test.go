package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
	"handover/workflows"
)

// continued is what the run handed to the next one.
func (s *scene) continued() workflows.Input {
	s.t.Helper()
	var again *workflow.ContinueAsNewError
	require.ErrorAs(s.t, s.env.GetWorkflowError(), &again, "want the case to continue as new")
	require.Equal(s.t, offboarding.WorkflowOffboarding, again.WorkflowType.Name)
	var in workflows.Input
	require.NoError(s.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	return in
}

// goOn makes ready the next run of a case that continued as new; before, what is
// to happen in it can be set up.
func (s *scene) goOn(before func()) {
	s.t.Helper()
	in := s.continued()
	s.now = s.env.Now()
	s.stage(offboarding.WorkflowID(s.Leaver))
	s.env.SetContinuedExecutionRunID("earlier")
	before()
	s.env.ExecuteWorkflow(offboarding.WorkflowOffboarding, in)
}

// remembered is what the input of the next run carries, by its JSON names.
func remembered(t *testing.T, in workflows.Input) map[string]any {
	t.Helper()
	data, err := json.Marshal(in.Carried)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(data, &fields))
	return fields
}

// break and repair make one table's statements fail.
func (s *scene) breakTable(table string) {
	s.Exec(`ALTER TABLE ` + table + ` RENAME TO ` + table + `_away`)
}
func (s *scene) repairTable(table string) {
	s.Exec(`ALTER TABLE ` + table + `_away RENAME TO ` + table)
}

func TestReactivationUnderWayIsCarriedOutByTheNextRun(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"signal", "update"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			colleague := s.Maker()
			taken, left := s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
			s.Grant(taken, colleague, offboarding.GrantEdit)
			message := offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: true}
			var asked *answer
			s.after(day, func() {
				s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: taken, MemberID: colleague})
			})
			s.after(2*day, func() {
				s.breakTable("grants") // the last part of a reactivation gives grants
				if by == "signal" {
					s.signal(offboarding.MessageReactivate, message)
				} else {
					asked = s.update("r", offboarding.MessageReactivate, message)
				}
			})
			s.after(2*day+time.Minute, func() {
				require.Equal(t, offboarding.PhaseReactivated, s.status().Phase)
				require.NotNil(t, s.status().Trouble)
				s.env.SetContinueAsNewSuggested(true)
			})
			s.run(nil)
			if by == "update" {
				require.Equal(t, offboarding.CodeTryAgain, asked.code())
			}
			require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
			require.Empty(t, s.Text(`SELECT closed_at FROM cases`), "the case must not be closed before it is done")

			s.goOn(func() { s.after(time.Minute, func() { s.repairTable("grants") }) })

			require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
			require.Equal(t, 1, s.result().Documents.Returned)
			require.NotEmpty(t, s.Text(`SELECT closed_at FROM cases`))
			require.Equal(t, s.Leaver+" editable", s.DocumentState(taken))
			require.Equal(t, s.Leaver+" editable", s.DocumentState(left))
			require.Empty(t, s.status().RefusedMessages)
			require.Nil(t, s.status().Trouble)
			require.Equal(t, "0", s.Text(`SELECT trouble_attempt FROM cases`))
		})
	}
}
