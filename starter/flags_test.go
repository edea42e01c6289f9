package main

import (
	"errors"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// parse runs a command's flags without its behavior.
func parse(f *factory, cmd *cobra.Command, args ...string) error {
	f.as = "admin@example.com"
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	return cmd.Execute()
}

func TestStartFlags(t *testing.T) {
	t.Parallel()
	f := silent()
	var got *startOptions
	require.NoError(t, parse(f, newStartCmd(f, func(o *startOptions) error { got = o; return nil }),
		"ada", "--disposition", "transfer", "--new-owner", "manager", "--archive-schedules", "--grace", "7d",
		"--last-day", "2026-03-31", "--reason", "left", "--origin", "SCRIPT,Acme,HR", "--no-wait"))
	require.Equal(t, "ada", got.member)
	require.True(t, got.noWait)
	require.Equal(t, offboarding.Request{
		Disposition: "transfer", NewOwnerID: "manager", ArchiveSchedules: true, GracePeriod: "7d", EffectiveAt: "2026-03-31",
		Reason: "left", Origin: "SCRIPT,Acme,HR",
	}, got.request())
}

func TestMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cmd  func(*factory) *cobra.Command
		args []string
		want int
	}{
		"archive with schedules":    {func(f *factory) *cobra.Command { return newStartCmd(f, nil) }, []string{"a", "--disposition", "archive", "--archive-schedules"}, 1},
		"archive with new owner":    {func(f *factory) *cobra.Command { return newPreviewCmd(f, nil) }, []string{"--disposition", "retain", "--new-owner", "b"}, 2},
		"a time as last day":        {func(f *factory) *cobra.Command { return newStartCmd(f, nil) }, []string{"a", "--last-day", "2026-01-01T10:00:00Z"}, 1},
		"reschedule to nothing":     {func(f *factory) *cobra.Command { return newRescheduleCmd(f, nil) }, []string{"a"}, 1},
		"reschedule to two times":   {func(f *factory) *cobra.Command { return newRescheduleCmd(f, nil) }, []string{"a", "--last-day", "x", "--effective-at", "y"}, 3},
		"extend without until":      {func(f *factory) *cobra.Command { return newExtendCmd(f, nil) }, []string{"a", "b"}, 2},
		"a watch that never rests":  {func(f *factory) *cobra.Command { return newStatusCmd(f, nil) }, []string{"--interval", "1ms"}, 2},
		"too many rows":             {func(f *factory) *cobra.Command { return newListCmd(f, nil) }, []string{"--limit", "5000"}, 1},
		"transfer without a member": {func(f *factory) *cobra.Command { return newTransferCmd(f, nil) }, nil, 1},
	} {
		f := silent()
		var usage *usageError
		err := parse(f, test.cmd(f), test.args...)
		require.True(t, errors.As(err, &usage), "%s: %v", name, err)
		require.Len(t, usage.problems, test.want, "%s: %v", name, usage.problems)
	}
}

func TestDecideFlags(t *testing.T) {
	t.Parallel()
	f := silent()
	var got *decideOptions
	keep := func(o *decideOptions) error { got = o; return nil }
	require.NoError(t, parse(f, newApproveCmd(f, keep), "r1", "--new-owner", "b", "--note", "n"))
	require.Equal(t, []string{"approve", "r1", "b", "n"}, []string{got.decision, got.request, got.newOwner, got.note})
	require.NoError(t, parse(f, newRejectCmd(f, keep), "r2"))
	require.Equal(t, []string{"reject", "r2"}, []string{got.decision, got.request})
	require.Error(t, parse(f, newRejectCmd(f, keep), "r2", "--new-owner", "b"), "a rejection gives the document to nobody")
}

func TestAuditDaysAreWholeDays(t *testing.T) {
	t.Parallel()
	f := silent()
	var got *auditOptions
	require.NoError(t, parse(f, newAuditCmd(f, func(o *auditOptions) error { got = o; return nil }), "--from", "2026-03-01", "--to", "2026-03-01"))
	require.Equal(t, 24*time.Hour, got.until.Sub(got.since))
}

func TestBulkExitCodes(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]bulkSummary{
		"SUCCESS":         {Total: 2, Accepted: 2},
		"PARTIAL_SUCCESS": {Total: 3, Accepted: 1, Refused: 1, Failed: 1},
		"REFUSED":         {Total: 2, Refused: 1, NotStarted: 1},
		"FAILED":          {Total: 2, Refused: 1, Failed: 1},
	} {
		require.Equal(t, want, s.result(), "%+v", s)
	}
	require.Equal(t, exitFailed, bulkSummary{Total: 1, NotStarted: 1}.exitCode(), "stopped before anything was started")
}
