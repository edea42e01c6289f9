// Package testengine gives each test a namespace of its own on the one Temporal
// server of its test process, and workers as the tests of the HTTP server need them.
package testengine

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	"handover/activities"
	cases "handover/client"
	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/workflows"
)

// Main runs the package's tests and stops the servers that they made start:
//
//	func TestMain(m *testing.M) { os.Exit(testengine.Main(m)) }
//
// It returns the exit code.
func Main(m *testing.M) int {
	code := testdb.Main(m)
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stop the test Temporal server: %v\n", err)
			return max(code, 1)
		}
	}
	return code
}

// shared is the server, which starts with the first test that wants one.
var shared struct {
	once   sync.Once
	server *temporalserver.Server
	err    error
}

// New returns a connection to a namespace that no other test works in, until the
// test's end.
func New(t *testing.T) client.Client {
	t.Helper()
	shared.once.Do(func() {
		shared.server, shared.err = temporalserver.Start(context.Background(), temporalserver.Options{Address: "127.0.0.1:0"})
	})
	require.NoError(t, shared.err)
	namespace := "test-" + uuid.NewString()
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	setup, err := shared.server.Client(t.Context(), client.Options{Logger: quiet})
	require.NoError(t, err)
	_, err = setup.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
		HistoryArchivalState: enumspb.ARCHIVAL_STATE_DISABLED, VisibilityArchivalState: enumspb.ARCHIVAL_STATE_DISABLED,
	})
	setup.Close()
	require.NoError(t, err)
	c, err := shared.server.Client(t.Context(), client.Options{Namespace: namespace, Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	namespaces.Store(c, namespace)
	return c
}

// namespaces are those of the connections that New has returned.
var namespaces sync.Map

// Namespace is the one that a connection of New works in.
func Namespace(t *testing.T, c client.Client) string {
	t.Helper()
	found, _ := namespaces.Load(c)
	namespace, ok := found.(string)
	require.True(t, ok, "New has not made the connection")
	return namespace
}

// FastForward moves the clock of one workflow on a connection of New, and returns when
// it is there.
func FastForward(t *testing.T, c client.Client, workflowID string, by time.Duration) {
	t.Helper()
	require.NoError(t, temporalserver.FastForward(t.Context(), c, Namespace(t, c), workflowID, by))
}

// Work runs a worker on a namespace and a database until the test's end.
func Work(t *testing.T, c client.Client, store *postgres.Store) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	w := worker.New(c, offboarding.TaskQueue, worker.Options{WorkerStopTimeout: time.Second})
	workflows.Register(w, activities.New(store, cases.New(c), activities.LogNotifier{Log: quiet}, quiet))
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}
