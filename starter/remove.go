package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

type removeOptions struct {
	*factory
	planFlags
	member, workspace string
}

func newRemoveCmd(f *factory, runF func(*removeOptions) error) *cobra.Command {
	opts := &removeOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "remove MEMBER --workspace WORKSPACE",
		Short: "Remove a member from one workspace",
		Long: `Remove a member from one workspace: the documents there are transferred, archived
or wait for an owner like those of a leaver. The account stays active elsewhere.
An admin of the workspace may do this too. 'reactivate' with the case's ID puts
the member back.`,
		Example: "  starter remove ada@example.com --workspace research --as admin@example.com --new-owner manager",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			wrong.check(opts.workspace != "", "--workspace is missing")
			wrong.actor(f)
			opts.check(&wrong)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return removeRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.workspace, "workspace", "", "`WORKSPACE` to remove the member from, by external ID or ID")
	opts.register(cmd)
	opts.registerTimes(cmd)
	return cmd
}

func removeRun(ctx context.Context, opts *removeOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	leaver, request := n.request(&opts.planFlags, opts.member, opts.as)
	workspace := n.workspace(opts.workspace, leaver.OrganizationID)
	request.WorkspaceID = workspace.ID
	if err := n.err(); err != nil {
		return err
	}
	cases, err := opts.cases(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, opts.timeout)
	defer stop()
	status, err := cases.StartAndAwait(ctx, request)
	if err != nil {
		return err
	}
	return opts.answer(status, func(w *strings.Builder) {
		name, from := person(leaver.DisplayName, leaver.Email), terminal.Clear(workspace.Name)
		if status.Phase == offboarding.PhaseScheduled {
			fmt.Fprintf(w, "The removal of %s from %s is scheduled for %s (case %s).\n", name, from, shortTimeOf(status.EffectiveAt), status.CaseID)
			return
		}
		fmt.Fprintf(w, "%s does not belong to %s any more; the case is in phase %s (case %s).\n", name, from, status.Phase, status.CaseID)
	})
}
