package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

const (
	selectGroupBy = `SELECT w.id, w.name, coalesce(w.provider_id, '') AS provider_id, w.created_at,
		greatest(w.created_at, w.updated_at) AS updated_at FROM workspaces w`
	groupsOf    = ` WHERE w.organization_id = $1 AND w.deleted_at IS NULL`
	selectGroup = selectGroupBy + groupsOf + ` AND w.id = $2`
	lockGroup   = selectGroup + ` FOR NO KEY UPDATE`
	// Those whom the provider sees.
	selectGroupMembers = `SELECT wm.workspace_id, m.id, m.display_name FROM workspace_members wm
	CROSS JOIN LATERAL (SELECT * FROM members WHERE id = wm.member_id LIMIT 1) m
	WHERE wm.workspace_id = ANY ($1::uuid[]) AND m.status <> 'deleted' AND m.deprovisioned_at IS NULL ORDER BY wm.workspace_id, m.id`
)

// groupFields are what groups are filtered by, in lower case.
var groupFields = map[string]provisionField{
	"id":                {fieldID, "w.id"},
	"displayname":       {fieldText, "w.name"},
	"externalid":        {fieldExact, "w.provider_id"},
	"members":           {fieldMember, memberOfGroup},
	"members.value":     {fieldMember, memberOfGroup},
	"meta.created":      {fieldTime, "w.created_at"},
	"meta.lastmodified": {fieldTime, "greatest(w.created_at, w.updated_at)"},
}

const memberOfGroup = `EXISTS (SELECT 1 FROM workspace_members wm JOIN members m ON m.id = wm.member_id
	WHERE wm.workspace_id = w.id AND wm.member_id = ?::uuid AND m.status <> 'deleted' AND m.deprovisioned_at IS NULL)`

// groupRow is a workspace as the provider sees it, as stored.
type groupRow struct {
	ID         string    `db:"id"`
	Name       string    `db:"name"`
	ProviderID string    `db:"provider_id"`
	CreatedAt  time.Time `db:"created_at"`
	UpdatedAt  time.Time `db:"updated_at"`
}

func (t *tx) groups(rows []groupRow, members bool) ([]offboarding.Group, error) {
	out := make([]offboarding.Group, len(rows))
	at := make(map[string]int, len(rows))
	ids := make([]string, len(rows))
	for i, r := range rows {
		out[i] = offboarding.Group{
			ID: r.ID, Name: r.Name, ProviderID: r.ProviderID, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		}
		at[r.ID], ids[i] = i, r.ID
	}
	if !members || len(rows) == 0 {
		return out, nil
	}
	var found []struct {
		WorkspaceID string `db:"workspace_id"`
		offboarding.GroupMember
	}
	err := t.list(&found, selectGroupMembers, pq.Array(ids))
	for _, m := range found {
		g := &out[at[m.WorkspaceID]]
		g.Members = append(g.Members, m.GroupMember)
		g.MemberIDs = append(g.MemberIDs, m.ID)
	}
	return out, err
}

func (t *tx) group(query, organizationID, id string, members bool) (offboarding.Group, error) {
	var row groupRow
	found := false
	var err error
	if isID(id) {
		found, err = t.find(&row, query, organizationID, id)
	}
	if err == nil && !found {
		err = offboarding.Refuse("W1", offboarding.CodeWorkspaceNotFound, "id", "there is no such group")
	}
	if err != nil {
		return offboarding.Group{}, err
	}
	groups, err := t.groups([]groupRow{row}, members)
	if err != nil {
		return offboarding.Group{}, err
	}
	return groups[0], nil
}

// Group is a workspace as the organization's identity provider sees it.
func (s *Store) Group(ctx context.Context, organizationID, id string, members bool) (g offboarding.Group, err error) {
	err = s.inTx(ctx, "read a group", func(t *tx) (err error) {
		g, err = t.group(selectGroup, organizationID, id, members)
		return err
	})
	return g, err
}

// Groups lists the workspaces whom the provider sees, and counts them all.
func (s *Store) Groups(ctx context.Context, f offboarding.ProvisionFilter) (out []offboarding.Group, total int, err error) {
	c := &conditions{args: []any{f.OrganizationID}}
	if err := c.provisioned(f.Condition, groupFields); err != nil {
		return nil, 0, err
	}
	err = s.inTx(ctx, "list groups", func(t *tx) error {
		var rows []groupRow
		if total, err = provisionedPage(t, &rows, `FROM workspaces w`+groupsOf, selectGroupBy+groupsOf, c, "w.id", f); err != nil {
			return err
		}
		out, err = t.groups(rows, !f.NoMembers)
		return err
	})
	return out, total, err
}

