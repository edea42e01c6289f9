// Command bench measures Handover beside what it could have been: a textbook
// workflow, bare SQL, one leaver after the other. Both run in turn, in one run, on the
// same PostgreSQL and the same Temporal server, and both are durable.
package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handover/internal/app"
)

func main() { app.Main(rootCommand()) }

func rootCommand() *cobra.Command {
	o := options{scale: usual}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast access is gone, what a case costs, and what many documents cost",
		Long: `Measure how fast access is gone, what a case costs, and what many documents cost.

Starts a PostgreSQL and a Temporal server of its own, both durable and both removed at
the end, and runs each measurement in turn with what it is compared to. A promise that
does not hold for a case that was measured makes the exit status 1.`,
		Example: "  bench --json bench/results.json\n  bench --scale quick --only cases,bulk",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	names := make([]string, 0, len(sections))
	for _, s := range sections {
		names = append(names, s.name)
	}
	cmd.Flags().StringVar(&o.json, "json", "", "write the results to this `file`")
	cmd.Flags().Var(&o.scale, "scale", "how much is measured: quick (three minutes), usual (a quarter of an hour) or full (three quarters)")
	cmd.Flags().BoolVar(&o.markdown, "markdown", false, "print the table in Markdown")
	cmd.Flags().StringSliceVar(&o.only, "only", nil, fmt.Sprintf("only these `sections`: %s", strings.Join(names, ", ")))
	return cmd
}
