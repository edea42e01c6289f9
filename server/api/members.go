package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// MemberPath names a member.
type MemberPath struct {
	ID string `path:"id" maxLength:"400" doc:"The member: ID, email:<address>, external:<external id>, or me" example:"external:emp-1041"`
}

// MemberOutput is a member.
type MemberOutput struct{ Body offboarding.Member }

func (a *API) members() {
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}", OperationID: "get-member", Summary: "Read a member", Tags: []string{"Members"},
		Description: "A member within reach. Owners and admins read every member, others themselves.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *MemberPath) (*MemberOutput, error) {
		m, err := a.member(ctx, c, in.ID)
		return &MemberOutput{m}, err
	})
}

// member finds a member whom the caller may read.
func (a *API) member(ctx context.Context, c *auth.Caller, ref string) (offboarding.Member, error) {
	if ref == "me" {
		ref = c.Member.ID
	}
	m, err := a.store.FindMember(ctx, ref, c.Organizations...)
	switch {
	case err != nil:
		return offboarding.Member{}, err
	case m.ID != c.Member.ID && !c.Admin():
		return offboarding.Member{}, offboarding.Refuse("A1", offboarding.CodeNotAuthorized, "id", "only owners and admins see other members")
	}
	return m, nil
}
