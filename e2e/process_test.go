package e2e_test

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

	"handover/internal/freeport"
	"handover/internal/testlog"
)

// patience bounds every wait for a condition; nothing sleeps in the hope that
// something has happened meanwhile.
const (
	patience  = 3 * time.Minute
	lookEvery = 50 * time.Millisecond
)

// await waits until the condition holds. Its error says what is still missing.
func await(condition func() error) error { return awaitWithin(patience, condition) }

func awaitWithin(limit time.Duration, condition func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(lookEvery)
	}
}

// waitFor is await for a test.
func waitFor(t testing.TB, what string, condition func() error) {
	t.Helper()
	if err := await(condition); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// process is one of our programs.
type process struct {
	name     string
	cmd      *exec.Cmd
	out, err testlog.Buffer
	done     chan struct{} // closed when it has ended
}

// launch starts a program. Its environment has nothing of the caller's settings.
func launch(dir string, env []string, name string, args ...string) (*process, error) {
	p := &process{name: name, done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), filepath.Join(programs, name), args...)
	p.cmd.Dir = dir
	for _, keep := range []string{"PATH", "HOME", "TMPDIR", "USER"} {
		p.cmd.Env = append(p.cmd.Env, keep+"="+os.Getenv(keep))
	}
	p.cmd.Env = append(append(p.cmd.Env, "XDG_CONFIG_HOME="+work), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.cmd.WaitDelay = 5 * time.Second // a child of its own may hold on to the output
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // the state has it
		close(p.done)
	}()
	return p, nil
}

// start is launch for a test, which ends the process if it has not ended by then.
func start(t testing.TB, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p, err := launch(dir, env, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.terminate(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s\n%s", name, p.out.String(), p.err.String())
		}
		if strings.Contains(p.err.String(), "DATA RACE") {
			t.Errorf("%s has a data race:\n%s", name, p.err.String())
		}
	})
	return p
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// wait waits for the end by itself, and returns the exit code.
func (p *process) wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%s does not end:\n%s\n%s", p.name, p.out.String(), p.err.String())
		return 0
	}
}

// terminate asks the process to end and insists if it does not.
func (p *process) terminate() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s does not end on SIGTERM", p.name)
	}
}

// kill ends the process as a crash of the machine would.
func (p *process) kill(t testing.TB) {
	t.Helper()
	if !p.running() {
		t.Fatalf("%s has ended before it could be killed:\n%s", p.name, p.err.String())
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

// result is what a program that ends by itself came to.
type result struct {
	code     int
	out, err string
}

// exec runs a program to its end.
func execute(t testing.TB, dir string, env []string, name string, args ...string) result {
	t.Helper()
	p := start(t, dir, env, name, args...)
	code := p.wait(t)
	return result{code: code, out: p.out.String(), err: p.err.String()}
}

// succeed runs a program that must do what it is asked.
func succeed(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	r := execute(t, dir, env, name, args...)
	if r.code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s\n%s", name, strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// freeAddress is a host:port that nobody listens on, and no other test gets.
func freeAddress() string { return freeport.Address() }

// ask gets a health page: the status code and the text.
func ask(address, page string) (int, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+page, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(body)), errors.Join(err, resp.Body.Close())
}

// says is a condition: the page answers with the code, and a text that has this in it.
func says(p *process, address, page string, code int, text string) func() error {
	return func() error {
		if !p.running() {
			return fmt.Errorf("%s has ended: %s", p.name, p.err.String())
		}
		have, body, err := ask(address, page)
		if err != nil {
			return err
		}
		if have != code || !strings.Contains(body, text) {
			return fmt.Errorf("%s answers %d %q, want %d %q", page, have, body, code, text)
		}
		return nil
	}
}
