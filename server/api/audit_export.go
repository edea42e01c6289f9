package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"handover/offboarding"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/problem"
)

// What an export may take. One with proof holds a connection, and what the database keeps
// for its moment: there are few of them at a time, and none for long.
const (
	pageWithin   = time.Minute // the caller, for a page
	proofsAtOnce = 2
	proofWithin  = 15 * time.Minute
)

// AuditExportInput selects audit events for an export.
type AuditExportInput struct {
	AuditFilterInput
	Format string `query:"format" enum:"ndjson,csv" default:"ndjson" doc:"One JSON object a line, or a table for spreadsheets"`
	Proof  bool   `query:"proof" doc:"With the seals of the audit between the events, by which anybody can verify them: lines of the event AuditSeal. Takes the format ndjson and whole organizations only"`
}

func (a *API) auditExport() {
	line := &huma.Schema{Type: huma.TypeString, Description: "A line of JSON for each event, as in the list; the last one says how many there were."}
	table := &huma.Schema{Type: huma.TypeString, Description: "A row for each event, below a row of names; the last one says how many there were."}
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/audit-events/export", OperationID: "export-audit-events", Summary: "Export audit events", Tags: []string{"Audit"},
		Description: "All events that had been written when the export began, the oldest first, streamed. The last line is the event `EndOfExport` " +
			"with how many there were: an export without it was cut off. Cells of the table that a spreadsheet would take for a formula begin with an apostrophe.",
		Errors: []int{http.StatusNotFound},
		Responses: map[string]*huma.Response{"200": {
			Description: "The events",
			Content: map[string]*huma.MediaType{
				"application/x-ndjson": {Schema: line, Example: `{"event":"EndOfExport","events":0}`},
				"text/csv":             {Schema: table, Example: strings.Join(auditColumns, ",")},
			},
			Headers: map[string]*huma.Param{
				"Content-Disposition": {Description: "A name for the file", Schema: &huma.Schema{Type: huma.TypeString}},
			},
		}},
	}, func(ctx context.Context, c *auth.Caller, in *AuditExportInput) (*huma.StreamResponse, error) {
		f, err := a.auditFilter(ctx, c, &in.AuditFilterInput)
		if err != nil {
			return nil, err
		}
		if in.Proof && (in.Format == "csv" || in.Member != "" || in.Document != "" || in.Case != "" || in.From != "" || in.To != "" || len(in.Event) > 0) {
			return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, "proof", "proof takes the format ndjson, and no filter but organization")
		}
		return a.stream(c, func(hc huma.Context) { a.export(hc, f, in) }), nil
	})
}

// export writes events page by page. Where that fails the connection is broken off,
// so that nobody takes a part for the whole.
func (a *API) export(hc huma.Context, f offboarding.AuditFilter, in *AuditExportInput) {
	ctx, at := hc.Context(), a.now().UTC()
	r, w := humago.Unwrap(hc)
	if in.Proof {
		select {
		case a.proofs <- struct{}{}:
			defer func() { <-a.proofs }()
		default:
			problem.Write(w, r, a.log, problem.New(ctx, problem.CodeRateLimited, "others are exporting with proof; try again later").With("Retry-After", "60"))
			return
		}
		within, done := context.WithTimeout(ctx, proofWithin)
		defer done()
		ctx = within
	}
	trail, err := a.store.BeginAuditTrail(ctx, f, in.Proof)
	if err != nil {
		problem.Write(w, r, a.log, err)
		return
	}
	defer trail.Close()
	kind, write := "application/x-ndjson", trail.WriteLines
	if in.Format == "csv" {
		kind, write = "text/csv; charset=utf-8", func(ctx context.Context, w io.Writer) error { return writeTable(ctx, w, trail) }
	}
	hc.SetHeader("Content-Type", kind)
	hc.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="audit-%s.%s"`, at.Format("20060102T150405Z"), in.Format))
	hc.SetHeader("X-Content-Type-Options", "nosniff")
	hc.SetStatus(http.StatusOK)
	rc := http.NewResponseController(w)
	buffered := bufio.NewWriterSize(&patient{hc.BodyWriter(), rc}, 1<<16)
	_ = rc.SetWriteDeadline(time.Now().Add(pageWithin)) // a connection without deadlines is a test's
	err = write(ctx, buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		a.log.WarnContext(ctx, "an export of the audit was cut off", "error", err, "ref_id", problem.RefID(ctx))
		panic(http.ErrAbortHandler)
	}
}

// patient lets the caller take each part of an export within its own time.
type patient struct {
	io.Writer
	rc *http.ResponseController
}

func (p *patient) Write(part []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(pageWithin))
	return p.Writer.Write(part)
}

// auditColumns are the names of the table's columns.
var auditColumns = []string{
	"id", "at", "event", "organization_id", "actor_id", "actor_name", "origin", "member_id", "member_name",
	"document_id", "document_title", "case_id", "subject_kind", "subject_id", "before", "after",
}

func writeTable(ctx context.Context, w io.Writer, trail *postgres.AuditTrail) error {
	table := csv.NewWriter(w)
	table.UseCRLF = true // RFC 4180
	if err := table.Write(auditColumns); err != nil {
		return err
	}
	write := func(cells ...string) error {
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		return table.Write(cells)
	}
	n, err := trail.Each(ctx, func(e offboarding.AuditRow) error {
		return write(strconv.FormatInt(e.ID, 10), e.At.Format(time.RFC3339Nano), e.Event, e.OrganizationID, e.ActorID, e.ActorName, e.Origin,
			e.MemberID, e.MemberName, e.DocumentID, e.DocumentTitle, e.CaseID, string(e.SubjectKind), e.SubjectID, string(e.Before), string(e.After))
	}, nil)
	if err != nil {
		return err
	}
	end := make([]string, len(auditColumns))
	end[2], end[len(end)-1] = offboarding.ExportEnd, fmt.Sprintf(`{"events":%d}`, n)
	if err := write(end...); err != nil {
		return err
	}
	table.Flush()
	return table.Error()
}

// formula is where a spreadsheet may begin to read one: at the beginning of a text, and
// behind what it may take for the end of a cell, for not everywhere are cells separated
// by commas.
var formula = regexp.MustCompile(`(^|[;\t\r\n|])( *[=+\-@＝＋－＠])`)

// cell keeps spreadsheets from running a text as a formula.
func cell(text string) string { return formula.ReplaceAllString(text, "$1'$2") }
