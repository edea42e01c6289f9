package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// historyLimit is the number of events after which a workflow continues as new. It
// decides what a replay does, so changing it needs a version.
const historyLimit = 2000

// carriedAtMost is how many bytes of signals a case hands on. A case with more
// handles them first, however long its history grows: an input over the server's
// limit could not be handed on at all.
const carriedAtMost = 256 << 10

func (c *offboardingCase) historyLong(ctx workflow.Context) bool {
	if c.inboxBytes() > carriedAtMost {
		return false
	}
	return historyLong(ctx)
}

// historyLong reports whether a workflow is to continue as new.
func historyLong(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > historyLimit
}

// continued reports whether an earlier run has handed its input to this one. Runs that a
// cron or a retry makes have the input of whoever started the first.
func continued(info *workflow.Info) bool {
	return info.ContinuedExecutionRunID != "" && info.CronSchedule == "" && info.Attempt <= 1
}

// judgeContinued asks whether a workflow of ours has continued as this run: what somebody
// else's has handed it is not to be believed. Until it knows, the run does nothing else, and
// shows only why it does not know.
func judgeContinued(ctx workflow.Context, shown *troubles) error {
	if workflow.GetVersion(ctx, "who has continued", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	info := workflow.GetInfo(ctx)
	in := offboarding.ContinuedInput{
		WorkflowID: info.WorkflowExecution.ID, Type: info.WorkflowType.Name, RunID: info.ContinuedExecutionRunID, CaseID: caseID(info),
	}
	_, err := do[struct{}](ctx, unjudged{shown}, "continue", local(act.JudgeContinued, in))
	return err
}

// unjudged is a workflow that does not know yet who has continued as it.
type unjudged struct{ *troubles }

func (u unjudged) troubled(ctx workflow.Context, step string, err error) { u.add(ctx, step, err) }
func (u unjudged) resolved(_ workflow.Context, step string)              { u.remove(step) }

// givesWay never: the next run would believe what this one hands on.
func (u unjudged) givesWay(workflow.Context) bool { return false }

// errRollover says that the history is long and the case continues as new.
var errRollover = errors.New("continue as new")

func (c *offboardingCase) inboxBytes() int {
	n := 0
	for _, m := range c.Inbox {
		n += len(m.Payload) + len(m.Signature)
	}
	return n
}

// continueAsNew lets what is under way come to an end and hands on the rest. It
// returns nil when too much has arrived meanwhile: the case goes on as it is.
func (c *offboardingCase) continueAsNew(ctx workflow.Context) error {
	c.rollover = true
	err := workflow.Await(ctx, func() bool { return c.gate.idle() && workflow.AllHandlersFinished(ctx) })
	if err != nil {
		return err
	}
	if c.drain(ctx); c.inboxBytes() > carriedAtMost {
		c.rollover = false
		return nil
	}
	return workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, Input{Request: c.request, Carried: &c.state})
}
