package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"handover/client"
	"handover/internal/config"
	"handover/offboarding"
	"handover/postgres"
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func systemStreams() streams {
	return streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
}

// factory makes what commands need when they need it, and holds the flags that
// all of them have.
type factory struct {
	streams
	env environment
	now func() time.Time

	databaseSettings, temporalSettings *config.Loader

	organization, as, output string
	timeout                  time.Duration

	running    bool // the command line was understood
	database   *postgres.Store
	connection temporal.Client
	namespace  string // of the connection
	signing    *offboarding.SigningKey
}

func newFactory(s streams) *factory {
	return &factory{streams: s, now: time.Now, output: outputTable}
}

// begin completes the common flags from the environment.
func (f *factory) begin() error {
	f.running = true
	f.organization = first(f.organization, os.Getenv("HANDOVER_ORGANIZATION"))
	f.as = first(f.as, os.Getenv("HANDOVER_AS"))
	var problems problems
	problems.check(f.output == outputTable || f.output == outputJSON, "--output must be table or json, not %q", f.output)
	problems.check(f.timeout > 0, "--timeout must be more than nothing")
	return problems.err()
}

// store opens the database once.
func (f *factory) store() (*postgres.Store, error) {
	if f.database != nil {
		return f.database, nil
	}
	settings, err := f.databaseSettings.Load(f.env)
	if err != nil {
		return nil, wrongSettings(err)
	}
	f.database, err = postgres.Open(settings.Database.URL.Reveal(), settings.Database.PoolSize)
	return f.database, err
}

// cases connects to Temporal once.
func (f *factory) cases(ctx context.Context) (*client.Client, error) {
	if f.connection != nil {
		return f.sender(), nil
	}
	settings, err := f.temporalSettings.Load(f.env)
	if err != nil {
		return nil, wrongSettings(err)
	}
	options := settings.Temporal
	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // errors are answered, not logged
	ctx, stop := context.WithTimeout(ctx, min(f.timeout, 10*time.Second))
	defer stop()
	connection, err := temporal.DialContext(ctx, options)
	if err != nil {
		return nil, &plainError{text: "Temporal cannot be reached at " + options.HostPort + "; is TEMPORAL_ADDRESS right?", raw: err}
	}
	f.connection, f.namespace = connection, first(options.Namespace, temporal.DefaultNamespace)
	f.signing = settings.Signing.Key
	return f.sender(), nil
}

// sender starts cases and sends them messages, signed where there is a key.
func (f *factory) sender() *client.Client {
	return client.New(f.connection).SignedBy(f.signing, f.namespace)
}

// wrongSettings are mistakes in the configuration, each on a line of its own.
func wrongSettings(err error) error {
	return &usageError{problems: strings.Split(strings.TrimPrefix(err.Error(), "configuration: "), "\n")}
}

func (f *factory) close() {
	if f.connection != nil {
		f.connection.Close()
	}
	if f.database != nil {
		_ = f.database.Close() // nothing is left to write
	}
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
