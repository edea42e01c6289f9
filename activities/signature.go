package activities

import (
	"context"

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

// heard does what a start or message asks for, where its signature holds or none is
// asked for. sent is nil for what was judged before.
func heard[T any](ctx context.Context, a *Activities, sent *offboarding.Sent, do func() (T, error)) (T, error) {
	if a.keys == nil || sent == nil {
		return answer(do())
	}
	var none T
	refusal, err := a.judgeSignature(ctx, *sent)
	switch {
	case err != nil:
		return none, err
	case refusal == nil:
		return answer(do())
	}
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{"message": sent.Name}).Counter(metricNotSigned).Inc(1)
	a.log.WarnContext(ctx, "not heard", "kind", sent.Kind, "message", sent.Name, "run_id", activity.GetInfo(ctx).WorkflowExecution.RunID,
		"reason", refusal.Violations[0].Message)
	return none, RefusalError(refusal)
}

// judgeSignature hears a start or a signal once. An update has its ID for that.
func (a *Activities) judgeSignature(ctx context.Context, sent offboarding.Sent) (*offboarding.Refusal, error) {
	id, refusal := a.keys.Verify(sent)
	if refusal != nil || sent.Kind == offboarding.KindUpdate {
		return refusal, nil
	}
	first, err := a.store.UseSignature(ctx, id, sent)
	if err == nil && first != sent.HandledAs {
		refusal = offboarding.SignedBefore()
	}
	return refusal, err
}
