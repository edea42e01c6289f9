package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"handover/internal/config"
	"handover/internal/telemetry"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/api"
	"handover/server/auth"
	"handover/server/codec"
	"handover/server/console"
	"handover/server/load"
	"handover/server/problem"
	"handover/server/scim"
)

// Server answers HTTP until it is closed.
type Server struct {
	store    *postgres.Store
	walled   *postgres.Store // for those who are known; store where there is no wall
	client   client.Client
	borrowed bool    // the client is a worker's that runs in the same process
	worker   *Worker // of its own, nil for none
	listener net.Listener
	http     *http.Server
	health   *health
	tells    *telemetry.Telemetry
	webhooks api.Webhooks
	drain    time.Duration
	stopping chan struct{} // closed when it drains
	ends     func()        // of its own telemetry, nil where that is the process's
	unwatch  func()        // stops to watch Temporal, nil where nobody does
	log      *slog.Logger
	fatal    chan error
}

// timeouts are how long the parts of a request may take, whoever sends it.
type timeouts struct {
	header, idle time.Duration
	// body is how long a body may take that no route reads: who answers reads it within
	// bounds of its own.
	body time.Duration
	// answer is how long an answer may take, from the header of the request to the last
	// byte that the caller has taken. What goes on longer says so each time.
	answer time.Duration
}

var usual = timeouts{header: 5 * time.Second, idle: 2 * time.Minute, body: 10 * time.Second, answer: 90 * time.Second}

// maxHeader bounds the bytes of a request's line and headers.
const maxHeader = 32 << 10

// serve makes an HTTP server with the timeouts.
func (t timeouts) serve(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: bounded(handler, t.body), ReadHeaderTimeout: t.header, WriteTimeout: t.answer, IdleTimeout: t.idle, MaxHeaderBytes: maxHeader,
	}
}

// placeWait is how long a request waits for its turn where more are being answered than
// the server answers at once.
const placeWait = time.Second

// StartServer listens at once, answers /livez and /readyz, and everything else as
// soon as the database, its schema and the Temporal server are there.
func StartServer(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Server, error) {
	tells, err := telemetry.New(ctx, "handover-server")
	if err != nil {
		return nil, err
	}
	s, err := StartServerIn(ctx, cfg, log, tells, nil)
	if err != nil {
		return nil, errors.Join(err, tells.Close())
	}
	s.ends = func() { tells.End(s.log) }
	return s, nil
}

// StartServerIn is StartServer in a process that has its telemetry, and may have a
// connection that a worker runs on.
func StartServerIn(
	ctx context.Context, cfg *config.Config, log *slog.Logger, tells *telemetry.Telemetry, shared client.Client,
) (_ *Server, err error) {
	log = tells.Logger(log)
	s := &Server{log: log, tells: tells, drain: cfg.Server.DrainTimeout, stopping: make(chan struct{}), fatal: make(chan error, 3)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	s.webhooks.AllowPrivate = cfg.Webhooks.AllowPrivate
	if s.webhooks.Keys, err = webhookKeys(cfg.Webhooks); err != nil {
		return nil, err
	}
	if s.store, err = openStore(cfg.Database, tells, "server"); err != nil {
		return nil, err
	}
	s.walled = s.store
	if url := cfg.Server.DatabaseURL; url != "" {
		walled, err := openStore(config.Database{URL: url, PoolSize: cfg.Database.PoolSize}, tells, "walled")
		if err != nil {
			return nil, err
		}
		s.walled = walled.Behind()
	}
	if s.health, err = serveHealth(ctx, cfg.Server.HealthAddress, s.store, tells.Metrics(), log); err != nil {
		return nil, err
	}
	if s.walled != s.store {
		s.health.walled.Store(s.walled)
	}
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Server.Address); err != nil {
		return nil, fmt.Errorf("listen address: %w", err)
	}
	mux := http.NewServeMux()
	s.health.routes(mux)
	starting := problem.Track(log, console.Starting(log, http.HandlerFunc(s.starting)))
	var answers atomic.Pointer[http.Handler] // nothing that is wrong of a request is known before it is there
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if ready := answers.Load(); ready != nil {
			(*ready).ServeHTTP(w, r)
			return
		}
		starting.ServeHTTP(w, r)
	})
	s.http = usual.serve(mux)
	s.http.RegisterOnShutdown(sync.OnceFunc(func() { close(s.stopping) }))
	go func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.fatal <- fmt.Errorf("HTTP is no longer served: %w", err)
		}
	}()
	if err = awaitDatabase(ctx, s.store, log); err != nil {
		return nil, err
	}
	if s.walled != s.store {
		if err = awaitWall(ctx, s.store, s.walled, log); err != nil {
			return nil, err
		}
	}
	if err = s.connect(ctx, cfg, shared); err != nil {
		return nil, err
	}
	handler, err := s.handler(cfg)
	if err != nil {
		return nil, err
	}
	answers.Store(&handler)
	s.health.setClient(s.client)
	log.InfoContext(ctx, "server started", "address", s.Address())
	return s, nil
}

// connect connects to Temporal, and starts the worker that the settings may want.
func (s *Server) connect(ctx context.Context, cfg *config.Config, shared client.Client) (err error) {
	if shared != nil {
		s.client, s.borrowed = shared, true
		return nil
	}
	options := cfg.Temporal
	options.Logger = tlog.NewStructuredLogger(s.log)
	if err := s.tells.Temporal(&options); err != nil {
		return err
	}
	a := newAway()
	options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions, grpc.WithUnaryInterceptor(a.call)) // around the SDK's
	if s.client, err = awaitTemporal(ctx, options, s.log); err != nil {
		return err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var ended sync.WaitGroup
	ended.Go(func() { a.watch(watching, s.client, s.log) })
	s.unwatch = func() {
		stop()
		ended.Wait()
	}
	if !cfg.Server.Worker {
		return nil
	}
	s.worker, err = workBeside(ctx, s, cfg)
	return err
}

