package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	sdklog "go.temporal.io/sdk/log"
)

// quiet drops what the SDK logs.
var quiet = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))

// workerProcess runs a worker as it runs in production: the binary, in a process of its
// own, with the settings' defaults but for what env adds.
func (b *bench) workerProcess(ctx context.Context, dsn string, env ...string) (pid int, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "handover-bench-worker-")
	if err != nil {
		return 0, nil, err
	}
	binary := filepath.Join(dir, "worker")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./worker").CombinedOutput(); err != nil { //nolint:gosec // our own main
		return 0, nil, errors.Join(fmt.Errorf("build the worker: %w\n%s", err, out), os.RemoveAll(dir))
	}
	health, err := freeAddress(ctx)
	if err != nil {
		return 0, nil, errors.Join(err, os.RemoveAll(dir))
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), binary) //nolint:gosec // which has just been built
	cmd.Env = append(os.Environ(), append([]string{
		"DATABASE_URL=" + dsn, "HANDOVER_DATABASE_POOL_SIZE=" + strconv.Itoa(poolSize), "HANDOVER_LOG_LEVEL=error", "HANDOVER_HEALTH_ADDRESS=" + health,
		"TEMPORAL_ADDRESS=" + b.temporal.Address(), "TEMPORAL_NAMESPACE=" + b.temporal.Namespace(),
	}, env...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // not left over by a run that is killed
	if err := cmd.Start(); err != nil {
		return 0, nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() error {
		ended := cmd.Process.Signal(syscall.SIGTERM)
		if errors.Is(ended, os.ErrProcessDone) {
			ended = nil // killed by what was measured
		} else if err := cmd.Wait(); err != nil {
			ended = fmt.Errorf("the worker: %w", err)
		}
		return errors.Join(ended, os.RemoveAll(dir))
	}
	if err := ready(ctx, "http://"+health+"/readyz"); err != nil {
		return 0, nil, errors.Join(err, stop())
	}
	return cmd.Process.Pid, stop, nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ready waits until a process says that it works.
func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			if err := response.Body.Close(); err != nil {
				return err
			}
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the worker is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
