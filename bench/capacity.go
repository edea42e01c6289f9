package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
	"go.temporal.io/sdk/client"

	cases "handover/client"
	"handover/offboarding"
)

// price is what one case costs from its start to its end, in seconds of a core and in bytes.
type price struct {
	worker      float64 // CPU of the worker
	temporal    float64 // CPU of the Temporal server, and of the client that starts and claims
	database    float64 // CPU of Handover's connections in PostgreSQL
	history     float64 // CPU of Temporal's connections in PostgreSQL
	kept        float64 // bytes that stay in Handover's database
	keptHistory float64 // bytes that stay in Temporal's, for as long as the namespace keeps closed cases
	log         float64 // bytes of write-ahead log of both
}

// The shape of a day, for the plan: in the busiest hour comes a fifth of it, and
// machines are half idle then. A case stays open for the grace.
const (
	busiestHour = 0.2
	utilization = 0.5
	openDays    = 7
)

// need is what a number of leavers a day asks for.
type need struct {
	perSecond                           float64 // cases in the busiest hour, started and ended
	worker, temporal, database, history float64 // cores
	open                                float64 // cases at the same time
	keptPerDay, logPerSecond            float64 // bytes
}

// plan is arithmetic: each case costs what one case was measured to cost.
func plan(p price, leaversPerDay float64) need {
	rate := leaversPerDay * busiestHour / 3600
	cores := func(seconds float64) float64 { return rate * seconds / utilization }
	return need{
		perSecond: rate, worker: cores(p.worker), temporal: cores(p.temporal), database: cores(p.database), history: cores(p.history),
		open: leaversPerDay * openDays, keptPerDay: leaversPerDay * p.kept, logPerSecond: rate * p.log,
	}
}

// capacity: what a whole case costs, and what many leavers a day ask for.
func (b *bench) capacity(ctx context.Context) error {
	p, err := b.wholeCases(ctx)
	if err != nil {
		return err
	}
	ms := func(seconds float64) string { return fmt.Sprintf("%.1f ms", 1000*seconds) }
	b.row("a whole case: CPU of the worker", ms(p.worker), "", "", "10 documents: 3 claimed, 7 transferred by an admin")
	b.row("  of Temporal and the caller", ms(p.temporal), "", "", "")
	b.row("  of PostgreSQL for Handover", ms(p.database), "", "", "")
	b.row("  of PostgreSQL for Temporal", ms(p.history), "", "", "")
	b.row("  kept in Handover's database", kilobytes(p.kept), "", "", "audit, steps, the case")
	b.row("  kept in Temporal's", kilobytes(p.keptHistory), "", "", "until the retention ends")
	b.row("  write-ahead log", kilobytes(p.log), "", "", "")
	b.result("case_cpu_ms", 1000*(p.worker+p.temporal+p.database+p.history))
	b.result("case_cpu_ms_worker", 1000*p.worker)
	b.result("case_cpu_ms_temporal", 1000*p.temporal)
	b.result("case_cpu_ms_database", 1000*p.database)
	b.result("case_cpu_ms_temporal_database", 1000*p.history)
	b.result("case_kept_bytes", p.kept)
	b.result("case_wal_bytes", p.log)
	for _, leavers := range []float64{1_000, 10_000, 100_000, 1_000_000} {
		n := plan(p, leavers)
		b.row(fmt.Sprintf("%.0f leavers a day", leavers), fmt.Sprintf("%.1f cases/s", n.perSecond), "", "",
			fmt.Sprintf("cores: worker %.1f, Temporal %.1f, PostgreSQL %.1f + %.1f; %s/s of log, %s kept a day, %.0f open cases",
				n.worker, n.temporal, n.database, n.history, kilobytes(n.logPerSecond), kilobytes(n.keptPerDay), n.open))
	}
	return nil
}

