package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/terminal"
	"handover/offboarding"
)

type transferOptions struct {
	*factory
	member, newOwner string
	documents        []string
}

func newTransferCmd(f *factory, runF func(*transferOptions) error) *cobra.Command {
	opts := &transferOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "transfer MEMBER",
		Short: "Give the documents that a leaver still owns to somebody",
		Long: `Give the documents that a leaver still owns to somebody: all of them, or those
named with --document. Without a new owner they go to who does this.`,
		Example: `  starter transfer ada@example.com --as admin@example.com --new-owner grace@example.com
  starter transfer ada@example.com --as admin@example.com --document d00001 --document d00002`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			wrong.actor(f)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return transferRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.newOwner, "new-owner", "", "`MEMBER` who gets the documents, or manager for the leaver's manager")
	cmd.Flags().StringArrayVar(&opts.documents, "document", nil, "only this `DOCUMENT`; may be given again")
	return cmd
}

func transferRun(ctx context.Context, opts *transferOptions) error {
	message := offboarding.TransferDocuments{}
	t, err := opts.target(ctx, opts.member, func(t *target) {
		message.AdminID = t.admin.ID
		message.NewOwnerID = t.newOwner(opts.newOwner, t.leaver.OrganizationID)
		for _, ref := range opts.documents {
			message.DocumentIDs = append(message.DocumentIDs, t.document(ref, t.leaver.OrganizationID).ID)
		}
	})
	if err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.Transfer(ctx, t.row.WorkflowID, message)
	}, func(o offboarding.Outcome) string {
		return fmt.Sprintf("%s of %s transferred.", count(o.Documents, "document", "documents"), terminal.Clear(t.leaver.DisplayName))
	})
}
