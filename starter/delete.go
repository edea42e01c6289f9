package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

type deleteOptions struct {
	*factory
	planFlags
	member, confirmEmail string
}

func newDeleteCmd(f *factory, runF func(*deleteOptions) error) *cobra.Command {
	opts := &deleteOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "delete MEMBER",
		Short: "Delete a member for good",
		Long: `Delete a member for good. This cannot be undone: the account and all personal
data are erased, wherever they are kept. Documents stay as they are, published
and shared; they are attributed to the member's name or to "Deleted member", as
the organization's policy says. A member who is still active is offboarded first;
their case goes on and finds owners for the documents.

The member's email address has to be typed as confirmation: with --confirm-email,
or when the command asks for it on a terminal.`,
		Example: `  starter delete ada@example.com --as admin@example.com --confirm-email ada@example.com
  starter delete ada@example.com --as admin@example.com --confirm-email ada@example.com --new-owner manager`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			wrong.actor(f)
			opts.check(&wrong)
			wrong.check(opts.confirmEmail != "" || terminal.Typed(f.in), "--confirm-email is missing: the member's email address, as confirmation")
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return deleteRun(cmd.Context(), opts)
		},
	}
	opts.register(cmd)
	cmd.Flags().StringVar(&opts.reason, "reason", "", "why, without personal data; forgotten with everything else")
	cmd.Flags().StringVar(&opts.confirmEmail, "confirm-email", "", "`ADDRESS` of the member, as confirmation")
	return cmd
}

func deleteRun(ctx context.Context, opts *deleteOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	member := n.member(opts.member, "member_id")
	request := offboarding.DeletionRequest{
		MemberID: member.ID, RequestedBy: n.actor(opts.as, "requested_by", member.OrganizationID).ID,
		Origin: opts.origin, Reason: opts.reason, Disposition: offboarding.Disposition(opts.disposition),
		NewOwnerID: n.newOwner(opts.newOwner, member.OrganizationID), ArchiveSchedules: opts.archiveSchedules, GracePeriod: opts.grace,
	}
	if err := n.err(); err != nil {
		return err
	}
	preview, err := n.store.Preview(ctx, request.Offboarding(), opts.now().UTC())
	if err != nil {
		return err
	}
	organization, err := n.store.Organization(ctx, member.OrganizationID)
	if err != nil {
		return err
	}
	if err := opts.confirmed(member, preview, organization); err != nil {
		return err
	}
	cases, err := opts.cases(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, opts.timeout)
	defer stop()
	result, err := cases.Delete(ctx, request)
	if err != nil {
		return err
	}
	return opts.answer(result, func(w *strings.Builder) { printDeletion(w, result) })
}

// confirmed says what will happen and compares the address; neither it nor what
// was typed goes any further.
func (opts *deleteOptions) confirmed(m offboarding.Member, p offboarding.Preview, o offboarding.Organization) error {
	if opts.output == outputTable {
		var text strings.Builder
		announce(&text, m, p, o)
		if _, err := io.WriteString(opts.out, terminal.Lines(text.String())); err != nil {
			return err
		}
	}
	typed := opts.confirmEmail
	if typed == "" {
		_, _ = io.WriteString(opts.err, "Type the member's email address to go on: ") // who does not see it types nothing
		line, err := bufio.NewReader(opts.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		typed = line
	}
	if !offboarding.SameAddress(typed, m.Email) {
		return &usageError{problems: []string{"the confirmation is not the member's email address; nothing was changed"}}
	}
	return nil
}

func announce(w *strings.Builder, m offboarding.Member, p offboarding.Preview, o offboarding.Organization) {
	fmt.Fprintf(w, "%s will be deleted for good. This cannot be undone.\n\n", person(m.DisplayName, m.Email))
	content := "attributed to " + terminal.Clear(m.DisplayName)
	if o.Attribution == offboarding.AttributionAnonymous {
		content = "attributed to " + offboarding.DeletedName
	}
	first := ""
	if m.Active() {
		first = "offboarded before that; the case goes on by itself"
	}
	pairs(w, "Member is", string(m.Status), "Will be", first,
		"Documents", fmt.Sprintf("%d stay, %s", p.Documents.Total+p.Documents.Archived, content),
		"Credentials", fmt.Sprintf("%d revoked", sum(p.Credentials)), "Sessions", fmt.Sprintf("%d revoked", p.Sessions),
		"Erased", "address, external ID, names of credentials, notes, reasons and texts in the audit")
	fmt.Fprintln(w)
}

func printDeletion(w *strings.Builder, r offboarding.DeletionResult) {
	fmt.Fprintf(w, "The member is deleted (%s).\n\n", r.MemberID)
	number := strconv.Itoa
	facts := []string{
		"Documents that stay with the tombstone", number(r.Documents), "Names of credentials erased", number(r.Credentials),
		"Cases without texts", number(r.Cases), "Records of steps erased", number(r.Steps),
		"Ownership requests without notes", number(r.Requests), "Audit events without texts", number(r.Events),
		"Folders renamed", number(r.Folders), "Members without this manager", number(r.Reports),
		"Rows of bulk lists erased", number(r.Bulk), "Lifted legal holds without reason", number(r.Holds),
	}
	pairs(w, append(facts, "Open case", r.CaseID)...)
}