// wholeCases does cases from start to end, with a worker in a process of its own, and
// shares out what they cost.
func (b *bench) wholeCases(ctx context.Context) (p price, err error) {
	n := 300
	if b.scale == quick {
		n = 60
	}
	const warm = 40 // caches, prepared statements, pools
	store, dsn, closeStore, err := b.database(ctx, "capacity")
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	org, err := fill(ctx, store.DB(), size{members: 2 * (n + warm), documents: 10, schedules: 1, accesses: 1, grants: 1})
	if err != nil {
		return p, err
	}
	worker, stop, err := b.workerProcess(ctx, dsn)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	connection, err := b.temporal.Client(ctx, client.Options{Logger: quiet})
	if err != nil {
		return p, err
	}
	defer connection.Close()
	c := cases.New(connection)

	one := func(ctx context.Context, i int) error { // every second member leaves, and the next one claims
		leaver, colleague := org.members[2*i], org.members[2*i+1]
		if _, err := c.StartAndAwait(ctx, offboarding.Request{MemberID: leaver, RequestedBy: org.admin}); err != nil {
			return err
		}
		var documents []string
		if err := store.DB().SelectContext(ctx, &documents, `SELECT id FROM documents WHERE owner_id = $1 LIMIT 3`, leaver); err != nil {
			return err
		}
		for _, d := range documents {
			if _, err := c.Claim(ctx, offboarding.WorkflowID(leaver), offboarding.ClaimRequest{DocumentID: d, MemberID: colleague}); err != nil {
				return err
			}
		}
		_, err := c.Transfer(ctx, offboarding.WorkflowID(leaver), offboarding.TransferDocuments{AdminID: org.admin, NewOwnerID: org.owner})
		if err == nil {
			_, err = c.Result(ctx, offboarding.WorkflowID(leaver))
		}
		return err
	}
	if _, err := each(ctx, warm, 8, one); err != nil {
		return p, err
	}
	before, err := b.spent(ctx, store.DB(), worker)
	if err != nil {
		return p, err
	}
	if _, err := each(ctx, n, 8, func(ctx context.Context, i int) error { return one(ctx, warm+i) }); err != nil {
		return p, err
	}
	after, err := b.spent(ctx, store.DB(), worker)
	if err != nil {
		return p, err
	}
	share := func(before, after float64) float64 { return (after - before) / float64(n) }
	p = price{
		worker: share(before.worker, after.worker), temporal: share(before.temporal, after.temporal),
		database: share(before.database, after.database), history: share(before.history, after.history),
		kept: share(before.kept, after.kept), keptHistory: share(before.keptHistory, after.keptHistory),
		log: share(before.log, after.log),
	}
	return p, b.invariants(ctx, store)
}

// spent is what everybody has used so far. Connections of the pools stay open meanwhile,
// so that each process of PostgreSQL is seen before and after.
func (b *bench) spent(ctx context.Context, db *sqlx.DB, worker int) (p price, err error) {
	if p.worker, err = processor(worker); err != nil {
		return p, err
	}
	if p.temporal, err = processor(os.Getpid()); err != nil {
		return p, err
	}
	if _, err := db.ExecContext(ctx, `CHECKPOINT`); err != nil {
		return p, err
	}
	var backends []struct {
		PID      int    `db:"pid"`
		Database string `db:"datname"`
	}
	if err := db.SelectContext(ctx, &backends, `SELECT pid, datname FROM pg_stat_activity WHERE datname IS NOT NULL`); err != nil {
		return p, err
	}
	for _, backend := range backends {
		seconds, err := processor(backend.PID)
		if errors.Is(err, os.ErrNotExist) {
			continue // has ended since
		}
		if err != nil {
			return p, err
		}
		if strings.HasPrefix(backend.Database, "temporal") {
			p.history += seconds
		} else {
			p.database += seconds
		}
	}
	err = db.QueryRowxContext(ctx, `SELECT pg_database_size(current_database())::float8,
		(pg_database_size('temporal') + pg_database_size('temporal_visibility'))::float8, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8`).
		Scan(&p.kept, &p.keptHistory, &p.log)
	return p, err
}

// processor is how many seconds of a core a process has used, by Linux's /proc.
func processor(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(data), ") ") // a name may have blanks
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat cannot be read", pid)
	}
	ticks := 0.0
	for _, field := range fields[11:13] { // in user mode, and in the kernel
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return ticks / 100, nil // Linux shows hundredths, whatever it counts in
}

func kilobytes(n float64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", n/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", n/(1<<20))
	}
	return fmt.Sprintf("%.1f kB", n/(1<<10))
}
