package workflows

import (
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// The time between tries of a step that fails, doubled up to the longest.
const (
	firstPause   = time.Second
	longestPause = 5 * time.Minute
)

// local runs an activity in the workflow task: for one short transaction.
func local(activity any, in any) func(workflow.Context) workflow.Future {
	return lasting(10*time.Second, activity, in)
}

// lasting is local for a transaction that may take longer.
func lasting(timeout time.Duration, activity any, in any) func(workflow.Context) workflow.Future {
	return func(ctx workflow.Context) workflow.Future {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
			StartToCloseTimeout: timeout,
			RetryPolicy: &temporal.RetryPolicy{
				InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: time.Second, MaximumAttempts: 4,
			},
		})
		return workflow.ExecuteLocalActivity(ctx, activity, in)
	}
}

// sweeping runs an activity that works through many documents and resumes from
// its heartbeat. A worker that died is missed within the heartbeat timeout.
func sweeping(activity any, in any) func(workflow.Context) workflow.Future {
	return remote(activity, in, workflow.ActivityOptions{StartToCloseTimeout: 6 * time.Hour, HeartbeatTimeout: 15 * time.Second})
}

// reaching runs an activity that reaches outside.
func reaching(activity any, in any) func(workflow.Context) workflow.Future {
	return remote(activity, in, workflow.ActivityOptions{StartToCloseTimeout: 30 * time.Second})
}

// remote runs an activity as a task of its own.
func remote(activity any, in any, options workflow.ActivityOptions) func(workflow.Context) workflow.Future {
	options.RetryPolicy = &temporal.RetryPolicy{
		InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second, MaximumAttempts: 6,
	}
	return func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activity, in)
	}
}

// doer is a workflow that does steps.
type doer interface {
	troubled(ctx workflow.Context, step string, err error) // a step failed once more
	resolved(ctx workflow.Context, step string)            // it has been done, or given up
	givesWay(ctx workflow.Context) bool                    // the workflow is about to continue as new
}

// do does a step and never gives up: while it fails, the workflow says where, how
// often and why (invariant 7), and tries again after a pause. A refusal is an
// answer and is returned.
func do[T any](ctx workflow.Context, d doer, name string, execute func(workflow.Context) workflow.Future) (T, error) {
	pause := firstPause
	for {
		var out T
		err := execute(ctx).Get(ctx, &out)
		if err == nil {
			d.resolved(ctx, name)
			return out, nil
		}
		if refusal := activities.RefusalFrom(err); refusal != nil {
			d.resolved(ctx, name)
			return out, refusal
		}
		d.troubled(ctx, name, err)
		if d.givesWay(ctx) {
			return out, errRollover
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return out, err
		}
		pause = min(2*pause, longestPause)
	}
}

// sweep does a step over all documents of the case. The caller is inside the
// gate already: who entered it a second time would wait for whoever waits for
// them to leave.
func (c *offboardingCase) sweep(ctx workflow.Context, activity any, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return do[offboarding.Sweep](ctx, c, in.Name, sweeping(activity, in))
}

// sweepTogether does a sweep of the case itself beside messages about documents.
func (c *offboardingCase) sweepTogether(ctx workflow.Context, activity any, in offboarding.SweepInput) (out offboarding.Sweep, err error) {
	err = c.together(ctx, func() error {
		out, err = c.sweep(ctx, activity, in)
		return err
	})
	return out, err
}

// troubles are the steps of a workflow that fail, the oldest first.
type troubles []offboarding.Trouble

// add takes note, and logs, that a step failed once more; of says whose step it is.
func (t *troubles) add(ctx workflow.Context, step string, err error, of ...any) offboarding.Trouble {
	i := slices.IndexFunc(*t, func(t offboarding.Trouble) bool { return t.Step == step })
	if i < 0 {
		i = len(*t)
		*t = append(*t, offboarding.Trouble{Step: step, Since: now(ctx)})
	}
	failing := &(*t)[i]
	failing.Attempt++
	failing.LastError = reason(err)
	workflow.GetLogger(ctx).Warn("a step fails and is tried again",
		append(of, "step", step, "attempt", failing.Attempt, "error", failing.LastError)...)
	return *failing
}

// remove takes back the trouble of a step that has been done; false when it had none.
func (t *troubles) remove(step string) bool {
	before := len(*t)
	*t = slices.DeleteFunc(*t, func(t offboarding.Trouble) bool { return t.Step == step })
	return len(*t) != before
}

// worst is what has failed for the longest time, nil when nothing does.
func (t troubles) worst() *offboarding.Trouble {
	if len(t) == 0 {
		return nil
	}
	oldest := t[0]
	return &oldest
}

// troubled shows that the case cannot go on. The lists show it too where the
// database can still be written.
func (c *offboardingCase) troubled(ctx workflow.Context, step string, err error) {
	c.Troubles.add(ctx, step, err, "case_id", c.CaseID)
	c.recordTrouble(ctx)
}

func (c *offboardingCase) resolved(ctx workflow.Context, step string) {
	if c.Troubles.remove(step) {
		c.recordTrouble(ctx)
	}
}

func (c *offboardingCase) givesWay(ctx workflow.Context) bool {
	return c.rollover || c.historyLong(ctx)
}

func (c *offboardingCase) recordTrouble(ctx workflow.Context) {
	recordTrouble(ctx, c.CaseID, c.Troubles.worst())
}

func recordTrouble(ctx workflow.Context, caseID string, worst *offboarding.Trouble) {
	tryOnce(ctx, act.RecordTrouble, offboarding.TroubleInput{CaseID: caseID, Trouble: worst}, "case_id", caseID)
}

// tryOnce records a trouble in the database; the workflow knows it in any case.
func tryOnce(ctx workflow.Context, activity, in any, of ...any) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 5 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	if err := workflow.ExecuteLocalActivity(ctx, activity, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("the trouble cannot be recorded in the database", of...)
	}
}

// reason is what the innermost application error says, which the store has made
// safe to show.
func reason(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return "timed out"
	}
	return "failed"
}
