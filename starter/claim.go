package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/terminal"
	"handover/offboarding"
)

type claimOptions struct {
	*factory
	document, note string
}

func newClaimCmd(f *factory, runF func(*claimOptions) error) *cobra.Command {
	opts := &claimOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "claim DOCUMENT",
		Short: "Take over an unowned document, or ask for it",
		Long: `Take over a document whose owner has left. A maker with an edit grant gets it at
once where the organization allows that; otherwise an admin is asked.`,
		Example: `  starter claim d00001 --as grace@example.com --note "I keep it up to date"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "DOCUMENT")
			wrong.actor(f)
			wrong.note("--note", opts.note)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.document = args[0]
			if runF != nil {
				return runF(opts)
			}
			return claimRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.note, "note", "", "`TEXT` for the admin who decides")
	return cmd
}

// note checks the length of a note or reason.
func (p *problems) note(flag, text string) {
	p.check(len(text) <= offboarding.MaxNote, "%s is longer than %d bytes", flag, offboarding.MaxNote)
}

func claimRun(ctx context.Context, opts *claimOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	document := n.document(opts.document, opts.organization)
	claimant := n.actor(opts.as, "member_id", document.OrganizationID)
	if err := n.err(); err != nil {
		return err
	}
	row, err := n.store.FindCaseOfDocument(ctx, document.ID, opts.now().UTC())
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound {
		if document.OwnerStatus == offboarding.MemberActive {
			return offboarding.Refuse("C1", offboarding.CodeAlreadyOwned, "document_id", "the document has an active owner")
		}
		row, err = n.store.FindCase(ctx, document.OwnerID, opts.now().UTC())
	}
	if err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.Claim(ctx, row.WorkflowID, offboarding.ClaimRequest{DocumentID: document.ID, MemberID: claimant.ID, Note: opts.note})
	}, func(o offboarding.Outcome) string {
		if o.Outcome == offboarding.OutcomeRequested {
			return fmt.Sprintf("An admin will decide who gets %q (request %s).", terminal.Clear(document.Title), o.RequestID)
		}
		return fmt.Sprintf("%s now owns %q.", terminal.Clear(claimant.DisplayName), terminal.Clear(document.Title))
	})
}
