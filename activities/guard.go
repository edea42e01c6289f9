package activities

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"handover/offboarding"
)

// ForeignCaller is the type of the error of an activity that somebody else has asked for.
const ForeignCaller = "foreign_caller"

// The activities that are tasks of their own, and the types of the workflows that schedule
// them. All others are done in the workflow task, where nobody else can ask for them.
var (
	byCases        = []string{offboarding.WorkflowOffboarding, offboarding.WorkflowWorkspaceRemoval}
	byReactivation = []string{offboarding.WorkflowReactivation}
	byBulk         = []string{offboarding.WorkflowBulkOffboarding}
	byDeletion     = []string{offboarding.WorkflowMemberDeletion}
	whenComingBack = slices.Concat(byCases, byReactivation)

	scheduled = map[string][]string{
		"ArchiveDocuments": byCases, "TransferDocuments": byCases, "LockDocuments": byCases, "SendNotices": byCases, "Notify": byCases,
		"RestoreDocuments": whenComingBack, "ReturnDocuments": whenComingBack, "GrantEdit": whenComingBack, "SendReactivate": byReactivation,
		"JudgeBulk": byBulk, "OffboardMembers": byBulk, "StartCases": byBulk, "OffboardFirst": byDeletion, "EraseMember": byDeletion,
		"SendWebhooks": {offboarding.WorkflowWebhookDelivery},
	}
)

// Runs says what a run of a workflow is.
type Runs interface {
	// Ran is the type of a run and the task queue that it is worked on, "" where there is none.
	Ran(ctx context.Context, workflowID, runID string) (workflowType, taskQueue string, err error)
}

// Guard makes a worker do activities for workflows of Handover only. Whoever reaches the
// namespace can ask for one without a workflow, or from a workflow of their own on a task
// queue of their own; where signatures are required, the task queue is looked at too.
func Guard(runs Runs, keys offboarding.Keyring, log *slog.Logger) interceptor.WorkerInterceptor {
	return &guard{runs: runs, signed: keys != nil, log: log, ours: map[string]bool{}}
}

type guard struct {
	interceptor.WorkerInterceptorBase
	runs   Runs
	signed bool
	log    *slog.Logger

	mu   sync.Mutex
	ours map[string]bool // run IDs
}

// oursMost is how many runs a worker remembers as ours before it begins anew.
const oursMost = 10_000

// InterceptActivity is called for each activity that is done.
func (g *guard) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &guarded{interceptor.ActivityInboundInterceptorBase{Next: next}, g}
}

type guarded struct {
	interceptor.ActivityInboundInterceptorBase
	guard *guard
}

// ExecuteActivity does it for whom it is.
func (a *guarded) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	asked, err := a.guard.asked(ctx, info)
	if err != nil {
		return nil, err
	}
	if asked {
		return a.Next.ExecuteActivity(ctx, in)
	}
	countNotSigned(ctx, info.ActivityType.Name)
	a.guard.log.WarnContext(ctx, "not done for others", "activity", info.ActivityType.Name, "run_id", info.WorkflowExecution.RunID)
	return nil, temporal.NewNonRetryableApplicationError("this is done for workflows of Handover only", ForeignCaller, nil)
}

// asked reports whether a workflow of ours has asked for an activity.
func (g *guard) asked(ctx context.Context, info activity.Info) (bool, error) {
	switch {
	case info.IsLocalActivity:
		return true, nil
	case !info.IsWorkflowActivity(), info.WorkflowType == nil, !slices.Contains(scheduled[info.ActivityType.Name], info.WorkflowType.Name):
		return false, nil
	case !g.signed:
		return true, nil
	}
	run := info.WorkflowExecution
	g.mu.Lock()
	known := g.ours[run.RunID]
	g.mu.Unlock()
	if known {
		return true, nil
	}
	workflowType, taskQueue, err := g.runs.Ran(ctx, run.ID, run.RunID)
	if err != nil || workflowType != info.WorkflowType.Name || taskQueue != info.TaskQueue {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ours) >= oursMost {
		clear(g.ours)
	}
	g.ours[run.RunID] = true
	return true, nil
}
