package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/terminal"
	"handover/offboarding"
)

// decideOptions are those of approve and of reject.
type decideOptions struct {
	*factory
	decision                string
	request, newOwner, note string
}

func newApproveCmd(f *factory, runF func(*decideOptions) error) *cobra.Command {
	opts := &decideOptions{factory: f, decision: offboarding.DecisionApprove}
	cmd := &cobra.Command{
		Use:   "approve REQUEST",
		Short: "Approve an ownership request",
		Long: `Approve an ownership request: the requester gets the document, or another owner
whom you name. Other pending requests for it are superseded.`,
		Example: `  starter approve 6e9c1f3a-52b4-4a54-9c55-0d0a2f5f7a10 --as admin@example.com
  starter approve 6e9c1f3a-52b4-4a54-9c55-0d0a2f5f7a10 --as admin@example.com --new-owner grace@example.com`,
		RunE: opts.parse(runF),
	}
	cmd.Flags().StringVar(&opts.newOwner, "new-owner", "", "`MEMBER` who gets the document, instead of the requester")
	cmd.Flags().StringVar(&opts.note, "note", "", "`TEXT` for the requester")
	return cmd
}

func (opts *decideOptions) parse(runF func(*decideOptions) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		var wrong problems
		wrong.args(args, "REQUEST")
		wrong.actor(opts.factory)
		wrong.note("--note", opts.note)
		if err := wrong.err(); err != nil {
			return err
		}
		opts.request = args[0]
		if runF != nil {
			return runF(opts)
		}
		return decideRun(cmd.Context(), opts)
	}
}

func decideRun(ctx context.Context, opts *decideOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	row, err := n.store.FindRequest(ctx, opts.request)
	if err != nil {
		n.keep(err, "request_id")
	}
	admin := n.actor(opts.as, "admin_id", row.OrganizationID)
	owner := ""
	if opts.newOwner != "" {
		owner = n.memberOf(opts.newOwner, "new_owner_id", row.OrganizationID).ID
	}
	if err := n.err(); err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.Decide(ctx, row.WorkflowID, offboarding.AdminApproval{
			RequestID: row.ID, AdminID: admin.ID, Decision: opts.decision, NewOwnerID: owner, Note: opts.note,
		})
	}, func(o offboarding.Outcome) string {
		if o.Outcome == offboarding.OutcomeRejected {
			return fmt.Sprintf("The request of %s for %q is rejected.", terminal.Clear(row.MemberName), terminal.Clear(row.DocumentTitle))
		}
		who := row.MemberName
		if opts.newOwner != "" {
			who = opts.newOwner
		}
		text := fmt.Sprintf("%s now owns %q", terminal.Clear(who), terminal.Clear(row.DocumentTitle))
		if len(o.Superseded) > 0 {
			text += "; superseded: " + count(len(o.Superseded), "other request", "other requests")
		}
		return text + "."
	})
}
