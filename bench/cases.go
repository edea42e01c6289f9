package main

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	cases "handover/client"
	"handover/internal/app"
	"handover/internal/config"
)

// caseSizes is how much single cases are measured with.
type caseSizes struct {
	rounds, one int // one after the other
	fewer, many int // 50 at once
}

// cases: from a start until the leaver's access is revoked, and how many cases a
// second are parked in grace, beside a textbook workflow.
func (b *bench) cases(ctx context.Context) (err error) {
	n := scaled(b.scale, caseSizes{3, 5, 1, 100}, caseSizes{7, 20, 3, 400}, caseSizes{7, 20, 5, 400})
	store, dsn, closeStore, err := b.database(ctx, "cases")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	r := &race{atOnce: 50}
	// Both come first once without being measured: connections and statements are made then.
	members := 2*r.cases(1) + n.rounds*3*n.one + 2*n.fewer*r.cases(n.many)
	r.org, err = fill(ctx, store.DB(), size{members: members, documents: 10, accesses: 1, grants: 1})
	if err != nil {
		return err
	}
	w, stop, err := b.worker(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ours := cases.New(w.Client())
	us := lane{watch: w.watch, start: func(ctx context.Context, i int) error {
		_, err := ours.Start(ctx, r.org.request(i))
		return err
	}}
	seen := newWatch()
	t, err := startTwin(ctx, seen.options(b.engine()), store, r.org)
	if err != nil {
		return err
	}
	defer t.close()
	them := lane{watch: seen, start: t.start}
	if err := r.warm(ctx, us, them); err != nil {
		return err
	}

	ms, theirs, err := alternate(n.rounds, r.revoked(ctx, us, n.one), r.revoked(ctx, them, n.one))
	if err != nil {
		return err
	}
	b.row("start → revoked, one after the other", number(ms)+" ms", number(theirs)+" ms", number(ms/theirs), "textbook workflow: a regular activity a step, the same store")
	b.result("revoked_ms", ms)
	b.result("revoked_ms_vs_twin", ms/theirs)
	answered, err := r.answered(ctx, ours, us, n.rounds*n.one)
	if err != nil {
		return err
	}
	b.row("start → answered, for who waits", number(answered)+" ms", "", "", "until revoked, inactive and parked")
	b.result("answered_ms", answered)
	rate, theirRate, err := alternate(n.fewer, r.rate(ctx, us, n.many), r.rate(ctx, them, n.many))
	if err != nil {
		return err
	}
	b.row("cases parked in grace, 50 at once", number(rate)+" /s", number(theirRate)+" /s", number(rate/theirRate), "")
	b.result("cases_per_second", rate)
	b.result("cases_vs_twin", rate/theirRate)
	if err := r.allParked(ctx, store); err != nil {
		return err
	}
	return b.invariants(ctx, store)
}

// engine is how to reach the Temporal server.
func (b *bench) engine() client.Options {
	return client.Options{
		HostPort: b.temporal.Address(), Namespace: b.temporal.Namespace(), Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}}, // as config does it
	}
}

// watchedWorker is the worker as it runs in production, watched.
type watchedWorker struct {
	*app.Worker
	watch *watch
}

// worker starts the worker on a database.
func (b *bench) worker(ctx context.Context, dsn string) (*watchedWorker, func() error, error) {
	seen := newWatch()
	w, err := app.StartWorker(ctx, &config.Config{
		Database: config.Database{URL: config.Secret(dsn), PoolSize: poolSize}, Temporal: seen.options(b.engine()),
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, nil, err
	}
	return &watchedWorker{w, seen}, w.Close, nil
}
