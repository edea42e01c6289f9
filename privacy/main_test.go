// Package privacy_test looks for personal data where none may be: in all that worker and
// server tell of themselves and leave with Temporal, and, after a deletion, in all that is
// left. The processes run as in the image: as nobody, and with nothing to write to.
package privacy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/app"
	"handover/internal/testdb"
	"handover/internal/testlog"
)

// roleKey is the setting that makes this program a worker or a server.
const roleKey = "HANDOVER_PRIVACY_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleKey) {
	case "worker":
		app.Main(app.WorkerCommand())
	case "server":
		app.Main(app.ServerCommand())
	default:
		os.Exit(testdb.Main(m))
	}
}

// patience bounds every wait; nothing sleeps in the hope that something has happened.
const (
	patience  = time.Minute
	lookEvery = 25 * time.Millisecond
)

// waitFor waits until the condition holds. A test that gives up says what is missing.
func waitFor(t testing.TB, what string, condition func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(lookEvery) {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, what, "%v", err)
		}
	}
}

// confine runs what follows it as the image does: as nobody, without any capability, and
// where every file system is read-only.
const confine = `while read -r _ _ _ _ point options _; do
	case "$options" in ro*) ;; *) mount -o remount,bind,ro "$point" 2>/dev/null ;; esac
done </proc/self/mountinfo
exec setpriv --reuid=65532 --regid=65532 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"`

// confined is the command as it is run in the image, where this test may do that: it has
// to be root. Elsewhere it is the command.
func confined(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Logf("%s is not confined: that takes root", filepath.Base(program))
		return exec.CommandContext(context.Background(), program, args...)
	}
	line := append([]string{"--mount", "--propagation", "private", "sh", "-c", confine, "sh", program}, args...)
	return exec.CommandContext(context.Background(), "unshare", line...)
}

// TestConfined: where the processes run, there is no folder that they could write to.
func TestConfined(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can confine")
	}
	dir := openDir(t)
	require.NoError(t, os.Chmod(dir, 0o777))
	out, err := confined(t, "sh", "-c", `id -u; for d in "$1" /tmp /var/tmp /dev/shm; do touch "$d/x" && echo "wrote to $d"; done; grep CapEff /proc/self/status`, "sh", dir).Output()
	require.NoError(t, err)
	require.Equal(t, "65532\nCapEff:\t0000000000000000\n", string(out))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x"), nil, 0o600), "and outside it can be written to")
}

// openDir is a folder that everybody can enter.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "handover-privacy-") //nolint:usetesting // t.TempDir lets nobody in
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// program is this program where everybody can run it.
func program(t testing.TB) string {
	t.Helper()
	from, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer func() { _ = from.Close() }()
	name := filepath.Join(openDir(t), "program")
	to, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, errors.Join(err, to.Close()))
	return name
}

// process is a worker or a server.
type process struct {
	role   string
	health string // where it says how it is
	cmd    *exec.Cmd
	out    testlog.Buffer // all that it says
	done   chan struct{}
}

// start starts a worker or a server, with nothing of the caller's settings.
func start(t testing.TB, program, role, health string, env ...string) *process {
	t.Helper()
	p := &process{role: role, health: health, cmd: confined(t, program), done: make(chan struct{})}
	p.cmd.Dir = "/"
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "XDG_CONFIG_HOME=/nonexistent", roleKey + "=" + role,
		"HANDOVER_HEALTH_ADDRESS=" + health, "HANDOVER_LOG_LEVEL=debug",
	}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // the state has it
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
		if t.Failed() {
			t.Logf("the %s said:\n%s", role, p.out.String())
		}
	})
	return p
}

// ready waits until the process can work.
func (p *process) ready(t testing.TB) {
	t.Helper()
	waitFor(t, "the "+p.role+" is ready", func() error {
		_, err := p.page("/readyz")
		return err
	})
}

// page is a page of the health address.
func (p *process) page(path string) (string, error) {
	select {
	case <-p.done:
		return "", fmt.Errorf("it has ended: %v", p.cmd.ProcessState)
	default:
	}
	resp, err := http.Get("http://" + p.health + path) //nolint:noctx // of this machine
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

// stop ends the process as an orchestrator does; it sends what it has not told yet.
func (p *process) stop(t testing.TB) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(patience):
		require.FailNow(t, "it does not end", p.role)
	}
	require.Zero(t, p.cmd.ProcessState.ExitCode(), p.out.String())
	require.False(t, strings.Contains(p.out.String(), "DATA RACE"), p.out.String())
}
