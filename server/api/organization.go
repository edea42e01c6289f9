package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// OrganizationInput narrows to one organization.
type OrganizationInput struct {
	Organization string `query:"organization" maxLength:"400" doc:"The organization: ID or slug; for owners and admins of one with enterprise plan manager also one below it" example:"acme"`
}

// OrganizationsOutput are the organizations within reach.
type OrganizationsOutput struct {
	Body offboarding.Page[offboarding.OrganizationRow]
}

func (a *API) organizations() {
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/organizations", OperationID: "list-organizations", Summary: "List the organizations within reach",
		Tags:        []string{"Organizations"},
		Description: "The caller's organization, first, and for owners and admins the organizations below it, where it has enterprise plan manager on (rule A1).",
	}, func(ctx context.Context, c *auth.Caller, _ *struct{}) (*OrganizationsOutput, error) {
		rows, err := a.store.Organizations(ctx, c.Organizations)
		return &OrganizationsOutput{offboarding.Page[offboarding.OrganizationRow]{Items: rows}}, err
	})
}
