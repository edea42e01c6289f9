package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/offboarding"
)

type cancelOptions struct {
	*factory
	onBehalf
	member, reason string
}

func newCancelCmd(f *factory, runF func(*cancelOptions) error) *cobra.Command {
	opts := &cancelOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "cancel MEMBER",
		Short:   "Cancel an offboarding that has not begun",
		Example: `  starter cancel ada@example.com --as admin@example.com --reason "stays after all"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			opts.checkWho(&wrong, f)
			wrong.note("--reason", opts.reason)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return cancelRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.reason, "reason", "", "why, without personal data")
	opts.registerProvider(cmd)
	return cmd
}

func cancelRun(ctx context.Context, opts *cancelOptions) error {
	t, err := opts.target(ctx, opts.member, nil)
	if err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.Cancel(ctx, t.row.WorkflowID, offboarding.Cancel{AdminID: t.admin.ID, Provider: opts.provider, Reason: opts.reason})
	}, func(offboarding.Outcome) string {
		return fmt.Sprintf("The offboarding of %s is canceled.", person(t.leaver.DisplayName, t.leaver.Email))
	})
}
