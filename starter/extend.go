package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/offboarding"
)

type extendOptions struct {
	*factory
	member, until string
}

func newExtendCmd(f *factory, runF func(*extendOptions) error) *cobra.Command {
	opts := &extendOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "extend MEMBER",
		Short:   "Move the end of the grace period",
		Example: "  starter extend ada@example.com --as admin@example.com --until 2026-04-30",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			wrong.actor(f)
			wrong.time("--until", opts.until)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return extendRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.until, "until", "", "`TIME` with its zone, or a date for the end of that day")
	return cmd
}

// time checks that a flag has the form of a time; the rules judge which.
func (p *problems) time(flag, text string) {
	_, err := moment(text, 0)
	p.check(text != "", "%s is missing", flag)
	p.check(err == nil, "%s must be a date (2006-01-02) or a time with its zone (RFC 3339)", flag)
}

func extendRun(ctx context.Context, opts *extendOptions) error {
	t, err := opts.target(ctx, opts.member, nil)
	if err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.Extend(ctx, t.row.WorkflowID, offboarding.ExtendGrace{AdminID: t.admin.ID, Until: opts.until})
	}, func(o offboarding.Outcome) string {
		return fmt.Sprintf("The grace period now ends %s.", shortTimeOf(o.At))
	})
}
