package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/terminal"
	"handover/offboarding"
)

type bulkStatusOptions struct {
	*factory
	paging
	bulkID  string
	outcome string
}

func newBulkStatusCmd(f *factory, runF func(*bulkStatusOptions) error) *cobra.Command {
	opts := &bulkStatusOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "status BULK",
		Short: "Show how far a bulk run is, and what became of its members",
		Example: `  starter bulk status 2026-03-layoff
  starter bulk status 2026-03-layoff --outcome refused --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "BULK")
			wrong.limit(opts.paging)
			wrong.check(opts.outcome == "" || slices.Contains(offboarding.BulkOutcomes, offboarding.BulkOutcome(opts.outcome)),
				"--outcome must be one of %v", offboarding.BulkOutcomes)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.bulkID = args[0]
			if runF != nil {
				return runF(opts)
			}
			return bulkStatusRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.outcome, "outcome", "", "only members with this `OUTCOME`, such as refused")
	opts.registerPage(cmd)
	return cmd
}

// shownBulk is a run with a page of its members.
type shownBulk struct {
	Run     offboarding.BulkRunRow                      `json:"run"`
	Members offboarding.Page[offboarding.BulkMemberRow] `json:"members"`
}

func bulkStatusRun(ctx context.Context, opts *bulkStatusOptions) error {
	store, err := opts.store()
	if err != nil {
		return err
	}
	var shown shownBulk
	if shown.Run, err = store.FindBulkRun(ctx, opts.bulkID, opts.organization); err != nil {
		return err
	}
	filter := offboarding.BulkFilter{Outcome: offboarding.BulkOutcome(opts.outcome), Cursor: opts.cursor, Limit: opts.limit}
	if shown.Members, err = store.BulkMembers(ctx, opts.bulkID, filter); err != nil {
		return err
	}
	err = opts.answer(shown, func(w *strings.Builder) {
		printBulkRun(w, shown.Run)
		if len(shown.Members.Items) == 0 {
			return
		}
		fmt.Fprintln(w)
		t := terminal.NewTable(w, "place", "member", "outcome", "phase", "case or reason")
		for _, m := range shown.Members.Items {
			row := bulkRow{}
			row.became(m)
			t.AppendRow([]any{m.Position, short(first(m.Email, m.MemberID, m.Reference), 50), m.Outcome, m.Phase, row.reason()})
		}
		t.Render()
	})
	opts.nextPage(shown.Members.Next)
	return err
}

func printBulkRun(w *strings.Builder, r offboarding.BulkRunRow) {
	c := r.Counts
	facts := []string{
		"Bulk run", terminal.Clear(r.ID), "Phase", string(r.Phase), "Requested by", terminal.Clear(r.RequesterName), "Started", shortTime(r.CreatedAt),
		"Access gone", shortTimeOf(r.AccessGoneAt), "Canceled", shortTimeOf(r.CanceledAt), "Closed", shortTimeOf(r.ClosedAt),
		"Members", fmt.Sprintf("%d: %d started, %d scheduled, %d existing, %d refused, %d failed, %d canceled, %d not started, %d pending",
			c.Total, c.Started, c.Scheduled, c.Existing, c.Refused, c.Failed, c.Canceled, c.NotStarted, c.Pending),
		"Cases", fmt.Sprintf("%d with something left to settle, %d of them run", c.Cases, c.Running),
	}
	if r.TroubleStep != "" && r.TroubleSince != nil {
		facts = append(facts, "Stuck", fmt.Sprintf("at %s, attempt %d, since %s: %s",
			r.TroubleStep, r.TroubleAttempt, shortTime(*r.TroubleSince), terminal.Clear(r.TroubleError)))
	}
	pairs(w, facts...)
}

type bulkListOptions struct {
	*factory
	paging
	open bool
}

func newBulkListCmd(f *factory, runF func(*bulkListOptions) error) *cobra.Command {
	opts := &bulkListOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List bulk runs, the newest first",
		Example: `  starter bulk list --open`,
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
			return bulkListRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.open, "open", false, "only runs that have not closed")
	opts.registerPage(cmd)
	return cmd
}

func bulkListRun(ctx context.Context, opts *bulkListOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	filter := offboarding.BulkFilter{OrganizationID: n.organizationID(), OpenOnly: opts.open, Cursor: opts.cursor, Limit: opts.limit}
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.BulkRuns(ctx, filter)
	if err != nil {
		return err
	}
	header := table.Row{"bulk run", "organization", "started", "phase", "members", "accepted", "refused", "failed", "stuck at"}
	return answerPage(opts.factory, page, "bulk runs", header, func(r offboarding.BulkRunRow) table.Row {
		return table.Row{
			short(r.ID, 40), r.OrganizationSlug, shortTime(r.CreatedAt), r.Phase, r.Counts.Total, r.Counts.Accepted(), r.Counts.Refused, r.Counts.Failed, r.TroubleStep,
		}
	})
}

type bulkCancelOptions struct {
	*factory
	bulkID, reason string
}

func newBulkCancelCmd(f *factory, runF func(*bulkCancelOptions) error) *cobra.Command {
	opts := &bulkCancelOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "cancel BULK",
		Short: "Take off the list who has not been processed",
		Long: `Take off the list who has not been processed. Those who have lost access stay
without, and their documents are settled.`,
		Example: `  starter bulk cancel 2026-03-layoff --as admin@example.com --reason "the wrong list"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "BULK")
			wrong.actor(f)
			wrong.note("--reason", opts.reason)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.bulkID = args[0]
			if runF != nil {
				return runF(opts)
			}
			return bulkCancelRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.reason, "reason", "", "why, without personal data; kept in the audit")
	return cmd
}

func bulkCancelRun(ctx context.Context, opts *bulkCancelOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	run, err := n.store.FindBulkRun(ctx, opts.bulkID, opts.organization)
	if err != nil {
		return err
	}
	admin := n.actor(opts.as, "admin_id", run.OrganizationID)
	if err := n.err(); err != nil {
		return err
	}
	return opts.send(ctx, func(ctx context.Context, c *client.Client) (offboarding.Outcome, error) {
		return c.CancelBulk(ctx, run.ID, offboarding.Cancel{AdminID: admin.ID, Reason: opts.reason})
	}, func(offboarding.Outcome) string {
		return "The run is canceled: nobody else on its list loses access."
	})
}
