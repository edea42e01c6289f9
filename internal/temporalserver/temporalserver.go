// Package temporalserver runs a Temporal server inside the process, on an SQLite
// file, for a laptop, the demo and the end-to-end tests; for the benchmarks on
// PostgreSQL. What it keeps survives the process, however that ends.
package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/temporal"

	"handover/internal/dirlock"
)

// Defaults of Options.
const (
	DefaultAddress   = "127.0.0.1:7233"
	DefaultNamespace = "default"
	DefaultRetention = 30 * 24 * time.Hour

	startTimeout = 60 * time.Second
)

// Options say which server Start gives. The zero value is a throw-away server on
// the default address.
type Options struct {
	// Dir keeps the executions from one start to the next, and the log temporal.log.
	// Empty: a temporary directory that Stop removes.
	Dir string
	// Address of the frontend; the port ":0" takes a free one. Default DefaultAddress.
	Address string
	// UIAddress of the web UI; empty: none. The port ":0" takes a free one.
	UIAddress string
	// Namespace is registered if it is not there yet. Default DefaultNamespace.
	Namespace string
	// Retention of closed executions, for a namespace that is registered now.
	// Default DefaultRetention.
	Retention time.Duration
	// LogLevel of temporal.log: debug, info, warn, error. Default warn.
	LogLevel string

	// Postgres is the URL of a PostgreSQL server to use in place of the SQLite file,
	// with no Temporal on it yet. Days cannot be skipped there.
	Postgres string
}

func (o *Options) setDefaults() {
	if o.Address == "" {
		o.Address = DefaultAddress
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.LogLevel == "" {
		o.LogLevel = "warn"
	}
}

// Server is a running Temporal server.
type Server struct {
	address   string
	uiAddress string
	namespace string
	closers   []func() error // in the order of the start
	once      sync.Once
	stopErr   error
}

// Start starts a server and returns when it answers. It returns dirlock.ErrHeld
// when another process runs one on opts.Dir, and says so when an address is taken.
func Start(ctx context.Context, opts Options) (_ *Server, err error) {
	opts.setDefaults()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	s := &Server{namespace: opts.Namespace}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the Temporal server: %w", err), s.Stop())
		}
	}()
	durable := opts.Dir != ""
	if err := s.takeDir(&opts); err != nil {
		return nil, err
	}
	ports, err := pickPorts(ctx, opts.Address, opts.UIAddress)
	if err != nil {
		return nil, err
	}
	s.address, s.uiAddress = ports.frontend, ports.ui
	if err := s.startServer(opts, ports, durable); err != nil {
		return nil, err
	}
	if opts.Postgres != "" {
		if err := s.register(ctx, opts); err != nil {
			return nil, err
		}
	}
	if err := s.waitReady(ctx); err != nil {
		return nil, err
	}
	if s.uiAddress != "" {
		return s, s.startUI()
	}
	return s, nil
}

func (s *Server) takeDir(opts *Options) error {
	if opts.Dir == "" {
		dir, err := os.MkdirTemp("", "handover-temporal-")
		if err != nil {
			return err
		}
		opts.Dir = dir
		s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
		return nil
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return err
	}
	lock, err := dirlock.Take(filepath.Join(opts.Dir, "lock"))
	if err != nil {
		return err
	}
	s.closers = append(s.closers, lock.Release)
	return nil
}

func (s *Server) startServer(opts Options, ports ports, durable bool) error {
	cfg, err := storedConfig(opts, ports, durable)
	if err != nil {
		return err
	}
	serverOptions, err := serverOptions(cfg, ports, opts)
	if err != nil {
		return err
	}
	server, err := temporal.NewServer(serverOptions...)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	s.closers = append(s.closers, server.Stop)
	return nil
}

// storedConfig is the server's configuration, with a store that has been set up.
func storedConfig(opts Options, ports ports, durable bool) (*config.Config, error) {
	if opts.Postgres != "" {
		store, visibility, err := postgresConfig(opts.Postgres)
		if err != nil {
			return nil, err
		}
		return serverConfig(store, visibility, postgresShards, ports), setUpPostgres(store, visibility)
	}
	store := sqliteConfig(filepath.Join(opts.Dir, "temporal.db"), durable)
	cfg := serverConfig(store, store, 1, ports)
	return cfg, setUpStore(cfg, store, opts)
}

// waitReady waits until the frontend answers for the namespace.
func (s *Server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := s.Client(ctx, client.Options{Logger: quiet{}})
		if err == nil {
			c.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the frontend does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// Address is the host:port of the frontend.
func (s *Server) Address() string { return s.address }

// UIAddress is the host:port of the web UI; empty without one.
func (s *Server) UIAddress() string { return s.uiAddress }

// Namespace is the namespace that Start saw to.
func (s *Server) Namespace() string { return s.namespace }

// Client connects to the server. HostPort in opts is overwritten, an empty
// Namespace too. The caller closes the client.
func (s *Server) Client(ctx context.Context, opts client.Options) (client.Client, error) {
	opts.HostPort = s.address
	if opts.Namespace == "" {
		opts.Namespace = s.namespace
	}
	return client.DialContext(ctx, opts)
}

// Stop ends the server and removes a throw-away one's directory. Stop the workers
// and close the clients first. Later calls do nothing and return what the first returned.
func (s *Server) Stop() error {
	s.once.Do(func() {
		var errs []error
		for i := len(s.closers) - 1; i >= 0; i-- {
			errs = append(errs, s.closers[i]())
		}
		s.stopErr = errors.Join(errs...)
	})
	return s.stopErr
}

// quiet drops the SDK's lines while the server is not there yet.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
