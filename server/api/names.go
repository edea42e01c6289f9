package api

import (
	"cmp"
	"context"
	"errors"

	"handover/offboarding"
	"handover/server/auth"
)

// naming finds what a request names, within the caller's reach. What cannot be
// found is collected, so that the caller hears about all of it at once.
type naming struct {
	a          *API
	ctx        context.Context //nolint:containedctx // lives as long as one request
	caller     *auth.Caller
	violations []offboarding.Violation
	failed     error
}

func (a *API) naming(ctx context.Context, c *auth.Caller) *naming {
	return &naming{a: a, ctx: ctx, caller: c}
}

// add adds what is wrong with the request besides. Each is said once.
func (n *naming) add(violations ...offboarding.Violation) {
	for _, v := range violations {
		if !n.has(v) {
			n.violations = append(n.violations, v)
		}
	}
}

func (n *naming) has(v offboarding.Violation) bool {
	for _, known := range n.violations {
		if known.Code == v.Code && known.Field == v.Field {
			return true
		}
	}
	return false
}

// err is what is wrong with the request.
func (n *naming) err() error {
	if n.failed != nil {
		return n.failed
	}
	return offboarding.RefusalOf(n.violations)
}

// keep takes over why something was not found, under the field that named it, ""
// for those that the error has.
func (n *naming) keep(err error, field string) {
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		n.failed = err
		return
	}
	for _, v := range refusal.Violations {
		if field != "" {
			v.Field = field
		}
		n.add(v)
	}
}

// member finds whom the request is about.
func (n *naming) member(ref, field string) offboarding.Member {
	if ref == "me" {
		return n.caller.Member
	}
	m, err := n.a.store.FindMember(n.ctx, ref, n.caller.Organizations...)
	if err != nil {
		n.keep(err, field)
	}
	return m
}

// visible finds a member whom the caller may read.
func (n *naming) visible(ref, field string) offboarding.Member {
	m, err := n.a.member(n.ctx, n.caller, ref, field)
	if err != nil {
		n.keep(err, field)
	}
	return m
}

// newOwner finds a new owner in the leaver's organization; "" and "manager" stay
// what they are.
func (n *naming) newOwner(ref, organizationID, field string) string {
	switch {
	case ref == "" || ref == offboarding.NewOwnerManager || organizationID == "":
		return ref
	case ref == "me":
		return n.caller.Member.ID
	}
	m, err := n.a.store.FindMember(n.ctx, ref, organizationID)
	switch {
	case offboarding.CodeOf(err) == offboarding.CodeMemberNotFound:
		n.add(offboarding.Violation{
			Rule: "N1", Code: offboarding.CodeNewOwnerNotEligible, Field: field, Message: "there is no such member in the leaver's organization",
		})
	case err != nil:
		n.keep(err, field)
	}
	return m.ID
}

// workspace finds a workspace of the leaver's organization.
func (n *naming) workspace(ref, organizationID string) string {
	if ref == "" || organizationID == "" {
		return ref
	}
	w, err := n.a.store.FindWorkspace(n.ctx, ref, organizationID)
	if err != nil {
		n.keep(err, "workspace_id")
	}
	return w.ID
}

// time judges the form of a time; what it comes to is for the case to say.
func (n *naming) time(text string, m offboarding.Member, field string) {
	if _, err := offboarding.EffectiveTime(text, cmp.Or(m.TimeZone, "UTC"), n.a.now()); err != nil {
		n.keep(err, field)
	}
}

// origin is where the request comes from.
func (n *naming) origin(o OriginInput) string {
	origin, violations := o.origin()
	n.add(violations...)
	return origin
}

// organizations are the IDs of the organizations that a list is about: one that is
// named by slug or ID, else all within reach.
func (n *naming) organizations(ref string) []string {
	if ref == "" {
		return n.caller.Organizations
	}
	o, err := n.a.store.Organization(n.ctx, ref)
	switch {
	case err == nil && n.caller.Reaches(o.ID):
		return []string{o.ID}
	case err != nil && offboarding.CodeOf(err) == "":
		n.failed = err
	default:
		n.add(offboarding.Violation{Code: offboarding.CodeInvalidArgument, Field: "organization", Message: "there is no such organization"})
	}
	return nil
}
