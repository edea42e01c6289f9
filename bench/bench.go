package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"handover/internal/pgserver"
	"handover/internal/temporalserver"
	"handover/postgres"
	"handover/schema"
)

type options struct {
	json     string
	scale    scale
	markdown bool
	only     []string
}

// section is a group of measurements.
type section struct {
	name  string // for --only
	title string
	run   func(*bench, context.Context) error
}

// sections in the order in which they run.
var sections = []section{
	{"cases", "One case: from the start to no access", (*bench).cases},
	{"cost", "What a case costs the engine", (*bench).cost},
	{"claims", "Claims: makers race for documents", (*bench).claims},
	{"import", "Import of an organization", (*bench).imports},
	{"capacity", "Capacity: what a whole case costs, and what many leavers a day ask for", (*bench).capacity},
	{"sweeps", "Many documents of one leaver", (*bench).sweeps},
	{"bulk", "Many leavers at once: until the last has no access", (*bench).bulk},
	{"waiting", "Cases that wait in grace, and graces that end together", (*bench).waiting},
	{"lists", "Lists and pages", (*bench).lists},
}

// bench is a run.
type bench struct {
	options
	progress io.Writer // one line for each step
	postgres *pgserver.Server
	temporal *temporalserver.Server
	results  map[string]any
	rows     []row
	broken   []string // promises that did not hold
}

// errBroken says that a promise does not hold.
var errBroken = errors.New("an invariant is broken")

// The server has what a small production server has; what makes it durable is PostgreSQL's default.
var settings = []string{"shared_buffers=2GB", "max_wal_size=8GB", "min_wal_size=" + strconv.Itoa(keptLog>>20) + "MB", "checkpoint_timeout=30min", "effective_cache_size=8GB"}

// keptLog is how many bytes of its write-ahead log the server keeps files for.
const keptLog = 6 << 30

func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	b := &bench{options: o, progress: progress, results: map[string]any{}}
	chosen, err := b.chosen()
	if err != nil {
		return err
	}
	began := time.Now()
	stop, err := b.start(ctx)
	if err != nil {
		return errors.Join(err, stop())
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, s := range chosen {
		b.say("%s", s.title)
		b.rows = append(b.rows, row{title: s.title})
		section := time.Now()
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		b.say("  %s took %.0f s", s.name, time.Since(section).Seconds())
		if err := b.write(); err != nil { // so that a run that is stopped has been for something
			return err
		}
	}
	b.result("invariants", len(b.broken) == 0)
	if len(b.only) == 0 {
		b.result("scale", b.scale)
		b.result("seconds", time.Since(began).Seconds())
	}
	b.table(out)
	if err := b.write(); err != nil {
		return err
	}
	if len(b.broken) > 0 {
		return fmt.Errorf("%w: %v", errBroken, b.broken)
	}
	return nil
}

// chosen are the sections of --only, all without it.
func (b *bench) chosen() ([]section, error) {
	if len(b.only) == 0 {
		return sections, nil
	}
	var out []section
	for _, name := range b.only {
		i := slices.IndexFunc(sections, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("--only: there is no section %q", name)
		}
		out = append(out, sections[i])
	}
	return out, nil
}

// start starts the servers; stop ends what has been started.
func (b *bench) start(ctx context.Context) (stop func() error, err error) {
	var closers []func() error
	stop = func() error {
		var errs []error
		for _, c := range slices.Backward(closers) {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	dir, err := os.MkdirTemp("", "handover-bench-")
	if err != nil {
		return stop, err
	}
	home := filepath.Join(dir, "postgres")
	closers = append(closers,
		func() error { return os.RemoveAll(dir) },
		func() error { return pgserver.Remove(home) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the database's user passes through
		return stop, err
	}
	b.say("starting PostgreSQL and Temporal")
	if b.postgres, err = pgserver.Start(ctx, pgserver.Options{Dir: home, Settings: settings}); err != nil {
		return stop, err
	}
	closers = append(closers, b.postgres.Stop)
	if b.temporal, err = temporalserver.Start(ctx, temporalserver.Options{Dir: filepath.Join(dir, "temporal"), Address: "127.0.0.1:0", Postgres: b.postgres.URL()}); err != nil {
		return stop, err
	}
	closers = append(closers, b.temporal.Stop)
	return stop, nil
}

// say tells what is being done.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "%s  %s\n", time.Now().UTC().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// poolSize is the worker's default, and what everybody who is measured has.
const poolSize = 32

// database is a new migrated database with a store on it. drop drops it, or
// leaves it to the end of the run.
func (b *bench) database(ctx context.Context, name string) (store *postgres.Store, dsn string, drop func() error, err error) {
	admin, err := sqlx.ConnectContext(ctx, "postgres", b.postgres.URL())
	if err != nil {
		return nil, "", nil, err
	}
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil { // of our own names
		return nil, "", nil, errors.Join(err, admin.Close())
	}
	u, err := url.Parse(b.postgres.URL())
	if err != nil {
		return nil, "", nil, errors.Join(err, admin.Close())
	}
	u.Path = name
	if store, err = postgres.Open(u.String(), poolSize); err != nil {
		return nil, "", nil, errors.Join(err, admin.Close())
	}
	drop = func() error {
		err := store.Close()
		_, dropped := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)")
		return errors.Join(err, dropped, admin.Close())
	}
	if _, err := schema.Migrate(ctx, store.DB().DB); err != nil {
		return nil, "", nil, errors.Join(err, drop())
	}
	return store, u.String(), drop, nil
}

// invariants checks all promises on a database in which something was measured.
func (b *bench) invariants(ctx context.Context, store *postgres.Store) error {
	b.say("  checking the invariants")
	found, err := store.CheckInvariants(ctx)
	if err != nil {
		return err
	}
	for _, i := range found {
		if !i.Holds() {
			b.broken = append(b.broken, fmt.Sprintf("%s: %d, such as %s", i.Name, i.Broken, i.Sample))
		}
	}
	return nil
}

// result adds to results.json.
func (b *bench) result(key string, value any) {
	if f, ok := value.(float64); ok {
		value = round(f)
	}
	b.results[key] = value
}

func (b *bench) write() error {
	if b.json == "" {
		return nil
	}
	all := map[string]any{} // what is not measured now stays
	if data, err := os.ReadFile(b.json); err == nil {
		if err := json.Unmarshal(data, &all); err != nil {
			return fmt.Errorf("%s: %w", b.json, err)
		}
	}
	maps.Copy(all, b.results)
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.json, append(data, '\n'), 0o644) //nolint:gosec // figures for everybody
}
