package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/offboarding"
)

type listOptions struct {
	*factory
	paging
	phase                   string
	open, troubled, overdue bool
}

func newListCmd(f *factory, runF func(*listOptions) error) *cobra.Command {
	opts := &listOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List cases, the newest first",
		Example: `  starter list --open
  starter list --organization acme --troubled --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.check(opts.phase == "" || slices.Contains(offboarding.Phases, offboarding.Phase(opts.phase)),
				"--phase must be one of %v", offboarding.Phases)
			wrong.limit(opts.paging)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return listRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.phase, "phase", "", "only cases in this `PHASE`")
	flags.BoolVar(&opts.open, "open", false, "only cases that have not closed")
	flags.BoolVar(&opts.troubled, "troubled", false, "only cases that cannot go on")
	flags.BoolVar(&opts.overdue, "overdue", false, "only cases whose next step was due and has not been done")
	opts.registerPage(cmd)
	return cmd
}

func listRun(ctx context.Context, opts *listOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	organizationID := n.organizationID()
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.Cases(ctx, offboarding.CaseFilter{
		OrganizationID: organizationID, Phase: offboarding.Phase(opts.phase), OpenOnly: opts.open, Troubled: opts.troubled,
		Overdue: opts.overdue, Now: opts.now().UTC(), Cursor: opts.cursor, Limit: opts.limit,
	})
	if err != nil {
		return err
	}
	header := table.Row{"member", "phase", "effective", "grace ends", "unowned", "requests", "note", "case"}
	return answerPage(opts.factory, page, "cases", header, func(c offboarding.CaseRow) table.Row {
		return table.Row{
			short(c.MemberEmail, 40), c.Phase, shortTime(c.EffectiveAt), shortTimeOf(c.GraceEndsAt), upTo(c.Unowned), upTo(c.PendingRequests),
			caseNote(c), c.ID,
		}
	})
}

// caseNote is what somebody should look at.
func caseNote(c offboarding.CaseRow) string {
	switch {
	case c.TroubleStep != "" && c.ClosedAt == nil:
		return fmt.Sprintf("stuck at %s, attempt %d", c.TroubleStep, c.TroubleAttempt)
	case c.Failure != "":
		return short(c.Failure, 40)
	case c.Overdue:
		return "overdue"
	case c.FallbackReason != "":
		return "fell back"
	case c.WorkspaceID != "":
		return "leaves a workspace"
	}
	return ""
}
