package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"

	"handover/activities"
	"handover/offboarding"
)

func TestStartNamesTheCaseAfterTheMember(t *testing.T) {
	engine := mocks.NewClient(t)
	run := mocks.NewWorkflowRun(t)
	run.On("GetID").Return("offboarding/m1")
	run.On("GetRunID").Return("r1")
	request := offboarding.Request{MemberID: "m1", RequestedBy: "a1"}
	engine.On("ExecuteWorkflow", mock.Anything, temporal.StartWorkflowOptions{
		ID:                       "offboarding/m1",
		TaskQueue:                "offboarding",
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		EnableEagerStart:         true, // of use where the caller's connection has a worker
	}, "Offboarding", request).Return(run, nil)

	started, err := New(engine).Start(context.Background(), request)
	if err != nil || started != (Started{WorkflowID: "offboarding/m1", RunID: "r1"}) {
		t.Fatalf("Start = %+v, %v", started, err)
	}
}

func TestUpdatesCarryTheirNamePayloadAndID(t *testing.T) {
	engine := mocks.NewClient(t)
	payload := offboarding.Cancel{AdminID: "a1", Reason: "stays after all"}
	handle := mocks.NewWorkflowUpdateHandle(t)
	handle.On("Get", mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		*args.Get(1).(*offboarding.Outcome) = offboarding.Outcome{Outcome: offboarding.OutcomeCanceled}
	}).Return(nil)
	engine.On("UpdateWorkflow", mock.Anything, temporal.UpdateWorkflowOptions{
		WorkflowID: "offboarding/m1", UpdateID: "u1", UpdateName: "cancel", Args: []any{payload},
		WaitForStage: temporal.WorkflowUpdateStageCompleted,
	}).Return(handle, nil)

	outcome, err := New(engine).Cancel(context.Background(), "offboarding/m1", payload, WithUpdateID("u1"))
	if err != nil || outcome.Outcome != offboarding.OutcomeCanceled {
		t.Fatalf("Cancel = %+v, %v", outcome, err)
	}
}

func TestEveryPayloadHasItsOwnMessage(t *testing.T) {
	payloads := []any{
		offboarding.ClaimRequest{},
		offboarding.AdminApproval{},
		offboarding.TransferDocuments{},
		offboarding.ExtendGrace{},
		offboarding.Reschedule{},
		offboarding.Cancel{},
		offboarding.Reactivate{},
	}
	for i, payload := range payloads {
		if got := messageOf(payload); got != offboarding.Messages[i] {
			t.Errorf("messageOf(%T) = %s, want %s", payload, got, offboarding.Messages[i])
		}
	}
}

func TestErrorsAreTypedAndSafe(t *testing.T) {
	const secret = "dial tcp 10.0.0.7:7233: user ada@example.com"
	refusal := offboarding.Refuse("E3", offboarding.CodeISPDomain, "member_id", "the member's primary email is on an ISP domain")
	for name, test := range map[string]struct {
		err         error
		code        offboarding.Code
		unavailable bool
	}{
		"a refusal from an activity": {err: fmt.Errorf("workflow: %w", activities.RefusalError(refusal)), code: offboarding.CodeISPDomain},
		"no such workflow":           {err: serviceerror.NewNotFound(secret), code: offboarding.CodeCaseNotFound},
		"no connection":              {err: serviceerror.NewUnavailable(secret), unavailable: true},
		"no answer":                  {err: fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), unavailable: true},
		"anything else":              {err: errors.New(secret)},
	} {
		err := clean("send cancel", test.err)
		if got := offboarding.CodeOf(err); got != test.code {
			t.Errorf("%s: code %q, want %q", name, got, test.code)
		}
		var own *Error
		if errors.As(err, &own) && own.Unavailable != test.unavailable {
			t.Errorf("%s: unavailable %t, want %t", name, own.Unavailable, test.unavailable)
		}
		if strings.Contains(err.Error(), "ada@") || strings.Contains(err.Error(), "10.0.0.7") {
			t.Errorf("%s: the engine's text is shown: %s", name, err)
		}
	}
}
