package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/internal/testlog"
)

// patience bounds every wait; nothing sleeps in the hope that something has happened.
const (
	patience  = 5 * time.Minute
	lookEvery = 25 * time.Millisecond
)

// waitFor waits until the condition holds. A test that gives up says what is missing.
func waitFor(t testing.TB, what string, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, what, "%v", err)
		}
		time.Sleep(lookEvery)
	}
}

// why says, where a test has failed, what workers have complained of, and what the workflows
// that have not ended have come to.
func why(t *testing.T, c client.Client, namespace string, logs ...*testlog.Buffer) {
	t.Helper()
	if !t.Failed() {
		return
	}
	for _, log := range logs {
		lines := strings.Split(log.String(), "\n")
		t.Log(strings.Join(lines[max(0, len(lines)-50):], "\n"))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	running, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: namespace, Query: `ExecutionStatus = "Running"`, PageSize: 5,
	})
	if err != nil {
		t.Log(err)
		return
	}
	for _, w := range running.GetExecutions() {
		t.Logf("%s\n%s", w.GetExecution().GetWorkflowId(), history(ctx, c, w.GetExecution().GetWorkflowId()))
	}
}

// history is what a workflow has come to, for a test that gives up.
func history(ctx context.Context, c client.Client, id string) string {
	var out strings.Builder
	for events := c.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			return err.Error()
		}
		fmt.Fprintln(&out, event.GetEventTime().AsTime().Format(time.StampMilli), event)
	}
	return out.String()
}

// slot is a database and a namespace with a worker as a process of its own, which is
// started again when it has died. It runs one scenario after the other.
type slot struct {
	db        *sqlx.DB
	role      workerRole
	client    client.Client
	namespace string
	log       testlog.Buffer // of all its workers

	mu     sync.Mutex
	child  *child
	plan   []string // where the worker is still to die
	died   int      // times
	points []string // that it has come to, where it tells
	armed  chan struct{}
	broken error // why there is no worker any more
	ending bool
	over   chan struct{} // closed when nobody is started again
}

func newSlot(t *testing.T, server *temporalserver.Server, signed bool) *slot {
	t.Helper()
	s := &slot{namespace: "crash-" + uuid.NewString(), over: make(chan struct{})}
	s.client = connect(t, server, s.namespace)
	url := testdb.URL(t)
	db, err := sqlx.Open("postgres", url)
	require.NoError(t, err)
	db.SetMaxOpenConns(4)
	t.Cleanup(func() { _ = db.Close() })
	s.db = db
	s.role = workerRole{Database: url, Temporal: server.Address(), Namespace: s.namespace, Tells: true, Signed: signed}
	require.NoError(t, s.begin())
	go s.supervise()
	t.Cleanup(func() {
		s.mu.Lock()
		s.ending = true
		s.child.kill()
		s.mu.Unlock()
		<-s.over
	})
	return s
}

// connect makes a namespace and connects to it.
func connect(t *testing.T, server *temporalserver.Server, namespace string) client.Client {
	t.Helper()
	options := client.Options{
		Namespace: namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		Interceptors: []interceptor.ClientInterceptor{&hurry{}},
	}
	c, err := server.Client(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	return c
}

// begin starts the worker; it dies where the plan says.
func (s *slot) begin() error {
	r := s.role
	if len(s.plan) > 0 {
		r.Dies = s.plan[0]
	}
	var err error
	s.child, err = launch(role{Worker: &r}, &s.log, s.heard)
	return err
}

// supervise starts the worker again whenever it has died where it was to.
func (s *slot) supervise() {
	defer close(s.over)
	for {
		<-s.child.done
		s.mu.Lock()
		switch {
		case s.ending:
		case s.child.killed() && len(s.plan) > 0:
			s.plan = s.plan[1:]
			s.died++
			s.broken = s.begin()
		default:
			s.broken = fmt.Errorf("the worker has ended: %v\n%s", s.child.cmd.ProcessState, s.log.String())
		}
		end := s.ending || s.broken != nil
		s.mu.Unlock()
		if end {
			return
		}
	}
}

// heard takes in what the worker says.
func (s *slot) heard(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	point, isPoint := strings.CutPrefix(line, "at ")
	switch {
	case isPoint && !slices.Contains(s.points, point):
		s.points = append(s.points, point)
	case line == "armed" && s.armed != nil:
		close(s.armed)
		s.armed = nil
	}
}

// arm has the worker die at these points, one life after the other.
func (s *slot) arm(t *testing.T, points ...string) {
	t.Helper()
	waitFor(t, "the worker takes orders", func() error {
		s.mu.Lock()
		child := s.child
		s.plan, s.died, s.points, s.armed = points, 0, nil, make(chan struct{})
		armed := s.armed
		s.mu.Unlock()
		if err := child.say(append(points, "")[0]); err != nil {
			return err // it has just died
		}
		select {
		case <-armed:
			return s.trouble()
		case <-child.done:
			return errors.New("the worker has just died")
		}
	})
}

func (s *slot) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

func (s *slot) deaths() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.died
}

func (s *slot) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.points)
}
