package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endOrphan ends a server that a killed process left on the data directory, and
// removes a pid file that nobody stands behind. We hold the lock of the state
// directory, so a server there is nobody's.
func (c *cluster) endOrphan(ctx context.Context) error {
	pidFile := filepath.Join(c.data(), "postmaster.pid")
	content, err := os.ReadFile(pidFile) //nolint:gosec // our own data directory
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || !c.runs(ctx, pid) {
		// The number may belong to a stranger by now, and PostgreSQL would then refuse to start.
		c.logf("removing the pid file of a PostgreSQL that was killed")
		return os.Remove(pidFile)
	}
	c.logf("stopping PostgreSQL (process %d), which a killed process left behind", pid)
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the PostgreSQL that was left behind: %w", err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for c.runs(ctx, pid) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the PostgreSQL that was left behind (process %d) does not end: %w", pid, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// runs says whether the process is a server on our data directory, by its command line.
func (c *cluster) runs(ctx context.Context, pid int) bool {
	if pid <= 1 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if errors.Is(err, fs.ErrNotExist) { // no /proc: a Mac
		line, err = exec.CommandContext(ctx, "ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // a number
	}
	return err == nil && strings.Contains(string(line), c.data())
}
