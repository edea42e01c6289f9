package main

import (
	"context"
	"errors"
	"time"

	"handover/offboarding"
	"handover/postgres"
)

// names resolves what a command line names. What cannot be found is collected,
// so that a person hears about all of it at once.
type names struct {
	ctx        context.Context //nolint:containedctx // lives as long as one command
	store      *postgres.Store
	slug       string
	violations []offboarding.Violation
	failed     error
}

func (f *factory) names(ctx context.Context) (*names, error) {
	store, err := f.store()
	return &names{ctx: ctx, store: store, slug: f.organization}, err
}

// err is what could not be resolved.
func (n *names) err() error {
	if n.failed != nil {
		return n.failed
	}
	return offboarding.RefusalOf(n.violations)
}

func (n *names) keep(err error, field string) {
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		n.failed = err
		return
	}
	for _, v := range refusal.Violations {
		if field != "" {
			v.Field = field
		}
		n.violations = append(n.violations, v)
	}
}

// member finds the member that a command is about.
func (n *names) member(ref, field string) offboarding.Member {
	return n.memberOf(ref, field, n.slug)
}

func (n *names) memberOf(ref, field, organization string) offboarding.Member {
	if n.failed != nil || ref == "" {
		return offboarding.Member{}
	}
	m, err := n.store.FindMember(n.ctx, ref, organization)
	if err != nil {
		n.keep(err, field)
	}
	return m
}

// actor finds who acts: a member of the organization that the command is about,
// else of any (an ancestor's admin, rule A1).
func (n *names) actor(ref, field, organizationID string) offboarding.Member {
	if n.failed != nil || ref == "" {
		return offboarding.Member{}
	}
	if organizationID != "" {
		m, err := n.store.FindMember(n.ctx, ref, organizationID)
		if offboarding.CodeOf(err) != offboarding.CodeMemberNotFound {
			if err != nil {
				n.keep(err, field)
			}
			return m
		}
	}
	return n.memberOf(ref, field, "")
}

// newOwner finds a new owner; "" and "manager" stay what they are.
func (n *names) newOwner(ref, organizationID string) string {
	if ref == "" || ref == offboarding.NewOwnerManager {
		return ref
	}
	return n.memberOf(ref, "new_owner_id", organizationID).ID
}

// memberOrCase finds a member, by the ID of one of their cases too, and what
// FindCase then takes: a member may have several cases open, one of the whole
// organization and one for each workspace.
func (n *names) memberOrCase(ref, field string, now time.Time) (offboarding.Member, string) {
	if row, err := n.store.FindCase(n.ctx, ref, now.UTC()); err == nil && row.ID == ref {
		return n.memberOf(row.MemberID, field, row.OrganizationID), row.ID
	}
	m := n.member(ref, field)
	return m, m.ID
}

func (n *names) workspace(ref, organization string) offboarding.Workspace {
	if n.failed != nil {
		return offboarding.Workspace{}
	}
	w, err := n.store.FindWorkspace(n.ctx, ref, organization)
	if err != nil {
		n.keep(err, "workspace_id")
	}
	return w
}

func (n *names) document(ref, organization string) offboarding.DocumentRow {
	if n.failed != nil {
		return offboarding.DocumentRow{}
	}
	d, err := n.store.FindDocument(n.ctx, ref, organization)
	if err != nil {
		n.keep(err, "document_id")
	}
	return d
}

// organizationID is the ID of the organization that was named, "" for none.
func (n *names) organizationID() string {
	if n.slug == "" || n.failed != nil {
		return ""
	}
	o, err := n.store.Organization(n.ctx, n.slug)
	if err != nil {
		n.keep(err, "organization")
	}
	return o.ID
}
