package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"

	"handover/postgres"
)

// health answers /livez and /readyz.
type health struct {
	store    *postgres.Store
	walled   atomic.Pointer[postgres.Store] // of a server with a role behind the wall
	client   atomic.Pointer[client.Client]
	draining atomic.Bool
	server   *http.Server

	mu    sync.Mutex
	asked time.Time // when the parts were asked, and what they answered
	found error
}

// asking is how long an answer of the parts is good for: whoever can reach the API
// can ask for /readyz, as often as they like.
const asking = time.Second

// serveHealth listens at once, so that a process that still waits is alive and
// not ready. An empty address serves nothing.
// Metrics are served there alone: they are not for whoever can reach the API.
func serveHealth(ctx context.Context, address string, store *postgres.Store, metrics http.Handler, log *slog.Logger) (*health, error) {
	h := &health{store: store}
	if address == "" {
		return h, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("health address: %w", err)
	}
	mux := http.NewServeMux()
	h.routes(mux)
	mux.Handle("GET /metrics", metrics)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second}
	go func() {
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the health address is no longer served", "error", err)
		}
	}()
	return h, nil
}

// routes serves /livez and /readyz.
func (h *health) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := h.ready(r.Context()); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		say(w, http.StatusOK, "ok")
	})
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // the caller has gone; nobody is left to tell
}

// ready says what is missing before this process can work.
func (h *health) ready(ctx context.Context) error {
	if h.draining.Load() {
		return errors.New("draining")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) >= asking {
		h.found = h.ask(context.WithoutCancel(ctx)) // others wait for the answer too
		h.asked = time.Now()
	}
	return h.found
}

// ask asks the parts.
func (h *health) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := h.store.Ping(ctx); err != nil {
		return errors.New("the database does not answer")
	}
	if err := schemaReady(ctx, h.store); err != nil {
		return err
	}
	if walled := h.walled.Load(); walled != nil {
		if err := wallReady(ctx, h.store, walled); err != nil {
			return err
		}
	}
	c := h.client.Load()
	if c == nil {
		return errors.New("not connected to the Temporal server yet")
	}
	if _, err := (*c).CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return errors.New("the Temporal server does not answer")
	}
	return nil
}

func (h *health) setClient(c client.Client) { h.client.Store(&c) }

func (h *health) drain() { h.draining.Store(true) }

func (h *health) close() error {
	if h.server == nil {
		return nil
	}
	return h.server.Close()
}
