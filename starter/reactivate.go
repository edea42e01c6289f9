package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/offboarding"
)

type reactivateOptions struct {
	*factory
	member          string
	returnDocuments bool
}

func newReactivateCmd(f *factory, runF func(*reactivateOptions) error) *cobra.Command {
	opts := &reactivateOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "reactivate MEMBER",
		Short: "Make a leaver active again",
		Long: `Make a leaver active again. What is still unowned or was archived by the case is
the member's and editable again; credentials and sessions stay revoked.`,
		Example: "  starter reactivate ada@example.com --as admin@example.com --return-documents",
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
			return reactivateRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.returnDocuments, "return-documents", false,
		"also give back what the case moved, unless the new owner has passed it on")
	return cmd
}

func reactivateRun(ctx context.Context, opts *reactivateOptions) error {
	t, err := opts.target(ctx, opts.member, nil)
	if err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.Reactivate(ctx, t.row.WorkflowID, offboarding.Reactivate{AdminID: t.admin.ID, ReturnDocuments: opts.returnDocuments})
	}, func(offboarding.Outcome) string {
		return fmt.Sprintf("%s is active again.", person(t.leaver.DisplayName, t.leaver.Email))
	})
}
