package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"handover/internal/config"
	"handover/internal/telemetry"
	"handover/server/api"
)

// WorkerCommand is the command line of the worker.
func WorkerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run Handover's workflows and activities until told to stop",
		Long: `Run Handover's workflows and activities until told to stop.

The worker waits for its database, the database's schema and its Temporal server.
On SIGTERM it takes no more work and lets what runs end. /livez and /readyz tell
how it is.`,
		Example:       "  DATABASE_URL=postgres://handover@db:5432/handover TEMPORAL_ADDRESS=temporal:7233 worker",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	run(cmd, config.DatabaseGroup|config.TemporalGroup|config.LogGroup|config.WorkerGroup,
		func(ctx context.Context, cfg *config.Config, log *slog.Logger) (process, error) {
			return StartWorker(ctx, cfg, log, nil)
		})
	return cmd
}

// ServerCommand is the command line of the server.
func ServerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Answer Handover's HTTP API until told to stop",
		Long: `Answer Handover's HTTP API until told to stop.

The server waits for its database, the database's schema and its Temporal server.
On SIGTERM it takes no more requests and lets those that run end. /livez and
/readyz tell how it is.`,
		Example:       "  DATABASE_URL=postgres://handover@db:5432/handover TEMPORAL_ADDRESS=temporal:7233 server",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	run(cmd, config.DatabaseGroup|config.TemporalGroup|config.LogGroup|config.ServerGroup,
		func(ctx context.Context, cfg *config.Config, log *slog.Logger) (process, error) {
			return StartServer(ctx, cfg, log)
		})
	cmd.AddCommand(openAPICommand())
	return cmd
}

// openAPICommand prints what the server answers at /openapi.json, without any server.
func openAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI document of the HTTP API",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := json.MarshalIndent(api.New(http.NewServeMux(), api.Options{}).OpenAPI(), "", "  ")
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			}
			return err
		},
	}
}

// process is what a main runs.
type process interface {
	Fatal() <-chan error
	Close() error
}

// run makes a command run a process until it is told to stop.
func run(cmd *cobra.Command, groups config.Group, start func(context.Context, *config.Config, *slog.Logger) (process, error)) {
	loader := config.Bind(cmd.Flags(), groups)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loader.Load(nil)
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		log := cfg.Log.Logger(cmd.ErrOrStderr())
		telemetry.ReportTo(log)
		p, err := start(ctx, cfg, log)
		if err != nil {
			if ctx.Err() != nil { // told to stop while it waited: nothing went wrong
				log.Info(cmd.Name()+" stopped", "before", err.Error())
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return p.Close()
		case fatal := <-p.Fatal():
			_ = p.Close() // the first error tells more
			return fatal
		}
	}
}

// Main runs a command until it ends or the process is told to stop, and exits with 1
// where it fails.
func Main(cmd *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := cmd.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
