package main

import (
	"bufio"
	"context"

	"github.com/spf13/cobra"

	"handover/offboarding"
)

type auditExportOptions struct {
	*factory
}

func newAuditExportCmd(f *factory, runF func(*auditExportOptions) error) *cobra.Command {
	opts := &auditExportOptions{factory: f}
	return &cobra.Command{
		Use:   "export",
		Short: "Write all audit events with the proof that they are what they were",
		Long: `Write all audit events, of one organization or of all, the oldest first, as lines of
JSON, with the seals between them by which anybody can verify them: see
docs/audit.md and 'starter audit verify --file'.`,
		Example: "  starter audit export --organization devdocs > audit.ndjson",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return auditExportRun(cmd.Context(), opts)
		},
	}
}

func auditExportRun(ctx context.Context, opts *auditExportOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	filter := offboarding.AuditFilter{OrganizationID: n.organizationID()}
	if err := n.err(); err != nil {
		return err
	}
	trail, err := n.store.BeginAuditTrail(ctx, filter, true)
	if err != nil {
		return err
	}
	defer trail.Close()
	out := bufio.NewWriterSize(opts.out, 1<<16)
	if err := trail.WriteLines(ctx, out); err != nil {
		return err
	}
	return out.Flush()
}
