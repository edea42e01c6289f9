package chaos_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	cases "handover/client"
	"handover/offboarding"
	"handover/postgres"
	"handover/webhook"
	"handover/workflows"
)

// workerRole is a worker as a process of its own, which dies where it is told to.
type workerRole struct {
	Database  string `json:"database"`
	Temporal  string `json:"temporal"`
	Namespace string `json:"namespace"`
	Dies      string `json:"dies,omitempty"`   // at this point
	Tells     bool   `json:"tells,omitempty"`  // of each point it comes to
	Apart     int    `json:"apart,omitempty"`  // seconds by which its clock is wrong
	Signed    bool   `json:"signed,omitempty"` // hears only what is signed
}

// signingKey is everybody's where something has to be signed.
var signingKey = &offboarding.SigningKey{ID: "chaos", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}

// keys are those whose signatures the worker hears, nil where it asks for none.
func (r *workerRole) keys() offboarding.Keyring {
	if !r.Signed {
		return nil
	}
	return offboarding.Keyring{signingKey.ID: signingKey.Key.Public().(ed25519.PublicKey)}
}

// client signs what the worker asks to be signed.
func (r *workerRole) client(c client.Client) *cases.Client {
	if !r.Signed {
		return cases.New(c)
	}
	return cases.New(c).SignedBy(signingKey, r.Namespace)
}

// batchSize lets a leaver of a few hundred documents be worked on in several batches.
const batchSize = 250

// webhookKey is what secrets of webhooks are derived from.
var webhookKey = []byte("a key for tests, of 32 bytes at least")

// run works until its input ends. Each line of it is the next point to die at.
func (r *workerRole) run(in io.Reader, out io.Writer) error {
	quiet := slog.New(slog.DiscardHandler)
	complaints := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})) // for a test that gives up
	var saying sync.Mutex
	say := func(line string) {
		saying.Lock()
		defer saying.Unlock()
		_, _ = fmt.Fprintln(out, line) // who does not listen has ended
	}
	d := &deaths{}
	d.arm(r.Dies)
	if r.Tells {
		d.tell = func(point string) { say("at " + point) }
	}
	store, err := postgres.OpenBy(func(c driver.Connector) *sql.DB { return sql.OpenDB(mortalConnector{c}) }, r.Database, 12)
	if err != nil {
		return err
	}
	c, err := client.DialContext(context.Background(), client.Options{
		HostPort: r.Temporal, Namespace: r.Namespace, Logger: sdklog.NewStructuredLogger(complaints), Interceptors: []interceptor.ClientInterceptor{&hurry{}},
	})
	if err != nil {
		return err
	}
	options := worker.Options{
		Interceptors:                 []interceptor.WorkerInterceptor{activities.Guard(r.client(c), r.keys(), quiet), &mortal{deaths: d}}, // hurry comes with the client
		StickyScheduleToStartTimeout: missedAfter,
		MaxHeartbeatThrottleInterval: missedAfter / 4,
	}
	w := worker.New(c, offboarding.TaskQueue, options)
	acts := activities.New(store.WithBatchSize(batchSize), r.client(c), activities.LogNotifier{Log: quiet}, quiet)
	workflows.Register(w, activities.RequireSigned(acts, r.keys()))
	if err := w.Start(); err != nil {
		return err
	}
	keys, err := webhook.NewKeys(webhookKey)
	if err != nil {
		return err
	}
	hooks := worker.New(c, offboarding.WebhookTaskQueue, options)
	workflows.RegisterWebhooks(hooks, activities.NewWebhooks(store, webhook.NewSender(webhook.Options{Keys: keys, AllowPrivate: true})))
	if err := hooks.Start(); err != nil {
		return err
	}
	say("ready " + time.Now().Format(time.RFC3339))
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		d.arm(lines.Text())
		say("armed")
	}
	return lines.Err()
}

// missedAfter is how soon a worker that has died is missed: in production it takes ten
// seconds and more, for which these tests would have to wait. It leaves a worker that is
// alive on a busy machine the time for its task: with one second, tasks with a dozen
// messages ran out of it again and again.
const missedAfter = 5 * time.Second

// hurry makes everybody miss a dead worker soon. It changes no sequence of steps.
type hurry struct {
	interceptor.InterceptorBase
}

func (h *hurry) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	return &hurryClient{interceptor.ClientOutboundInterceptorBase{Next: next}}
}

type hurryClient struct {
	interceptor.ClientOutboundInterceptorBase
}

func (h *hurryClient) ExecuteWorkflow(ctx context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	in.Options.WorkflowTaskTimeout = missedAfter
	return h.Next.ExecuteWorkflow(ctx, in)
}

func (h *hurry) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &hurryInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type hurryInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (h *hurryInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return h.Next.Init(&hurryOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}})
}

type hurryOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (h *hurryOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	if options.HeartbeatTimeout > 0 {
		options.HeartbeatTimeout = 2 * missedAfter
	} else {
		options.StartToCloseTimeout = 4 * missedAfter
	}
	retry := *options.RetryPolicy
	retry.InitialInterval, retry.MaximumInterval = missedAfter/4, missedAfter/2
	options.RetryPolicy = &retry
	return h.Next.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activityType, args...)
}

func (h *hurryOutbound) ExecuteChildWorkflow(ctx workflow.Context, childType string, args ...any) workflow.ChildWorkflowFuture {
	options := workflow.GetChildWorkflowOptions(ctx)
	options.WorkflowTaskTimeout = missedAfter
	return h.Next.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), childType, args...)
}
