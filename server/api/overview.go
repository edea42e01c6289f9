package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// OverviewOutput is how offboardings are going.
type OverviewOutput struct{ Body offboarding.Overview }

func (a *API) overview() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/overview", OperationID: "get-overview", Summary: "See how offboardings are going", Tags: []string{"Overview"},
		Description: "Open cases by phase, what is overdue or cannot go on, members offboarded in the last twelve weeks, documents that wait for an owner by how " +
			"long they have, and how long the latest 1,000 that found one had to. Each count stops at 10,000, which stands for that many or more.",
	}, func(ctx context.Context, c *auth.Caller, in *OrganizationInput) (*OverviewOutput, error) {
		n := a.naming(ctx, c)
		reach := n.organizations(in.Organization)
		if err := n.err(); err != nil {
			return nil, err
		}
		overview, err := a.store.Overview(ctx, reach, a.now().UTC())
		return &OverviewOutput{overview}, err
	})
}
