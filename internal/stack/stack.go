// Package stack runs everything in one process, for a laptop: devstack does, and nothing
// that runs in production, for it brings a Temporal server, a PostgreSQL and an identity
// provider that believes everybody.
package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/lib/pq"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"handover/internal/app"
	"handover/internal/config"
	"handover/internal/devidp"
	"handover/internal/dirlock"
	"handover/internal/pgserver"
	"handover/internal/telemetry"
	"handover/internal/temporalserver"
	"handover/offboarding"
	"handover/postgres"
	"handover/schema"
	"handover/webhook"
)

// Options say where a stack keeps its state and listens.
type Options struct {
	// Dir keeps the state; empty is a throw-away state.
	Dir string
	// TemporalAddress and UIAddress are where the Temporal server of the stack
	// listens; ":0" is a free port, an empty UIAddress means no web UI.
	TemporalAddress, UIAddress string
	// HealthAddress is where /livez, /readyz and /metrics are served, empty for none.
	HealthAddress string
	// ServerAddress is where the HTTP API listens, empty for none.
	ServerAddress string
	// SignInAddress is where the local identity provider listens that signs people
	// in; empty is a free port.
	SignInAddress string
	Log           *slog.Logger
}

// Stack is everything in one process: PostgreSQL, Temporal, migrations, a worker
// and the HTTP server. DATABASE_URL and TEMPORAL_ADDRESS in the environment name servers to
// use instead of its own.
type Stack struct {
	postgres *pgserver.Server
	temporal *temporalserver.Server // nil when TEMPORAL_ADDRESS names another
	owner    string                 // URL of the database for its owner
	database string                 // URL of the database for worker and server
	walled   string                 // URL of the database for the server, behind the wall; "" for none
	drop     func() error           // removes a throw-away database on a server that is not the stack's, else nil
	options  client.Options
	worker   *app.Worker
	server   *app.Server    // nil where nothing is to listen
	people   *devidp.Server // signs people in, nil without the server
	tells    *telemetry.Telemetry
	log      *slog.Logger
	file     string // says how to reach the stack
	lock     *dirlock.Lock
}

// The stack's number of database connections, and of requests a second by one caller.
const (
	poolSize  = 32
	rateLimit = 50
)

// Start starts everything and returns when cases can be started.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	s := &Stack{log: o.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if o.Dir != "" {
		if s.lock, err = dirlock.Take(filepath.Join(o.Dir, "stack.lock")); err != nil {
			return nil, fmt.Errorf("another stack runs in %s: %w", o.Dir, err)
		}
	}
	dir := func(name string) string {
		if o.Dir == "" {
			return ""
		}
		return filepath.Join(o.Dir, name)
	}
	logf := func(format string, args ...any) { o.Log.InfoContext(ctx, fmt.Sprintf(format, args...)) }
	if s.postgres, err = pgserver.Start(ctx, pgserver.Options{Dir: dir("postgres"), Logf: logf}); err != nil {
		return nil, err
	}
	s.owner = s.postgres.URL()
	if o.Dir == "" && os.Getenv("DATABASE_URL") != "" {
		if s.owner, s.drop, err = scratch(ctx, s.owner); err != nil {
			return nil, err
		}
	}
	if s.options, err = envconfig.LoadDefaultClientOptions(); err != nil {
		return nil, fmt.Errorf("the TEMPORAL_ settings cannot be read: %w", err)
	}
	if os.Getenv("TEMPORAL_ADDRESS") == "" {
		s.temporal, err = temporalserver.Start(ctx, temporalserver.Options{
			Dir: dir("temporal"), Address: o.TemporalAddress, UIAddress: o.UIAddress,
		})
		if err != nil {
			return nil, err
		}
		s.options = client.Options{HostPort: s.temporal.Address(), Namespace: s.temporal.Namespace()}
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	cfg := &config.Config{
		Database: config.Database{URL: config.Secret(s.database), PoolSize: poolSize},
		Temporal: s.options,
		Worker:   config.Worker{HealthAddress: o.HealthAddress},
		Server:   config.Server{Address: o.ServerAddress, RateLimit: rateLimit, DatabaseURL: config.Secret(s.walled), MaxRequests: config.DefaultMaxRequests, MaxStreams: config.DefaultMaxStreams},
		Webhooks: config.Webhooks{AllowPrivate: true}, // receivers that are tried out are on this machine
	}
	key, err := secretKey(dir("secret.key"))
	if err != nil {
		return nil, err
	}
	cfg.Webhooks.Keys = []config.Secret{key}
	if s.tells, err = telemetry.New(ctx, "handover"); err != nil {
		return nil, err
	}
	if s.worker, err = app.StartWorkerIn(ctx, cfg, o.Log, nil, s.tells); err != nil {
		return nil, err
	}
	if o.ServerAddress != "" {
		if s.people, err = devidp.Start(ctx, devidp.Options{Address: cmp.Or(o.SignInAddress, "127.0.0.1:0"), People: s.listPeople}); err != nil {
			return nil, err
		}
		cfg.Server.OIDC = config.OIDC{Issuer: s.people.Issuer(), ClientID: devidp.ClientID, ClientSecret: devidp.ClientSecret}
		if s.server, err = app.StartServerIn(ctx, cfg, o.Log, s.tells, s.worker.Client()); err != nil {
			return nil, err
		}
	}
	if o.Dir != "" {
		err = s.describe(filepath.Join(o.Dir, "devstack.json"))
	}
	return s, err
}

