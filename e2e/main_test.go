// Package e2e_test runs Handover as its users do: the programs as processes, on a
// real PostgreSQL and a real Temporal server whose clock is moved forward.
package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs, and the folder below which every test keeps its files. PostgreSQL
// runs as a user of its own, who has to be let through: t.TempDir lets nobody.
var programs, work string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("skipped with -short: starts processes and servers")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	var err error
	if work, err = os.MkdirTemp("", "handover-e2e-"); err != nil {
		return complain(err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.Chmod(work, 0o755); err != nil {
		return complain(err)
	}
	programs = filepath.Join(work, "bin")
	if err := build(); err != nil {
		return complain(err)
	}
	code = m.Run()
	sharedChromium.end()
	for _, end := range []func() error{sharedStack.end, sharedConsole.end} {
		if err := end(); err != nil {
			code = max(code, complain(err))
		}
	}
	return code
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// build builds the programs, with the race detector where the tests have it.
func build() error {
	args := []string{"build", "-buildvcs=false", "-o", programs + string(filepath.Separator)}
	if raceFlag != "" {
		args = append(args, raceFlag)
	}
	cmd := exec.CommandContext(context.Background(), "go", append(args, "./devstack", "./worker", "./server", "./starter")...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// tempDir is a folder of the test's own that PostgreSQL's user can enter.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(work, "test-") //nolint:usetesting // t.TempDir lets nobody in
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
