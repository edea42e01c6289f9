package pgserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver that says when the server is ready
)

const (
	startTimeout = 60 * time.Second
	// startAttempts covers a free port that somebody took in between, and the last
	// backends of a killed server that still hold its shared memory.
	startAttempts = 3
)

// start brings the server up and returns its port.
func (c *cluster) start(ctx context.Context, port int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	bin, err := findBinaries(ctx, c.data(), c.logf)
	if err != nil {
		return 0, err
	}
	if err := c.initdb(ctx, bin); err != nil {
		return 0, err
	}
	if err := c.endOrphan(ctx); err != nil {
		return 0, err
	}
	for attempt := 1; ; attempt++ {
		p, err := c.launch(ctx, bin, port)
		if err == nil {
			return p, c.createDatabase(ctx, p)
		}
		if attempt == startAttempts || ctx.Err() != nil {
			return 0, err
		}
		c.logf("PostgreSQL did not start, trying again: %v", err)
	}
}

// initdb makes the data directory under another name and renames it when it is
// whole, so that a start that was killed half-way leaves none behind.
func (c *cluster) initdb(ctx context.Context, bin binaries) error {
	if _, err := os.Stat(c.data()); err == nil {
		return nil
	}
	c.logf("creating a PostgreSQL %d database in %s", bin.major, c.data())
	unfinished := c.data() + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	pwfile := filepath.Join(c.home, "initial-password")
	if err := os.WriteFile(pwfile, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(pwfile) }()
	if err := c.owner.own(pwfile); err != nil {
		return err
	}
	args := []string{
		"-D", unfinished, "-U", superuser, "--pwfile", pwfile, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C",
	}
	if c.throwAway {
		args = append(args, "--no-sync")
	}
	out, err := c.owner.command(ctx, c.home, bin.path("initdb"), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return os.Rename(unfinished, c.data())
}

// launch starts the postmaster and waits until it answers.
func (c *cluster) launch(ctx context.Context, bin binaries, port int) (_ int, err error) {
	if port == 0 {
		if port, err = freePort(ctx); err != nil {
			return 0, err
		}
	}
	log, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }() // the server has its own copy
	from, err := log.Seek(0, 2)
	if err != nil {
		return 0, err
	}

	// Not bound to ctx: it ends with the start, the server does not.
	cmd := c.owner.command(context.WithoutCancel(ctx), c.home, bin.path("postgres"), c.serverArgs(port)...)
	cmd.Stdout, cmd.Stderr = log, log
	server, err := startProcess(cmd)
	if err != nil {
		return 0, err
	}
	c.server = server
	if err := c.watcher.tell(cmd.Process.Pid); err != nil {
		c.server = nil
		return 0, errors.Join(fmt.Errorf("the watcher is gone: %w", err), server.stop(syscall.SIGINT))
	}
	if err := c.waitReady(ctx, port); err != nil {
		return 0, fmt.Errorf("PostgreSQL on port %d: %w\n%s", port, err, tail(c.logPath, from))
	}
	return port, nil
}

func (c *cluster) serverArgs(port int) []string {
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "port=" + strconv.Itoa(port),
		"max_connections=200", "timezone=UTC", "log_timezone=UTC", "logging_collector=off",
	}
	if c.throwAway {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0")
	}
	args := []string{"-D", c.data()}
	for _, s := range append(settings, c.settings...) {
		args = append(args, "-c", s)
	}
	return args
}

func (c *cluster) waitReady(ctx context.Context, port int) error {
	db, err := sql.Open("postgres", c.url(port, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		pingErr := db.PingContext(ctx)
		if pingErr == nil {
			return nil
		}
		select {
		case <-c.server.done:
			err := c.server.err
			c.server = nil
			return errors.Join(fmt.Errorf("ended: %w", err), c.watcher.tell(0))
		case <-ctx.Done():
			return errors.Join(ctx.Err(), pingErr)
		case <-tick.C:
		}
	}
}

func (c *cluster) createDatabase(ctx context.Context, port int) error {
	db, err := sql.Open("postgres", c.url(port, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, databaseName).Scan(&exists); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+databaseName); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// tail is the end of what the server wrote since from.
func tail(path string, from int64) string {
	b, err := os.ReadFile(path) //nolint:gosec // our own log
	if err != nil || int64(len(b)) < from {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b[from:])), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
