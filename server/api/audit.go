package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// AuditFilterInput selects audit events.
type AuditFilterInput struct {
	OrganizationInput
	Event    []string `query:"event" maxItems:"50" doc:"Only events of these names, separated by commas" example:"ClaimDocOwnership,TransferDocs"`
	Member   string   `query:"member" maxLength:"400" doc:"Only events about this member: ID, email:<address> or external:<external id>" example:"external:emp-1041"`
	Document string   `query:"document" maxLength:"400" doc:"Only events about this document: ID or external:<external id>" example:"external:d01914"`
	Case     string   `query:"case" maxLength:"100" doc:"Only events of this case" example:"b3c04a61-c585-5040-b763-01d6fae1a107"`
	From     string   `query:"from" maxLength:"100" doc:"Only events since this time (RFC 3339), or since the beginning of this day in UTC" example:"2026-03-01"`
	To       string   `query:"to" maxLength:"100" doc:"Only events before this time (RFC 3339), or until the end of this day in UTC" example:"2026-03-31"`
}

// AuditInput selects a page of audit events.
type AuditInput struct {
	AuditFilterInput
	PageInput
	Order string `query:"order" enum:"asc,desc" default:"desc" doc:"The oldest first (asc) or the newest (desc)"`
}

// AuditOutput is a page of audit events.
type AuditOutput struct {
	Body offboarding.Page[offboarding.AuditRow]
}

func (a *API) audit() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/audit-events", OperationID: "list-audit-events", Summary: "List audit events", Tags: []string{"Audit"},
		Description: "Who changed what, when, in the order in which it was written. A program that follows the audit asks with `order=asc` " +
			"and the last `cursor`; an event whose transaction took longer than that of its successor can come to light behind the cursor, " +
			"so it asks again from some minutes back and knows events by their `id`.",
		Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *AuditInput) (*AuditOutput, error) {
		f, err := a.auditFilter(ctx, c, &in.AuditFilterInput)
		if err != nil {
			return nil, err
		}
		f.OldestFirst, f.Cursor, f.Limit = in.Order == "asc", in.Cursor, in.Limit
		page, err := a.store.AuditEvents(ctx, f)
		return &AuditOutput{page}, err
	})
	a.auditExport()
}

// auditFilter reads a filter; what is wrong with it is reported all together.
func (a *API) auditFilter(ctx context.Context, c *auth.Caller, in *AuditFilterInput) (offboarding.AuditFilter, error) {
	f := offboarding.AuditFilter{Reach: c.Organizations, Events: in.Event, CaseID: in.Case}
	var w wrong
	var err error
	f.OrganizationID, err = a.organization(ctx, c, in.Organization)
	w.add(err, "")
	if in.Member != "" {
		m, err := a.member(ctx, c, in.Member)
		w.add(err, "member")
		f.MemberID = m.ID
	}
	if in.Document != "" {
		d, err := a.document(ctx, c, in.Document)
		w.add(err, "document")
		f.DocumentID = d.ID
	}
	f.From, err = moment("from", in.From, 0)
	w.add(err, "")
	f.To, err = moment("to", in.To, 1)
	w.add(err, "")
	return f, w.err()
}

// moment reads a time, or a date in UTC moved by a number of days.
func moment(field, text string, moved int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, moved), nil
	}
	// A plus sign that nobody has escaped is a space in a query.
	at, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1))
	if err != nil {
		return time.Time{}, offboarding.Refuse("", offboarding.CodeInvalidArgument, field, field+" must be a date or an RFC 3339 time")
	}
	return at, nil
}
