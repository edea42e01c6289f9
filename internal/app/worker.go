// Package app wires the parts together: what the mains run is what the
// end-to-end tests start too.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	cases "handover/client"
	"handover/internal/config"
	"handover/internal/telemetry"
	"handover/offboarding"
	"handover/postgres"
	"handover/workflows"
)

// Worker runs workflows and activities until it is closed.
type Worker struct {
	store    *postgres.Store
	client   client.Client
	worker   worker.Worker
	webhooks *webhookWorker // nil where webhooks are switched off
	sealer   *sealer
	health   *health
	borrowed bool   // store and client are the server's in whose process it is
	ends     func() // of its own telemetry, nil where that is the process's
	log      *slog.Logger
	fatal    chan error
}

// fewestPollers wait for tasks of cases, on the common queue and on the worker's own.
const fewestPollers = 20

// StartWorker waits for the database, its schema and the Temporal server, saying
// what it waits for, then starts to work. notifier nil writes notices to the log.
func StartWorker(ctx context.Context, cfg *config.Config, log *slog.Logger, notifier activities.Notifier) (*Worker, error) {
	tells, err := telemetry.New(ctx, "handover-worker")
	if err != nil {
		return nil, err
	}
	w, err := StartWorkerIn(ctx, cfg, log, notifier, tells)
	if err != nil {
		return nil, errors.Join(err, tells.Close())
	}
	w.ends = func() { tells.End(w.log) }
	return w, nil
}

// StartWorkerIn is StartWorker in a process that has its telemetry.
func StartWorkerIn(
	ctx context.Context, cfg *config.Config, log *slog.Logger, notifier activities.Notifier, tells *telemetry.Telemetry,
) (_ *Worker, err error) {
	log = tells.Logger(log)
	w := &Worker{log: log, fatal: make(chan error, 2)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.release())
		}
	}()
	if w.store, err = openStore(cfg.Database, tells, "worker"); err != nil {
		return nil, err
	}
	if w.health, err = serveHealth(ctx, cfg.Worker.HealthAddress, w.store, tells.Metrics(), log); err != nil {
		return nil, err
	}
	if err = awaitDatabase(ctx, w.store, log); err != nil {
		return nil, err
	}
	options := cfg.Temporal
	options.Logger = tlog.NewStructuredLogger(log)
	if err = tells.Temporal(&options); err != nil {
		return nil, err
	}
	if w.client, err = awaitTemporal(ctx, options, log); err != nil {
		return nil, err
	}
	if err = w.work(ctx, cfg, notifier, tells); err != nil {
		return nil, err
	}
	w.health.setClient(w.client)
	return w, nil
}

// workBeside starts a worker on a server's store and connection: the connection knows
// of it, and has it begin a case with the answer to the start.
func workBeside(ctx context.Context, s *Server, cfg *config.Config) (*Worker, error) {
	w := &Worker{store: s.store, client: s.client, borrowed: true, log: s.log, fatal: s.fatal}
	if err := w.work(ctx, cfg, nil, s.tells); err != nil {
		return nil, errors.Join(err, w.release())
	}
	return w, nil
}

// work starts to work, once there are store and client.
func (w *Worker) work(ctx context.Context, cfg *config.Config, notifier activities.Notifier, tells *telemetry.Telemetry) (err error) {
	if notifier == nil {
		notifier = activities.LogNotifier{Log: w.log}
	}
	if err := tells.Cases(w.store.Figures, w.log); err != nil { // once the schema is there
		return err
	}
	if n := cfg.Worker.MaxCachedWorkflows; n > 0 {
		worker.SetStickyWorkflowCacheSize(n) // of the process
	}
	version, err := versionOf(cfg.Worker)
	if err != nil {
		return err
	}
	sender := sendsTo(w.client, cfg)
	w.worker = worker.New(w.client, offboarding.TaskQueue, worker.Options{
		DeploymentOptions: version,
		// As many pollers as there is work for: a fixed pair can both wait on the
		// common queue while a case's own has something to do. For cases not fewer than
		// some, which cost nothing while they wait: who claims at a busy moment after a
		// quiet one does not wait for more.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
			InitialNumberOfPollers: fewestPollers, MinimumNumberOfPollers: fewestPollers,
		}),
		ActivityTaskPollerBehavior:              worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		WorkerStopTimeout:                       cfg.Worker.DrainTimeout,
		MaxConcurrentActivityExecutionSize:      cfg.Worker.MaxConcurrentActivities,
		MaxConcurrentLocalActivityExecutionSize: cfg.Worker.MaxConcurrentLocalActivities,
		OnFatalError:                            func(err error) { w.fatal <- err },
		Interceptors:                            []interceptor.WorkerInterceptor{activities.Guard(sender, cfg.Signing.Required, w.log)},
	})
	acts := activities.New(w.store, sender, notifier, w.log)
	workflows.Register(w.worker, activities.RequireSigned(acts, cfg.Signing.Required))
	if err = w.worker.Start(); err != nil {
		w.worker = nil
		return fmt.Errorf("start the worker: %w", err)
	}
	if w.webhooks, err = startWebhooks(w.store, w.client, cfg, version, w.log, w.fatal); err != nil {
		return fmt.Errorf("start to send webhooks: %w", err)
	}
	w.sealer = startSealing(w.store, w.log)
	w.log.InfoContext(ctx, "worker started", "task_queue", offboarding.TaskQueue, "webhooks", w.webhooks != nil,
		"signed_messages_required", cfg.Signing.Required != nil, "deployment", version.Version.DeploymentName, "build_id", version.Version.BuildID)
	return nil
}

// sendsTo is what starts cases and sends them messages, signed where there is a key.
func sendsTo(c client.Client, cfg *config.Config) *cases.Client {
	return cases.New(c).SignedBy(cfg.Signing.Key, cfg.Temporal.Namespace)
}

// Store is the worker's database.
func (w *Worker) Store() *postgres.Store { return w.store }

// Client is the worker's connection to Temporal.
func (w *Worker) Client() client.Client { return w.client }

// Fatal receives an error after which the worker no longer works.
func (w *Worker) Fatal() <-chan error { return w.fatal }

// Close takes no more work, lets what runs end within the drain timeout, and
// lets go of everything.
func (w *Worker) Close() error {
	w.log.Info("worker draining")
	err := w.release()
	w.log.Info("worker stopped")
	return err
}

func (w *Worker) release() error {
	var errs []error
	if w.health != nil {
		w.health.drain()
	}
	var stopping sync.WaitGroup // side by side: each may take the whole drain timeout
	if w.webhooks != nil {
		stopping.Go(w.webhooks.stop)
	}
	if w.worker != nil {
		stopping.Go(w.worker.Stop)
	}
	if w.sealer != nil {
		stopping.Go(w.sealer.stop)
	}
	stopping.Wait()
	if w.borrowed {
		return nil
	}
	if w.client != nil {
		w.client.Close()
	}
	if w.health != nil {
		errs = append(errs, w.health.close())
	}
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	if w.ends != nil {
		w.ends()
	}
	return errors.Join(errs...)
}

// openStore opens the database, and tells of its connections; whose they are
// matters where one process has several.
func openStore(cfg config.Database, tells *telemetry.Telemetry, whose string) (*postgres.Store, error) {
	store, err := postgres.OpenBy(tells.OpenDB, cfg.URL.Reveal(), cfg.PoolSize)
	if err != nil {
		return nil, err
	}
	if err := tells.Pool(store.DB().DB, whose); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}
