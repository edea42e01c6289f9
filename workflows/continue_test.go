package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
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

// breakTable makes every statement on a table fail until repairTable.
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

func TestNothingIsLostWhenACaseContinuesAsNew(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	colleague := s.Maker()
	claimed, asked, waiting := s.Document(s.Leaver, ""), s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
	for _, document := range []string{claimed, waiting} {
		s.Grant(document, colleague, offboarding.GrantEdit)
	}
	s.Grant(asked, colleague, offboarding.GrantView)
	s.notices.broken = true
	s.after(day, func() {
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: claimed, MemberID: colleague})
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: asked, MemberID: colleague})
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: "none", MemberID: colleague})
		s.signal(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: at(10 * day)})
	})
	var before offboarding.Status
	s.after(8*day, func() { // the first reminder is given, and its notice waits for the notifier
		before = s.status()
		require.NotNil(t, before.Trouble)
		s.breakTable("grants")
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: waiting, MemberID: colleague})
		s.signal(offboarding.MessageReschedule, offboarding.Reschedule{AdminID: s.Admin, EffectiveAt: at(20 * day)})
	})
	s.after(8*day+time.Minute, func() { s.env.SetCurrentHistoryLength(5000) })
	s.run(nil)
	carried := remembered(t, s.continued())
	require.Len(t, carried["inbox"], 2, "the claim that fails and what waits behind it")
	require.EqualValues(t, 3, carried["recorded"], "for the manager, the colleague, and the owner about the request")
	require.Nil(t, carried["sent"])
	s.repairTable("grants")
	s.notices.mend()

	var after offboarding.Status
	s.goOn(func() {
		s.lasting(5 * day)
		s.after(time.Hour, func() { after = s.status() })
	})

	require.Zero(t, s.Count(`SELECT count(*) FROM notices WHERE sent_at IS NULL`))
	require.Equal(t, 1, after.ContinuedAsNew)
	require.Nil(t, after.Trouble)
	require.Equal(t, before.CaseID, after.CaseID)
	require.Equal(t, before.GraceEndsAt, after.GraceEndsAt)
	require.Equal(t, before.DeactivatedAt, after.DeactivatedAt)
	require.Equal(t, before.PendingRequests, after.PendingRequests)
	require.Equal(t, before.StepsDone, after.StepsDone)
	require.Equal(t, before.MessagesHandled+2, after.MessagesHandled)
	require.Equal(t, offboarding.Counts{Total: 3, Unowned: 1, Claimed: 2}, after.Documents)
	codes := make([]offboarding.Code, 0, 2)
	for _, refused := range after.RefusedMessages {
		codes = append(codes, refused.Code)
	}
	require.Equal(t, []offboarding.Code{offboarding.CodeNoAccess, offboarding.CodeWrongPhase}, codes)
	require.Equal(t, []string{"72h on 07 09:00", "72h on 09 09:00", "24h on 11 09:00"}[1:], s.reminded()[len(s.reminded())-2:])
	require.Len(t, s.notices.handed, 4, "each notice is handed over")
	require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase)
	require.Equal(t, s.Leaver+" read_only", s.DocumentState(asked))
	require.Equal(t, 1, s.count(offboarding.EventDeactivateMember))
}

func TestPlanIsCountedOnceWhenTheCaseContinuesAsNewBehindIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Document(s.Leaver, "")
	s.env.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) {
		s.breakTable("ownership_requests") // the settle behind the transfer fails
		s.env.SetContinueAsNewSuggested(true)
	})
	s.run(func(r *offboarding.Request) { r.NewOwnerID = s.Manager })
	s.continued()
	s.repairTable("ownership_requests")
	s.goOn(func() {})
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, offboarding.Counts{Total: 1, Transferred: 1}, s.result().Documents)
	require.Equal(t, 1, s.count(offboarding.EventTransferDocs))
}

func TestCarriedStateOfAnOutsiderIsIgnored(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Document(s.Leaver, "")
	s.after(day, func() { s.env.SetContinueAsNewSuggested(true); s.signal(offboarding.MessageClaim, nil) })
	s.run(nil)
	in := s.continued()

	other := newScene(t)
	in.MemberID, in.RequestedBy = other.Leaver, other.Manager
	other.env.ExecuteWorkflow(offboarding.WorkflowOffboarding, in)
	require.Equal(t, offboarding.CodeNotAuthorized, other.refusal().Code(), "the start is judged like any other")
}

func TestHundredsOfSignalsAreEachHandledOnceOverSeveralRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a while on a real server")
	}
	s := newStand(t)
	const valid = 550
	documents := documents(s.Organization, s.Leaver, valid+1)
	c := s.start(s.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	for _, document := range documents[:valid] {
		c.claim(document, s.Manager)
		c.claim(document, "external:nobody")
	}
	status := c.reaches(func(s offboarding.Status) bool { return s.MessagesHandled == 2*valid })
	require.Equal(t, offboarding.Counts{Total: valid + 1, Unowned: 1, Claimed: valid}, status.Documents)
	require.Len(t, status.RefusedMessages, 20, "what only the status shows is bounded")
	c.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin})
	c.ends(offboarding.PhaseCompleted)

	require.Equal(t, 2*valid+1, c.status().MessagesHandled)
	require.Equal(t, valid, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ClaimDocOwnership'`))
	require.Equal(t, valid, s.Count(`SELECT count(DISTINCT document_id) FROM audit_events WHERE event = 'ClaimDocOwnership'`))
	runs := c.histories()
	require.Greater(t, len(runs), 1)
	for _, run := range runs {
		require.Less(t, len(run.Events), 4000)
	}
}

// Signals of more bytes than one run can hand to the next are handled first,
// however long the history is.
func TestMoreSignalsThanCanBeHandedOnAreHandledFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Document(s.Leaver, "")
	const signals = 80 // of 39 kB each: half as much again as an input may hold
	strangers := make([]string, offboarding.MaxDocumentsNamed)
	for i := range strangers {
		strangers[i] = uuid.NewString()
	}
	s.after(day, func() {
		s.breakTable("case_steps") // so that all of them arrive before the first is handled
		for range signals {
			s.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, DocumentIDs: strangers})
		}
	})
	s.after(day+time.Minute, func() {
		s.env.SetContinueAsNewSuggested(true)
		s.repairTable("case_steps")
	})
	s.run(nil)

	carried := remembered(t, s.continued())
	data, err := json.Marshal(carried)
	require.NoError(t, err)
	require.Less(t, len(data), 512<<10)
	left, _ := carried["inbox"].([]any)
	require.EqualValues(t, signals, carried["handled"].(float64)+float64(len(left)), "each is handled or handed on")
}
