package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	cases "handover/client"
	"handover/offboarding"
	"handover/postgres"
)

// waitingSizes is how much waiting is measured with.
type waitingSizes struct {
	cases  int           // which wait
	ending int           // of them, whose graces end together
	within time.Duration // in which they end
	idle   time.Duration // in which the worker is watched while nothing happens
}

// parked are cases in grace, kept by a worker in a process of its own.
type parked struct {
	*bench
	sizes  waitingSizes
	store  *postgres.Store
	org    organization
	cases  *cases.Client
	worker int     // process
	n      int     // cases parked
	took   float64 // seconds, to park them

	empty float64 // megabytes of the worker when it had just started

	wishes []wanted  // claims that can be made
	alone  []float64 // seconds of claims while nothing else happened
}

// waiting parks cases in grace and looks what that costs while nothing happens. Then the
// graces of some end together, and documents of the others are claimed meanwhile.
func (b *bench) waiting(ctx context.Context) (err error) {
	sizes := scaled(b.scale,
		waitingSizes{350, 75, 3 * time.Second, 3 * time.Second},
		waitingSizes{2_000, 400, 15 * time.Second, 20 * time.Second},
		waitingSizes{50_000, 10_000, time.Minute, 20 * time.Second})
	store, dsn, closeStore, err := b.database(ctx, "waiting")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	p := &parked{bench: b, sizes: sizes, store: store}
	if p.org, err = fill(ctx, store.DB(), size{members: sizes.cases + claimants, documents: 2, accesses: 1}); err != nil {
		return err
	}
	c, err := b.temporal.Client(ctx, client.Options{Logger: quiet})
	if err != nil {
		return err
	}
	defer c.Close()
	p.cases = cases.New(c)
	key := make([]byte, 32)
	_, _ = rand.Read(key)                                                                                         // never fails
	worker, stop, err := b.workerProcess(ctx, dsn, "HANDOVER_SECRET_KEY="+base64.StdEncoding.EncodeToString(key)) // with webhooks
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	p.worker = worker
	if p.empty, err = resident(worker); err != nil {
		return err
	}
	if err := p.parkAll(ctx); err != nil {
		return err
	}
	if err := p.watch(ctx); err != nil {
		return err
	}
	if err := p.end(ctx); err != nil {
		return err
	}
	return b.invariants(ctx, store)
}

// parkAll parks all cases, and makes claims while nothing else happens.
func (p *parked) parkAll(ctx context.Context) error {
	if err := p.letClaim(ctx); err != nil {
		return err
	}
	staying := func(int) time.Duration { return 0 }
	rest := p.sizes.cases - p.sizes.ending
	first := rest / 5 // by them is known how long the others take
	if err := p.park(ctx, first, staying); err != nil {
		return err
	}
	if err := p.claimAlone(ctx); err != nil {
		return err
	}
	rest -= first
	if err := p.parkEnding(ctx, rest); err != nil {
		return err
	}
	if err := p.park(ctx, rest, staying); err != nil {
		return err
	}
	p.row("cases parked in grace", number(p.rate())+" a second", "", "", "cases of lists, taken over by their workflows; nothing else runs")
	return nil
}

// park has the next members offboarded by lists and waits until their cases are in
// grace; grace 0 is the organization's.
func (p *parked) park(ctx context.Context, n int, grace func(i int) time.Duration) error {
	began, before := time.Now(), p.n
	g, lists := errgroup.WithContext(ctx)
	for p.n < before+n {
		r := offboarding.BulkRequest{RequestedBy: p.org.admin, Confirmed: true, Rate: offboarding.MaxBulkRate}
		id := fmt.Sprintf("list-%d", p.n)
		for i := p.n; i < min(before+n, p.n+offboarding.MaxBulkMembers); i++ {
			m := offboarding.BulkMember{MemberID: p.org.members[i]}
			if d := grace(i - before); d > 0 {
				m.GracePeriod = d.Truncate(time.Second).String()
			}
			r.Members = append(r.Members, m)
		}
		p.n += len(r.Members)
		g.Go(func() error {
			if _, err := p.cases.StartBulk(lists, id, r); err != nil {
				return err
			}
			result, err := p.cases.BulkResult(lists, id)
			if err == nil && result.Message != offboarding.BulkSuccess {
				err = fmt.Errorf("%s: %s", id, result.Message)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	err := until(ctx, p.store.DB(), rarely, `SELECT count(*) = $1 FROM cases WHERE grace_ends_at IS NOT NULL`, p.n)
	p.took += time.Since(began).Seconds()
	p.say("  %d cases parked at %.0f a second", p.n, p.rate())
	return err
}

// rate is how many cases a second have been parked so far.
func (p *parked) rate() float64 { return float64(p.n) / p.took }

// watch looks what a worker costs that has nothing to do.
func (p *parked) watch(ctx context.Context) error {
	before, err := p.idle(ctx)
	if err != nil {
		return err
	}
	time.Sleep(p.sizes.idle) // nothing is to happen
	after, err := p.idle(ctx)
	if err != nil {
		return err
	}
	memory, err := resident(p.worker)
	if err != nil {
		return err
	}
	seconds := after.at.Sub(before.at).Seconds()
	percent := func(before, after float64) string { return fmt.Sprintf("%.1f %%", 100*(after-before)/seconds) }
	transactions := (after.ours - before.ours) / seconds
	p.row(fmt.Sprintf("memory of a worker with %d of them", p.n), number(memory)+" MB", number(p.empty)+" MB", "", "compared to: a worker that has just started")
	p.row("transactions while nothing happens", number(transactions)+" a second", "", "", number((after.temporals-before.temporals)/seconds)+" a second of Temporal's")
	p.row("CPU while nothing happens: worker, its PostgreSQL", percent(before.worker, after.worker)+", "+percent(before.database, after.database), "", "",
		"Temporal and its PostgreSQL "+percent(before.temporal, after.temporal)+", "+percent(before.history, after.history))
	p.result(fmt.Sprintf("worker_mb_at_%d_parked", p.n), memory)
	p.result("idle_transactions_per_second", transactions)
	return nil
}

// idling is what has been used so far.
type idling struct {
	price
	at              time.Time
	ours, temporals float64 // transactions, of Handover's database and of Temporal's two
}

func (p *parked) idle(ctx context.Context) (i idling, err error) {
	if i.price, err = p.spent(ctx, p.store.DB(), p.worker); err != nil {
		return i, err
	}
	i.at = time.Now()
	const transactions = `SELECT sum(xact_commit + xact_rollback) FILTER (WHERE datname = current_database())::float8,
		sum(xact_commit + xact_rollback) FILTER (WHERE datname LIKE 'temporal%')::float8 FROM pg_stat_database`
	return i, p.store.DB().QueryRowContext(ctx, transactions).Scan(&i.ours, &i.temporals)
}

// resident is how many megabytes of memory a process has, by Linux's /proc.
func resident(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, pages float64
	_, err = fmt.Sscan(string(data), &size, &pages)
	return pages * float64(os.Getpagesize()) / (1 << 20), err
}
