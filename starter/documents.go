package main

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/offboarding"
)

type documentsOptions struct {
	*factory
	paging
	owner   string
	unowned bool
}

func newDocumentsCmd(f *factory, runF func(*documentsOptions) error) *cobra.Command {
	opts := &documentsOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "documents",
		Short: "List documents and who owns them",
		Example: `  starter documents --owner ada@example.com
  starter documents --unowned --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.limit(opts.paging)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return documentsRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.owner, "owner", "", "only documents of this `MEMBER`")
	flags.BoolVar(&opts.unowned, "unowned", false, "only documents whose owner is not active; archived ones wait for nobody")
	opts.registerPage(cmd)
	return cmd
}

func documentsRun(ctx context.Context, opts *documentsOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	filter := offboarding.DocumentFilter{
		OrganizationID: n.organizationID(), OwnerID: n.member(opts.owner, "owner").ID, Unowned: opts.unowned,
		Cursor: opts.cursor, Limit: opts.limit,
	}
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.Documents(ctx, filter)
	if err != nil {
		return err
	}
	header := table.Row{"document", "title", "kind", "access", "owner", "owner is"}
	return answerPage(opts.factory, page, "documents", header, func(d offboarding.DocumentRow) table.Row {
		return table.Row{short(d.ExternalID, 30), short(d.Title, 50), d.Kind, d.Access, short(d.OwnerName, 30), d.OwnerStatus}
	})
}
