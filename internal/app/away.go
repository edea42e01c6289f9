package app

import (
	"context"
	"log/slog"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	cases "handover/client"
)

// How often the Temporal server is asked whether it is there, how long it may take to
// answer, and after how many answers in a row that have not come it is away.
const (
	probeEvery  = time.Second
	probeWithin = time.Second
	probesLost  = 3
)

// away ends calls of Temporal, and refuses new ones, while the Temporal server does not
// answer. The SDK would try each again until its time is over: those who wait for an
// answer would all wait for that, and others for their places.
type away struct {
	there atomic.Pointer[context.Context] // done while the server is away
	gone  context.CancelFunc              // ends it; of watch alone
}

func newAway() *away {
	a := &away{}
	a.back()
	return a
}

func (a *away) back() {
	ctx, cancel := context.WithCancel(context.Background())
	a.gone = cancel
	a.there.Store(&ctx)
}

// calls are those that somebody waits for. A worker's own go on: it has all the time.
var calls = []string{
	"StartWorkflowExecution", "ExecuteMultiOperation", "SignalWithStartWorkflowExecution", "SignalWorkflowExecution", "UpdateWorkflowExecution",
	"PollWorkflowExecutionUpdate", "QueryWorkflow", "DescribeWorkflowExecution", "GetWorkflowExecutionHistory",
}

// call is around all tries of a call.
func (a *away) call(
	ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if !slices.Contains(calls, path.Base(method)) {
		return invoke(ctx, method, request, reply, cc, opts...)
	}
	there := *a.there.Load()
	if there.Err() != nil {
		return cases.ErrAway
	}
	once, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(there, cancel)()
	err := invoke(once, method, request, reply, cc, opts...)
	if err != nil && ctx.Err() == nil && there.Err() != nil {
		return cases.ErrAway
	}
	return err
}

// watch asks until ctx ends.
func (a *away) watch(ctx context.Context, c client.Client, log *slog.Logger) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	defer func() { a.gone() }()
	for lost := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		probe, cancel := context.WithTimeout(ctx, probeWithin)
		_, err := c.CheckHealth(probe, &client.CheckHealthRequest{})
		cancel()
		switch answered := !unanswered(err); {
		case answered && lost >= probesLost:
			log.InfoContext(ctx, "the Temporal server is back")
			a.back()
			lost = 0
		case answered:
			lost = 0
		case ctx.Err() == nil:
			if lost++; lost == probesLost {
				log.WarnContext(ctx, "the Temporal server does not answer; requests that need it are refused", "error", err)
				a.gone()
			}
		}
	}
}

// unanswered reports whether nobody has answered a question for the server's health. Whoever
// refuses it, or does not know it, such as a proxy before the server, is there.
func unanswered(err error) bool {
	code := serviceerror.ToStatus(err).Code()
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}
