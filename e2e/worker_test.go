package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"handover/internal/fixture"
	"handover/internal/temporalserver"
)

func TestAWorkerReportsEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	r := execute(t, work, []string{
		"DATABASE_URL=postgres://handover:" + secret + "@db:notaport/handover", "TEMPORAL_ADDRESS=nowhere", "HANDOVER_LOG_LEVEL=loud",
		"HANDOVER_LOG_FORMAT=xml", "HANDOVER_DRAIN_TIMEOUT=long", "HANDOVER_DATABASE_POOL_SIZE=0", "TEMPORAL_API_KEY=" + secret,
	}, "worker", "--health-address", "here", "--max-concurrent-activities", "-1")
	require.Equal(t, 1, r.code)
	for _, name := range []string{
		"DATABASE_URL", "TEMPORAL_ADDRESS", "HANDOVER_LOG_LEVEL", "HANDOVER_LOG_FORMAT", "HANDOVER_DRAIN_TIMEOUT", "HANDOVER_DATABASE_POOL_SIZE",
		"--health-address", "--max-concurrent-activities",
	} {
		require.Contains(t, r.err, name+": ")
	}
	require.NotContains(t, r.out+r.err, secret)

	r = execute(t, work, nil, "worker")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "DATABASE_URL or --database-url: is missing")
	r = execute(t, work, nil, "worker", "--no-such-flag")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "no-such-flag")
}

// place is a database and a Temporal namespace on the shared stack that no other
// worker works in.
type place struct {
	*stack
	database, namespace   string
	databaseURL, ownerURL string // as worker and server have it, and as who owns the tables
	serverURL             string // as the server has it behind its wall
}

func newPlace(t *testing.T) *place {
	t.Helper()
	s := sharedStack.get(t)
	p := &place{stack: s, database: "e2e_" + strings.ReplaceAll(uuid.NewString(), "-", ""), namespace: "e2e-" + uuid.NewString()}
	for from, to := range map[string]*string{s.DatabaseURL: &p.databaseURL, s.OwnerURL: &p.ownerURL, s.ServerURL: &p.serverURL} {
		u, err := url.Parse(from)
		require.NoError(t, err)
		u.Path = "/" + p.database
		*to = u.String()
	}
	_, err := s.client.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: p.namespace, WorkflowExecutionRetentionPeriod: durationpb.New(48 * time.Hour),
	})
	require.NoError(t, err)
	return p
}

func (p *place) env(more ...string) []string {
	return append([]string{"DATABASE_URL=" + p.databaseURL, "TEMPORAL_ADDRESS=" + p.TemporalAddress, "TEMPORAL_NAMESPACE=" + p.namespace}, more...)
}

// prepare makes the database, with its schema.
func (p *place) prepare(t *testing.T) *sqlx.DB {
	t.Helper()
	p.createDatabase(t)
	p.migrate(t, "--app-role", "handover_app", "--server-role", "handover_server")
	return p.connect(t)
}

// migrate brings the database to this version, as its owner.
func (p *place) migrate(t *testing.T, args ...string) {
	t.Helper()
	succeed(t, work, p.env("DATABASE_URL="+p.ownerURL), "starter", append([]string{"migrate"}, args...)...)
}

func (p *place) createDatabase(t *testing.T) {
	t.Helper()
	_, err := p.db.Exec("CREATE DATABASE " + p.database)
	require.NoError(t, err)
}

