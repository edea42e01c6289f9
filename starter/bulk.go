package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

type bulkOptions struct {
	*factory
	planFlags
	file         string
	bulkID       string
	rate         int
	allOrNothing bool
	confirmed    bool
	reading      io.Reader // the file, or standard input
}

func newBulkCmd(f *factory, runF func(*bulkOptions) error) *cobra.Command {
	opts := &bulkOptions{factory: f}
	requestedBy := ""
	cmd := &cobra.Command{
		Use:   "bulk FILE.csv",
		Short: "Offboard all members of a list",
		Long: `Offboard all members of a list with the columns email, last_day, reason and, if
wanted, disposition and new_owner_email. Flags fill what a row leaves out. Each
member is judged alone: the exit code is 3 when some were refused and 4 when all
were. A file named - is standard input.

First everybody loses access, then the cases that have something left to settle
are started. The run goes on by itself when this command is stopped; the same
command with its --bulk-id picks it up.

A list that removes more than 10 members and more than the organization's share
(20 % unless set otherwise) of its active members needs --confirm.`,
		Example: `  starter bulk leavers.csv --requested-by admin@example.com
  starter bulk leavers.csv --requested-by admin@example.com --new-owner manager --all-or-nothing --output json
  starter bulk leavers.csv --requested-by admin@example.com --bulk-id 2026-03-layoff --confirm`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.as = first(requestedBy, f.as)
			var wrong problems
			wrong.args(args, "FILE.csv")
			wrong.check(f.as != "", "--requested-by is missing: who does this? (or set HANDOVER_AS)")
			wrong.check(opts.rate >= 1 && opts.rate <= offboarding.MaxBulkRate, "--rate must be from 1 to %d", offboarding.MaxBulkRate)
			opts.check(&wrong)
			if len(args) > 0 {
				opts.file = args[0]
				closer, err := opts.open()
				wrong.check(err == nil, "%s cannot be read", opts.file)
				defer closer()
			}
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return bulkRun(cmd.Context(), opts)
		},
	}
	opts.register(cmd)
	cmd.Flags().StringVar(&requestedBy, "requested-by", "", "`MEMBER` who does this; the same as --as")
	cmd.Flags().IntVar(&opts.rate, "rate", offboarding.DefaultBulkRate, "how many cases are started a second, once everybody has lost access")
	cmd.Flags().StringVar(&opts.bulkID, "bulk-id", "", "`NAME` of the run; the same name again answers with that run. One of its own unless given")
	cmd.Flags().BoolVar(&opts.confirmed, "confirm", false, "remove more of the organization than may be removed by mistake")
	cmd.Flags().BoolVar(&opts.allOrNothing, "all-or-nothing", false, "one refusal refuses all, and nothing is started")
	cmd.AddCommand(newBulkStatusCmd(f, nil), newBulkListCmd(f, nil), newBulkCancelCmd(f, nil))
	return cmd
}

func (opts *bulkOptions) open() (closer func(), err error) {
	if opts.file == "-" {
		opts.reading = opts.in
		return func() {}, nil
	}
	file, err := os.Open(opts.file)
	opts.reading = file
	return func() { _ = file.Close() }, err // it was only read
}

func bulkRun(ctx context.Context, opts *bulkOptions) error {
	leavers, wrong := offboarding.ReadLeavers(opts.reading)
	for _, row := range wrong {
		if row.Line <= 1 { // the file itself is not what it should be
			return &offboarding.ImportError{Rows: wrong}
		}
	}
	b, err := newBulk(ctx, opts, leavers, wrong)
	if err != nil {
		return err
	}
	if !opts.allOrNothing || b.summarize().Refused == 0 { // what is wrong with the list itself refuses all too
		err = b.run(ctx)
	}
	if err != nil {
		return err
	}
	summary := b.summarize()
	err = opts.answer(bulkAnswer{BulkID: opts.bulkID, Result: summary.result(), Summary: summary, Items: b.rows}, func(w *strings.Builder) { printBulk(w, b.rows, summary) })
	if err == nil && summary.exitCode() != exitDone {
		err = &answeredError{code: summary.exitCode()}
	}
	return err
}

func printBulk(w *strings.Builder, rows []bulkRow, s bulkSummary) {
	if len(rows) > 0 {
		t := terminal.NewTable(w, "line", "member", "outcome", "case or reason")
		for _, r := range rows {
			t.AppendRow([]any{r.Line, short(r.Email, 50), r.Outcome, r.reason()})
		}
		t.Render()
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s: %d of %d accepted, %d refused, %d failed", s.result(), s.Accepted, s.Total, s.Refused, s.Failed)
	if s.Canceled > 0 {
		fmt.Fprintf(w, ", %d canceled", s.Canceled)
	}
	fmt.Fprintln(w, ".")
}
