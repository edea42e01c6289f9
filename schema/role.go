package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// RoleError says why a role cannot be the application's or the server's, in words that can be shown.
type RoleError struct {
	Role     string
	Problems []string
}

// Error is one line.
func (e *RoleError) Error() string {
	return fmt.Sprintf("the role %q cannot be used: %s", e.Role, strings.Join(e.Problems, "; "))
}

// What a role of the application's may do. Tables that are named nowhere here are read
// and written.
const (
	// Not the ID, which says where in the order an event stands.
	auditColumns = `organization_id, event, actor_id, origin, member_id, document_id, case_id, subject_kind, subject_id, before, after, at`
	onlyRead     = `('goose_db_version', 'audit_seals', 'audit_heads', 'audit_texts', 'audit_horizon')`
	functions    = `('erase_audit_texts', 'seal_audit', 'name_above')`
	// Of the server's role, behind the wall.
	serverFunctions = `('walled', 'members_called', 'members_found', 'name_above')`
)

// ours are the tables of the migrations: those of one owner, in one schema.
const ours = `FROM pg_class c JOIN pg_class a ON a.oid = 'audit_events'::regclass
	WHERE c.relnamespace = a.relnamespace AND c.relowner = a.relowner`

// grantLock keeps two grants apart: PostgreSQL lets the second fail.
const grantLock = 0x68616e646f766572

// Grant lets an existing role do what worker, server and command line do, and nothing
// else: no DDL, and of the audit only to read it and to add to it. The caller is the
// schema's owner. Doing it again changes nothing. What speaks against the role is a
// *RoleError.
func Grant(ctx context.Context, db *sql.DB, role string) error {
	return grant(ctx, db, role, []string{revokes, grants}, tooMuch+behind+noTemporary)
}

// grant executes the statements that some queries for a role come to, all or none: none
// where another query has something against the role.
func grant(ctx context.Context, db *sql.DB, role string, queries []string, against string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(grantLock)); err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	var exists bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists); err != nil {
		return fmt.Errorf("grant: look for the role: %w", err)
	}
	if !exists {
		quoted := `"` + strings.ReplaceAll(role, `"`, `""`) + `"`
		return &RoleError{role, []string{"there is no such role; make it with CREATE ROLE " + quoted + " LOGIN PASSWORD …"}}
	}
	for _, query := range queries {
		statements, err := texts(ctx, tx, query, role)
		if err != nil {
			return fmt.Errorf("grant: %w", err)
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("grant: %w", err)
			}
		}
	}
	problems, err := texts(ctx, tx, against, role)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	if len(problems) > 0 {
		return &RoleError{role, problems}
	}
	return tx.Commit()
}

// revokes and grants are the statements for the role $1. What an older build granted on
// the audit goes first.
const revokes = `SELECT format('REVOKE ALL ON %s FROM %I', c.oid::regclass, $1::text) ` + ours + ` AND c.relname LIKE 'audit%' AND c.relkind = 'r'`

const grants = `SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1::text)
	WHERE NOT has_database_privilege($1, current_database(), 'CONNECT')
	UNION ALL SELECT format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), $1::text)
	WHERE NOT has_database_privilege($1, current_database(), 'TEMPORARY') -- for an import
	UNION ALL SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), $1::text)
	WHERE NOT has_schema_privilege($1, current_schema(), 'USAGE')
	UNION ALL SELECT format('GRANT %s ON %s TO %I', CASE
		WHEN c.relkind = 'S' OR c.relname IN ` + onlyRead + ` THEN 'SELECT'
		WHEN c.relname = 'audit_events' THEN 'SELECT, INSERT (` + auditColumns + `)'
		ELSE 'SELECT, INSERT, UPDATE, DELETE' END, c.oid::regclass, $1::text) ` + ours + ` AND c.relkind IN ('r', 'S')
	UNION ALL ` + grantFunctions + functions

const grantFunctions = `SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, $1::text)
	FROM pg_proc p JOIN pg_class a ON a.oid = 'audit_events'::regclass AND a.relnamespace = p.pronamespace WHERE p.proname IN `

