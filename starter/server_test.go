package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"handover/internal/app"
	"handover/internal/config"
	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// TestServerScripts runs the scripts that need a Temporal server and a worker.
// They share one organization, devdocs, and each has leavers of its own.
func TestServerScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	t.Parallel()
	url := testdb.AppURL(t, testdb.URL(t))
	importDevdocs(t, url)
	server, err := temporalserver.Start(t.Context(), temporalserver.Options{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	worker, err := app.StartWorker(t.Context(), &config.Config{
		Database: config.Database{URL: config.Secret(url), PoolSize: 10},
		Temporal: temporal.Options{HostPort: server.Address(), Namespace: server.Namespace()},
		Worker:   config.Worker{HealthAddress: "127.0.0.1:0", DrainTimeout: 5 * time.Second},
	}, slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, worker.Close()) })

	t.Run("scripts", func(t *testing.T) { // ends when all of them have, before the worker does
		testscript.Run(t, testscript.Params{
			Dir:                 filepath.Join("testdata", "server"),
			RequireExplicitExec: true,
			Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "field": field},
			Setup: func(env *testscript.Env) error {
				env.Setenv("DATABASE_URL", url)
				env.Setenv("TEMPORAL_ADDRESS", server.Address())
				env.Setenv("TEMPORAL_CONFIG_FILE", os.DevNull)
				env.Setenv("HANDOVER_ORGANIZATION", "devdocs")
				day := time.Now().UTC().AddDate(1, 0, 0)
				env.Setenv("DAY", day.Format(time.DateOnly))
				env.Setenv("DAY_AFTER", day.AddDate(0, 0, 1).Format(time.DateOnly))
				return nil
			},
		})
	})
}

func importDevdocs(t *testing.T, url string) {
	t.Helper()
	in, err := offboarding.ReadImport(os.DirFS(filepath.Join("..", "data", "devdocs")))
	require.NoError(t, err)
	store, err := postgres.Open(url, 2)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	_, err = store.Import(t.Context(), in, time.Now().UTC(), nil)
	require.NoError(t, err)
}

// field sets a variable to a field of the JSON object that the last command wrote:
// field hold_id HOLD.
func field(ts *testscript.TestScript, _ bool, args []string) {
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	value, ok := object[args[0]].(string)
	if !ok {
		ts.Fatalf("there is no %s", args[0])
	}
	ts.Setenv(args[1], value)
}
