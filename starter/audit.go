package main

import (
	"context"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/offboarding"
)

type auditOptions struct {
	*factory
	paging
	events                   []string
	member, document, caseID string
	from, to                 string
	since, until             time.Time // from and to, read
	oldestFirst              bool
}

func newAuditCmd(f *factory, runF func(*auditOptions) error) *cobra.Command {
	opts := &auditOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed what, when",
		Long: `Show who changed what, when, the newest first. The cursor is the number of the
last event seen: with --oldest-first, a script goes on where it stopped.`,
		Example: `  starter audit --member ada@example.com
  starter audit --event TransferDocs --from 2026-03-01 --to 2026-03-31 --output json
  starter audit --oldest-first --cursor 1200 --output json
  starter audit verify`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			var err error
			wrong.args(args)
			opts.since, err = moment(opts.from, 0)
			wrong.check(err == nil, "--from must be a date or an RFC 3339 time")
			opts.until, err = moment(opts.to, 1)
			wrong.check(err == nil, "--to must be a date or an RFC 3339 time")
			wrong.limit(opts.paging)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return auditRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&opts.events, "event", nil, "only events of these `NAMES`, such as ClaimDocOwnership,TransferDocs")
	flags.StringVar(&opts.member, "member", "", "only events about this `MEMBER`")
	flags.StringVar(&opts.document, "document", "", "only events about this `DOCUMENT`")
	flags.StringVar(&opts.caseID, "case", "", "only events of the case with this `ID`")
	flags.StringVar(&opts.from, "from", "", "only events since this `TIME`, or since the beginning of this day in UTC")
	flags.StringVar(&opts.to, "to", "", "only events before this `TIME`, or until the end of this day in UTC")
	flags.BoolVar(&opts.oldestFirst, "oldest-first", false, "begin with the oldest")
	opts.registerPage(cmd)
	cmd.AddCommand(newAuditVerifyCmd(f, nil), newAuditExportCmd(f, nil))
	return cmd
}

// moment reads a time, or a date in UTC moved by a number of days.
func moment(text string, moved int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, moved), nil
	}
	return time.Parse(time.RFC3339, text)
}

func auditRun(ctx context.Context, opts *auditOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	filter := offboarding.AuditFilter{
		OrganizationID: n.organizationID(), Events: opts.events, MemberID: n.member(opts.member, "member").ID, CaseID: opts.caseID,
		From: opts.since, To: opts.until, OldestFirst: opts.oldestFirst, Cursor: opts.cursor, Limit: opts.limit,
	}
	if opts.document != "" {
		filter.DocumentID = n.document(opts.document, opts.organization).ID
	}
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.AuditEvents(ctx, filter)
	if err != nil {
		return err
	}
	header := table.Row{"no", "time", "event", "actor", "member", "document", "before", "after"}
	return answerPage(opts.factory, page, "events", header, func(e offboarding.AuditRow) table.Row {
		return table.Row{
			e.ID, shortTime(e.At), e.Event, short(first(e.ActorName, e.ActorID), 30), short(first(e.MemberName, e.MemberID), 30),
			short(first(e.DocumentTitle, e.DocumentID), 30), short(string(e.Before), 40), short(string(e.After), 40),
		}
	})
}
