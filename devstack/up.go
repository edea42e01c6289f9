package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"handover/internal/stack"
)

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "devstack",
		Short:         "Run all of Handover in one process, or show what it does",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), demoCommand())
	return root
}

// stateDir is where a stack keeps its state, below the working directory.
const stateDir = ".handover"

func upCommand() *cobra.Command {
	options := stack.Options{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run Temporal, PostgreSQL, migrations, a worker and the HTTP server until interrupted",
		Long: `Run Temporal, PostgreSQL, migrations, a worker and the HTTP server in one process until interrupted.

The state is kept in .handover/; the next start goes on where this one was, however
it ended. DATABASE_URL and TEMPORAL_ADDRESS name servers to use instead of own ones.`,
		Example: "  devstack up\n  devstack up --temporal-listen 127.0.0.1:17233 --ui-listen ''",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return up(cmd, options) },
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Dir, "dir", stateDir, "`folder` of the state")
	flags.StringVar(&options.TemporalAddress, "temporal-listen", "127.0.0.1:7233", "`host:port` of the Temporal server")
	flags.StringVar(&options.UIAddress, "ui-listen", "127.0.0.1:8233", "`host:port` of Temporal's web UI; empty for none")
	flags.StringVar(&options.HealthAddress, "health-address", "127.0.0.1:8081", "`host:port` of /livez, /readyz and /metrics")
	flags.StringVar(&options.ServerAddress, "listen-address", "127.0.0.1:8080", "`host:port` of the HTTP API; empty for none")
	flags.StringVar(&options.SignInAddress, "sign-in-listen", "127.0.0.1:8090", "`host:port` of the identity provider that signs people in, on this machine only")
	return cmd
}

func up(cmd *cobra.Command, options stack.Options) error {
	ctx := cmd.Context()
	var err error
	if options.Dir, err = filepath.Abs(options.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(options.Dir, 0o755); err != nil { //nolint:gosec // the database's user passes through; secrets inside are 0600
		return err
	}
	cmd.SetOut(cmd.OutOrStdout()) // Printf writes to the error stream otherwise
	options.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	say := func(format string, args ...any) { cmd.Printf(format+"\n", args...) }
	say("Starting PostgreSQL, Temporal, a worker and the HTTP server; the state is in %s", options.Dir)
	running, err := stack.Start(ctx, options)
	if ctx.Err() != nil && running == nil {
		say("Stopped before it was up.")
		return nil
	}
	if err != nil {
		return err
	}
	say("")
	say("Handover is up.")
	say("  Temporal   %s   (namespace %s, task queue offboarding)", running.TemporalAddress(), running.Namespace())
	if ui := running.UIAddress(); ui != "" {
		say("  web UI     http://%s", ui)
	}
	if address := running.ServerAddress(); address != "" {
		say("  console    http://%s/", address)
		say("  HTTP API   http://%s   (its description: /openapi.json)", address)
	}
	if login, provider := running.SignInURL(); login != "" {
		say("  sign in    %s   (asks %s, which believes everybody)", login, provider)
	}
	say("  health     http://%s/readyz", options.HealthAddress)
	say("  starter    finds this stack by itself when it is run in this folder:")
	say("             go run ./starter import data/devdocs && go run ./starter list")
	say("")
	say("Stop with ctrl-C; the next start goes on where this one was.")
	select {
	case <-ctx.Done():
		say("Stopping.")
		return running.Close()
	case fatal := <-running.Fatal():
		_ = running.Close() // the first error tells more
		return fatal
	}
}
