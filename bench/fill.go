package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
)

// size is what an organization is made of.
type size struct {
	members   int // makers, beside the owner and the admin
	documents int // of each member, in My Documents
	schedules int // of each member's documents, the first ones
	accesses  int // API credentials and sessions of each member, so many of both
	grants    int // members who may edit each document
}

// organization is one that has been filled in.
type organization struct {
	id, owner, admin string
	members          []string // IDs, in the order of their external IDs m1, m2 …
}

// external is the external ID of the i-th member, counted from 0.
func external(i int) string { return fmt.Sprintf("m%d", i+1) }

// fill makes an organization with policy self_serve and a grace of seven days, set by
// set. Its documents have the external IDs <member>-1, <member>-2 …; the j-th member
// after a document's owner has the j-th grant on it.
func fill(ctx context.Context, db *sqlx.DB, s size) (o organization, err error) {
	o = organization{id: uuid.NewString(), owner: uuid.NewString(), admin: uuid.NewString()}
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return o, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO organizations (id, slug, name, domains, seat_limit, claim_policy, grace_period_seconds, default_disposition,
			time_zone, identity_provider, enterprise_plan_manager, created_at)
		VALUES ($1::uuid, $1::uuid::text, 'Example', '{acme.example}', 0, 'self_serve', 604800, 'retain', 'UTC', 'none', false, now())`, []any{o.id}},
		{insertMembers("$2::uuid", "'o0'", "'owner'", ""), []any{o.id, o.owner}},
		{insertMembers("$2::uuid", "'a0'", "'admin'", ""), []any{o.id, o.admin}},
		{insertMembers("gen_random_uuid()", "'m' || i", "'contributor'", " FROM generate_series(1, $2::int) i"), []any{o.id, s.members}},
		{`INSERT INTO documents (id, organization_id, external_id, title, kind, owner_id, access, created_at, updated_at)
		SELECT gen_random_uuid(), m.organization_id, m.external_id || '-' || d, 'Document ' || d, 'document', m.id, 'editable', now(), now()
		FROM members m, generate_series(1, $2::int) d WHERE m.organization_id = $1 AND m.role = 'contributor'`, []any{o.id, s.documents}},
		{`INSERT INTO schedules (id, organization_id, document_id, kind, cron, status)
		SELECT gen_random_uuid(), d.organization_id, d.id, 'export', '0 6 * * *', 'active' FROM documents d
		WHERE d.organization_id = $1 AND split_part(d.external_id, '-', 2)::int <= $2::int`, []any{o.id, s.schedules}},
		{`INSERT INTO credentials (id, organization_id, member_id, kind, name, status, created_at)
		SELECT gen_random_uuid(), m.organization_id, m.id, 'api', 'Key ' || i, 'active', now()
		FROM members m, generate_series(1, $2::int) i WHERE m.organization_id = $1 AND m.role = 'contributor'`, []any{o.id, s.accesses}},
		{`INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at)
		SELECT gen_random_uuid(), m.organization_id, m.id, false, 'active', now()
		FROM members m, generate_series(1, $2::int) i WHERE m.organization_id = $1 AND m.role = 'contributor'`, []any{o.id, s.accesses}},
		{`INSERT INTO grants (organization_id, document_id, member_id, level)
		SELECT d.organization_id, d.id, c.id, 'edit' FROM documents d JOIN members m ON m.id = d.owner_id CROSS JOIN generate_series(1, $3::int) j
		JOIN members c ON c.organization_id = d.organization_id AND c.external_id = 'm' || ((substr(m.external_id, 2)::int - 1 + j) % $2::int + 1)
		WHERE d.organization_id = $1`, []any{o.id, s.members, s.grants}},
	} {
		if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
			return o, fmt.Errorf("fill in an organization: %w", err)
		}
	}
	err = tx.SelectContext(ctx, &o.members, `SELECT id FROM members WHERE organization_id = $1 AND role = 'contributor'
		ORDER BY substr(external_id, 2)::int`, o.id)
	if err != nil {
		return o, err
	}
	if err := tx.Commit(); err != nil {
		return o, err
	}
	// What autovacuum would do in the midst of a measurement.
	for _, query := range []string{`VACUUM (ANALYZE)`, `CHECKPOINT`} {
		if _, err := db.ExecContext(ctx, query); err != nil {
			return o, err
		}
	}
	return o, nil
}

func insertMembers(id, external, role, from string) string {
	return `INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at)
		SELECT ` + id + `, $1::uuid, ` + external + `, ` + external + ` || '@acme.example', 'Member ' || ` + external + `, ` + role + `, 'maker', 'active', '', '', now()` + from
}
