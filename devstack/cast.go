package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"handover/offboarding"

	"github.com/lib/pq"
)

// person is somebody in the story.
type person struct {
	ID   string `db:"id"`
	Name string `db:"display_name"`
}

// errNobody says that the organization has nobody for a part.
var errNobody = errors.New("the organization has no active owner or admin who stays and can own documents")

// castAdmin finds who acts for the organization: an owner, else an admin, who is
// not on the list of leavers.
func (s *story) castAdmin(ctx context.Context, leaving []string) error {
	err := s.store.DB().GetContext(ctx, &s.admin, `SELECT id, display_name FROM members
		WHERE status = 'active' AND role IN ('owner', 'admin') AND account_type = 'maker' AND NOT lower(email) = ANY ($1)
		ORDER BY role = 'owner' DESC, external_id LIMIT 1`, pq.Array(leaving))
	if errors.Is(err, sql.ErrNoRows) {
		return errNobody
	}
	return err
}

// castLastOwner finds the only active owner and an admin who would offboard them;
// nobody where there are more owners, or no such admin.
func (s *story) castLastOwner(ctx context.Context) (owner, admin person, err error) {
	var found []person
	err = s.store.DB().SelectContext(ctx, &found, `SELECT id, display_name FROM (
		SELECT id, display_name, role, row_number() OVER (PARTITION BY role ORDER BY external_id) AS n,
			count(*) FILTER (WHERE role = 'owner') OVER () AS owners
		FROM members WHERE status = 'active' AND role IN ('owner', 'admin')) m
		WHERE n = 1 AND owners = 1 ORDER BY role = 'owner' DESC`)
	if err != nil || len(found) < 2 {
		return owner, admin, err
	}
	return found[0], found[1], nil
}

// castForgotten finds an inactive leaver whose case has closed, nobody where there is none.
func (s *story) castForgotten(ctx context.Context) (leaver person, err error) {
	err = s.store.DB().GetContext(ctx, &leaver, `SELECT m.id, m.display_name FROM members m JOIN cases c ON c.member_id = m.id
		WHERE m.status = 'inactive' AND c.phase = 'completed' AND m.id <> $1
		ORDER BY (SELECT count(*) FROM audit_events e WHERE e.member_id = m.id) DESC, m.external_id LIMIT 1`, s.admin.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return leaver, nil
	}
	return leaver, err
}

// largest is the place in the list of who owns most, -1 where nobody owns anything.
func (s *story) largest(ctx context.Context, list offboarding.BulkRequest) (int, error) {
	var id string
	ids := make([]string, len(list.Members))
	for i, m := range list.Members {
		ids[i] = m.MemberID
	}
	err := s.store.DB().GetContext(ctx, &id, `SELECT owner_id FROM documents WHERE owner_id = ANY ($1::uuid[])
		GROUP BY owner_id ORDER BY count(*) DESC, owner_id LIMIT 1`, pq.Array(ids))
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	return slices.Index(ids, id), err
}

// asking is a document without an owner and a colleague who asks for it.
type asking struct {
	WorkflowID string `db:"workflow_id"`
	DocumentID string `db:"document_id"`
	Title      string `db:"title"`
	MemberID   string `db:"member_id"`
	Name       string `db:"display_name"`
	Maker      bool   `db:"maker"`
	RivalID    string `db:"rival_id"` // somebody else who could claim it, "" for nobody
}

// unownedDocuments are documents that wait for an owner, each with one colleague
// with a grant: those who may claim, or only those who may not.
const unownedDocuments = `SELECT DISTINCT ON (d.id) c.workflow_id, d.id AS document_id, d.title, m.id AS member_id, m.display_name,
		m.account_type = 'maker' AND g.level = 'edit' AS maker,
		coalesce((SELECT min(g2.member_id::text) FROM grants g2 JOIN members m2 ON m2.id = g2.member_id
			WHERE g2.document_id = d.id AND g2.level = 'edit' AND g2.member_id <> m.id AND m2.status = 'active' AND m2.account_type = 'maker'), '') AS rival_id
	FROM cases c JOIN documents d ON d.owner_id = c.member_id AND d.access <> 'archived'
	JOIN grants g ON g.document_id = d.id JOIN members m ON m.id = g.member_id AND m.status = 'active'
	WHERE c.phase = ANY ($1) AND (m.account_type = 'maker' AND g.level = 'edit') = $2
	ORDER BY d.id, m.external_id`

func (s *story) asking(ctx context.Context, mayClaim bool, phases ...string) ([]asking, error) {
	var found []asking
	if err := s.store.DB().SelectContext(ctx, &found, unownedDocuments, pq.Array(phases), mayClaim); err != nil {
		return nil, fmt.Errorf("find documents without an owner: %w", err)
	}
	return found, nil
}

// estate is an open case with what its leaver still owns.
type estate struct {
	WorkflowID string `db:"workflow_id"`
	MemberID   string `db:"member_id"`
	Name       string `db:"display_name"`
	Unowned    int    `db:"unowned"`
	Moved      int    `db:"moved"`      // found a new owner already
	Colleague  string `db:"colleague"`  // who could take it over: the manager if eligible, else who works on most of it; the admin last
	Colleagues string `db:"colleagues"` // the colleague's name
}

// estates are the open cases, the largest estate first.
func (s *story) estates(ctx context.Context) ([]estate, error) {
	var found []estate
	err := s.store.DB().SelectContext(ctx, &found, `SELECT c.workflow_id, c.member_id, m.display_name, e.unowned, e.moved,
			coalesce(k.id::text, '') AS colleague, coalesce(k.display_name, '') AS colleagues
		FROM cases c JOIN members m ON m.id = c.member_id
		CROSS JOIN LATERAL (SELECT (SELECT count(*) FROM documents d WHERE d.owner_id = m.id AND d.access <> 'archived') AS unowned,
			(SELECT count(*) FROM documents d WHERE d.moved_by_case_id = c.id) AS moved) e
		LEFT JOIN LATERAL (SELECT b.id, b.display_name FROM members b WHERE b.organization_id = m.organization_id AND b.status = 'active'
			AND b.account_type = 'maker' ORDER BY b.id = $1, b.id = m.manager_id DESC NULLS LAST,
			(SELECT count(*) FROM grants g JOIN documents d ON d.id = g.document_id WHERE g.member_id = b.id AND d.owner_id = m.id) DESC LIMIT 1) k ON true
		WHERE c.phase = 'grace' AND e.unowned > 0 ORDER BY e.unowned DESC, m.external_id`, s.admin.ID)
	if err != nil {
		return nil, fmt.Errorf("find open cases: %w", err)
	}
	return found, nil
}

// number reads one number.
func (s *story) number(ctx context.Context, query string) (int, error) {
	var n int
	err := s.store.DB().GetContext(ctx, &n, query)
	return n, err
}
