package postgres

import (
	"context"
	"slices"
	"time"

	"handover/offboarding"
)

const (
	// The eligible new owners (rule N1) who are not being offboarded, of those with
	// edit grants on the leaver's ($1) documents and the leaver's manager. The lateral
	// join goes from document to document by the index, never over all grants.
	selectCandidates = `WITH estate AS (
		SELECT g.member_id, count(*) AS edit_grants, max(g.last_edited_at) AS last_edited_at FROM documents d
		CROSS JOIN LATERAL (SELECT member_id, last_edited_at FROM grants WHERE document_id = d.id AND level = 'edit' OFFSET 0) g
		WHERE d.owner_id = $1 AND d.access <> 'archived'` + scope + `GROUP BY g.member_id),
	manager AS (SELECT manager_id AS id FROM members WHERE id = $1),
	candidates AS (
		SELECT member_id, edit_grants, last_edited_at FROM estate
		UNION ALL SELECT id, 0, NULL FROM manager WHERE NOT EXISTS (SELECT 1 FROM estate WHERE member_id = manager.id))
	SELECT m.id AS member_id, m.external_id, m.display_name AS name, m.email, manager.id IS NOT DISTINCT FROM m.id AS manager,
		c.edit_grants, c.last_edited_at
	FROM candidates c JOIN members m ON m.id = c.member_id, manager
	WHERE m.status = 'active' AND m.account_type = 'maker' AND m.id <> $1
	AND NOT EXISTS (SELECT 1 FROM cases WHERE member_id = m.id AND closed_at IS NULL AND workspace_id IS NULL)`

	// A page of the leaver's documents, each with the candidates ($4, the best first)
	// who edited it latest. What the ranking would not choose is not read.
	// $1 leaver, $2 after, $3 how many documents, $4 candidates, $5 how many for each.
	selectEditors = `WITH page AS MATERIALIZED (
		SELECT id, external_id, title, kind, held OR ` + leaverHeld + ` AS held
		FROM documents d WHERE owner_id = $1 AND access <> 'archived' AND id > $2` + scope + `ORDER BY id LIMIT $3),
	ranked AS (
		SELECT p.id, g.member_id, g.last_edited_at, row_number() OVER (PARTITION BY p.id ORDER BY g.last_edited_at DESC NULLS LAST, c.place) AS n
		FROM page p
		CROSS JOIN LATERAL (SELECT member_id, last_edited_at FROM grants WHERE document_id = p.id AND level = 'edit' OFFSET 0) g
		JOIN unnest($4::uuid[]) WITH ORDINALITY AS c (member_id, place) ON c.member_id = g.member_id)
	SELECT p.id, p.external_id, p.title, p.kind, p.held, coalesce(r.member_id::text, '') AS member_id, r.last_edited_at
	FROM page p LEFT JOIN ranked r ON r.id = p.id AND r.n <= $5 ORDER BY p.id, r.n`

	countEstate = `SELECT count(*) FROM documents d WHERE owner_id = $1 AND access <> 'archived'` + scope

	selectBeingOffboarded = `SELECT EXISTS (SELECT 1 FROM cases WHERE member_id = $1 AND closed_at IS NULL AND workspace_id IS NULL)`
)

// Successors suggests who could own a member's documents: for all of them, and for
// each of a page of them in the order of their IDs; workspaceID narrows, "" for all
// (rule W1). It changes nothing. The cursor is the ID of the last document seen, limit 0 is offboarding.DefaultLimit.
func (s *Store) Successors(ctx context.Context, memberID, workspaceID, cursor string, limit int) (offboarding.Successors, error) {
	out := offboarding.Successors{Suggestions: []offboarding.Suggestion{}, Notes: []string{}}
	out.Documents.Items = []offboarding.DocumentSuggestions{}
	limit = pageSize(limit)
	if cursor == "" {
		cursor = firstID
	} else if !isID(cursor) {
		return out, badCursor()
	}
	err := s.inTx(ctx, "suggest successors", func(t *tx) error {
		if err := t.set(byIndex, asAsked); err != nil { // there may be thousands of candidates
			return err
		}
		leaver, err := t.memberByID(memberID, selectMember)
		if err != nil || leaver == nil {
			return err
		}
		query, args := scoped(workspaceID, countEstate, []any{leaver.ID})
		if err := t.get(&out.DocumentCount, query, args...); err != nil {
			return err
		}
		if out.DocumentCount > 0 {
			var candidates []offboarding.Candidate
			query, args := scoped(workspaceID, selectCandidates, []any{leaver.ID})
			if err := t.list(&candidates, query, args...); err != nil {
				return err
			}
			for i := range candidates {
				utc([]*time.Time{candidates[i].LastEditedAt})
			}
			out.Suggestions = offboarding.SuggestForEstate(candidates, out.DocumentCount)
			if err := t.suggestForDocuments(&out, leaver, workspaceID, candidates, cursor, limit); err != nil {
				return err
			}
		}
		manager, err := t.memberByID(leaver.ManagerID, selectMember)
		leaving := false
		if err == nil && manager != nil {
			err = t.get(&leaving, selectBeingOffboarded, manager.ID)
		}
		out.Notes = offboarding.SuccessionNotes(leaver, manager, leaving, out)
		return err
	})
	return out, err
}

func (t *tx) suggestForDocuments(
	out *offboarding.Successors, leaver *offboarding.Member, workspaceID string, all []offboarding.Candidate, cursor string, limit int,
) error {
	var rows []struct {
		offboarding.DocumentSuggestions
		MemberID     string     `db:"member_id"`
		LastEditedAt *time.Time `db:"last_edited_at"`
	}
	all = slices.Clone(all)
	for i := range all {
		all[i].LastEditedAt = nil // of some document; here that of each counts
	}
	offboarding.SortForDocument(all)
	ids, byID := make([]string, len(all)), make(map[string]offboarding.Candidate, len(all))
	for i, c := range all {
		ids[i], byID[c.MemberID] = c.MemberID, c
	}
	query, args := scoped(workspaceID, selectEditors, []any{leaver.ID, cursor, limit + 1, uuidArray(ids), offboarding.SuggestedForDocument})
	if err := t.list(&rows, query, args...); err != nil {
		return err
	}
	page := &out.Documents
	for first := 0; first < len(rows); {
		if len(page.Items) == limit {
			page.Next = page.Items[limit-1].DocumentID
			break
		}
		document, candidates := rows[first].DocumentSuggestions, []offboarding.Candidate{}
		manager := leaver.ManagerID
		for ; first < len(rows) && rows[first].DocumentID == document.DocumentID; first++ {
			if c, ok := byID[rows[first].MemberID]; ok {
				utc([]*time.Time{rows[first].LastEditedAt})
				c.Edits, c.LastEditedAt = true, rows[first].LastEditedAt
				candidates = append(candidates, c)
				if c.MemberID == manager {
					manager = ""
				}
			}
		}
		if c, ok := byID[manager]; ok {
			candidates = append(candidates, c)
		}
		document.Suggestions = offboarding.SuggestForDocument(candidates, out.DocumentCount)
		page.Items = append(page.Items, document)
	}
	return nil
}
