package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"handover/internal/pgserver"
	"handover/internal/temporalserver"
	"handover/internal/testlog"
)

// postgresRole is a PostgreSQL on a directory, with a process that starts it.
type postgresRole struct {
	Dir  string `json:"dir"`
	Port int    `json:"port,omitempty"`
}

func (r *postgresRole) run() error {
	if err := os.Unsetenv("DATABASE_URL"); err != nil { // that one is not to be killed
		return err
	}
	s, err := pgserver.Start(context.Background(), pgserver.Options{Dir: r.Dir, Port: r.Port})
	if err != nil {
		return err
	}
	fmt.Println("ready " + s.URL())
	untilEnd()
	return s.Stop()
}

// temporalRole is a Temporal server on a file.
type temporalRole struct {
	Dir     string `json:"dir"`
	Address string `json:"address"`
}

func (r *temporalRole) run() error {
	s, err := temporalserver.Start(context.Background(), temporalserver.Options{Dir: r.Dir, Address: r.Address})
	if err != nil {
		return err
	}
	fmt.Println("ready " + s.Address())
	untilEnd()
	return s.Stop()
}

// machine is one of the processes that a storm kills and starts again.
type machine struct {
	role  role
	child *child
	log   testlog.Buffer // of all its lives
	said  string         // where it can be reached
	kill  func()         // what is more to be killed with it
}

// start starts the process and waits until it says that it is ready.
func (m *machine) start() error {
	ready := make(chan string, 1)
	c, err := launch(m.role, &m.log, func(line string) {
		if said, ok := strings.CutPrefix(line, "ready"); ok {
			ready <- strings.TrimSpace(said)
		}
	})
	if err != nil {
		return err
	}
	m.child = c
	select {
	case m.said = <-ready:
		return nil
	case <-c.done:
		return fmt.Errorf("it ends: %s", m.log.String())
	case <-time.After(patience):
		return errors.New("it does not get ready")
	}
}

// die ends the process as a crash would.
func (m *machine) die() {
	if m.kill != nil {
		m.kill()
	}
	m.child.kill()
}

// world is all that a storm goes over.
type world struct {
	t                  *testing.T
	postgres, temporal *machine
	workers            []*machine
	toDatabase, toHub  *toxiproxy.Proxy
	done               map[string]int // faults by their names
	apart              int            // seconds between the clocks of two workers, and as much more to the third's
}

const stormWorkers = 3

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "handover-storm-") //nolint:usetesting // PostgreSQL's user has to be let in
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, done: map[string]int{}}
	database := filepath.Join(dir, "postgres")
	w.postgres = &machine{role: role{Postgres: &postgresRole{Dir: database}}, kill: func() {
		pid, err := os.ReadFile(filepath.Join(database, "cluster", "data", "postmaster.pid"))
		if err != nil {
			return // it was never up
		}
		if n, err := strconv.Atoi(strings.SplitN(string(pid), "\n", 2)[0]); err == nil {
			_ = syscall.Kill(n, syscall.SIGQUIT) // immediate: nothing is written down any more
		}
	}}
	w.begin(w.postgres)
	u, err := url.Parse(w.postgres.said)
	require.NoError(t, err)
	w.postgres.role.Postgres.Port, err = strconv.Atoi(u.Port())
	require.NoError(t, err)
	w.temporal = &machine{role: role{Temporal: &temporalRole{Dir: filepath.Join(dir, "temporal"), Address: "127.0.0.1:0"}}}
	w.begin(w.temporal)
	w.temporal.role.Temporal.Address = w.temporal.said

	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	w.toDatabase = toxiproxy.NewProxy(proxies, "database", "127.0.0.1:0", u.Host)
	w.toHub = toxiproxy.NewProxy(proxies, "temporal", "127.0.0.1:0", w.temporal.said)
	for _, p := range []*toxiproxy.Proxy{w.toDatabase, w.toHub} {
		require.NoError(t, p.Start())
		t.Cleanup(p.Stop)
	}
	return w
}

