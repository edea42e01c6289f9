package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handover/schema"
)

type migrateOptions struct{ *factory }

func newMigrateCmd(f *factory, runF func(*migrateOptions) error) *cobra.Command {
	opts := &migrateOptions{factory: f}
	return &cobra.Command{
		Use:     "migrate",
		Short:   "Bring the database to the version of this build",
		Long:    "Bring the database to the version of this build. Running it again changes nothing.",
		Example: "  starter migrate --database-url postgres://handover@localhost/handover",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return migrateRun(cmd.Context(), opts)
		},
	}
}

func migrateRun(ctx context.Context, opts *migrateOptions) error {
	store, err := opts.store()
	if err != nil {
		return err
	}
	if err := store.Ping(ctx); err != nil {
		return err
	}
	version, err := schema.Migrate(ctx, store.DB().DB)
	if err != nil {
		return &plainError{text: "the database could not be migrated; is its role allowed to create tables?", raw: err}
	}
	return opts.answer(map[string]int64{"version": version}, func(w *strings.Builder) {
		fmt.Fprintf(w, "The database is at version %d.\n", version)
	})
}
