package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

const (
	// documentColumns are shown of documents d, their owners m, the viewer's grants
	// g and the open cases c in which they wait. $1 is the viewer, NULL for nobody.
	documentColumns = `SELECT d.id, d.organization_id, d.external_id, d.title, d.kind, d.access, coalesce(d.workspace_id::text, '') AS workspace_id,
	d.owner_id, m.display_name AS owner_name, m.status AS owner_status, d.held OR ` + ownerHeld + ` AS held,
	coalesce(c.id::text, '') AS case_id, coalesce(c.phase, '') AS case_phase, c.grace_ends_at, ` + lastEvent + ` AS last_event_at, coalesce(g.level, '') AS viewer_level,
	coalesce((SELECT r.id::text FROM ownership_requests r WHERE r.document_id = d.id AND r.member_id = $1 AND r.status = 'pending'), '') AS viewer_request`

	// documentCase is the case in which d waits for an owner, as FindCaseOfDocument has it.
	documentCase = ` LEFT JOIN LATERAL (SELECT c.id, c.phase, c.grace_ends_at FROM cases c
		WHERE c.member_id = d.owner_id AND c.closed_at IS NULL AND c.deactivated_at IS NOT NULL AND c.phase <> 'reactivated'
		AND d.access <> 'archived' AND (c.workspace_id IS NULL OR c.workspace_id = d.workspace_id)
		ORDER BY c.workspace_id IS NULL DESC LIMIT 1) c ON true`

	// documentsAll looks a grant up for each document: of a viewer with none, the planner
	// would read the whole index of grants beside a page of documents.
	documentsAll = documentColumns + ` FROM documents d JOIN members m ON m.id = d.owner_id
	LEFT JOIN LATERAL (SELECT level FROM grants WHERE document_id = d.id AND member_id = $1 LIMIT 1) g ON true` + documentCase

	// documentsGranted goes through the viewer's grants. A document is looked up for each,
	// so that no estimate can make it read all documents; what the viewer owns is not
	// among them.
	documentsGranted = documentColumns + ` FROM grants g
	CROSS JOIN LATERAL (SELECT * FROM documents d WHERE d.id = g.document_id AND d.owner_id <> $1 LIMIT 1) d
	CROSS JOIN LATERAL (SELECT m.display_name, m.status FROM members m WHERE m.id = d.owner_id LIMIT 1) m` + documentCase
)

// Documents lists documents with their owners.
func (s *Store) Documents(ctx context.Context, f offboarding.DocumentFilter) (offboarding.Page[offboarding.DocumentRow], error) {
	limit := pageSize(f.Limit)
	c := &conditions{args: []any{idOrNull(f.ViewerID), limit + 1}}
	c.id("d.organization_id", f.OrganizationID)
	c.within("d.organization_id", f.Reach)
	c.id("d.owner_id", f.OwnerID)
	if f.Unowned {
		c.add("m.status <> 'active' AND d.access <> 'archived'")
	}
	if f.Claimable {
		c.add("c.id IS NOT NULL")
	}
	if f.Case != nil {
		c.ofCase(*f.Case, f.State)
	}
	if err := c.after("d.id", f.Cursor); err != nil {
		return offboarding.Page[offboarding.DocumentRow]{}, err
	}
	const order = " ORDER BY d.id LIMIT $2"
	query := documentsAll + c.clause() + order
	own := f.ViewerOnly && !f.Claimable && isID(f.OwnerID) && f.OwnerID == f.ViewerID // their grants are not read for it
	if (f.ViewerOnly || f.Claimable) && !own {
		owned := c.also("d.owner_id = $1")
		if f.Cursor != "" {
			c.add("g.document_id > ?::uuid", f.Cursor) // where the viewer's grants begin
		}
		query = documentsGranted + c.also("g.member_id = $1").clause() + " ORDER BY g.document_id LIMIT $2"
		if !f.Claimable {
			query = "SELECT * FROM ((" + documentsAll + owned.clause() + order + ") UNION ALL (" + query + ")) v ORDER BY id LIMIT $2"
		}
	}
	return page(ctx, s, "list documents", query, c, limit,
		func(row *offboarding.DocumentRow) []*time.Time { return []*time.Time{row.GraceEndsAt, row.LastEventAt} },
		func(row offboarding.DocumentRow) string { return row.ID })
}

// ofCase narrows documents d to those of a case that are in a state.
func (c *conditions) ofCase(of offboarding.Case, state offboarding.DocumentState) {
	if state == offboarding.DocumentMoved {
		c.id("d.moved_by_case_id", of.ID)
		return
	}
	c.id("d.owner_id", of.MemberID)
	c.id("d.workspace_id", of.WorkspaceID) // rule W1
	switch state {
	case offboarding.DocumentReadOnly:
		c.add("d.access = 'read_only'")
	case offboarding.DocumentArchived:
		c.add("d.access = 'archived' AND d.access_case_id = ?::uuid", of.ID)
	default:
		c.add("d.access <> 'archived'")
	}
}

// ReadDocument finds a document as a member sees it: only where they own it or
// have a grant on it, or where all of the organizations in reach are open to them.
// One that is hidden is refused as one that does not exist: no_access.
func (s *Store) ReadDocument(ctx context.Context, ref, viewerID string, all bool, organizations ...string) (offboarding.DocumentRow, error) {
	found, err := s.FindDocument(ctx, ref, organizations...)
	if err != nil {
		return found, err
	}
	var row offboarding.DocumentRow
	err = s.inTx(ctx, "read a document", func(t *tx) error {
		_, err := t.find(&row, documentsAll+" WHERE d.id = $2", idOrNull(viewerID), found.ID)
		return err
	})
	if err == nil && !all && row.OwnerID != viewerID && row.Grant == offboarding.GrantNone {
		return offboarding.DocumentRow{}, noDocument()
	}
	utc([]*time.Time{row.GraceEndsAt, row.LastEventAt})
	return row, err
}

func idOrNull(id string) any {
	if !isID(id) {
		return nil
	}
	return id
}