func (p *place) connect(t *testing.T) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Connect("postgres", p.ownerURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// worker starts a worker in the place and returns its health address.
func (p *place) worker(t *testing.T, more ...string) (*process, string) {
	t.Helper()
	health := freeAddress()
	return start(t, work, p.env(more...), "worker", "--health-address", health, "--log-level", "debug"), health
}

// begin starts a case in the place's namespace.
func (p *place) begin(t *testing.T, input object) *foreign {
	t.Helper()
	c, err := dial(p.TemporalAddress, p.namespace)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	waitFor(t, "the namespace is known everywhere", func() error {
		_, err := c.WorkflowService().DescribeTaskQueue(t.Context(), &workflowservice.DescribeTaskQueueRequest{
			Namespace: p.namespace, TaskQueue: &taskqueue.TaskQueue{Name: "offboarding"}, TaskQueueType: enums.TASK_QUEUE_TYPE_WORKFLOW,
		})
		return err
	})
	return begin(t, c, "offboarding/"+fmt.Sprint(input["member_id"]), input)
}

// requireLogs checks that every line is structured, and that none tells who somebody is.
func requireLogs(t *testing.T, worker *process, want ...string) {
	t.Helper()
	said := worker.err.String()
	require.NotContains(t, said, emailDomain)
	require.NotContains(t, said, displayName)
	require.Empty(t, worker.out.String())
	for line := range strings.Lines(said) {
		var fields object
		require.NoError(t, json.Unmarshal([]byte(line), &fields), line)
		require.Contains(t, fields, "level")
		require.Contains(t, fields, "msg")
		require.Contains(t, fields, "time")
	}
	for _, text := range want {
		require.Contains(t, said, text)
	}
}

// TestAWorkerWaitsForWhatItNeeds: the database, its schema and Temporal come one
// after the other.
func TestAWorkerWaitsForWhatItNeeds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	gate := freeAddress()
	worker, health := p.worker(t, "TEMPORAL_ADDRESS="+gate)
	ready := func(code int, text string) func() error { return says(worker, health, "/readyz", code, text) }
	waitFor(t, "no database", ready(503, "the database does not answer"))
	waitFor(t, "alive all the same", says(worker, health, "/livez", 200, "ok"))
	p.createDatabase(t)
	waitFor(t, "no schema", ready(503, "the schema is at version 0 and this build needs"))
	logged := func(text string) func() error {
		return func() error {
			if !strings.Contains(worker.err.String(), text) {
				return errors.New(worker.err.String())
			}
			return nil
		}
	}
	waitFor(t, "the log says so", logged("waiting for the database's schema"))
	p.migrate(t)
	waitFor(t, "no privileges", ready(503, "may the database role use the schema? `starter migrate --app-role`"))
	p.migrate(t, "--app-role", "handover_app")
	waitFor(t, "no Temporal", ready(503, "not connected to the Temporal server yet"))
	waitFor(t, "the log says so", logged("waiting for the Temporal server at "+gate))
	forwardTo(t, gate, p.TemporalAddress)
	waitFor(t, "all is there", ready(200, "ok"))

	// It works, and tells nobody who the people are.
	o := fixture.New(t, p.connect(t))
	o.Document(o.Leaver, "")
	f := p.begin(t, object{"member_id": o.Leaver, "requested_by": o.Admin})
	f.until("phase", "grace")
	_, err := f.update("claim-request", object{"document_id": uuid.NewString(), "member_id": o.Manager})
	require.Error(t, err)
	require.NoError(t, temporalserver.FastForward(t.Context(), f.c, p.namespace, f.id, 8*day))
	f.until("documents", "read_only", 1)
	require.NoError(t, worker.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, worker.wait(t), worker.err.String())
	requireLogs(t, worker, "waiting for the database", "waiting for the database's schema",
		"worker started", "worker draining", "worker stopped")
	requireInvariants(t, p.databaseURL)
}

// TestAWorkerThatWaitsCanBeStopped before it has anything of what it needs.
func TestAWorkerThatWaitsCanBeStopped(t *testing.T) {
	t.Parallel()
	health := freeAddress()
	worker := start(t, work, []string{
		"DATABASE_URL=postgres://nobody:hunter2@" + freeAddress() + "/nowhere?sslmode=disable",
	}, "worker", "--health-address", health)
	waitFor(t, "no database", says(worker, health, "/readyz", 503, "the database does not answer"))
	require.NoError(t, worker.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, worker.wait(t), "that is no failure:\n%s", worker.err.String())
	require.NotContains(t, worker.err.String(), "hunter2")
	requireLogs(t, worker, "waiting for the database", "worker stopped")
}

// TestWorkersComeAndGoDuringALargeTransfer: one is killed, one is told to stop, and
// the third finishes.
func TestWorkersComeAndGoDuringALargeTransfer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	db := p.prepare(t)
	o := fixture.New(t, db)
	const documents = 50_000
	o.Documents(o.Leaver, documents)
	moved := func() int { return o.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, o.Manager) }
	working := func(worker *process, health string, least int) {
		t.Helper()
		waitFor(t, "the worker is ready", says(worker, health, "/readyz", 200, "ok"))
		waitFor(t, "documents are transferred", func() error {
			if n := moved(); n < least {
				return fmt.Errorf("%d documents so far", n)
			}
			return nil
		})
	}
	first, health := p.worker(t)
	f := p.begin(t, object{"member_id": o.Leaver, "requested_by": o.Admin, "disposition": "transfer", "new_owner_id": "manager"})
	working(first, health, 1)
	first.kill(t)
	one := moved()
	require.Less(t, one, documents, "killed in the middle")

	second, health := p.worker(t)
	working(second, health, one+1)
	require.NoError(t, second.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, second.wait(t), second.err.String())
	two := moved()

	third, health := p.worker(t)
	working(third, health, two)
	result, err := f.result()
	require.NoError(t, err)
	require.Equal(t, "completed", result["phase"])
	require.Equal(t, float64(documents), result["documents"].(object)["transferred"])
	require.Equal(t, documents, moved())
	require.Equal(t, documents, o.Count(`SELECT count(*) FROM audit_events WHERE event = 'TransferDocs'`))
	require.Equal(t, documents, o.Count(`SELECT count(DISTINCT document_id) FROM audit_events WHERE event = 'TransferDocs'`))
	requireLogs(t, third)
	requireInvariants(t, p.databaseURL)
	t.Logf("killed at %d, stopped at %d of %d", one, two, documents)
}

// forwardTo listens on an address and passes everything on to another.
func forwardTo(t *testing.T, from, to string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", from)
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		_ = listener.Close()
	})
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, err := io.Copy(pair[0], pair[1])
					_ = errors.Join(err, pair[0].Close(), pair[1].Close()) // either side may end it
				}()
			}
		}
	}()
}
