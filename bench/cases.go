package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"

	cases "handover/client"
	"handover/internal/app"
	"handover/internal/config"
	"handover/offboarding"
)

// cases: from a start until the leaver's access is revoked, and how many cases a second
// are parked in grace.
func (b *bench) cases(ctx context.Context) (err error) {
	store, dsn, closeStore, err := b.database(ctx, "cases")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	org, err := fill(ctx, store.DB(), size{members: 400, documents: 10, accesses: 1, grants: 1})
	if err != nil {
		return err
	}
	w, err := app.StartWorker(ctx, &config.Config{
		Database: config.Database{URL: config.Secret(dsn), PoolSize: poolSize},
		Temporal: client.Options{HostPort: b.temporal.Address(), Namespace: b.temporal.Namespace()},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	c := cases.New(w.Client())
	start := func(ctx context.Context, i int) error {
		_, err := c.StartAndAwait(ctx, offboarding.Request{MemberID: org.members[i], RequestedBy: org.admin})
		return err
	}
	took, err := each(ctx, 100, 1, start)
	if err != nil {
		return err
	}
	b.row("start → revoked", fmt.Sprintf("%.1f ms", 1000*quantile(took, 0.5)), "", "", "")
	began := time.Now()
	if _, err = each(ctx, 300, 50, func(ctx context.Context, i int) error { return start(ctx, 100+i) }); err != nil {
		return err
	}
	b.row("cases a second", fmt.Sprintf("%.0f", 300/time.Since(began).Seconds()), "", "", "")
	return b.invariants(ctx, store)
}
