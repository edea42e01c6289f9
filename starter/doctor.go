package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/internal/doctor"
	"handover/internal/terminal"
	"handover/offboarding"
)

type doctorOptions struct {
	*factory
	repair      bool
	checks      []string
	settle      time.Duration
	rate, limit int
}

func newDoctorCmd(f *factory, runF func(*doctorOptions) error) *cobra.Command {
	opts := &doctorOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find, and mend, what has drifted apart between Temporal and the database",
		Long: `Find what has drifted apart between Temporal, the database and the audit: after a
backup was restored, a workflow terminated, or rows changed by hand. With --repair
it is mended by the ordinary steps, and each repair is an event of the audit.

Nothing is a drift that is being worked on: it has to be there twice, --settle
apart. The command may be stopped at any time and run again.

Exit codes: 0 nothing is left to mend, 3 something is, 1 it could not look.

Checks:
` + checkLines(),
		Example: `  starter doctor
  starter doctor --repair --as admin@example.com
  starter doctor --check case_without_workflow --check document_not_locked --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			if opts.repair {
				wrong.actor(f)
			}
			for _, name := range opts.checks {
				known := slices.ContainsFunc(offboarding.Checks, func(c offboarding.Check) bool { return string(c.Drift) == name })
				wrong.check(known, "--check: there is no check %q", name)
			}
			wrong.check(opts.settle >= 0, "--settle must not be negative")
			wrong.check(opts.rate >= 1, "--rate must be 1 or more")
			wrong.check(opts.limit >= 1 && opts.limit <= offboarding.MaxLimit, "--limit must be from 1 to %d", offboarding.MaxLimit)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return doctorRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.repair, "repair", false, "mend what can be mended")
	flags.StringArrayVar(&opts.checks, "check", nil, "only this `CHECK`; may be repeated")
	flags.DurationVar(&opts.settle, "settle", 10*time.Second, "how long a drift has to last")
	flags.IntVar(&opts.rate, "rate", 200, "how many workflows are looked at in a second")
	flags.IntVar(&opts.limit, "limit", 20, "how many findings of a check are named")
	return cmd
}

func checkLines() string {
	var text strings.Builder
	for _, c := range offboarding.Checks {
		fmt.Fprintf(&text, "  %-30s %s\n", c.Drift, c.Wrong)
	}
	return strings.TrimRight(text.String(), "\n")
}

func doctorRun(ctx context.Context, opts *doctorOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	organizationID := n.organizationID()
	var actor offboarding.Member
	if opts.repair {
		if actor = n.actor(opts.as, "admin_id", ""); n.err() == nil {
			n.violations = append(n.violations, offboarding.JudgeAdmin(offboarding.Actor{Member: &actor, Reach: offboarding.ReachOwn})...)
		}
	}
	if err := n.err(); err != nil {
		return err
	}
	cases, err := opts.cases(ctx)
	if err != nil {
		return err
	}
	only := make([]offboarding.Drift, len(opts.checks))
	for i, name := range opts.checks {
		only[i] = offboarding.Drift(name)
	}
	report, err := doctor.Run(ctx, doctor.Options{
		Store: n.store, Cases: cases, Namespace: opts.namespace, Repair: opts.repair, ActorID: actor.ID, OrganizationID: organizationID,
		Only: only, Settle: opts.settle, Rate: opts.rate, Keep: opts.limit,
	})
	if err != nil {
		return err
	}
	if err := opts.answer(report, func(w *strings.Builder) { doctorTable(w, report, opts.repair) }); err != nil {
		return err
	}
	if report.Left > 0 {
		return &answeredError{code: exitPartly}
	}
	return nil
}

func doctorTable(w *strings.Builder, r doctor.Report, repair bool) {
	if r.Found == 0 {
		fmt.Fprintf(w, "No drift: %s and %s looked at.\n", count(r.Cases, "open case", "open cases"), count(r.Workflows, "workflow", "workflows"))
		return
	}
	t := terminal.NewTable(w, "check", "found", "mended", "left", "what to do")
	for _, c := range r.Checks {
		what := c.Mend
		switch {
		case c.Left == 0:
			what = "nothing any more"
		case c.Human:
			what = "yours: " + what
		case !repair:
			what = "--repair: " + what
		}
		t.AppendRow(table.Row{c.Drift, c.Found, c.Mended, c.Left, short(what, 100)})
	}
	t.Render()
	fmt.Fprintln(w)
	t = terminal.NewTable(w, "check", "what", "detail", "")
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			t.AppendRow(table.Row{c.Drift, first(f.WorkflowID, subjectOf(f)), short(f.Detail, 60), became(f)})
		}
	}
	t.Render()
	fmt.Fprintf(w, "\n%s found, %d mended, %d left.\n", count(r.Found, "drift", "drifts"), r.Mended, r.Left)
}

func subjectOf(f offboarding.Finding) string {
	kind, id := f.Subject()
	if id == "" {
		return ""
	}
	return string(kind) + " " + id
}

func became(f offboarding.Finding) string {
	switch {
	case f.Mended:
		return "mended"
	case f.Error != "":
		return "could not be mended: " + short(f.Error, 80)
	}
	return ""
}
