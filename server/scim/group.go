package scim

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	filter "github.com/scim2/filter-parser/v2"

	"handover/offboarding"
)

// groups are the workspaces as a provider sees them.
type groups struct{ *Server }

// Create makes a workspace.
func (g groups) Create(r *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c := callOf(r)
	group, err := groupOf(attributes, offboarding.Group{})
	if err != nil {
		return scim.Resource{}, c.failed(err)
	}
	made, pending, err := g.store.CreateGroup(r.Context(), c.Provisioner, group, g.now())
	if err == nil {
		made, err = g.settle(r.Context(), c, made, pending)
	}
	return c.group(made), c.failed(err)
}

// Get reads a workspace.
func (g groups) Get(r *http.Request, id string) (scim.Resource, error) {
	c := callOf(r)
	group, err := g.store.Group(r.Context(), c.OrganizationID, id, !c.noMembers)
	return c.group(group), c.failed(err)
}

// GetAll lists workspaces.
func (g groups) GetAll(r *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	c := callOf(r)
	f, err := groupResource.list(c, params)
	if err != nil {
		return scim.Page{}, c.failed(err)
	}
	found, total, err := g.store.Groups(r.Context(), f)
	page := scim.Page{TotalResults: total, Resources: []scim.Resource{}}
	for _, group := range found {
		page.Resources = append(page.Resources, c.group(group))
	}
	return page, c.failed(err)
}

// Replace writes a whole workspace: who is not named any more is removed from it.
func (g groups) Replace(r *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	return g.write(r, id, func(group offboarding.Group) (offboarding.Group, error) {
		group.MemberIDs = nil
		return groupOf(attributes, group)
	})
}

// Patch changes parts of a workspace, all operations or none. It answers without the
// workspace: it may be large.
func (g groups) Patch(r *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	out, err := g.write(r, id, func(group offboarding.Group) (offboarding.Group, error) { return patchedGroup(group, operations) })
	if !r.URL.Query().Has("attributes") {
		out.Attributes = nil
	}
	return out, err
}

func (g groups) write(r *http.Request, id string, write func(offboarding.Group) (offboarding.Group, error)) (scim.Resource, error) {
	c := callOf(r)
	var wrong error // what the store would hide: it knows refusals only
	group, pending, err := g.store.WriteGroup(r.Context(), c.Provisioner, id, func(group offboarding.Group) (offboarding.Group, error) {
		group, wrong = write(group)
		return group, wrong
	}, g.now())
	if wrong != nil {
		err = wrong
	}
	if err == nil {
		group, err = g.settle(r.Context(), c, group, pending)
	}
	return c.group(group), c.failed(err)
}

// Delete deletes a workspace in which no documents are.
func (g groups) Delete(r *http.Request, id string) error {
	c := callOf(r)
	return c.failed(g.store.DeleteGroup(r.Context(), c.Provisioner, id, g.now()))
}

// settledAtOnce is how many members' cases are started side by side.
const settledAtOnce = 16

// settle removes from a workspace those who own documents there, each by a case of
// their own, and brings back those whose case is open, by that case. What is not
// done in time goes on by itself, or is done when the provider asks again.
func (g groups) settle(ctx context.Context, c *call, group offboarding.Group, pending []offboarding.PendingMember) (offboarding.Group, error) {
	if len(pending) == 0 {
		return group, nil
	}
	ctx = context.WithoutCancel(ctx) // as in settle of users
	within, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	var (
		all    sync.WaitGroup
		next   = make(chan offboarding.PendingMember)
		mu     sync.Mutex
		failed error
	)
	for range min(settledAtOnce, len(pending)) {
		all.Go(func() {
			for m := range next {
				if err := g.settleOne(within, c, group.ID, m); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for _, m := range pending {
		next <- m
	}
	close(next)
	all.Wait()
	if failed != nil {
		return group, failed
	}
	return g.store.Group(ctx, c.OrganizationID, group.ID, !c.noMembers)
}

func (g groups) settleOne(ctx context.Context, c *call, groupID string, m offboarding.PendingMember) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.WorkflowID != "" {
		_, err := g.cases.Reactivate(ctx, m.WorkflowID, offboarding.Reactivate{Provider: c.Provider})
		return err
	}
	_, err := g.cases.StartAndAwait(ctx, offboarding.Request{
		MemberID: m.MemberID, WorkspaceID: groupID, Provider: c.Provider, Origin: c.Origin(),
	})
	if offboarding.CodeOf(err) == offboarding.CodeNotInWorkspace || offboarding.CodeOf(err) == offboarding.CodeAlreadyInactive {
		return nil // somebody else was faster, or the member has left
	}
	return err
}

// groupOf reads a whole workspace; what the resource leaves out is group's.
func groupOf(attributes scim.ResourceAttributes, group offboarding.Group) (offboarding.Group, error) {
	if name, ok := attributes["displayName"].(string); ok {
		group.Name = name
	}
	if id, ok := attributes["externalId"].(string); ok {
		group.ProviderID = id
	}
	ids, err := memberIDs(attributes["members"])
	group.MemberIDs = distinct(append(group.MemberIDs, ids...))
	return group, err
}

// memberIDs reads the members of a resource or of an operation.
func memberIDs(value any) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	ids := make([]string, len(list))
	for i, v := range list {
		m := object(v)
		if ids[i] = strings.ToLower(textOf(m["value"])); ids[i] == "" {
			return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "a member has no value, which is the user's id")
		}
		if kind := textOf(m["type"]); kind != "" && !strings.EqualFold(kind, "User") {
			return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "there are no groups in groups")
		}
	}
	return ids, nil
}

