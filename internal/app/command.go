package app

import (
	"github.com/spf13/cobra"

	"handover/internal/config"
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
	loader := config.Bind(cmd.Flags(), config.DatabaseGroup|config.TemporalGroup|config.LogGroup|config.WorkerGroup)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loader.Load(nil)
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		log := cfg.Log.Logger(cmd.ErrOrStderr())
		w, err := StartWorker(ctx, cfg, log, nil)
		if err != nil {
			if ctx.Err() != nil { // told to stop while it waited: nothing went wrong
				log.Info("worker stopped", "before", err.Error())
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return w.Close()
		case fatal := <-w.Fatal():
			_ = w.Close() // the first error tells more
			return fatal
		}
	}
	return cmd
}