// tooMuch says what the role $1 may do all the same, because of what it is or belongs to.
const tooMuch = `SELECT 'it is a superuser' FROM pg_roles WHERE rolname = $1 AND rolsuper
	UNION ALL SELECT 'it is, or belongs to, the owner of the tables' FROM pg_class a WHERE a.oid = 'audit_events'::regclass
		AND pg_has_role($1, a.relowner, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = $1)
	UNION ALL SELECT format('it may create objects: REVOKE CREATE ON SCHEMA %I FROM PUBLIC, or from a role that it belongs to', n.nspname)
		FROM pg_namespace n JOIN pg_class a ON a.oid = 'audit_events'::regclass AND a.relnamespace = n.oid
		WHERE has_schema_privilege($1, n.oid, 'CREATE') AND NOT pg_has_role($1, a.relowner, 'MEMBER')
	UNION ALL SELECT format('it may create schemas: REVOKE CREATE ON DATABASE %I FROM PUBLIC, or from a role that it belongs to', current_database())
		FROM pg_class a WHERE a.oid = 'audit_events'::regclass
		AND has_database_privilege($1, current_database(), 'CREATE') AND NOT pg_has_role($1, a.relowner, 'MEMBER')
	UNION ALL SELECT format('it may change %s: a role that it belongs to, or PUBLIC, may', c.oid::regclass) ` + ours + `
		AND c.relkind = 'r' AND c.relname LIKE 'audit%' AND NOT pg_has_role($1, c.relowner, 'MEMBER')
		AND (has_table_privilege($1, c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') OR has_any_column_privilege($1, c.oid, 'UPDATE'))`

// behind says that the role $1 is the server's, which is not let past its wall.
const behind = `
	UNION ALL SELECT 'there is a wall before it: it was named as --server-role' FROM pg_class a JOIN pg_roles g ON g.rolname = $1
		WHERE a.oid = 'audit_events'::regclass AND ` + walledRole

// noTemporary says that the role $1 cannot import: only the database's owner lets it, and
// PostgreSQL does not refuse anybody else's GRANT, but warns.
const noTemporary = `
	UNION ALL SELECT format('it may not make the temporary tables of an import: GRANT TEMPORARY ON DATABASE %I TO %I, as the owner of the database', current_database(), $1::text)
		WHERE NOT has_database_privilege($1, current_database(), 'TEMPORARY')`

// regrant grants again to whoever has been granted to before: a migration may have
// brought tables and functions.
func regrant(ctx context.Context, db *sql.DB) error {
	const granted = `SELECT DISTINCT g.rolname FROM pg_class a
		JOIN pg_attribute c ON c.attrelid = a.oid AND c.attname = 'event'
		CROSS JOIN LATERAL aclexplode(c.attacl) x JOIN pg_roles g ON g.oid = x.grantee
		WHERE a.oid = to_regclass('audit_events') AND x.privilege_type = 'INSERT' AND x.grantee <> a.relowner
		AND pg_has_role(a.relowner, 'USAGE') AND `
	for also, again := range map[string]func(context.Context, *sql.DB, string) error{"NOT " + walledRole: Grant, walledRole: GrantServer} {
		roles, err := texts(ctx, db, granted+also)
		if err != nil {
			return fmt.Errorf("look for the application's role: %w", err)
		}
		for _, role := range roles {
			if err := again(ctx, db, role); err != nil {
				return err
			}
		}
	}
	return nil
}

// Missing says what the database's own role may not do and has to, "" where nothing is
// missing.
func Missing(ctx context.Context, db *sql.DB) (string, error) {
	var role, lacks string
	err := db.QueryRowContext(ctx, `SELECT current_user, coalesce(string_agg(x.name, ', ' ORDER BY x.name), '') FROM (
		SELECT c.relname AS name `+ours+` AND c.relkind = 'r' AND NOT (has_table_privilege(c.oid, 'SELECT') AND CASE
			WHEN c.relname IN `+onlyRead+` THEN true
			WHEN c.relname = 'audit_events' THEN has_column_privilege(c.oid, 'event', 'INSERT')
			ELSE has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') END)
		UNION ALL SELECT p.proname FROM pg_proc p JOIN pg_class a ON a.oid = 'audit_events'::regclass AND a.relnamespace = p.pronamespace
		WHERE p.proname IN `+functions+` AND NOT has_function_privilege(p.oid, 'EXECUTE')) x`).Scan(&role, &lacks)
	if err != nil || lacks == "" {
		return "", err
	}
	return fmt.Sprintf("the role %q may not use %s; run `starter migrate --app-role %[1]s` as the owner", role, lacks), nil
}

// MayChangeAudit says whether the database's own role is more than the application
// needs: it may change the audit, or let itself do so.
func MayChangeAudit(ctx context.Context, db *sql.DB) (may bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT has_table_privilege(a.oid, 'UPDATE, DELETE, TRUNCATE') OR pg_has_role(a.relowner, 'MEMBER')
		FROM pg_class a WHERE a.oid = 'audit_events'::regclass`).Scan(&may)
	return may, err
}

// texts reads a column of texts.
func texts(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, query string, args ...any,
) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}
