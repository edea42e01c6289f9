package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// RequestPath names an ownership request.
type RequestPath struct {
	ID string `path:"id" maxLength:"400" doc:"The ownership request" example:"01a1ffde-cb45-7e37-9d9d-6f40ecc098b4"`
}

// RequestsInput selects ownership requests.
type RequestsInput struct {
	PageInput
	OrganizationInput
	Status   string `query:"status" enum:"pending,approved,rejected,superseded,withdrawn,decided,all" default:"pending" doc:"Status of the requests; decided is every status but pending"`
	Order    string `query:"order" enum:"asc,desc" default:"asc" doc:"The oldest first (asc), as they wait, or the newest (desc)"`
	Document string `query:"document" maxLength:"400" doc:"Only requests for this document: ID or external:<external id>" example:"external:d01914"`
	Member   string `query:"member" maxLength:"400" doc:"Only requests of this member: ID, email:<address>, external:<external id>, or me" example:"me"`
	Case     string `query:"case" maxLength:"100" doc:"Only requests in this case" example:"b3c04a61-c585-5040-b763-01d6fae1a107"`
}

// RequestOutput is an ownership request.
type RequestOutput struct{ Body offboarding.RequestRow }

// RequestsOutput is a page of ownership requests.
type RequestsOutput struct {
	Body offboarding.Page[offboarding.RequestRow]
}

// ApproveInput approves an ownership request.
type ApproveInput struct {
	RequestPath
	OriginInput
	Body *ApproveBody
}

// ApproveBody says who gets the document.
type ApproveBody struct {
	NewOwnerID string `json:"new_owner_id,omitempty" maxLength:"400" doc:"Another owner than the requester: ID, email:<address> or external:<external id>" example:"external:emp-1041"`
	Note       string `json:"note,omitempty" maxLength:"2000" doc:"For the requester" example:"as agreed with the team"`
}

// RejectInput rejects an ownership request.
type RejectInput struct {
	RequestPath
	OriginInput
	Body *RejectBody
}

// RejectBody says why.
type RejectBody struct {
	Note string `json:"note,omitempty" maxLength:"2000" doc:"For the requester" example:"it stays with the team"`
}

func (a *API) requests() {
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/ownership-requests", OperationID: "list-ownership-requests", Summary: "List ownership requests",
		Tags: []string{"Ownership requests"}, Errors: []int{http.StatusNotFound},
		Description: "Ownership requests, the oldest first unless asked otherwise. Owners and admins see all within reach, others their own.",
	}, a.listRequests)
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/ownership-requests/{id}", OperationID: "get-ownership-request", Summary: "Read an ownership request",
		Tags: []string{"Ownership requests"}, Errors: []int{http.StatusNotFound},
		Description: "An ownership request, for owners and admins and for who asked.",
	}, func(ctx context.Context, c *auth.Caller, in *RequestPath) (*RequestOutput, error) {
		row, err := a.ownershipRequest(ctx, c, in.ID)
		return &RequestOutput{row}, err
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/ownership-requests/{id}/approve", OperationID: "approve-ownership-request", Summary: "Approve an ownership request",
		Tags: []string{"Ownership requests"}, DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "The requester gets the document, or another owner whom the body names (rule C3). Other pending requests for it are superseded.",
	}, func(ctx context.Context, c *auth.Caller, in *ApproveInput) (*OutcomeOutput, error) {
		if in.Body == nil {
			in.Body = &ApproveBody{}
		}
		return a.decide(ctx, c, in.ID, in.OriginInput, offboarding.AdminApproval{
			Decision: offboarding.DecisionApprove, NewOwnerID: in.Body.NewOwnerID, Note: in.Body.Note,
		})
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/ownership-requests/{id}/reject", OperationID: "reject-ownership-request", Summary: "Reject an ownership request",
		Tags: []string{"Ownership requests"}, DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "The document stays where it is (rule C3).",
	}, func(ctx context.Context, c *auth.Caller, in *RejectInput) (*OutcomeOutput, error) {
		if in.Body == nil {
			in.Body = &RejectBody{}
		}
		return a.decide(ctx, c, in.ID, in.OriginInput, offboarding.AdminApproval{Decision: offboarding.DecisionReject, Note: in.Body.Note})
	})
}

func (a *API) listRequests(ctx context.Context, c *auth.Caller, in *RequestsInput) (*RequestsOutput, error) {
	n := a.naming(ctx, c)
	f := offboarding.RequestFilter{
		Reach: n.organizations(in.Organization), Status: offboarding.RequestStatus(in.Status), AnyStatus: in.Status == "all", Decided: in.Status == "decided",
		NewestFirst: in.Order == "desc", CaseID: in.Case, Cursor: in.Cursor, Limit: in.Limit,
	}
	if in.Member != "" {
		f.MemberID = n.visible(in.Member, "member").ID
	}
	if in.Document != "" {
		f.DocumentID = n.document(in.Document, "document").ID
	}
	if err := n.err(); err != nil {
		return nil, err
	}
	if !c.Admin() {
		f.MemberID = c.Member.ID
	}
	page, err := a.store.Requests(ctx, f)
	return &RequestsOutput{page}, err
}

// ownershipRequest finds an ownership request that the caller may see.
func (a *API) ownershipRequest(ctx context.Context, c *auth.Caller, id string) (offboarding.RequestRow, error) {
	row, err := a.store.FindRequest(ctx, id, c.Organizations...)
	if offboarding.CodeOf(err) != "" || err == nil && !c.Admin() && row.MemberID != c.Member.ID {
		return offboarding.RequestRow{}, problem.New(ctx, problem.CodeNotFound, "there is no such request in reach")
	}
	return row, err
}

func (a *API) decide(ctx context.Context, c *auth.Caller, id string, o OriginInput, m offboarding.AdminApproval) (*OutcomeOutput, error) {
	row, err := a.ownershipRequest(ctx, c, id)
	if err != nil {
		return nil, err
	}
	m.RequestID, m.AdminID = row.ID, c.Member.ID
	n := a.naming(ctx, c)
	m.Origin = n.origin(o)
	m.NewOwnerID = n.newOwner(m.NewOwnerID, row.OrganizationID, "new_owner_id")
	if err := n.err(); err != nil {
		return nil, err
	}
	outcome, err := a.cases.Decide(ctx, row.WorkflowID, m, client.WithUpdateID(a.updateID(ctx)))
	return &OutcomeOutput{outcome}, err
}
