package api

import (
	"context"
	"maps"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// PreviewInput asks what a start would do.
type PreviewInput struct {
	OriginInput
	PageInput
	Body StartBody
}

// PreviewOutput says what a start would do.
type PreviewOutput struct{ Body offboarding.Preview }

func (a *API) previews() {
	register(a, AccessMember, huma.Operation{
		Method: http.MethodPost, Path: "/v1/offboardings/preview", OperationID: "preview-offboarding", Summary: "Preview an offboarding", Tags: []string{"Offboardings"},
		Description: "What a start with the same body would do, without doing it: every rule that it would break, the plan, what the member owns and can do, " +
			"and who could own the documents (rule P1), a page of them at a time.",
		Metadata: maps.Clone(changesNothing), Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, c *auth.Caller, in *PreviewInput) (*PreviewOutput, error) {
		request, err := a.request(ctx, c, in.Body, in.OriginInput)
		if err != nil {
			return nil, err
		}
		preview, err := a.store.Preview(ctx, request, a.now().UTC())
		if err != nil {
			return nil, err
		}
		refusal := &offboarding.Refusal{Violations: preview.Violations}
		if refusal.Has(offboarding.CodeNotAuthorized) { // what somebody owns is not for everybody
			return nil, refusal
		}
		if preview.MemberID != "" {
			successors, err := a.store.Successors(ctx, preview.MemberID, preview.WorkspaceID, in.Cursor, in.Limit)
			if err != nil {
				return nil, err
			}
			preview.Successors = &successors
		}
		return &PreviewOutput{preview}, nil
	})
}
