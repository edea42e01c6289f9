package main

import (
	"context"
	"slices"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"google.golang.org/grpc"

	"handover/offboarding"
)

// watch sees from inside a worker's process when a leaver's access has gone, and when
// a case has been parked; the same way whoever's worker it is.
type watch struct {
	interceptor.InterceptorBase
	revoked chan time.Time // the transaction that revoked has been committed
	parked  chan time.Time // Temporal has kept the timer that the case waits for
}

func newWatch() *watch {
	const most = 100_000 // nobody is held up by who looks later
	return &watch{revoked: make(chan time.Time, most), parked: make(chan time.Time, most)}
}

// options are those of a connection whose workers are watched.
func (w *watch) options(o client.Options) client.Options {
	o.Interceptors = append(o.Interceptors, w)
	o.ConnectionOptions.DialOptions = append(o.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(w.call))
	return o
}

// call sees what a worker tells the server.
func (w *watch) call(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	if done, ok := req.(*workflowservice.RespondWorkflowTaskCompletedRequest); ok && err == nil {
		if slices.ContainsFunc(done.GetCommands(), func(c *commandpb.Command) bool { return c.GetCommandType() == enums.COMMAND_TYPE_START_TIMER }) {
			w.parked <- time.Now()
		}
	}
	return err
}

// InterceptActivity sees what the activities come to.
func (w *watch) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	a := &watchedActivity{watch: w}
	a.Next = next
	return a
}

type watchedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	watch *watch
}

func (a *watchedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	out, err := a.Next.ExecuteActivity(ctx, in)
	admission, admitted := out.(offboarding.Admission)
	if err == nil && (activity.GetInfo(ctx).ActivityType.Name == "Revoke" || admitted && admission.DeactivatedAt != nil) {
		a.watch.revoked <- time.Now()
	}
	return out, err
}