func distinct(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// patchedGroup is a workspace after the operations of a PATCH, in their order.
func patchedGroup(group offboarding.Group, operations []scim.PatchOperation) (offboarding.Group, error) {
	in := make(map[string]bool, len(group.MemberIDs))
	for _, id := range group.MemberIDs {
		in[id] = true
	}
	for _, op := range operations {
		switch op.Path.AttributePath.AttributeName {
		case "displayName":
			group.Name = textOf(op.Value)
		case "externalId":
			group.ProviderID = textOf(op.Value)
		case "members":
			if err := patchMembers(in, op); err != nil {
				return group, err
			}
		}
		if op.Op == scim.PatchOperationRemove && op.Path.AttributePath.AttributeName == "externalId" {
			group.ProviderID = ""
		}
	}
	group.MemberIDs = group.MemberIDs[:0:0]
	for id, member := range in {
		if member {
			group.MemberIDs = append(group.MemberIDs, id)
		}
	}
	slices.Sort(group.MemberIDs)
	return group, nil
}

func patchMembers(in map[string]bool, op scim.PatchOperation) error {
	ids, err := memberIDs(op.Value)
	if err != nil {
		return err
	}
	selects := op.Path.ValueExpression != nil
	if sub := op.Path.SubAttributeName() + op.Path.AttributePath.SubAttributeName(); sub != "" {
		return fail(http.StatusBadRequest, scimerrors.ScimTypeMutability, "the parts of a member cannot be changed")
	}
	switch {
	case op.Op == scim.PatchOperationRemove && op.Value != nil: // as Entra names them
		for _, id := range ids {
			delete(in, id)
		}
		return nil
	case op.Op == scim.PatchOperationRemove:
		if id, one := oneMember(op.Path.ValueExpression); one { // as Okta and Entra name one; a PATCH may have thousands
			delete(in, id)
			return nil
		}
		for id := range in {
			if !selects || matches(op.Path.ValueExpression, map[string]string{"value": id, "type": "User"}) {
				delete(in, id)
			}
		}
		return nil
	case selects:
		return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidPath, "members are added by value, not by a filter")
	case op.Op == scim.PatchOperationReplace:
		clear(in)
	}
	for _, id := range ids {
		in[id] = true
	}
	return nil
}

// oneMember is the member whom a filter in brackets selects alone: value eq "…".
func oneMember(e filter.Expression) (id string, one bool) {
	is, ok := e.(*filter.AttributeExpression)
	if !ok || is.Operator != filter.EQ || !strings.EqualFold(is.AttributePath.AttributeName, "value") {
		return "", false
	}
	text, ok := is.CompareValue.(string)
	return strings.ToLower(unescape(text)), ok
}

// group is a workspace as a resource.
func (c *call) group(g offboarding.Group) scim.Resource {
	if g.ID == "" {
		return scim.Resource{}
	}
	out := scim.Resource{
		ID: g.ID, Attributes: scim.ResourceAttributes{"displayName": g.Name},
		Meta: scim.Meta{Created: &g.CreatedAt, LastModified: &g.UpdatedAt},
	}
	if g.ProviderID != "" {
		out.ExternalID = optional.NewString(g.ProviderID)
	}
	members := make([]any, len(g.Members))
	for i, m := range g.Members {
		members[i] = map[string]any{"value": m.ID, "display": m.Name, "type": "User", "$ref": c.base + "/Users/" + m.ID}
	}
	if len(members) > 0 {
		out.Attributes["members"] = members
	}
	return out
}
