package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

func newHoldCmd(f *factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hold COMMAND",
		Short: "Place, lift and list legal holds",
		Long: `Place, lift and list legal holds. What is held, a document or all that a member
owns, is not claimed, transferred or archived until the hold is lifted. A hold
does not keep anybody's access open: who leaves, leaves.`,
		Example: `  starter hold place --member ada@example.com --reason "matter 2026-12" --as admin@example.com
  starter hold list
  starter hold lift 01a1ffde-c038-72a2-abd3-2ee046c7cc2d --as admin@example.com`,
		RunE: wantsCommand("hold "),
	}
	cmd.AddCommand(newHoldPlaceCmd(f, nil), newHoldLiftCmd(f, nil), newHoldListCmd(f, nil))
	return cmd
}

type holdOptions struct {
	*factory
	paging
	hold             string
	member, document string
	reason           string
	lifted           bool
}

func newHoldPlaceCmd(f *factory, runF func(*holdOptions) error) *cobra.Command {
	opts := &holdOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "place --member MEMBER | --document DOCUMENT",
		Short: "Place a legal hold",
		Example: `  starter hold place --member ada@example.com --reason "matter 2026-12" --as admin@example.com
  starter hold place --document d00001 --reason "matter 2026-12" --as admin@example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.actor(f)
			wrong.check((opts.member == "") != (opts.document == ""), "a hold is on a --member or on a --document, on one of them")
			wrong.check(opts.reason != "", "--reason is missing")
			wrong.note("--reason", opts.reason)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return holdPlaceRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.member, "member", "", "`MEMBER` whose documents are held")
	flags.StringVar(&opts.document, "document", "", "`DOCUMENT` that is held")
	flags.StringVar(&opts.reason, "reason", "", "why, such as the matter's number")
	return cmd
}

func holdPlaceRun(ctx context.Context, opts *holdOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	h := offboarding.Hold{Reason: opts.reason}
	what, organization := "", ""
	if opts.member != "" {
		m := n.member(opts.member, "member_id")
		h.MemberID, organization, what = m.ID, m.OrganizationID, "all that "+person(m.DisplayName, m.Email)+" owns"
	} else {
		d := n.document(opts.document, opts.organization)
		h.DocumentID, organization, what = d.ID, d.OrganizationID, fmt.Sprintf("%q", terminal.Clear(d.Title))
	}
	by := n.actor(opts.as, "placed_by", organization)
	if err := n.err(); err != nil {
		return err
	}
	id, err := n.store.PlaceHold(ctx, h, by.ID, opts.now().UTC())
	if err != nil {
		return err
	}
	return opts.answer(map[string]string{"hold_id": id}, func(w *strings.Builder) {
		fmt.Fprintf(w, "A legal hold is on %s (hold %s).\n", what, id)
	})
}

func newHoldLiftCmd(f *factory, runF func(*holdOptions) error) *cobra.Command {
	opts := &holdOptions{factory: f}
	return &cobra.Command{
		Use:     "lift HOLD",
		Short:   "Lift a legal hold",
		Example: "  starter hold lift 01a1ffde-c038-72a2-abd3-2ee046c7cc2d --as admin@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "HOLD")
			wrong.actor(f)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.hold = args[0]
			if runF != nil {
				return runF(opts)
			}
			return holdLiftRun(cmd.Context(), opts)
		},
	}
}

func holdLiftRun(ctx context.Context, opts *holdOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	by := n.actor(opts.as, "placed_by", opts.organization)
	if err := n.err(); err != nil {
		return err
	}
	if err := n.store.LiftHold(ctx, opts.hold, by.ID, "", opts.now().UTC()); err != nil {
		return err
	}
	return opts.answer(map[string]string{"hold_id": opts.hold}, func(w *strings.Builder) { fmt.Fprintf(w, "The legal hold %s is lifted.\n", opts.hold) })
}

func newHoldListCmd(f *factory, runF func(*holdOptions) error) *cobra.Command {
	opts := &holdOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List legal holds, the newest first",
		Example: `  starter hold list
  starter hold list --lifted --output json`,
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
			return holdListRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.lifted, "lifted", false, "those that have been lifted too")
	opts.registerPage(cmd)
	return cmd
}

func holdListRun(ctx context.Context, opts *holdOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	organizationID := n.organizationID()
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.Holds(ctx, offboarding.HoldFilter{
		OrganizationID: organizationID, Lifted: opts.lifted, Cursor: opts.cursor, Limit: opts.limit,
	})
	if err != nil {
		return err
	}
	header := table.Row{"on", "reason", "placed", "lifted", "hold"}
	return answerPage(opts.factory, page, "legal holds", header, func(h offboarding.HoldRow) table.Row {
		return table.Row{
			short(first(h.DocumentTitle, h.MemberName), 50), short(h.Reason, 40), shortTime(h.PlacedAt), shortTimeOf(h.LiftedAt), h.ID,
		}
	})
}