// secretKey is the key in a file, which is made where it is not there; without a file
// it is one for this time only.
func secretKey(file string) (config.Secret, error) {
	key := make([]byte, webhook.MinKey)
	_, _ = rand.Read(key) // never fails
	if file == "" {
		return config.Secret(key), nil
	}
	there, err := os.ReadFile(file) //nolint:gosec // in the folder of the state
	switch {
	case err == nil:
		return config.Secret(there), nil
	case errors.Is(err, fs.ErrNotExist):
		err = os.WriteFile(file, key, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("the key of the stack: %w", err)
	}
	return config.Secret(key), nil
}

// The roles on a PostgreSQL of the stack's own: that of worker and server, and that of the
// server for those who are known.
const (
	appRole    = "handover_app"
	serverRole = "handover_server"
)

// migrate brings the database to this build's version, and gives worker and server roles
// of their own. On a PostgreSQL that is not the stack's they are who its URL says: to make
// roles there is not the stack's to do.
func (s *Stack) migrate(ctx context.Context) (err error) {
	store, err := postgres.Open(s.owner, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	db := store.DB().DB
	if _, err := schema.Migrate(ctx, db); err != nil {
		return err
	}
	s.database = s.owner
	if os.Getenv("DATABASE_URL") != "" {
		return nil
	}
	if s.database, err = s.role(ctx, db, appRole, schema.Grant); err != nil {
		return err
	}
	s.walled, err = s.role(ctx, db, serverRole, schema.GrantServer)
	return err
}

// role makes a role, or gives it another password as at each start, and answers with its
// URL of the database.
func (s *Stack) role(ctx context.Context, db *sql.DB, role string, grant func(context.Context, *sql.DB, string) error) (string, error) {
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists); err != nil {
		return "", fmt.Errorf("look for the role %s: %w", role, err)
	}
	change, password := "CREATE", rand.Text()
	if exists {
		change = "ALTER"
	}
	if _, err := db.ExecContext(ctx, change+" ROLE "+role+" LOGIN PASSWORD "+pq.QuoteLiteral(password)); err != nil {
		return "", fmt.Errorf("make the role %s: %w", role, err)
	}
	u, err := url.Parse(s.owner)
	if err != nil {
		return "", errors.New("the URL of the stack's database cannot be read")
	}
	u.User = url.UserPassword(role, password)
	return u.String(), grant(ctx, db, role)
}

// describe writes how to reach the stack, for the command line; the file has the
// database's password in it and is the owner's alone.
func (s *Stack) describe(file string) error {
	data, err := json.Marshal(map[string]string{"database_url": s.database, "server_url": s.walled, "owner_url": s.owner, "temporal_address": s.options.HostPort})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("say how to reach the stack: %w", err)
	}
	s.file = file
	return nil
}

// Store is the stack's database.
func (s *Stack) Store() *postgres.Store { return s.worker.Store() }

// Client is a connection to the stack's Temporal server.
func (s *Stack) Client() client.Client { return s.worker.Client() }

// Namespace is the Temporal namespace that the stack works in.
func (s *Stack) Namespace() string {
	if s.options.Namespace == "" {
		return client.DefaultNamespace
	}
	return s.options.Namespace
}

// TemporalAddress is where the Temporal server listens.
func (s *Stack) TemporalAddress() string { return s.options.HostPort }

// UIAddress is where the web UI listens, "" for none.
func (s *Stack) UIAddress() string {
	if s.temporal == nil {
		return ""
	}
	return s.temporal.UIAddress()
}

// ServerAddress is where the HTTP API listens, "" for nowhere.
func (s *Stack) ServerAddress() string {
	if s.server == nil {
		return ""
	}
	return s.server.Address()
}

// SignInURL is where people sign in, and the identity provider that asks who they
// are; "" for nowhere.
func (s *Stack) SignInURL() (login, provider string) {
	if s.server == nil {
		return "", ""
	}
	return "http://" + s.server.Address() + "/auth/login", s.people.Issuer()
}

// listPeople are those whom the local identity provider offers: the first active
// members; others are typed.
func (s *Stack) listPeople(ctx context.Context) ([]devidp.Person, error) {
	page, err := s.Store().Members(ctx, offboarding.MemberFilter{})
	people := make([]devidp.Person, len(page.Items))
	for i, m := range page.Items {
		people[i] = devidp.Person{Email: m.Email, Name: m.DisplayName, About: string(m.Role)}
	}
	return people, err
}

// Fatal receives an error after which the stack no longer works.
func (s *Stack) Fatal() <-chan error { return s.worker.Fatal() }

// Close stops everything; what is durable stays.
func (s *Stack) Close() error {
	var errs []error
	if s.file != "" {
		if err := os.Remove(s.file); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.people != nil {
		errs = append(errs, s.people.Close())
	}
	if s.worker != nil {
		errs = append(errs, s.worker.Close())
	}
	if s.tells != nil {
		s.tells.End(s.log)
	}
	if s.temporal != nil {
		errs = append(errs, s.temporal.Stop())
	}
	if s.drop != nil {
		errs = append(errs, s.drop())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Release())
	}
	return errors.Join(errs...)
}
