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
	n := a.naming(ctx, c)
	f := offboarding.AuditFilter{Reach: n.organizations(in.Organization), Events: in.Event, CaseID: in.Case}
	if in.Member != "" {
		f.MemberID = n.member(in.Member, "member").ID
	}
	if in.Document != "" {
		f.DocumentID = n.document(in.Document, "document").ID
	}
	f.From, f.To = n.moment("from", in.From, 0), n.moment("to", in.To, 1)
	return f, n.err()
}

// moment reads a time, or a date in UTC moved by a number of days.
func (n *naming) moment(field, text string, moved int) time.Time {
	if text == "" {
		return time.Time{}
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, moved)
	}
	// A plus sign that nobody has escaped is a space in a query.
	at, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1))
	if err != nil {
		n.add(offboarding.Violation{Code: offboarding.CodeInvalidArgument, Field: field, Message: field + " must be a date or an RFC 3339 time"})
	}
	return at
}
