package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	cases "handover/client"
	"handover/internal/config"
	"handover/offboarding"
	"handover/postgres"
	"handover/webhook"
	"handover/workflows"
)

// webhookKeys are what the secrets of webhooks are derived from, nil where webhooks
// are switched off.
func webhookKeys(cfg config.Webhooks) (*webhook.Keys, error) {
	keys := make([][]byte, len(cfg.Keys))
	for i, key := range cfg.Keys {
		keys[i] = []byte(key.Reveal())
	}
	return webhook.NewKeys(keys...)
}

// How the relay works.
const (
	relayEvery   = time.Second
	pruneEvery   = 10 * time.Minute
	pruneBatch   = 5000
	longestQuiet = 30 * time.Second // between two wake-ups of a webhook that something is due to all the time
	// Webhooks that are sent to at once by one worker, each at most a minute at a time.
	webhooksAtOnce = 50
)

// relay wakes the workflow of each webhook that something is due to, and prunes what
// was sent long ago. Every worker has one; they may wake a webhook more than once.
type relay struct {
	store *postgres.Store
	cases *cases.Client
	log   *slog.Logger
	woken map[string]wakeup // by webhook
	said  time.Time         // when a trouble was logged last
}

// wakeup is when a webhook was last woken, and how long it is left alone.
type wakeup struct {
	at    time.Time
	quiet time.Duration
}

// webhookWorker sends webhooks: a worker on a task queue of their own, so that slow
// receivers hold up no case, and a relay.
type webhookWorker struct {
	worker worker.Worker
	cancel context.CancelFunc
	relay  sync.WaitGroup
}

// startWebhooks starts to send webhooks; nil where they are switched off.
func startWebhooks(
	store *postgres.Store, c client.Client, cfg *config.Config, version worker.DeploymentOptions, log *slog.Logger, fatal chan<- error,
) (*webhookWorker, error) {
	keys, err := webhookKeys(cfg.Webhooks)
	if err != nil || keys == nil {
		return nil, err
	}
	sender := webhook.NewSender(webhook.Options{Keys: keys, AllowPrivate: cfg.Webhooks.AllowPrivate})
	w := &webhookWorker{worker: worker.New(c, offboarding.WebhookTaskQueue, worker.Options{
		DeploymentOptions:                  version,
		WorkerStopTimeout:                  cfg.Worker.DrainTimeout,
		MaxConcurrentActivityExecutionSize: webhooksAtOnce,
		OnFatalError:                       func(err error) { fatal <- err },
		Interceptors:                       []interceptor.WorkerInterceptor{activities.Guard(cases.New(c), cfg.Signing.Required, log)},
	})}
	workflows.RegisterWebhooks(w.worker, activities.NewWebhooks(store, sender))
	if err := w.worker.Start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	r := &relay{store: store, cases: cases.New(c), log: log, woken: map[string]wakeup{}}
	w.relay.Go(func() { r.run(ctx) })
	return w, nil
}

func (w *webhookWorker) stop() {
	w.cancel()
	w.relay.Wait()
	w.worker.Stop()
}

// run looks until ctx ends.
func (r *relay) run(ctx context.Context) {
	look := time.NewTicker(relayEvery)
	defer look.Stop()
	var pruned time.Time
	for {
		if err := r.look(ctx, time.Now().UTC()); err != nil && ctx.Err() == nil && time.Since(r.said) >= sayEvery {
			r.log.WarnContext(ctx, "webhooks are not looked after", "error", err)
			r.said = time.Now()
		}
		if time.Since(pruned) >= pruneEvery {
			more, err := r.store.PruneDeliveries(ctx, time.Now().UTC(), pruneBatch)
			if err != nil && ctx.Err() == nil {
				r.log.WarnContext(ctx, "deliveries are not pruned", "error", err)
			}
			if !more {
				pruned = time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// look wakes what something is due to. A webhook that is still being sent to is
// woken ever more seldom; one that had nothing due is woken at once.
func (r *relay) look(ctx context.Context, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	waiting, err := r.store.WebhooksWaiting(ctx, at)
	if err != nil {
		return err
	}
	woken := make(map[string]wakeup, len(waiting))
	for _, id := range waiting {
		last, known := r.woken[id]
		if known && at.Sub(last.at) < last.quiet {
			woken[id] = last
			continue
		}
		if wakeErr := r.cases.WakeWebhook(ctx, id); wakeErr != nil {
			err = errors.Join(err, wakeErr)
			continue
		}
		woken[id] = wakeup{at: at, quiet: min(max(2*last.quiet, relayEvery), longestQuiet)}
	}
	r.woken = woken
	return err
}
