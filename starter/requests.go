package main

import (
	"context"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/offboarding"
)

type requestsOptions struct {
	*factory
	paging
	status, document, member, caseID string
}

// requestStatuses are what --status takes.
var requestStatuses = []string{
	string(offboarding.RequestPending), string(offboarding.RequestApproved), string(offboarding.RequestRejected),
	string(offboarding.RequestSuperseded), string(offboarding.RequestWithdrawn), "all",
}

func newRequestsCmd(f *factory, runF func(*requestsOptions) error) *cobra.Command {
	opts := &requestsOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "requests",
		Short: "List ownership requests, the oldest first",
		Example: `  starter requests
  starter requests --document d00001 --status all --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.check(slices.Contains(requestStatuses, opts.status), "--status must be one of %v", requestStatuses)
			wrong.limit(opts.paging)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return requestsRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.status, "status", string(offboarding.RequestPending), "`STATUS` of the requests, or all")
	flags.StringVar(&opts.document, "document", "", "only requests for this `DOCUMENT`")
	flags.StringVar(&opts.member, "member", "", "only requests of this `MEMBER`")
	flags.StringVar(&opts.caseID, "case", "", "only requests of the case with this `ID`")
	opts.registerPage(cmd)
	return cmd
}

func requestsRun(ctx context.Context, opts *requestsOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	filter := offboarding.RequestFilter{
		OrganizationID: n.organizationID(), CaseID: opts.caseID, Cursor: opts.cursor, Limit: opts.limit,
		Status: offboarding.RequestStatus(opts.status), AnyStatus: opts.status == "all",
		MemberID: n.member(opts.member, "member").ID,
	}
	if opts.document != "" {
		filter.DocumentID = n.document(opts.document, opts.organization).ID
	}
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.Requests(ctx, filter)
	if err != nil {
		return err
	}
	header := table.Row{"asked", "by", "document", "status", "note", "request"}
	return answerPage(opts.factory, page, "requests", header, func(r offboarding.RequestRow) table.Row {
		return table.Row{
			shortTime(r.CreatedAt), short(r.MemberEmail, 40), short(r.DocumentTitle, 40), requestStatus(r), short(r.Note, 40), r.ID,
		}
	})
}

// requestStatus says of a request that still waits that the owners know of it.
func requestStatus(r offboarding.RequestRow) string {
	if r.Status == offboarding.RequestPending && r.EscalatedAt != nil {
		return string(r.Status) + ", escalated"
	}
	return string(r.Status)
}
