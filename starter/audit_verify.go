package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

type auditVerifyOptions struct {
	*factory
	file, heads, expectHead string
	expected                offboarding.AuditHead // of expectHead
}

// anyHead is a head on a command line.
var anyHead = regexp.MustCompile(`^[1-9][0-9]{0,17}:[0-9a-f]{64}$`)

func newAuditVerifyCmd(f *factory, runF func(*auditVerifyOptions) error) *cobra.Command {
	opts := &auditVerifyOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find audit events that were changed, removed or added afterwards",
		Long: `Compute anew what the seals of the audit say, of one organization or of all, and
report every event that was changed, removed or added afterwards, and every seal.

Each answer names the newest seals. Keep answers elsewhere: against one of them,
--heads finds also an audit whose end was cut off or that was sealed anew. With
--file an export is verified instead, without any database.

Exit code 1 says that something is wrong.`,
		Example: `  starter audit verify --output json > heads.json
  starter audit verify --heads heads.json
  starter audit verify --file audit.ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.check(opts.expectHead == "" || anyHead.MatchString(opts.expectHead), "--expect-head must be NUMBER:HASH, as verify prints it")
			wrong.check(opts.expectHead == "" || opts.organization != "", "--expect-head is of one organization: --organization is missing")
			wrong.check(opts.expectHead == "" || opts.file == "", "--expect-head does not go with --file; --heads does")
			wrong.check(opts.heads == "" || opts.heads != opts.file, "--heads and --file cannot be the same file")
			if err := wrong.err(); err != nil {
				return err
			}
			if number, hash, ok := strings.Cut(opts.expectHead, ":"); ok {
				opts.expected.Hash = hash
				opts.expected.Number, _ = strconv.ParseInt(number, 10, 64) // it matched
			}
			if runF != nil {
				return runF(opts)
			}
			return auditVerifyRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.file, "file", "", "verify the export in this `FILE`, - for standard input")
	cmd.Flags().StringVar(&opts.heads, "heads", "", "`FILE` with an earlier answer of verify: its heads must be in the chain")
	cmd.Flags().StringVar(&opts.expectHead, "expect-head", "", "`NUMBER:HASH` of a seal that must be in the chain of --organization")
	return cmd
}

// verified is the answer for scripts.
type verified struct {
	Whole bool `json:"whole"`
	offboarding.AuditReport
}

func auditVerifyRun(ctx context.Context, opts *auditVerifyOptions) error {
	v := &offboarding.AuditVerifier{}
	organization := ""
	if opts.file == "" {
		n, err := opts.names(ctx)
		if err != nil {
			return err
		}
		organization = n.organizationID()
		if err := n.err(); err != nil {
			return err
		}
	}
	if err := opts.expect(v, organization); err != nil {
		return err
	}
	var err error
	if opts.file != "" {
		err = opts.verifyFile(v)
	} else {
		bar := terminal.NewBar(opts.err, "verifying seals")
		err = opts.database.VerifyAudit(ctx, organization, v, bar.Set)
		bar.Done()
	}
	if err != nil {
		return err
	}
	report := v.Report()
	if err := opts.answer(verified{report.Whole(), report}, func(w *strings.Builder) { tellVerified(w, report) }); err != nil {
		return err
	}
	if !report.Whole() {
		return &answeredError{exitFailed}
	}
	return nil
}

// expect tells the verifier the heads that were kept.
func (o *auditVerifyOptions) expect(v *offboarding.AuditVerifier, organization string) error {
	if o.expectHead != "" {
		o.expected.OrganizationID = organization
		v.Expect(o.expected)
	}
	if o.heads == "" {
		return nil
	}
	text, err := os.ReadFile(o.heads)
	if err != nil {
		return &plainError{text: "--heads: " + o.heads + " cannot be read", raw: err}
	}
	var kept struct {
		Organizations []offboarding.AuditHead `json:"organizations"`
	}
	if err := json.Unmarshal(text, &kept); err != nil || kept.Organizations == nil {
		return &plainError{text: "--heads: " + o.heads + " is no answer of 'starter audit verify --output json'", raw: err}
	}
	for _, head := range kept.Organizations {
		if head.Number > 0 && (organization == "" || organization == head.OrganizationID) {
			v.Expect(head)
		}
	}
	return nil
}

func (o *auditVerifyOptions) verifyFile(v *offboarding.AuditVerifier) error {
	in := o.in
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return &plainError{text: "--file: " + o.file + " cannot be read", raw: err}
		}
		defer func() { _ = file.Close() }() // only read
		in = file
	}
	return v.VerifyExport(in)
}

// breakWords say what is wrong.
var breakWords = map[offboarding.AuditBreakKind]string{
	offboarding.BreakChanged:     "changed after it was sealed",
	offboarding.BreakRemoved:     "removed after it was sealed",
	offboarding.BreakInserted:    "added where everything had been sealed",
	offboarding.BreakReordered:   "not in its place",
	offboarding.BreakErased:      "without its texts, though nobody whom it is about was deleted",
	offboarding.BreakSealChanged: "the seal was changed, or does not follow the one before",
	offboarding.BreakSealMissing: "the seal is gone",
	offboarding.BreakCut:         "the chain ends before this seal: its end was cut off",
	offboarding.BreakRewritten:   "another seal than the one that was kept: the chain was made anew",
}

// tellVerified prints a report for people.
func tellVerified(w *strings.Builder, r offboarding.AuditReport) {
	t := terminal.NewTable(w, "organization", "seals", "events", "erased", "not sealed yet", "head")
	for _, o := range r.Organizations {
		head := ""
		if o.Number > 0 {
			head = fmt.Sprintf("%d:%s", o.Number, o.Hash)
		}
		t.AppendRow(table.Row{terminal.Clear(o.OrganizationID), o.Number, o.Events, o.Erased, o.Unsealed, terminal.Clear(head)})
	}
	if len(r.Organizations) > 0 {
		t.Render()
		_, _ = io.WriteString(w, "\n")
	}
	if r.Whole() {
		fmt.Fprintln(w, "Every sealed event is what it was.")
		return
	}
	t = terminal.NewTable(w, "organization", "seal", "event", "what is wrong")
	for _, b := range r.Breaks {
		t.AppendRow(table.Row{terminal.Clear(b.OrganizationID), orNothing(b.Seal), eventList(b.EventIDs), breakWords[b.Kind]})
	}
	t.Render()
	if r.MoreBreaks > 0 {
		fmt.Fprintf(w, "\nand %d more.\n", r.MoreBreaks)
	}
	fmt.Fprintln(w, "\nThe audit is not what it was.")
}

func orNothing(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// eventList is some of the IDs.
func eventList(ids []int64) string {
	const most = 10
	var texts []string
	for _, id := range ids[:min(len(ids), most)] {
		texts = append(texts, strconv.FormatInt(id, 10))
	}
	text := strings.Join(texts, " ")
	if len(ids) > most {
		text += fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return text
}
