package schema

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// parted are the tables that the wall goes through, and to whose organization a row
// belongs. What has no column for it is looked up row by row, so that no plan reads all of
// the other table. The server's role may not use the rest.
const parted = `(SELECT c.oid, c.relname, coalesce(whose.organization, 'organization_id') AS organization
	FROM (SELECT c.oid, c.relname ` + ours + ` AND c.relkind = 'r') c LEFT JOIN (VALUES ('organizations', 'id'),
		('bulk_members', '(SELECT r.organization_id FROM bulk_runs r WHERE r.id = bulk_id)'),
		('webhook_deliveries', '(SELECT w.organization_id FROM webhooks w WHERE w.id = webhook_id)')) whose (relname, organization) ON whose.relname = c.relname
	WHERE whose.organization IS NOT NULL OR EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = c.oid AND x.attname = 'organization_id')) t`

// A table with a wall has one policy that changes nothing for anybody, and one for each
// role behind the wall.
const (
	walledFor  = `EXISTS (SELECT FROM pg_policy p JOIN pg_roles g ON p.polroles = ARRAY[g.oid] WHERE p.polrelid = t.oid AND NOT p.polpermissive AND g.rolname = $1)`
	walledRole = `EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = a.oid AND NOT p.polpermissive AND p.polroles = ARRAY[g.oid])`

	// unwalled is true of a role $1 that adds to the audit and has no wall anywhere.
	unwalled = `EXISTS (SELECT FROM pg_class a WHERE a.oid = 'audit_events'::regclass AND NOT pg_has_role($1, a.relowner, 'MEMBER')
		AND has_column_privilege($1, a.oid, 'event', 'INSERT') AND NOT EXISTS (SELECT FROM ` + parted + ` WHERE ` + walledFor + `))`

	// The policy has its name by the role's OID: another role may have the role's name one day.
	walls = `SELECT format('%1$sCREATE POLICY %5$I ON %3$s AS RESTRICTIVE TO %2$I USING (%4$s = ANY ((SELECT walled())::uuid[]) OR %4$s <> %4$s); ALTER TABLE %3$s ENABLE ROW LEVEL SECURITY',
			CASE WHEN NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polname = 'everybody')
				THEN format('CREATE POLICY everybody ON %s USING (true) WITH CHECK (true); ', t.oid::regclass) END,
			$1::text, t.oid::regclass, t.organization, 'wall_' || (SELECT oid FROM pg_roles WHERE rolname = $1))
		FROM ` + parted + ` WHERE NOT ` + walledFor
)

// revokeUnwalled takes from the role $1 what it may do without a wall. The application's
// would be cut off, and keeps what it has.
const revokeUnwalled = `SELECT format('REVOKE ALL ON %s FROM %I', c.oid::regclass, $1::text) ` + ours + ` AND c.relkind = 'r'
	AND c.oid NOT IN (SELECT t.oid FROM ` + parted + ` WHERE ` + walledFor + `) AND NOT ` + unwalled

// wallGrants let the role $1 use what is behind the wall.
const wallGrants = `SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1::text)
	WHERE NOT has_database_privilege($1, current_database(), 'CONNECT')
	UNION ALL SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), $1::text)
	WHERE NOT has_schema_privilege($1, current_schema(), 'USAGE')
	UNION ALL SELECT format('GRANT %s ON %s TO %I', CASE
		WHEN t.relname = 'audit_events' THEN 'SELECT, INSERT (` + auditColumns + `)'
		WHEN t.relname IN ` + onlyRead + ` THEN 'SELECT'
		ELSE 'SELECT, INSERT, UPDATE, DELETE' END, t.oid::regclass, $1::text) FROM ` + parted + `
	UNION ALL SELECT format('GRANT SELECT ON %s TO %I', c.oid::regclass, $1::text) ` + ours + ` AND c.relkind = 'S'
	UNION ALL ` + grantFunctions + serverFunctions

// noWall says why there is no wall before the role $1.
const noWall = tooMuch + `
	UNION ALL SELECT 'it is the application''s role: name one of its own for the server' WHERE ` + unwalled + `
	UNION ALL SELECT 'it bypasses row-level security: ALTER ROLE … NOBYPASSRLS' FROM pg_roles WHERE rolname = $1 AND rolbypassrls
	UNION ALL SELECT format('it may use %s, which has no wall: a role that it belongs to, or PUBLIC, may', c.oid::regclass) ` + ours + `
		AND c.relkind = 'r' AND c.relname <> 'goose_db_version' AND c.oid NOT IN (SELECT t.oid FROM ` + parted + `)
		AND NOT pg_has_role($1, c.relowner, 'MEMBER') AND has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE')`

// GrantServer lets an existing role do what the server does for somebody whom it knows,
// behind a wall: a transaction sees and changes rows of the organizations that the server
// has named in it, and none before (docs/adr/0043). Who is calling is found out by the
// application's role. The caller is the schema's owner. Doing it again changes nothing.
// What speaks against the role is a *RoleError; the application's role is refused before
// anything is changed.
func GrantServer(ctx context.Context, db *sql.DB, role string) error {
	if err := grant(ctx, db, role, []string{revokeUnwalled}, noWall); err != nil {
		return err
	}
	missing, err := texts(ctx, db, walls, role)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	for _, statements := range missing { // each takes a table for itself, for a moment
		err := untilFree(ctx, func() error {
			_, err := db.ExecContext(ctx, `SET LOCAL lock_timeout = '`+lockWait+`'; `+statements)
			return err
		})
		if err != nil {
			return fmt.Errorf("grant: build the wall: %w", err)
		}
	}
	return grant(ctx, db, role, []string{wallGrants}, noWall)
}

// Unwalled says why the database's own role is not the server's, "" where it is.
func Unwalled(ctx context.Context, db *sql.DB) (string, error) {
	var role, lacks string
	err := db.QueryRowContext(ctx, `SELECT current_user, coalesce(string_agg(t.relname, ', ' ORDER BY t.relname), '') FROM `+parted+`
		WHERE NOT (row_security_active(t.oid) AND has_table_privilege(t.oid, 'SELECT') AND `+ofItself(walledFor)+`)`).Scan(&role, &lacks)
	if err != nil {
		return "", err
	}
	problems, err := texts(ctx, db, ofItself(noWall))
	if err != nil {
		return "", err
	}
	if len(problems) > 0 {
		return (&RoleError{role, problems}).Error(), nil
	}
	if lacks == "" {
		return "", nil
	}
	return fmt.Sprintf("the role %q has no wall before %s; run `starter migrate --server-role %[1]s` as the owner", role, lacks), nil
}

// ofItself is a condition or query for a role $1 that a role asks about itself.
func ofItself(query string) string { return strings.ReplaceAll(query, "$1", "current_user") }

// SameTables says whether two connections, of any roles, reach the same tables: of one
// database, in one schema, of one server that runs. A copy of it (a standby, or what was
// the primary) has the same IDs, and not the same start.
func SameTables(ctx context.Context, one, other *sql.DB) (bool, error) {
	var found [2]string
	for i, db := range []*sql.DB{one, other} {
		err := db.QueryRowContext(ctx, `SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), d.oid, to_regclass('audit_events')::oid)
			FROM pg_database d WHERE d.datname = current_database()`).Scan(&found[i])
		if err != nil {
			return false, err
		}
	}
	return found[0] == found[1], nil
}
