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
type MemberOutput struct{ Body offboarding.MemberDetail }

// MemberListInput selects members.
type MemberListInput struct {
	PageInput
	Organization string `query:"organization" maxLength:"200" doc:"Only of this organization, by ID or slug; all within reach unless given"`
	Status       string `query:"status" enum:"active,inactive,archived,deleted,all" default:"active" doc:"Active members unless others are asked for (seed 000)"`
}

// MemberListOutput is a page of members.
type MemberListOutput struct {
	Body offboarding.Page[offboarding.MemberRow]
}

// OwnedInput selects documents of a member.
type OwnedInput struct {
	MemberPath
	PageInput
}

// OwnedOutput is a page of documents.
type OwnedOutput struct {
	Body offboarding.Page[offboarding.DocumentRow]
}

func (a *API) members() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members", OperationID: "list-members", Summary: "List members", Tags: []string{"Members"},
		Description: "Members within reach, active ones unless others are asked for, in the order in which they arrived, and how many there are in all.",
	}, a.listMembers)
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}", OperationID: "get-member", Summary: "Read a member", Tags: []string{"Members"},
		Description: "A member within reach, with how many documents they own and the case that is open. Owners and admins read every member, others themselves.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *MemberPath) (*MemberOutput, error) {
		m, err := a.member(ctx, c, in.ID, "id")
		if err != nil {
			return nil, err
		}
		detail, err := a.store.MemberDetail(ctx, m.ID)
		return &MemberOutput{detail}, err
	})
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/documents", OperationID: "list-documents-of-member", Summary: "List what a member owns", Tags: []string{"Members"},
		Description: "The documents that a member owns. Owners and admins see everybody's, others their own.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *OwnedInput) (*OwnedOutput, error) {
		m, err := a.member(ctx, c, in.ID, "id")
		if err != nil {
			return nil, err
		}
		page, err := a.store.Documents(ctx, offboarding.DocumentFilter{
			Reach: c.Organizations, OwnerID: m.ID, ViewerID: c.Member.ID, Cursor: in.Cursor, Limit: in.Limit,
		})
		return &OwnedOutput{page}, err
	})
	a.leaving()
	a.reactivations()
	a.deletions()
}

func (a *API) listMembers(ctx context.Context, c *auth.Caller, in *MemberListInput) (*MemberListOutput, error) {
	n := a.naming(ctx, c)
	f := offboarding.MemberFilter{Reach: n.organizations(in.Organization), AnyStatus: in.Status == "all", Cursor: in.Cursor, Limit: in.Limit}
	if !f.AnyStatus {
		f.Status = offboarding.MemberStatus(in.Status)
	}
	if err := n.err(); err != nil {
		return nil, err
	}
	page, err := a.store.Members(ctx, f)
	return &MemberListOutput{page}, err
}

// member finds a member whom the caller may read. Who may read nobody else does not
// learn either who is there.
func (a *API) member(ctx context.Context, c *auth.Caller, ref, field string) (offboarding.Member, error) {
	n := a.naming(ctx, c)
	m := n.member(ref, field)
	if n.failed == nil && m.ID != c.Member.ID && !c.Admin() {
		return offboarding.Member{}, offboarding.Refuse("A1", offboarding.CodeNotAuthorized, field, "only owners and admins see other members")
	}
	return m, n.err()
}
