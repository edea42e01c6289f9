package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

type importOptions struct {
	*factory
	dir string
}

func newImportCmd(f *factory, runF func(*importOptions) error) *cobra.Command {
	opts := &importOptions{factory: f}
	return &cobra.Command{
		Use:   "import DIR",
		Short: "Load an organization from its files",
		Long: `Load an organization from organization.json, members.csv, folders.csv,
documents.csv, grants.csv, schedules.csv and credentials.csv: all of it, or with
any mistake in the files nothing.`,
		Example: "  starter import data/devdocs",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "DIR")
			if len(args) > 0 {
				info, err := os.Stat(args[0])
				wrong.check(err == nil && info.IsDir(), "%s is not a directory", args[0])
			}
			if err := wrong.err(); err != nil {
				return err
			}
			opts.dir = args[0]
			if runF != nil {
				return runF(opts)
			}
			return importRun(cmd.Context(), opts)
		},
	}
}

func importRun(ctx context.Context, opts *importOptions) error {
	in, err := offboarding.ReadImport(os.DirFS(opts.dir))
	if err != nil {
		return err
	}
	store, err := opts.store()
	if err != nil {
		return err
	}
	bar := terminal.NewBar(opts.err, "importing")
	summary, err := store.Import(ctx, in, opts.now().UTC(), bar.Set)
	bar.Done()
	if err != nil {
		return err
	}
	return opts.answer(summary, func(w *strings.Builder) {
		fmt.Fprintf(w, "Imported %s: %s, %s, %s, %s, %s, %s.\n", terminal.Clear(in.Organization.Slug),
			count(summary.Members, "member", "members"), count(summary.Folders, "folder", "folders"),
			count(summary.Documents, "document", "documents"), count(summary.Grants, "grant", "grants"),
			count(summary.Schedules, "schedule", "schedules"), count(summary.Credentials, "credential", "credentials"))
	})
}