const (
	insertGroup = `INSERT INTO workspaces (id, organization_id, external_id, name, provider_id, created_at, updated_at)
	VALUES ($1::uuid, $2, CASE WHEN $3::text <> '' AND NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.organization_id = $2 AND w.external_id = $3) THEN $3
		ELSE 'scim:' || ($1::uuid)::text END, $4, nullif($3, ''), $5, $5)`
	updateGroup    = `UPDATE workspaces SET name = $2, provider_id = nullif($3, ''), updated_at = $4 WHERE id = $1`
	touchGroup     = `UPDATE workspaces SET updated_at = $2 WHERE id = $1`
	selectNamesake = `SELECT EXISTS (SELECT 1 FROM workspaces w` + groupsOf + ` AND lower(w.name) = lower($2) AND w.id::text <> $3)`
	deleteGroup    = `UPDATE workspaces SET deleted_at = $2, updated_at = $2, provider_id = NULL, external_id = 'deleted:' || id WHERE id = $1`
)

// CreateGroup makes a workspace. A name that another has is refused with
// already_exists.
func (s *Store) CreateGroup(
	ctx context.Context, p offboarding.Provisioner, g offboarding.Group, at time.Time,
) (out offboarding.Group, pending []offboarding.PendingMember, err error) {
	at = at.Truncate(time.Microsecond)
	err = s.inTx(ctx, "create a group", func(t *tx) error {
		id := newID().String()
		if violations := offboarding.CheckGroup(g); len(violations) > 0 {
			return offboarding.RefusalOf(violations)
		}
		if err := t.nameIsFree(p, g.Name, id); err != nil {
			return err
		}
		if _, err := t.exec(insertGroup, id, p.OrganizationID, g.ProviderID, g.Name, at); err != nil {
			return asTaken(err)
		}
		err := t.auditOf(p.OrganizationID, p.Origin(), at, change{
			event: offboarding.EventCreateWorkspace, actor: p.AdminID, kind: offboarding.SubjectWorkspace, subject: id,
			after: state{"name": g.Name, "external_id": g.ProviderID},
		})
		if err != nil {
			return err
		}
		if pending, err = t.writeMembers(p, id, nil, g.MemberIDs, at); err != nil {
			return err
		}
		out, err = t.group(selectGroup, p.OrganizationID, id, true)
		return err
	})
	return out, pending, err
}

// nameIsFree lets names be given one after the other, and each once.
func (t *tx) nameIsFree(p offboarding.Provisioner, name, id string) error {
	var locked string
	if err := t.get(&locked, lockOrganization, p.OrganizationID); err != nil {
		return err
	}
	var taken bool
	if err := t.get(&taken, selectNamesake, p.OrganizationID, name, id); err != nil {
		return err
	}
	if taken {
		return offboarding.Refuse("", offboarding.CodeAlreadyExists, "displayName", "another group has this displayName")
	}
	return nil
}

// WriteGroup changes a workspace by what write makes of it. Who is added belongs to
// it at once, unless a case has removed them from it and brings them back; who is
// removed has left at once, unless they own documents there: a case then removes
// them. Both are left to the caller, as pending.
func (s *Store) WriteGroup(
	ctx context.Context, p offboarding.Provisioner, id string, write func(offboarding.Group) (offboarding.Group, error), at time.Time,
) (out offboarding.Group, pending []offboarding.PendingMember, err error) {
	at = at.Truncate(time.Microsecond)
	err = s.inTx(ctx, "write a group", func(t *tx) error {
		g, err := t.group(lockGroup, p.OrganizationID, id, true)
		if err != nil {
			return err
		}
		want, err := write(g)
		if err != nil {
			return err
		}
		if violations := offboarding.CheckGroup(want); len(violations) > 0 {
			return offboarding.RefusalOf(violations)
		}
		if err := t.renameGroup(p, g, want, at); err != nil {
			return err
		}
		if pending, err = t.writeMembers(p, g.ID, g.MemberIDs, want.MemberIDs, at); err != nil {
			return err
		}
		out, err = t.group(selectGroup, p.OrganizationID, id, true)
		return err
	})
	return out, pending, err
}

func (t *tx) renameGroup(p offboarding.Provisioner, g, want offboarding.Group, at time.Time) error {
	if g.Name == want.Name && g.ProviderID == want.ProviderID {
		return nil
	}
	if g.Name != want.Name {
		if err := t.nameIsFree(p, want.Name, g.ID); err != nil {
			return err
		}
	}
	if _, err := t.exec(updateGroup, g.ID, want.Name, want.ProviderID, at); err != nil {
		return asTaken(err)
	}
	return t.auditOf(p.OrganizationID, p.Origin(), at, change{
		event: offboarding.EventUpdateWorkspace, actor: p.AdminID, kind: offboarding.SubjectWorkspace, subject: g.ID,
		before: state{"name": g.Name, "external_id": g.ProviderID}, after: state{"name": want.Name, "external_id": want.ProviderID},
	})
}

