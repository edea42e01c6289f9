package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// historyLimit is the number of events after which a case continues as new. It
// decides what a replay does, so changing it needs a version.
const historyLimit = 2000

func (c *offboardingCase) historyLong(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > historyLimit
}

// errRollover says that the history is long and the case continues as new.
var errRollover = errors.New("continue as new")

// continueAsNew lets what is under way come to an end and hands on the rest.
func (c *offboardingCase) continueAsNew(ctx workflow.Context) error {
	c.rollover = true
	err := workflow.Await(ctx, func() bool { return c.gate.idle() && workflow.AllHandlersFinished(ctx) })
	if err != nil {
		return err
	}
	c.drain(ctx)
	return workflow.NewContinueAsNewError(ctx, offboarding.WorkflowOffboarding, Input{Request: c.request, Carried: &c.state})
}
