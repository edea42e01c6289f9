package activities

import (
	"context"
	"strings"

	"go.temporal.io/sdk/activity"

	"handover/offboarding"
)

// metricNotSigned counts what was refused for its signature.
const metricNotSigned = "handover_not_signed"

// RequireSigned makes activities do nothing for starts and messages that none of the keys
// has signed; with nil nothing has to be. It is no method, for those are activities.
//
// It is judged here and not in the workflow, because what a worker knows changes: a
// replay takes the verdict from the history, like every other refusal, and needs no key.
func RequireSigned(a *Activities, keys offboarding.Keyring) *Activities {
	a.keys = keys
	return a
}

// begun does what a start asks for. Whatever it has begun before goes on: its workflow was
// set back or looks again, and nobody may have asked for a signature then. do is told, for
// what was begun is all that such a start may have.
func begun[T any](
	ctx context.Context, a *Activities, caseID string, sent *offboarding.Sent, do func(before bool) (T, error),
) (T, error) {
	if a.keys != nil {
		if was, err := a.store.Begun(ctx, caseID); err != nil || was {
			if err != nil {
				var none T
				return none, err
			}
			return answer(do(true))
		}
	}
	return heard(ctx, a, sent, func() (T, error) { return do(false) })
}

// heard does what a start or message asks for, where its signature holds or none is
// asked for.
func heard[T any](ctx context.Context, a *Activities, sent *offboarding.Sent, do func() (T, error)) (T, error) {
	if a.keys == nil {
		return answer(do())
	}
	if sent == nil { // nobody says how it came
		sent = &offboarding.Sent{}
	}
	var none T
	refusal, err := a.judgeSignature(ctx, sent)
	switch {
	case err != nil:
		return none, err
	case refusal == nil:
		return answer(do())
	}
	countNotSigned(ctx, sent.Name)
	a.log.WarnContext(ctx, "not heard", "kind", sent.Kind, "message", sent.Name, "run_id", activity.GetInfo(ctx).WorkflowExecution.RunID,
		"reason", refusal.Violations[0].Message)
	return none, RefusalError(refusal)
}

func countNotSigned(ctx context.Context, what string) {
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{"message": what}).Counter(metricNotSigned).Inc(1)
}

// judgeSignature hears a start or a signal once. An update has its ID for that.
func (a *Activities) judgeSignature(ctx context.Context, sent *offboarding.Sent) (*offboarding.Refusal, error) {
	id, expires, refusal := a.keys.Verify(*sent)
	sent.Expires = expires
	if refusal != nil || sent.Kind == offboarding.KindUpdate {
		return refusal, nil
	}
	first, err := a.store.UseSignature(ctx, id, *sent)
	if err == nil && first != sent.HandledAs {
		refusal = offboarding.SignedBefore()
	}
	return refusal, err
}

// JudgeContinued judges who has continued as a workflow of ours. It has to be one itself,
// which was run by our workers, and so has handed on what these remember. The engine may
// have forgotten the run before by the time that one is set back; what it had begun is known.
func (a *Activities) JudgeContinued(ctx context.Context, in offboarding.ContinuedInput) error {
	if a.keys == nil {
		return nil
	}
	workflowType, taskQueue, err := a.cases.Ran(ctx, in.WorkflowID, in.RunID)
	if err != nil {
		return err
	}
	if workflowType == in.Type && taskQueue == offboarding.TaskQueue {
		return nil
	}
	if workflowType == "" {
		if was, err := a.begunBefore(ctx, in); err != nil || was {
			return err
		}
	}
	countNotSigned(ctx, in.Type)
	a.log.WarnContext(ctx, "not heard", "kind", "continued", "workflow", in.Type, "run_id", activity.GetInfo(ctx).WorkflowExecution.RunID)
	return RefusalError(offboarding.NotContinued())
}

// begunBefore reports whether there is what a workflow has begun that somebody continued.
func (a *Activities) begunBefore(ctx context.Context, in offboarding.ContinuedInput) (bool, error) {
	caseID := in.CaseID
	if in.Type == offboarding.WorkflowMemberArchival { // its ID is that of the case that has asked for it
		caseID = strings.TrimPrefix(in.WorkflowID, offboarding.ArchivalWorkflowID(""))
	}
	return a.store.Begun(ctx, caseID)
}
