package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/offboarding"
	"handover/postgres"
)

// planFlags are what start, preview and bulk let the caller choose.
type planFlags struct {
	disposition      string
	newOwner         string
	archiveSchedules bool
	grace            string
	lastDay          string
	effectiveAt      string
	reason           string
	origin           string
}

func (p *planFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.disposition, "disposition", "", "what happens to the documents: transfer, archive or retain")
	flags.StringVar(&p.newOwner, "new-owner", "", "`MEMBER` who gets the documents, or manager for the leaver's")
	flags.BoolVar(&p.archiveSchedules, "archive-schedules", false, "archive the schedules of transferred documents")
	flags.StringVar(&p.grace, "grace", "", "how long unowned documents stay editable, such as 7d or 36h")
	originFlag(cmd, &p.origin)
}

func originFlag(cmd *cobra.Command, origin *string) {
	cmd.Flags().StringVar(origin, "origin", "", "where this comes from: TYPE,OrgName,SourceName with TYPE AI, SCRIPT or APPLICATION")
}

func (p *planFlags) registerTimes(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.lastDay, "last-day", "", "`DATE` whose end, in the member's time zone, is the effective time")
	flags.StringVar(&p.effectiveAt, "effective-at", "", "`TIME` with its zone, such as 2026-03-31T18:00:00+02:00; now unless given")
	flags.StringVar(&p.reason, "reason", "", "why, without personal data; kept in the case")
}

// request is the start that the flags ask for, without members.
func (p *planFlags) request() offboarding.Request {
	return offboarding.Request{
		Origin: p.origin, Reason: p.reason, EffectiveAt: first(p.lastDay, p.effectiveAt),
		Disposition: offboarding.Disposition(p.disposition), NewOwnerID: p.newOwner,
		ArchiveSchedules: p.archiveSchedules, GracePeriod: p.grace,
	}
}

// request is the start that the flags ask for, and the member whom it is about.
func (n *names) request(p *planFlags, member, as string) (offboarding.Member, offboarding.Request) {
	leaver, r := n.member(member, "member_id"), p.request()
	r.MemberID = leaver.ID
	r.RequestedBy = n.actor(as, "requested_by", leaver.OrganizationID).ID
	r.NewOwnerID = n.newOwner(p.newOwner, leaver.OrganizationID)
	return leaver, r
}

// check finds in the flags what no rule needs to be asked about.
func (p *planFlags) check(wrong *problems) {
	wrong.check(p.lastDay == "" || p.effectiveAt == "", "--last-day and --effective-at exclude each other")
	wrong.check(p.lastDay == "" || !strings.ContainsRune(p.lastDay, 'T'), "--last-day is a date; --effective-at is a time")
	r := p.request()
	r.MemberID, r.RequestedBy = "checked elsewhere", "checked elsewhere"
	for _, v := range offboarding.CheckRequest(r) {
		wrong.check(false, "--%s: %s", flagOf(v.Field), v.Message)
	}
}

// flagOf is the flag that sets a field of a request.
func flagOf(field string) string {
	switch field {
	case "grace_period":
		return "grace"
	case "new_owner_id":
		return "new-owner"
	}
	return strings.ReplaceAll(field, "_", "-")
}

type startOptions struct {
	*factory
	planFlags
	onBehalf
	member string
	noWait bool
}

func newStartCmd(f *factory, runF func(*startOptions) error) *cobra.Command {
	opts := &startOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "start MEMBER",
		Short: "Offboard a member",
		Long: `Offboard a member: now, or at the effective time. The command returns when the
member can no longer get in, or the case is scheduled. A member whose case is
open is answered with that case, and nothing changes.

A member whom an identity provider manages is offboarded on its behalf, with
--provider. Where the organization waits for SSO sessions, the account is
deactivated when they have ended; credentials do not wait.`,
		Example: `  starter start ada@example.com --as admin@example.com --new-owner manager
  starter start emp-1041 --as admin@example.com --last-day 2026-03-31 --disposition retain --grace 14d
  starter start ada@example.com --provider okta`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			opts.checkWho(&wrong, f)
			opts.check(&wrong)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return startRun(cmd.Context(), opts)
		},
	}
	opts.register(cmd)
	opts.registerTimes(cmd)
	opts.registerProvider(cmd)
	cmd.Flags().BoolVar(&opts.noWait, "no-wait", false, "do not wait for the case to answer, not even for what the rules say")
	return cmd
}

func startRun(ctx context.Context, opts *startOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	leaver, request := n.request(&opts.planFlags, opts.member, opts.as)
	request.Provider = opts.provider
	if err := n.err(); err != nil {
		return err
	}
	cases, err := opts.cases(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, opts.timeout)
	defer stop()
	if opts.noWait {
		started, err := cases.Start(ctx, request)
		if err != nil {
			return err
		}
		return opts.answer(started, func(w *strings.Builder) {
			fmt.Fprintf(w, "Sent to %s. 'starter status %s' shows what comes of it.\n", started.WorkflowID, opts.member)
		})
	}
	was, err := openCase(ctx, n.store, leaver.ID, opts.now())
	if err != nil {
		return err
	}
	status, err := cases.StartAndAwait(ctx, request)
	if err != nil {
		return err
	}
	return opts.answer(status, func(w *strings.Builder) {
		name := person(leaver.DisplayName, leaver.Email)
		if status.CaseID == was {
			fmt.Fprintf(w, "The case of %s was open already, in phase %s (case %s); this start changed nothing.\n", name, status.Phase, status.CaseID)
			return
		}
		if status.SessionsEndAt != nil {
			fmt.Fprintf(w, "The credentials of %s are revoked; the account is deactivated when the SSO sessions have ended, %s at the latest (case %s).\n",
				name, shortTimeOf(status.SessionsEndAt), status.CaseID)
			return
		}
		if status.Phase == offboarding.PhaseScheduled {
			fmt.Fprintf(w, "The offboarding of %s is scheduled for %s (case %s).\n", name, shortTimeOf(status.EffectiveAt), status.CaseID)
			return
		}
		fmt.Fprintf(w, "%s can no longer get in; the case is in phase %s (case %s).\n", name, status.Phase, status.CaseID)
	})
}

// openCase is the ID of the member's open case, "" where there is none: a start
// answers with that case and changes nothing (rule E2).
func openCase(ctx context.Context, store *postgres.Store, memberID string, now time.Time) (string, error) {
	row, err := store.FindCase(ctx, memberID, now.UTC())
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound || row.ClosedAt != nil {
		return "", nil
	}
	return row.ID, err
}