// bounded bounds how long a body may take. Whoever is refused before the body is
// read would keep the connection for ever else, for net/http reads the rest of it
// before it sends the answer, and a ReadTimeout would end requests that are answered.
func bounded(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			rc := http.NewResponseController(w)
			_ = rc.SetReadDeadline(time.Now().Add(within)) // every connection of a server has deadlines
			r = r.WithContext(r.Context())
			r.Body = &awaited{r.Body, rc}
		}
		next.ServeHTTP(w, r)
	})
}

// awaited is a body that has a deadline until it is there.
type awaited struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b *awaited) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.rc.SetReadDeadline(time.Time{}) // else it would end the request while it is answered
	}
	return n, err
}

// starting answers while the database or Temporal is waited for.
func (s *Server) starting(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, s.log, problem.New(r.Context(), offboarding.CodeTryAgain, "the server is starting").With("Retry-After", "1"))
}

// handler is everything that needs the database and Temporal.
func (s *Server) handler(cfg *config.Config) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc(elsewhere, func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, s.log, noRoute(mux, r))
	})
	callers := auth.New(auth.Options{
		Store: s.store, Log: s.log, Rate: cfg.Server.RateLimit, Proxies: cfg.Server.TrustedProxies,
		PublicURL: cmp.Or(cfg.Server.PublicURL, "http://"+s.Address()),
		Provider: auth.Provider{
			Issuer: cfg.Server.OIDC.Issuer, ClientID: cfg.Server.OIDC.ClientID, ClientSecret: cfg.Server.OIDC.ClientSecret.Reveal(),
		},
	})
	callers.Register(mux)
	api.New(mux, api.Options{Store: s.walled, Gate: s.store, Cases: sendsTo(s.client, cfg), Auth: callers, Webhooks: s.webhooks, Log: s.log, Stopping: s.stopping})
	console.New(mux, console.Options{API: mux, Store: s.walled, Auth: callers, Log: s.log, Stopping: s.stopping})
	if c := cfg.Server.Codec; c.Decoder != nil {
		codec.New(mux, codec.Options{Decoder: c.Decoder, Readers: c.Readers, Origin: c.Origin, Auth: callers, Log: s.log})
	}
	members := callers.Authenticate(mux)
	providers := scim.New(scim.Options{
		Store: s.walled, Gate: s.store, Cases: sendsTo(s.client, cfg), Log: s.log, PublicURL: cfg.Server.PublicURL, Rate: cfg.Server.RateLimit, Proxies: cfg.Server.TrustedProxies,
	})
	mux.Handle(scim.Path+"/", providers) // for the route's name
	everybody := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, scim.Path+"/") { // which has tokens and errors of its own
			providers.ServeHTTP(w, r)
			return
		}
		members.ServeHTTP(w, r)
	})
	busy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callers.Busy(w, r, problem.New(r.Context(), offboarding.CodeTryAgain, "the server has too much to do; nothing was decided").With("Retry-After", "1"))
	})
	front := load.New(load.Options{Requests: cfg.Server.MaxRequests, Streams: cfg.Server.MaxStreams, Wait: placeWait}).Admit(everybody, busy)
	out := load.New(load.Options{Requests: min(cfg.Server.MaxRequests, signOutsAtOnce), Wait: placeWait}).Admit(everybody, busy)
	return s.tells.HTTP(mux, problem.Track(s.log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if signsOut(r) {
			out.ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	})))
}

// signOutsAtOnce is how many people may be signing out.
const signOutsAtOnce = 16

// signsOut reports whether somebody ends their session, for which there is always a
// place apart.
func signsOut(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/auth/logout" || r.URL.Path == console.SignOut)
}

// elsewhere is the pattern of what no route answers.
const elsewhere = "/"

// noRoute says why no route answers a request: there is none at that path, or none for
// the method.
func noRoute(mux *http.ServeMux, r *http.Request) *problem.Problem {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := *r
		other.Method = method
		if _, pattern := mux.Handler(&other); pattern != elsewhere {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return problem.New(r.Context(), problem.CodeNotFound, "there is no such route")
	}
	list := strings.Join(allowed, ", ")
	return problem.New(r.Context(), problem.CodeMethodNotAllowed, "this route takes "+list).With("Allow", list)
}

// Address is where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Fatal receives an error after which the server no longer works.
func (s *Server) Fatal() <-chan error { return s.fatal }

// Close takes no more requests, lets those that run end within the drain timeout,
// and lets go of everything.
func (s *Server) Close() error {
	s.log.Info("server draining")
	err := s.release()
	s.log.Info("server stopped")
	return err
}

func (s *Server) release() error {
	var errs []error
	if s.health != nil {
		s.health.drain()
	}
	if s.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), s.drain)
		if err := s.http.Shutdown(ctx); err != nil {
			errs = append(errs, s.http.Close()) // those who wait longer have been warned by the documentation
		}
		cancel()
	} else if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	if s.worker != nil { // what still runs may be what a request has waited for
		errs = append(errs, s.worker.Close())
	}
	if s.unwatch != nil {
		s.unwatch()
	}
	if s.client != nil && !s.borrowed {
		s.client.Close()
	}
	if s.health != nil {
		errs = append(errs, s.health.close())
	}
	if s.walled != nil && s.walled != s.store {
		errs = append(errs, s.walled.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.ends != nil {
		s.ends()
	}
	return errors.Join(errs...)
}
