package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

type reactivateOptions struct {
	*factory
	onBehalf
	members         []string
	file            string
	id              string
	origin          string
	returnDocuments bool
	one             bool // a member was named on the command line, and nobody else
}

func newReactivateCmd(f *factory, runF func(*reactivateOptions) error) *cobra.Command {
	opts := &reactivateOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "reactivate MEMBER...",
		Short: "Make leavers active again",
		Long: `Make leavers active again, while their cases are open and after. What is still
unowned or was archived by the case is the member's and editable again; what has
found an owner stays there, and the member gets an edit grant on it. Credentials
and sessions stay revoked. Every member needs a free seat.

Many members can come back at once where no identity provider authenticates the
organization. Each is judged alone: the exit code is 3 when some were refused and
4 when all were. For every twenty members it waits --timeout once more. A file
has an email (or another name of a member) on each line; - is standard input.`,
		Example: `  starter reactivate ada@example.com --as admin@example.com --return-documents
  starter reactivate --file returning.txt --as admin@example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			opts.checkWho(&wrong, f)
			opts.members, opts.one = args, len(args) == 1 && opts.file == ""
			if opts.file != "" {
				listed, err := opts.listed()
				wrong.check(err == nil, "%s cannot be read", opts.file)
				opts.members = append(opts.members, listed...)
			}
			wrong.check(len(opts.members) > 0, "MEMBER is missing")
			wrong.check(len(opts.members) <= offboarding.MaxReactivated, "at most %d members can be reactivated at once", offboarding.MaxReactivated)
			for _, v := range offboarding.CheckOrigin(opts.origin) {
				wrong.check(false, "--origin: %s", v.Message)
			}
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return reactivateRun(cmd.Context(), opts)
		},
	}
	opts.registerProvider(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&opts.returnDocuments, "return-documents", false,
		"also give back what the case moved, unless the new owner has passed it on")
	flags.StringVar(&opts.file, "file", "", "`FILE` with a member on each line, or - for standard input")
	flags.StringVar(&opts.id, "id", "", "`NAME` of a reactivation of many; the same again waits for the one that runs")
	originFlag(cmd, &opts.origin)
	return cmd
}

// listed are the members of the file.
func (opts *reactivateOptions) listed() ([]string, error) {
	in := opts.in
	if opts.file != "-" {
		file, err := os.Open(opts.file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	var members []string
	lines := bufio.NewScanner(io.LimitReader(in, 1<<20))
	for lines.Scan() {
		if member := strings.TrimSpace(lines.Text()); member != "" {
			members = append(members, member)
		}
	}
	return members, lines.Err()
}

// reactivatedRow is what became of one of many.
type reactivatedRow struct {
	Member string `json:"member"` // as the command named them
	offboarding.MemberReactivation
}

// reason is the case, or why there is no reactivation.
func (r reactivatedRow) reason() string {
	codes := make([]string, len(r.Codes))
	for i, code := range r.Codes {
		codes[i] = string(code)
	}
	return first(strings.Join(codes, ", "), r.CaseID)
}

// reactivatedAnswer is the answer for scripts about many.
type reactivatedAnswer struct {
	Result      string           `json:"result"` // SUCCESS, PARTIAL_SUCCESS or REFUSED
	Total       int              `json:"total"`
	Reactivated int              `json:"reactivated"`
	Refused     int              `json:"refused"`
	Members     []reactivatedRow `json:"members"`
}

func reactivateRun(ctx context.Context, opts *reactivateOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	request := offboarding.ReactivationRequest{Provider: opts.provider, Origin: opts.origin, ReturnDocuments: opts.returnDocuments}
	if opts.one {
		member := n.member(opts.members[0], "member_id")
		request.MemberID = member.ID
		request.RequestedBy = n.actor(opts.as, "requested_by", member.OrganizationID).ID
		if err := n.err(); err != nil {
			return err
		}
		result, err := opts.reactivate(ctx, "", request)
		if err != nil {
			return err
		}
		return opts.answer(result, func(w *strings.Builder) {
			fmt.Fprintf(w, "%s is active again; %d documents restored, %d returned.\n",
				person(member.DisplayName, member.Email), result.Restored, result.Returned)
		})
	}
	return reactivateMany(ctx, opts, n, request)
}

func (opts *reactivateOptions) reactivate(
	ctx context.Context, id string, r offboarding.ReactivationRequest,
) (offboarding.ReactivationResult, error) {
	cases, err := opts.cases(ctx)
	if err != nil {
		return offboarding.ReactivationResult{}, err
	}
	ctx, stop := context.WithTimeout(ctx, opts.timeout*time.Duration(1+len(r.MemberIDs)/20))
	defer stop()
	return cases.ReactivateMembers(ctx, id, r)
}

// reactivateMany reactivates those who can be found; the others are refused.
func reactivateMany(ctx context.Context, opts *reactivateOptions, n *names, request offboarding.ReactivationRequest) error {
	rows := make([]reactivatedRow, len(opts.members))
	organization := ""
	seen := map[string]bool{}
	for i, ref := range opts.members {
		rows[i].Member = ref
		m, err := n.store.FindMember(ctx, ref, n.slug)
		var refusal *offboarding.Refusal
		switch {
		case errors.As(err, &refusal):
			rows[i].Outcome, rows[i].Codes = offboarding.OutcomeRefused, refusal.Codes()
			continue
		case err != nil:
			return err
		}
		rows[i].MemberID, organization = m.ID, m.OrganizationID
		if !seen[m.ID] {
			request.MemberIDs = append(request.MemberIDs, m.ID)
		}
		seen[m.ID] = true
	}
	request.RequestedBy = n.actor(opts.as, "requested_by", organization).ID
	if err := n.err(); err != nil {
		return err
	}
	if len(request.MemberIDs) > 0 {
		result, err := opts.reactivate(ctx, first(opts.id, uuid.NewString()), request)
		if err != nil {
			return err
		}
		done := map[string]offboarding.MemberReactivation{}
		for _, m := range result.Members {
			done[m.MemberID] = m
		}
		for i := range rows {
			if m, ok := done[rows[i].MemberID]; ok {
				rows[i].MemberReactivation = m
			}
		}
	}
	return opts.answerMany(rows)
}

func (opts *reactivateOptions) answerMany(rows []reactivatedRow) error {
	results := make([]offboarding.MemberReactivation, len(rows))
	for i, r := range rows {
		results[i] = r.MemberReactivation
	}
	counted := offboarding.NewBulkReactivation(results)
	a := reactivatedAnswer{
		Result: counted.Message, Total: counted.Total, Reactivated: counted.Reactivated, Refused: counted.Refused, Members: rows,
	}
	code := counted.ResultCode // the exit codes are those of a run
	err := opts.answer(a, func(w *strings.Builder) {
		t := terminal.NewTable(w, "member", "outcome", "restored", "returned", "granted", "case or reason")
		for _, r := range rows {
			t.AppendRow([]any{short(r.Member, 50), r.Outcome, r.Restored, r.Returned, r.Granted, r.reason()})
		}
		t.Render()
		fmt.Fprintf(w, "\n%s: %d of %d reactivated, %d refused.\n", a.Result, a.Reactivated, a.Total, a.Refused)
	})
	if err == nil && code != exitDone {
		err = &answeredError{code: code}
	}
	return err
}
