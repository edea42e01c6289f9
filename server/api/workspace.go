package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// WorkspacesInput selects workspaces.
type WorkspacesInput struct {
	PageInput
	OrganizationInput
}

// WorkspacesOutput is a page of workspaces.
type WorkspacesOutput struct {
	Body offboarding.Page[offboarding.WorkspaceRow]
}

// WorkspaceMembersInput selects members of a workspace.
type WorkspaceMembersInput struct {
	ID string `path:"id" maxLength:"400" doc:"The workspace: ID or external:<external id>" example:"external:w01"`
	PageInput
}

// WorkspaceMembersOutput is a page of the members of a workspace.
type WorkspaceMembersOutput struct {
	Body offboarding.Page[offboarding.WorkspaceMemberRow]
}

func (a *API) workspaces() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/workspaces", OperationID: "list-workspaces", Summary: "List workspaces", Tags: []string{"Workspaces"},
		Description: "Workspaces within reach, with how many members and documents are in them.",
	}, func(ctx context.Context, c *auth.Caller, in *WorkspacesInput) (*WorkspacesOutput, error) {
		n := a.naming(ctx, c)
		f := offboarding.WorkspaceFilter{Reach: n.organizations(in.Organization), Cursor: in.Cursor, Limit: in.Limit}
		if err := n.err(); err != nil {
			return nil, err
		}
		page, err := a.store.Workspaces(ctx, f)
		return &WorkspacesOutput{page}, err
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/workspaces/{id}/members", OperationID: "list-workspace-members", Summary: "List the members of a workspace",
		Tags: []string{"Workspaces"}, Errors: []int{http.StatusNotFound},
		Description: "Members of a workspace, of every status, and what they are there.",
	}, func(ctx context.Context, c *auth.Caller, in *WorkspaceMembersInput) (*WorkspaceMembersOutput, error) {
		w, err := a.store.FindWorkspace(ctx, in.ID, c.Organizations...)
		if err != nil {
			return nil, err
		}
		page, err := a.store.WorkspaceMembers(ctx, w.ID, in.Cursor, in.Limit)
		return &WorkspaceMembersOutput{page}, err
	})
}
