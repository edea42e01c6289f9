package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/offboarding"
)

type previewOptions struct {
	*factory
	planFlags
	onBehalf
	paging
	member    string
	workspace string
	documents bool
}

func newPreviewCmd(f *factory, runF func(*previewOptions) error) *cobra.Command {
	opts := &previewOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "preview MEMBER",
		Short: "Show what a start would do, and change nothing",
		Long: `Show what 'starter start' with the same flags would do, and change nothing:
every rule that it would break, the plan, what the member owns and can do, and who
could own the documents: the manager, who has edit grants on most of them, who
edited them last. Suggested are only active makers who are not being offboarded
themselves. With --documents the suggestions for each document are shown too, a
page at a time; JSON always has them.
The exit code is 4 when the start would be refused.`,
		Example: `  starter preview ada@example.com --as admin@example.com --new-owner manager
  starter preview ada@example.com --as admin@example.com --documents --limit 20`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			opts.checkWho(&wrong, f)
			opts.check(&wrong)
			wrong.limit(opts.paging)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return previewRun(cmd.Context(), opts)
		},
	}
	opts.register(cmd)
	opts.registerTimes(cmd)
	cmd.Flags().StringVar(&opts.workspace, "workspace", "", "`WORKSPACE` to be removed from: what 'starter remove' would do")
	cmd.Flags().BoolVar(&opts.documents, "documents", false, "show who could own each document")
	opts.registerPage(cmd)
	opts.registerProvider(cmd)
	return cmd
}

func previewRun(ctx context.Context, opts *previewOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	leaver, request := n.request(&opts.planFlags, opts.member, opts.as)
	request.Provider = opts.provider
	if opts.workspace != "" {
		request.WorkspaceID = n.workspace(opts.workspace, leaver.OrganizationID).ID
	}
	if err := n.err(); err != nil {
		return err
	}
	preview, err := n.store.Preview(ctx, request, opts.now().UTC())
	if err != nil {
		return err
	}
	if preview.MemberID != "" {
		successors, err := n.store.Successors(ctx, preview.MemberID, preview.WorkspaceID, opts.cursor, opts.limit)
		if err != nil {
			return err
		}
		preview.Successors = &successors
	}
	err = opts.answer(preview, func(w *strings.Builder) {
		printPreview(w, preview)
		if preview.Successors != nil {
			printSuccessors(w, *preview.Successors, opts.documents)
		}
	})
	if err != nil {
		return err
	}
	if opts.documents && preview.Successors != nil {
		opts.nextPage(preview.Successors.Documents.Next)
	}
	if !preview.Allowed {
		return &answeredError{code: exitRefused}
	}
	return nil
}

func printPreview(w *strings.Builder, p offboarding.Preview) {
	switch {
	case !p.Allowed:
		fmt.Fprint(w, "A start would be refused:\n"+violationLines(p.Violations)+"\n")
	case p.OpenCaseID != "":
		fmt.Fprintf(w, "The member's case is open already; a start would change nothing (case %s).\n\n", p.OpenCaseID)
	}
	d := p.Documents
	facts := []string{"Member", person(p.MemberName, p.MemberEmail)}
	if plan := p.Plan; plan != nil {
		facts = append(facts, "Effective", shortTime(plan.EffectiveAt), "Disposition", string(plan.Disposition),
			"New owner", newOwner(plan), "Fallback", plan.FallbackReason, "Schedules are", map[bool]string{true: "archived"}[plan.ArchiveSchedules],
			"Grace period", days(time.Duration(plan.GracePeriodSeconds)*time.Second))
	}
	facts = append(facts,
		"Documents", fmt.Sprintf("%d%s", d.Total, byKind(d.ByKind)),
		"  in My Documents", fmt.Sprint(d.MyDocuments), "  in shared folders", fmt.Sprint(d.Shared),
		"  claimable", fmt.Sprintf("%d by another active maker with an edit grant, %d by nobody", d.Claimable, d.Unclaimable),
		"  archived already", fmt.Sprint(d.Archived),
		"  under legal hold", map[bool]string{true: fmt.Sprintf("%d; they stay until it is lifted", d.Held)}[d.Held > 0],
		"Active schedules", fmt.Sprint(p.Schedules.Active), "Active credentials", fmt.Sprintf("%d%s", sum(p.Credentials), byKind(p.Credentials)),
		"Sessions", fmt.Sprint(p.Sessions))
	pairs(w, facts...)
}

func newOwner(plan *offboarding.PlannedCase) string {
	if plan.NewOwnerID == "" {
		return ""
	}
	return person(plan.NewOwnerName, plan.NewOwnerEmail)
}

// byKind is " (2 sheet, 3 workbook)", or nothing.
func byKind(counts map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

// days is a duration for people: in days where it is a whole number of them.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return count(int(d/(24*time.Hour)), "day", "days")
	}
	return d.String()
}
