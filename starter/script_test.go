package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"handover/internal/testdb"
)

// TestScripts runs the scripts that need no Temporal server; each has a migrated
// database of its own in DATABASE_URL, and the organization to import in $DATA.
func TestScripts(t *testing.T) {
	t.Parallel()
	data, err := filepath.Abs(filepath.Join("..", "data"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "field": field},
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATABASE_URL", testdb.URL(env.T().(testing.TB)))
			env.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1") // nothing listens there
			env.Setenv("TEMPORAL_CONFIG_FILE", os.DevNull)
			env.Setenv("DATA", data)
			return nil
		},
	})
}

// exits runs a program and checks its exit code: exits 4 starter preview …
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exit *exec.ExitError
	if err = ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}
