package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"handover/internal/config"
)

// run runs one command line and returns its exit code; main and the tests start
// here.
func run(ctx context.Context, args []string, s streams) int {
	f := newFactory(s)
	defer f.close()
	root := newRootCmd(f)
	root.SetArgs(args)
	f.output = outputAsked(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !f.running {
		err = &usageError{problems: []string{err.Error()}} // the flags or the command's name
	}
	return report(f, cmd, err)
}

func newRootCmd(f *factory) *cobra.Command {
	root := &cobra.Command{
		Use:   "starter COMMAND",
		Short: "Offboard members and hand over their documents",
		Long: `Offboard members: revoke what they can do, deactivate the account, give the
documents a new home, and never forget a step.

Members are named by email, external ID or ID, documents by external ID or ID.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done, 4 refused by a rule.`,
		Example: `  starter preview ada@example.com --as admin@example.com
  starter start ada@example.com --as admin@example.com --new-owner manager
  starter status ada@example.com --watch`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.ArbitraryArgs,
		RunE:              wantsCommand(""),
		PersistentPreRunE: func(*cobra.Command, []string) error { return f.begin() },
	}
	root.SetOut(f.out)
	root.SetErr(f.err)
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	f.databaseSettings = config.Bind(flags, config.DatabaseGroup)
	f.temporalSettings = config.Bind(flags, config.TemporalGroup)
	flags.StringVar(&f.organization, "organization", "", "`SLUG` of the organization, where a name fits several (env HANDOVER_ORGANIZATION)")
	flags.StringVar(&f.as, "as", "", "`MEMBER` who does this (env HANDOVER_AS)")
	flags.StringVarP(&f.output, "output", "o", f.output, "`FORMAT` of the answer: table or json")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for an answer")
	root.AddCommand(
		newMigrateCmd(f, nil), newImportCmd(f, nil), newSettingsCmd(f, nil),
		newPreviewCmd(f, nil), newStartCmd(f, nil), newBulkCmd(f, nil),
		newStatusCmd(f, nil), newListCmd(f, nil), newAuditCmd(f, nil), newMembersCmd(f, nil), newDocumentsCmd(f, nil),
		newClaimCmd(f, nil), newRequestsCmd(f, nil), newApproveCmd(f, nil), newRejectCmd(f, nil), newTransferCmd(f, nil),
		newExtendCmd(f, nil), newRescheduleCmd(f, nil), newCancelCmd(f, nil), newReactivateCmd(f, nil), newDeleteCmd(f, nil),
		newRemoveCmd(f, nil), newHoldCmd(f), newCredentialCmd(f), newScimCmd(f), newDoctorCmd(f, nil),
	)
	return root
}

// outputAsked finds the format in a command line that may not parse.
func outputAsked(args []string) string {
	for i, arg := range args {
		if slices.Contains([]string{"--output=json", "-o=json", "-ojson"}, arg) {
			return outputJSON
		}
		if (arg == "--output" || arg == "-o") && i+1 < len(args) && args[i+1] == outputJSON {
			return outputJSON
		}
	}
	return outputTable
}

// wantsCommand is the run of a command that only has others; prefix is what its own
// stand behind, "" for the root's.
func wantsCommand(prefix string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return &usageError{problems: []string{fmt.Sprintf("there is no command %q", prefix+args[0])}}
		}
		return cmd.Help()
	}
}
