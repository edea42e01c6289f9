package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// ErrFastForward says that the server gave up a fast-forward of an execution that
// still runs: another one replaced it, or time-skipping was turned off.
var ErrFastForward = errors.New("the fast-forward did not complete")

// FastForward moves one execution's clock by d and returns when it is there; the
// timers in between have fired. An execution that is closed, closes meanwhile, or
// does not exist is no error: there is no time left to pass.
//
// It works on many executions at once, one call at a time for each. The namespace is
// the client's, which keeps it to itself.
func FastForward(ctx context.Context, c client.Client, namespace, workflowID string, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	execution := &commonpb.WorkflowExecution{WorkflowId: workflowID}
	id := uuid.NewString()
	_, err := c.WorkflowService().UpdateWorkflowExecutionOptions(ctx, &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace:         namespace,
		WorkflowExecution: execution,
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: &commonpb.TimeSkippingConfig{
			Enabled:           true,
			FastForwardConfig: &commonpb.FastForwardConfig{Id: id, Duration: durationpb.New(d)},
		}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
	})
	if ended(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("fast-forward %s: %w", workflowID, err)
	}
	for {
		resp, err := c.WorkflowService().PollWorkflowExecutionTimeSkipping(ctx, &workflowservice.PollWorkflowExecutionTimeSkippingRequest{
			Namespace:         namespace,
			WorkflowExecution: execution,
			FastForwardId:     id,
		})
		if ended(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for the fast-forward of %s: %w", workflowID, err)
		}
		switch resp.GetFastForwardPollingResult() {
		case enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED:
			return nil
		case enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED:
			return fastForwardFailed(ctx, c, workflowID, resp.GetFailedReason())
		default: // the long poll's time was up
		}
	}
}

// fastForwardFailed tells an execution that ended from one that did not get there.
func fastForwardFailed(ctx context.Context, c client.Client, workflowID, reason string) error {
	d, err := c.DescribeWorkflowExecution(ctx, workflowID, "")
	if ended(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("fast-forward %s: %w", workflowID, err)
	}
	if d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", workflowID, ErrFastForward, reason)
}

// ended says whether the error means that no open execution is there.
func ended(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}

// VirtualNow is the execution's own time: the wall clock's plus all that was
// skipped. It fails with serviceerror.NotFound for an unknown execution.
func VirtualNow(ctx context.Context, c client.Client, workflowID string) (time.Time, error) {
	d, err := c.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return time.Time{}, fmt.Errorf("the time of %s: %w", workflowID, err)
	}
	if t := d.GetWorkflowExtendedInfo().GetTimeSkippingInfo().GetCurrentTime(); t != nil {
		return t.AsTime(), nil
	}
	return time.Now().UTC(), nil
}
