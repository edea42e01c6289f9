package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

type statusOptions struct {
	*factory
	member   string
	watch    bool
	interval time.Duration
}

func newStatusCmd(f *factory, runF func(*statusOptions) error) *cobra.Command {
	opts := &statusOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "status MEMBER",
		Short: "Show how far a member's case is",
		Long: `Show how far a member's case is: the open one, else the newest. With --watch, a
line is written whenever something has changed, until the case has closed.`,
		Example: `  starter status ada@example.com
  starter status ada@example.com --watch`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "MEMBER")
			wrong.check(opts.interval >= 100*time.Millisecond, "--interval must be at least 100ms")
			if err := wrong.err(); err != nil {
				return err
			}
			opts.member = args[0]
			if runF != nil {
				return runF(opts)
			}
			return statusRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVarP(&opts.watch, "watch", "w", false, "go on until the case has closed")
	cmd.Flags().DurationVar(&opts.interval, "interval", 2*time.Second, "how often to look, with --watch")
	return cmd
}

// shownStatus is a case as the database has it and, where the case itself
// answers, how far it is.
type shownStatus struct {
	Case   offboarding.CaseRow `json:"case"`
	Status *offboarding.Status `json:"status"` // null when the case does not answer
	Notice string              `json:"notice,omitempty"`
}

func statusRun(ctx context.Context, opts *statusOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	_, of := n.memberOrCase(opts.member, "member_id", opts.now())
	if err := n.err(); err != nil {
		return err
	}
	if opts.watch {
		return watchStatus(ctx, opts, n, of)
	}
	shown, err := lookAt(ctx, opts, n, of)
	if err != nil {
		return err
	}
	return opts.answer(shown, func(w *strings.Builder) { printStatus(w, shown) })
}

// lookAt reads the case from the database and asks it. One that has closed may be
// forgotten by the engine, or another case may go by its name: its row says all.
func lookAt(ctx context.Context, opts *statusOptions, n *names, of string) (shownStatus, error) {
	row, err := n.store.FindCase(ctx, of, opts.now().UTC())
	shown := shownStatus{Case: row}
	if err != nil {
		return shown, err
	}
	ctx, stop := context.WithTimeout(ctx, min(opts.timeout, 10*time.Second))
	defer stop()
	cases, err := opts.cases(ctx)
	if err == nil {
		var status offboarding.Status
		if status, err = cases.Status(ctx, row.WorkflowID); err == nil && status.CaseID == row.ID {
			shown.Status = &status
		}
	}
	if err == nil || row.ClosedAt != nil {
		return shown, nil
	}
	shown.Notice = "the case itself does not answer: " + safeText(err)
	return shown, nil
}

// watchStatus writes a line whenever something has changed.
func watchStatus(ctx context.Context, opts *statusOptions, n *names, of string) error {
	ticker := time.NewTicker(opts.interval)
	defer ticker.Stop()
	last := ""
	for {
		shown, err := lookAt(ctx, opts, n, of)
		if ctx.Err() != nil {
			return nil // ^C is how a watch ends
		}
		if err != nil {
			return err
		}
		if line := statusLine(shown); line != last {
			last = line
			if opts.output == outputJSON {
				err = writeJSON(opts.out, shown, "")
			} else {
				_, err = fmt.Fprintln(opts.out, shortTime(opts.now())+"  "+terminal.Clear(line))
			}
		}
		if err != nil || shown.Case.ClosedAt != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// statusLine is a case in one line; it changes when the case does.
func statusLine(s shownStatus) string {
	c := s.Case
	parts := []string{string(c.Phase)}
	switch c.Phase {
	case offboarding.PhaseScheduled:
		parts = append(parts, "until "+shortTime(c.EffectiveAt))
	case offboarding.PhaseRevoking:
		if c.SessionsEndAt != nil {
			parts = append(parts, "waiting for SSO sessions until "+shortTimeOf(c.SessionsEndAt)+" at the latest")
		}
	case offboarding.PhaseGrace:
		parts = append(parts, "until "+shortTimeOf(c.GraceEndsAt))
	}
	parts = append(parts, count(c.Unowned, "document waits", "documents wait")+" for an owner",
		count(c.PendingRequests, "request", "requests")+" pending")
	if note := caseNote(c); note != "" {
		parts = append(parts, note)
	}
	if s.Notice != "" {
		parts = append(parts, s.Notice)
	}
	return strings.Join(parts, ", ")
}

func printStatus(w *strings.Builder, s shownStatus) {
	c := s.Case
	facts := []string{
		"Member", person(c.MemberName, c.MemberEmail), "Phase", string(c.Phase), "Case", c.ID, "Workspace", c.WorkspaceID,
		"Disposition", string(c.Disposition), "Fallback", terminal.Clear(c.FallbackReason), "Effective", shortTime(c.EffectiveAt),
		"Asked for by", c.Provider, "Sessions end", sessionsEnd(c), "Deactivated", shortTimeOf(c.DeactivatedAt),
		"Grace ends", shortTimeOf(c.GraceEndsAt), "Closed", shortTimeOf(c.ClosedAt),
		"Unowned", fmt.Sprint(c.Unowned), "Pending requests", fmt.Sprint(c.PendingRequests), "Failure", terminal.Clear(c.Failure),
	}
	if trouble := troubleOf(s); trouble != nil {
		facts = append(facts, "Stuck", fmt.Sprintf("at %s, attempt %d, since %s: %s",
			trouble.Step, trouble.Attempt, shortTime(trouble.Since), terminal.Clear(trouble.LastError)))
	}
	if c.Overdue {
		facts = append(facts, "Overdue", "the next step was due and has not been done; is a worker running?")
	}
	if live := s.Status; live != nil {
		d := live.Documents
		facts = append(facts, "Documents", fmt.Sprintf("%d: %d transferred, %d claimed, %d approved, %d archived, %d returned, %d read-only",
			d.Total, d.Transferred, d.Claimed, d.Approved, d.Archived, d.Returned, d.ReadOnly),
			"Next reminder", shortTimeOf(live.NextReminderAt), "Next escalation", shortTimeOf(live.NextEscalation), "Steps done", strings.Join(live.StepsDone, ", "))
		for _, m := range live.RefusedMessages {
			facts = append(facts, "Refused", fmt.Sprintf("%s %s (%s)", m.Message, m.Code, shortTime(m.At)))
		}
	}
	pairs(w, append(facts, "Notice", s.Notice)...)
}

// sessionsEnd is until when a case waits for SSO sessions, "" while it does not.
func sessionsEnd(c offboarding.CaseRow) string {
	if c.Phase != offboarding.PhaseRevoking || c.SessionsEndAt == nil {
		return ""
	}
	return shortTimeOf(c.SessionsEndAt) + " at the latest; credentials are revoked"
}

// troubleOf is why the case cannot go on, nil while it does. The case knows best;
// its row may be old where the database could not be written.
func troubleOf(s shownStatus) *offboarding.Trouble {
	c := s.Case
	switch {
	case c.ClosedAt != nil && c.TroubleStep != offboarding.StepArchiveMember:
		return nil
	case c.ClosedAt != nil: // the archival outlives the case
	case s.Status != nil:
		return s.Status.Trouble
	case c.TroubleStep == "" || c.TroubleSince == nil:
		return nil
	}
	return &offboarding.Trouble{Step: c.TroubleStep, Attempt: c.TroubleAttempt, LastError: c.TroubleError, Since: *c.TroubleSince}
}
