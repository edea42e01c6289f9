package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// HoldsInput selects legal holds.
type HoldsInput struct {
	PageInput
	OrganizationInput
	Member   string `query:"member" maxLength:"400" doc:"Only holds on this member: ID, email:<address> or external:<external id>" example:"external:emp-1041"`
	Document string `query:"document" maxLength:"400" doc:"Only holds on this document: ID or external:<external id>" example:"external:d01914"`
	Lifted   bool   `query:"lifted" doc:"Those that have been lifted too"`
}

// HoldsOutput is a page of legal holds.
type HoldsOutput struct {
	Body offboarding.Page[offboarding.HoldRow]
}

// PlaceHoldInput places a legal hold.
type PlaceHoldInput struct {
	OriginInput
	Body PlaceHoldBody
}

// PlaceHoldBody says what is held and why.
type PlaceHoldBody struct {
	MemberID   string `json:"member_id,omitempty" maxLength:"400" doc:"The member all of whose documents are held: ID, email:<address> or external:<external id>; instead of document_id" example:"external:emp-1041"`
	DocumentID string `json:"document_id,omitempty" maxLength:"400" doc:"The document that is held: ID or external:<external id>; instead of member_id" example:"external:d01914"`
	Reason     string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why, such as the matter's number" example:"matter 2026-12"`
}

// PlaceHoldOutput names a legal hold.
type PlaceHoldOutput struct {
	Body struct {
		HoldID string `json:"hold_id" doc:"The legal hold" example:"01a1ffde-c038-72a2-abd3-2ee046c7cc2d"`
	}
}

// LiftHoldInput names a legal hold.
type LiftHoldInput struct {
	OriginInput
	ID string `path:"id" maxLength:"100" doc:"The legal hold" example:"01a1ffde-c038-72a2-abd3-2ee046c7cc2d"`
}

func (a *API) holds() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/legal-holds", OperationID: "list-legal-holds", Summary: "List legal holds", Tags: []string{"Legal holds"},
		Description: "Legal holds within reach, the newest first (rule H1).", Errors: []int{http.StatusNotFound},
	}, a.listHolds)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/legal-holds", OperationID: "place-legal-hold", Summary: "Place a legal hold", Tags: []string{"Legal holds"},
		Description:   "From then on what is held, a document or all that a member owns, is not claimed, transferred or archived (rule H1). It keeps nobody's access open: who leaves, leaves.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound},
	}, a.placeHold)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodDelete, Path: "/v1/legal-holds/{id}", OperationID: "lift-legal-hold", Summary: "Lift a legal hold", Tags: []string{"Legal holds"},
		Description: "What another hold is on stays held. Nothing happens to the documents by that alone.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *LiftHoldInput) (*struct{}, error) {
		n := a.naming(ctx, c)
		origin := n.origin(in.OriginInput)
		row, err := a.store.FindHold(ctx, in.ID, c.Organizations...)
		if err != nil {
			n.keep(err, "id")
		}
		if err := n.err(); err != nil || row.LiftedBy == c.Member.ID { // lifted by them before: sent again
			return nil, err
		}
		return nil, a.store.LiftHold(ctx, row.ID, c.Member.ID, origin, a.now().UTC())
	})
}

func (a *API) listHolds(ctx context.Context, c *auth.Caller, in *HoldsInput) (*HoldsOutput, error) {
	n := a.naming(ctx, c)
	f := offboarding.HoldFilter{Reach: n.organizations(in.Organization), Lifted: in.Lifted, Cursor: in.Cursor, Limit: in.Limit}
	if in.Member != "" {
		f.MemberID = n.member(in.Member, "member").ID
	}
	if in.Document != "" {
		f.DocumentID = n.document(in.Document, "document").ID
	}
	if err := n.err(); err != nil {
		return nil, err
	}
	page, err := a.store.Holds(ctx, f)
	return &HoldsOutput{page}, err
}

func (a *API) placeHold(ctx context.Context, c *auth.Caller, in *PlaceHoldInput) (*PlaceHoldOutput, error) {
	n := a.naming(ctx, c)
	h := offboarding.Hold{ID: a.newID(ctx, "hold"), Reason: in.Body.Reason, Origin: n.origin(in.OriginInput)}
	if in.Body.MemberID != "" {
		h.MemberID = n.member(in.Body.MemberID, "member_id").ID
	}
	if in.Body.DocumentID != "" {
		h.DocumentID = n.document(in.Body.DocumentID, "document_id").ID
	}
	if err := n.err(); err != nil {
		return nil, err
	}
	out := &PlaceHoldOutput{}
	var err error
	out.Body.HoldID, err = a.store.PlaceHold(ctx, h, c.Member.ID, a.now().UTC())
	return out, err
}
