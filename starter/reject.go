package main

import (
	"github.com/spf13/cobra"

	"handover/offboarding"
)

func newRejectCmd(f *factory, runF func(*decideOptions) error) *cobra.Command {
	opts := &decideOptions{factory: f, decision: offboarding.DecisionReject}
	cmd := &cobra.Command{
		Use:     "reject REQUEST",
		Short:   "Reject an ownership request",
		Example: `  starter reject 6e9c1f3a-52b4-4a54-9c55-0d0a2f5f7a10 --as admin@example.com --note "it moves to the data team"`,
		RunE:    opts.parse(runF),
	}
	cmd.Flags().StringVar(&opts.note, "note", "", "`TEXT` for the requester")
	return cmd
}
