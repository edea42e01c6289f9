// Package chaos_test breaks Handover on purpose, and looks whether it has kept its
// promises: every step is run with the process dying on either side of its commit, and
// a storm of faults goes over some hundred cases. docs/reliability.md says what for.
package chaos_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"handover/internal/testdb"
	"handover/internal/testlog"
)

// roleKey is the setting that makes this program something else than a test. clockKey is
// by how many seconds its clock is wrong, where it is built with one that can be
// (make chaos).
const (
	roleKey  = "HANDOVER_CHAOS_ROLE"
	clockKey = "HANDOVER_CHAOS_CLOCK"
)

func TestMain(m *testing.M) {
	setting := os.Getenv(roleKey)
	if setting == "" {
		os.Exit(testdb.Main(m))
	}
	var r role
	err := json.Unmarshal([]byte(setting), &r)
	if err == nil {
		err = r.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// role is what a child process is.
type role struct {
	Worker   *workerRole   `json:"worker,omitempty"`
	Postgres *postgresRole `json:"postgres,omitempty"`
	Temporal *temporalRole `json:"temporal,omitempty"`
}

func (r role) run() error {
	switch {
	case r.Postgres != nil:
		return r.Postgres.run()
	case r.Temporal != nil:
		return r.Temporal.run()
	}
	return r.Worker.run(os.Stdin, os.Stdout)
}

// untilEnd waits for the end of the standard input.
func untilEnd() { _, _ = io.Copy(io.Discard, os.Stdin) }

// child is a process that this program has started as something else.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended
}

// launch starts a child, which ends at the latest with its standard input, and so with
// this process; line is called with each line that it says, and what it complains of is added
// to the log.
func launch(r role, log *testlog.Buffer, line func(string)) (*child, error) {
	setting, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	c := &child{done: make(chan struct{})}
	c.cmd = exec.CommandContext(context.Background(), os.Args[0])
	c.cmd.Env = append(os.Environ(), roleKey+"="+string(setting))
	if r.Worker != nil {
		c.cmd.Env = append(c.cmd.Env, clockKey+"="+strconv.Itoa(r.Worker.Apart))
	}
	c.cmd.Stderr = log
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line(lines.Text())
		}
		_ = c.cmd.Wait() // the state has it
		close(c.done)
	}()
	return c, nil
}

// killed reports whether a child that has ended was killed.
func (c *child) killed() bool {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// kill ends the child as a crash would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.done
}

func (c *child) say(line string) error {
	_, err := fmt.Fprintln(c.in, line)
	return err
}
