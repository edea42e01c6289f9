package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
	"handover/postgres"
)

// twinQueue is the twin's own task queue, and twinType its workflow.
const (
	twinQueue = "textbook"
	twinType  = "Textbook"
)

// twin is what the tutorials would make of a case: one regular activity a step and an
// ordinary start. It does its steps with the same methods of the
// store, so that rules, audit rows and durability are the same; it takes no messages
// and answers no queries, which would only cost it more.
type twin struct {
	client client.Client
	worker worker.Worker
	org    organization
}

// startTwin starts the twin's worker on a connection of its own.
func startTwin(ctx context.Context, options client.Options, store *postgres.Store, org organization) (*twin, error) {
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, err
	}
	t := &twin{client: c, org: org, worker: worker.New(c, twinQueue, worker.Options{
		// As Handover's: a fixed few would starve it.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
	})}
	t.worker.RegisterWorkflowWithOptions(textbook, workflow.RegisterOptions{Name: twinType})
	t.worker.RegisterActivityWithOptions(activities.New(store, nil, nil, slog.New(slog.DiscardHandler)), activity.RegisterOptions{})
	if err := t.worker.Start(); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

func (t *twin) close() {
	t.worker.Stop()
	t.client.Close()
}

// start starts the i-th member's case.
func (t *twin) start(ctx context.Context, i int) error {
	_, err := t.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "textbook/" + t.org.members[i], TaskQueue: twinQueue}, twinType,
		offboarding.Request{MemberID: t.org.members[i], RequestedBy: t.org.admin})
	return err
}

// errNoGrace says that a case of the twin has not come to its grace.
var errNoGrace = errors.New("the case is not in grace")

// textbook is a case from the start to the end of the grace.
func textbook(ctx workflow.Context, r offboarding.Request) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	var act *activities.Activities
	info := workflow.GetInfo(ctx)
	step := func(name string) offboarding.Step {
		id := uuid.NewSHA1(uuid.NameSpaceURL, []byte(info.WorkflowExecution.ID+info.FirstRunID)).String()
		return offboarding.Step{CaseID: id, Name: name, At: workflow.Now(ctx).UTC().Truncate(time.Microsecond)}
	}
	s := step("admit")
	var admitted offboarding.Admission
	in := offboarding.AdmitInput{CaseID: s.CaseID, WorkflowID: info.WorkflowExecution.ID, At: s.At, Request: r}
	if err := workflow.ExecuteActivity(ctx, act.Admit, in).Get(ctx, &admitted); err != nil {
		return err
	}
	if err := workflow.ExecuteActivity(ctx, act.Revoke, offboarding.RevokeInput{Step: step("revoke")}).Get(ctx, nil); err != nil {
		return err
	}
	s = step("deactivate")
	if err := workflow.ExecuteActivity(ctx, act.Deactivate, s).Get(ctx, nil); err != nil {
		return err
	}
	ends := s.At.Add(admitted.Plan.GracePeriod)
	var settled offboarding.Settled
	if err := workflow.ExecuteActivity(ctx, act.Settle, offboarding.SettleInput{Step: step("settle/1"), GraceEndsAt: &ends}).Get(ctx, &settled); err != nil {
		return err
	}
	if settled.Phase != offboarding.PhaseGrace {
		return errNoGrace
	}
	return workflow.Sleep(ctx, ends.Sub(workflow.Now(ctx)))
}