const (
	countProvisioned = `SELECT count(*) FROM members m` + provisionable + ` AND m.id = ANY ($2::uuid[])`
	// A case that has removed them is open. One that waits for its time has not: they still belong there.
	selectRemovedBy = `SELECT c.member_id, c.workflow_id FROM cases c
	WHERE c.workspace_id = $1 AND c.member_id = ANY ($2::uuid[]) AND c.closed_at IS NULL AND c.deactivated_at IS NOT NULL ORDER BY c.member_id`
	selectOwnersThere = `SELECT m.id FROM members m WHERE m.id = ANY ($2::uuid[]) AND m.status = 'active'
		AND EXISTS (SELECT 1 FROM documents d WHERE d.workspace_id = $1 AND d.owner_id = m.id) ORDER BY m.id`
	addMembers = `WITH added AS (
		INSERT INTO workspace_members (organization_id, workspace_id, member_id, role) SELECT $1, $2, unnest($3::uuid[]), 'member'
		ON CONFLICT DO NOTHING RETURNING member_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, subject_kind, subject_id, before, after, at)
	SELECT $1, 'AddToWorkspace', nullif($4, '')::uuid, $5, member_id, 'workspace', $2::uuid::text, '{"role": ""}', '{"role": "member"}', $6 FROM added`
	removeMembers = removeEverybody + ` AND member_id = ANY ($6::uuid[])` + removedAudit

	removeEverybody = `WITH removed AS (DELETE FROM workspace_members WHERE workspace_id = $2`
	removedAudit    = ` RETURNING member_id, role)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, subject_kind, subject_id, before, after, at)
	SELECT $1, 'RemoveFromWorkspace', nullif($3, '')::uuid, $4, member_id, 'workspace', $2::uuid::text, jsonb_build_object('role', role), '{"role": ""}', $5
	FROM removed`
)

// writeMembers makes those belong to a workspace who shall, some statements
// whatever their number.
func (t *tx) writeMembers(
	p offboarding.Provisioner, groupID string, have, want []string, at time.Time,
) (pending []offboarding.PendingMember, err error) {
	add, remove := without(want, have), without(have, want)
	if len(add)+len(remove) == 0 {
		return nil, nil
	}
	var known int
	if !slices.ContainsFunc(add, func(id string) bool { return !isID(id) }) {
		if err := t.get(&known, countProvisioned, p.OrganizationID, pq.Array(add)); err != nil {
			return nil, err
		}
	}
	if known != len(add) {
		return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, "members", "a member that is added is no user of the organization")
	}
	if err := t.list(&pending, selectRemovedBy, groupID, pq.Array(add)); err != nil {
		return nil, err
	}
	var returning []string
	for _, m := range pending {
		returning = append(returning, m.MemberID)
	}
	if _, err := t.exec(addMembers, p.OrganizationID, groupID, pq.Array(without(add, returning)), p.AdminID, p.Origin(), at); err != nil {
		return nil, err
	}
	var owners []string
	if err := t.list(&owners, selectOwnersThere, groupID, pq.Array(remove)); err != nil {
		return nil, err
	}
	for _, id := range owners {
		pending = append(pending, offboarding.PendingMember{MemberID: id})
	}
	if _, err := t.exec(removeMembers, p.OrganizationID, groupID, p.AdminID, p.Origin(), at, pq.Array(without(remove, owners))); err != nil {
		return nil, err
	}
	_, err = t.exec(touchGroup, groupID, at)
	return pending, err
}

// without are the texts of one list that are not in another, each once, in order.
func without(list, other []string) []string {
	in := make(map[string]bool, len(other))
	for _, text := range other {
		in[text] = true
	}
	out := []string{}
	for _, text := range list {
		if !in[text] {
			in[text] = true
			out = append(out, text)
		}
	}
	return out
}

// DeleteGroup deletes a workspace with its memberships. One in which documents are,
// or from which somebody is being removed, is refused with wrong_phase: what
// becomes of the documents is decided first.
func (s *Store) DeleteGroup(ctx context.Context, p offboarding.Provisioner, id string, at time.Time) error {
	at = at.Truncate(time.Microsecond)
	return s.inTx(ctx, "delete a group", func(t *tx) error {
		g, err := t.group(lockGroup, p.OrganizationID, id, false)
		if err != nil {
			return err
		}
		const used = `SELECT EXISTS (SELECT 1 FROM documents d WHERE d.workspace_id = $1)
			OR EXISTS (SELECT 1 FROM cases c WHERE c.workspace_id = $1 AND c.closed_at IS NULL)`
		var inUse bool
		if err := t.get(&inUse, used, id); err != nil {
			return err
		}
		if inUse {
			return offboarding.Refuse("W1", offboarding.CodeWrongPhase, "id",
				"documents are in the workspace, or a removal from it is open; move them out before the group is deleted")
		}
		members, err := t.exec(removeEverybody+removedAudit, p.OrganizationID, id, p.AdminID, p.Origin(), at)
		if err != nil {
			return err
		}
		if _, err := t.exec(deleteGroup, id, at); err != nil {
			return err
		}
		return t.auditOf(p.OrganizationID, p.Origin(), at, change{
			event: offboarding.EventDeleteWorkspace, actor: p.AdminID, kind: offboarding.SubjectWorkspace, subject: id,
			before: state{"name": g.Name, "external_id": g.ProviderID, "members": members}, after: state{"status": "deleted"},
		})
	})
}