// work starts the workers, which reach everything by the proxies.
func (w *world) work() {
	w.t.Helper()
	u, err := url.Parse(w.postgres.said)
	require.NoError(w.t, err)
	u.Host = w.toDatabase.Listen
	w.apart, _ = strconv.Atoi(os.Getenv("CHAOS_CLOCKS"))
	for i := range stormWorkers {
		m := &machine{role: role{Worker: &workerRole{
			Database: u.String(), Temporal: w.toHub.Listen, Namespace: temporalserver.DefaultNamespace, Apart: (i - 1) * w.apart,
		}}}
		w.workers = append(w.workers, m)
		w.begin(m)
		clock, err := time.Parse(time.RFC3339, m.said)
		require.NoError(w.t, err)
		require.WithinDuration(w.t, time.Now().Add(time.Duration(m.role.Worker.Apart)*time.Second), clock, patience,
			"this program's clock cannot be set; make chaos builds one whose clock can")
	}
}

func (w *world) begin(m *machine) {
	w.t.Helper()
	require.NoError(w.t, m.start())
	w.t.Cleanup(func() { m.die() })
}

// restart starts what was killed again; where what it needs is away too, it is tried
// until that is back.
func (w *world) restart(m *machine) error {
	deadline := time.Now().Add(patience)
	for {
		err := m.start()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		m.child.kill()
		time.Sleep(lookEvery)
	}
}

// logs are the workers'.
func (w *world) logs() (logs []*testlog.Buffer) {
	for _, m := range w.workers {
		logs = append(logs, &m.log)
	}
	return logs
}

// fault is something that is done to the system, and undone before the next.
type fault struct {
	name string
	do   func(w *world, r *rand.Rand) error
}

var faults = []fault{
	{"a worker killed", func(w *world, r *rand.Rand) error { return w.crash(w.workers[r.IntN(len(w.workers))]) }},
	{"all workers killed", func(w *world, _ *rand.Rand) error { return w.crash(w.workers...) }},
	{"PostgreSQL killed", func(w *world, _ *rand.Rand) error { return w.crash(w.postgres) }},
	{"Temporal killed", func(w *world, _ *rand.Rand) error { return w.crash(w.temporal) }},
	{"everything killed", func(w *world, _ *rand.Rand) error {
		return w.crash(append([]*machine{w.postgres, w.temporal}, w.workers...)...)
	}},
	{"connections cut", func(w *world, r *rand.Rand) error {
		p := w.proxy(r)
		p.Stop()
		time.Sleep(time.Duration(500+r.IntN(1500)) * time.Millisecond)
		return p.Start()
	}},
	{"connections slowed", func(w *world, r *rand.Rand) error {
		return w.poison(w.proxy(r), `{"name": "slow", "type": "latency", "attributes": {"latency": 150, "jitter": 100}}`, r)
	}},
	{"connections reset", func(w *world, r *rand.Rand) error {
		return w.poison(w.proxy(r), `{"name": "reset", "type": "reset_peer", "attributes": {"timeout": 20}}`, r)
	}},
	{"answers lost", func(w *world, r *rand.Rand) error {
		return w.poison(w.proxy(r), `{"name": "lost", "type": "timeout", "stream": "downstream", "attributes": {"timeout": 1000}}`, r)
	}},
}

func (w *world) proxy(r *rand.Rand) *toxiproxy.Proxy {
	if r.IntN(2) == 0 {
		return w.toDatabase
	}
	return w.toHub
}

// crash kills some of the processes at once and starts them again, in their order.
func (w *world) crash(machines ...*machine) error {
	for _, m := range machines {
		m.die()
	}
	for _, m := range machines {
		if err := w.restart(m); err != nil {
			return err
		}
	}
	return nil
}

// poison does something to the connections for a while.
func (w *world) poison(p *toxiproxy.Proxy, toxic string, r *rand.Rand) error {
	added, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(500+r.IntN(1500)) * time.Millisecond)
	return p.Toxics.RemoveToxic(context.Background(), added.Name)
}

// storm does all faults, one after the other, so many times. Their order, whom they meet,
// how long they last and the pauses between them are a function of the seed.
func (w *world) storm(seed uint64, rounds int) error {
	r := rand.New(rand.NewPCG(seed, 1))
	for range rounds {
		for _, i := range r.Perm(len(faults)) {
			time.Sleep(time.Duration(200+r.IntN(800)) * time.Millisecond)
			if err := faults[i].do(w, r); err != nil {
				return fmt.Errorf("%s: %w", faults[i].name, err)
			}
			w.done[faults[i].name]++
		}
	}
	return nil
}
