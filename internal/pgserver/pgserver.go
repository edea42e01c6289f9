// Package pgserver gives the process a PostgreSQL to work with, without
// containers: the one that DATABASE_URL names, else one that it runs itself from
// the binaries found on the machine, else from binaries that it downloads.
//
// A server that it runs never outlives the process, not even one that was killed
// with SIGKILL; see [watcher]. It listens on 127.0.0.1 only and wants a password.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Names inside a server that Start creates.
const (
	databaseName = "handover"
	superuser    = "handover"
)

// Options say which server Start gives.
type Options struct {
	// Dir keeps the data from one start to the next. Empty: a throw-away server in a
	// temporary directory, without durability, removed by Stop or with the process.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one.
	Port int
	// Settings are further lines of the server's configuration, such as "shared_buffers=1GB".
	Settings []string
	// Logf gets a line per step that takes time or surprises; nil drops them.
	Logf func(format string, args ...any)
}

// Server is a running PostgreSQL.
type Server struct {
	url     string
	stop    func() error
	once    sync.Once
	stopErr error
}

// Start gives a PostgreSQL with an empty or earlier database "handover".
//
// With DATABASE_URL set nothing is started and Stop stops nothing. It returns
// dirlock.ErrHeld when another process runs a server on opts.Dir.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Logf == nil {
		opts.Logf = func(string, ...any) {}
	}
	if dsn := os.Getenv("DATABASE_URL"); dsn != "" {
		opts.Logf("using the PostgreSQL of DATABASE_URL")
		return &Server{url: dsn, stop: func() error { return nil }}, nil
	}
	c, err := newCluster(opts)
	if err != nil {
		return nil, err
	}
	port, err := c.start(ctx, opts.Port)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return &Server{url: c.url(port, databaseName), stop: c.close}, nil
}

// URL is the lib/pq connection URL of the database.
func (s *Server) URL() string { return s.url }

// Stop ends the server, waits until it has ended, and removes what was throw-away.
// Later calls do nothing and return what the first returned.
func (s *Server) Stop() error {
	s.once.Do(func() { s.stopErr = s.stop() })
	return s.stopErr
}

func (c *cluster) url(port int, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     "127.0.0.1:" + strconv.Itoa(port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func newCluster(opts Options) (*cluster, error) {
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	c := &cluster{owner: owner, logf: opts.Logf, settings: opts.Settings}
	if opts.Dir == "" {
		err = c.prepareThrowAway()
	} else {
		var dir string
		if dir, err = filepath.Abs(opts.Dir); err == nil {
			err = c.prepareDurable(dir)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the PostgreSQL directory: %w", err), c.close())
	}
	return c, nil
}
