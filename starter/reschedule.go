package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/offboarding"
)

type rescheduleOptions struct {
	*factory
	onBehalf
	member, lastDay, effectiveAt string
}

func newRescheduleCmd(f *factory, runF func(*rescheduleOptions) error) *cobra.Command {
	opts := &rescheduleOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "reschedule MEMBER",
		Short:   "Move the effective time of an offboarding that has not begun",
		Example: "  starter reschedule ada@example.com --as admin@example.com --last-day 2026-04-30",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			opts.checkWho(&wrong, f)
			wrong.check((opts.lastDay == "") != (opts.effectiveAt == ""), "either --last-day or --effective-at is needed")
			if opts.lastDay != "" {
				wrong.time("--last-day", opts.lastDay)
			}
			if opts.effectiveAt != "" {
				wrong.time("--effective-at", opts.effectiveAt)
			}
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return rescheduleRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.lastDay, "last-day", "", "`DATE` whose end, in the member's time zone, is the effective time")
	cmd.Flags().StringVar(&opts.effectiveAt, "effective-at", "", "`TIME` with its zone")
	opts.registerProvider(cmd)
	return cmd
}

func rescheduleRun(ctx context.Context, opts *rescheduleOptions) error {
	t, err := opts.target(ctx, opts.member, nil)
	if err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.Reschedule(ctx, t.row.WorkflowID, offboarding.Reschedule{
			AdminID: t.admin.ID, Provider: opts.provider, EffectiveAt: first(opts.lastDay, opts.effectiveAt),
		})
	}, func(o offboarding.Outcome) string {
		return fmt.Sprintf("The offboarding now begins %s.", shortTimeOf(o.At))
	})
}
