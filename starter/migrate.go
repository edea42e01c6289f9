package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/schema"
)

type migrateOptions struct {
	*factory
	appRole, serverRole string
}

func newMigrateCmd(f *factory, runF func(*migrateOptions) error) *cobra.Command {
	opts := &migrateOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the version of this build",
		Long: `Bring the database to the version of this build, as the owner of its tables.
Running it again changes nothing.

Worker, server and all other commands need less: --app-role names an existing role
that is let do what they do and no more. It cannot change or delete audit events, nor
the schema. --server-role names another one, for the server: in each transaction it
sees and changes only what belongs to the organizations of who is calling. Whoever was
named once is let use what later migrations bring.`,
		Example: `  starter migrate --database-url postgres://handover@localhost/handover
  starter migrate --app-role handover_app
  starter migrate --app-role handover_app --server-role handover_server`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			opts.appRole = first(opts.appRole, os.Getenv("HANDOVER_APP_ROLE"))
			opts.serverRole = first(opts.serverRole, os.Getenv("HANDOVER_SERVER_ROLE"))
			wrong.check(opts.serverRole == "" || opts.serverRole != opts.appRole, "--server-role must be another role than --app-role: only one of them has a wall before it")
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return migrateRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.appRole, "app-role", "", "`ROLE` of worker, server and command line (env HANDOVER_APP_ROLE)")
	cmd.Flags().StringVar(&opts.serverRole, "server-role", "", "`ROLE` of the server for those who are known: sees no other organization's rows (env HANDOVER_SERVER_ROLE)")
	return cmd
}

// migrated is the answer for scripts.
type migrated struct {
	Version    int64  `json:"version"`
	AppRole    string `json:"app_role,omitempty"`
	ServerRole string `json:"server_role,omitempty"`
}

func migrateRun(ctx context.Context, opts *migrateOptions) error {
	store, err := opts.store()
	if err != nil {
		return err
	}
	if err := store.Ping(ctx); err != nil {
		return err
	}
	var unfit *schema.RoleError
	version, err := schema.Migrate(ctx, store.DB().DB)
	if errors.As(err, &unfit) {
		return unfit
	}
	if errors.Is(err, schema.ErrBusy) {
		return busy(err)
	}
	if err != nil {
		return &plainError{text: "the database could not be migrated; is its role allowed to create tables?", raw: err}
	}
	for _, g := range []struct {
		role  string
		grant func(context.Context, *sql.DB, string) error
	}{{opts.appRole, schema.Grant}, {opts.serverRole, schema.GrantServer}} {
		if g.role == "" {
			continue
		}
		err := g.grant(ctx, store.DB().DB, g.role)
		switch {
		case errors.As(err, &unfit):
			return unfit
		case errors.Is(err, schema.ErrBusy):
			return busy(err)
		case err != nil:
			return &plainError{text: "the role " + g.role + " could not be granted what it needs; is this the owner of the tables?", raw: err}
		}
	}
	out := migrated{Version: version, AppRole: opts.appRole, ServerRole: opts.serverRole}
	return opts.answer(out, func(w *strings.Builder) {
		fmt.Fprintf(w, "The database is at version %d.\n", version)
		if opts.appRole != "" {
			fmt.Fprintf(w, "The role %s may do what worker, server and command line do.\n", terminal.Clear(opts.appRole))
		}
		if opts.serverRole != "" {
			fmt.Fprintf(w, "The role %s may do what the server does, within the organizations of who is calling.\n", terminal.Clear(opts.serverRole))
		}
	})
}

func busy(err error) error {
	return &plainError{text: "the database could not be migrated: a transaction that lasts uses a table; run it again when that has ended", raw: err}
}
