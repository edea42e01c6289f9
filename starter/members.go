package main

import (
	"context"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/offboarding"
)

type membersOptions struct {
	*factory
	paging
	status string
}

// memberStatuses are what --status takes.
var memberStatuses = []string{
	string(offboarding.MemberActive), string(offboarding.MemberInactive), string(offboarding.MemberArchived),
	string(offboarding.MemberDeleted), "all",
}

func newMembersCmd(f *factory, runF func(*membersOptions) error) *cobra.Command {
	opts := &membersOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List members, those who are active unless told otherwise",
		Example: `  starter members --organization acme
  starter members --status inactive --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.check(slices.Contains(memberStatuses, opts.status), "--status must be one of %v", memberStatuses)
			wrong.limit(opts.paging)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return membersRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.status, "status", string(offboarding.MemberActive), "`STATUS` of the members, or all")
	opts.registerPage(cmd)
	return cmd
}

func membersRun(ctx context.Context, opts *membersOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	filter := offboarding.MemberFilter{
		OrganizationID: n.organizationID(), Status: offboarding.MemberStatus(opts.status), AnyStatus: opts.status == "all",
		Cursor: opts.cursor, Limit: opts.limit,
	}
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.Members(ctx, filter)
	if err != nil {
		return err
	}
	header := table.Row{"member", "name", "role", "account", "status", "documents", "unowned", "open case in"}
	return answerPage(opts.factory, page, "members", header, func(m offboarding.MemberRow) table.Row {
		return table.Row{
			short(m.Email, 40), short(m.DisplayName, 30), m.Role, m.AccountType, m.Status, upTo(m.Documents), upTo(m.Unowned), m.CasePhase,
		}
	})
}
