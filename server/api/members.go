package api

import (
	"context"
	"maps"
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
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/members/search", OperationID: "search-members", Summary: "Search members", Tags: []string{"Members"},
		Description: "As the list, but only members of whom every word of q is the beginning of a word of their name, email address or external ID; " +
			"they are not counted. Changes nothing; it is a POST because what is searched for is in no URL.",
		Metadata: maps.Clone(changesNothing),
	}, a.searchMembers)
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

// MemberSearchInput selects members by their names too, which are in no URL.
type MemberSearchInput struct {
	Body struct {
		SearchBody
		Status string `json:"status,omitempty" enum:"active,inactive,archived,deleted,all" default:"active" doc:"Active members unless others are asked for (seed 000)"`
	}
}

func (a *API) searchMembers(ctx context.Context, c *auth.Caller, in *MemberSearchInput) (*MemberListOutput, error) {
	b := in.Body
	return a.membersOf(ctx, c, b.Organization, b.Status, offboarding.MemberFilter{Search: b.Query, Cursor: b.Cursor, Limit: b.Limit})
}

func (a *API) listMembers(ctx context.Context, c *auth.Caller, in *MemberListInput) (*MemberListOutput, error) {
	return a.membersOf(ctx, c, in.Organization, in.Status, offboarding.MemberFilter{Cursor: in.Cursor, Limit: in.Limit})
}

// membersOf lists members of an organization, "" for all within reach, with a status or
// "all".
func (a *API) membersOf(ctx context.Context, c *auth.Caller, organization, status string, f offboarding.MemberFilter) (*MemberListOutput, error) {
	n := a.naming(ctx, c)
	f.Reach, f.AnyStatus = n.organizations(organization), status == "all"
	if !f.AnyStatus {
		f.Status = offboarding.MemberStatus(status)
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
