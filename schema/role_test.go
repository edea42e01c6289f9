package schema_test

import (
	"errors"
	"os"
	"regexp"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/schema"
)

// insufficientPrivilege is the SQLSTATE of what a role may not do.
const insufficientPrivilege = "42501"

// application is a database with a row of the audit, and connections of its owner and of
// the application's role.
type application struct {
	*world
	app  *sqlx.DB
	role string
}

func newApplication(t *testing.T) *application {
	t.Helper()
	url := testdb.URL(t)
	a := &application{world: newWorldIn(t, connect(t, url))}
	a.app = connect(t, testdb.AppURL(t, url))
	require.NoError(t, a.app.Get(&a.role, `SELECT current_user`))
	return a
}

func connect(t *testing.T, url string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Connect("postgres", url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func state(err error) string {
	var refused *pq.Error
	if errors.As(err, &refused) {
		return string(refused.Code)
	}
	return ""
}

// What the application's role is refused, however it asks.
func TestTheApplicationsRoleIsRefused(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	for name, statement := range map[string]string{
		"a changed event":                 `UPDATE audit_events SET event = 'Nothing'`,
		"a changed column":                `UPDATE audit_events SET before = '{}' WHERE id = 1`,
		"a deleted event":                 `DELETE FROM audit_events`,
		"an emptied audit":                `TRUNCATE audit_events`,
		"an event at a place of its own":  `INSERT INTO audit_events (id, organization_id, event, origin, subject_kind, subject_id, before, after, at) OVERRIDING SYSTEM VALUE SELECT 0, organization_id, 'X', '', '', '', '{}', '{}', at FROM audit_events LIMIT 1`,
		"an insert that becomes a change": `INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at) SELECT organization_id, 'X', '', '', '', '{}', '{}', at FROM audit_events LIMIT 1 ON CONFLICT (id) DO UPDATE SET event = 'X'`,
		"a lock that keeps others out":    `DO 'BEGIN LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE; END'`,
		"a locked event":                  `SELECT 1 FROM audit_events FOR UPDATE`,
		"a sequence set back":             `SELECT setval(pg_get_serial_sequence('audit_events', 'id'), 1)`,
		"a disabled guard":                `ALTER TABLE audit_events DISABLE TRIGGER ALL`,
		"a dropped guard":                 `DROP TRIGGER audit_events_append_only ON audit_events`,
		"a guard of its own":              `CREATE TRIGGER mine BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
		"a rule":                          `CREATE RULE mine AS ON INSERT TO audit_events DO INSTEAD NOTHING`,
		"a policy":                        `ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY`,
		"a guard that does not guard":     `CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
		"an eraser that erases more":      `ALTER FUNCTION erase_audit_texts(uuid) RESET ALL`,
		"guards switched off":             `SET session_replication_role = replica`,
		"a dropped audit":                 `DROP TABLE audit_events`,
		"another column":                  `ALTER TABLE audit_events ADD note text`,
		"a dropped table":                 `DROP TABLE members`,
		"a new table":                     `CREATE TABLE mine (id int)`,
		"a new function":                  `CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1`,
		"a new schema":                    `CREATE SCHEMA mine`,
		"another version":                 `UPDATE goose_db_version SET version_id = 0`,
		"no version":                      `DELETE FROM goose_db_version`,
		"another role":                    `CREATE ROLE handover_mine`,
		"a role of others":                `GRANT UPDATE ON audit_events TO PUBLIC`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.app.Exec(statement)
			if name == "a role of others" && err == nil { // PostgreSQL only warns
				require.Zero(t, a.Count(`SELECT count(*) FROM pg_roles WHERE rolname = $1 AND has_table_privilege(oid, 'audit_events', 'UPDATE')`, a.role))
				return
			}
			require.Equal(t, insufficientPrivilege, state(err), "%v", err)
		})
	}
	require.Equal(t, 1, a.Count(`SELECT count(*) FROM audit_events WHERE event = 'Test'`), "the row is as it was")
}

// Texts are erased for the member whom the transaction deletes, and for nobody else.
func TestTheApplicationErasesOnlyForADeletion(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	a.Exec(`INSERT INTO audit_events (organization_id, event, origin, member_id, subject_kind, subject_id, before, after, at)
		SELECT $1, 'Test', '', m, 'member', m, '{"reason": "ill"}', '{"phase": "grace"}', $2 FROM unnest($3::uuid[]) m`,
		a.ID, fixture.Start, pq.Array([]string{a.Leaver, a.Manager}))
	_, err := a.app.Exec(`SELECT erase_audit_texts($1)`, a.Leaver)
	var refused *pq.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "audit_is_append_only", refused.Constraint)

	tx, err := a.app.Beginx()
	require.NoError(t, err)
	_, err = tx.Exec(`UPDATE members SET status = 'deleted', email = 'deleted-' || id || '@deleted.invalid', external_id = 'deleted:' || id,
		manager_id = NULL, managed_by = '', time_zone = '' WHERE id = $1`, a.Leaver)
	require.NoError(t, err)
	_, err = tx.Exec(`SAVEPOINT before`)
	require.NoError(t, err)
	_, err = tx.Exec(`SELECT erase_audit_texts($1)`, a.Manager)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "audit_is_append_only", refused.Constraint)
	_, err = tx.Exec(`ROLLBACK TO before`)
	require.NoError(t, err)
	// Nothing of the caller's stands for what the function names.
	for _, trick := range []string{
		`CREATE TEMP TABLE audit_events (LIKE public.audit_events)`,
		`CREATE FUNCTION pg_temp.without_texts(jsonb, text DEFAULT '') RETURNS jsonb LANGUAGE sql RETURN '{"forged": true}'::jsonb`,
		`SET LOCAL search_path = pg_temp, public`,
	} {
		_, err = tx.Exec(trick)
		require.NoError(t, err, trick)
	}
	var erased int
	require.NoError(t, tx.Get(&erased, `SELECT public.erase_audit_texts($1)`, a.Leaver))
	require.Equal(t, 1, erased)
	require.NoError(t, tx.Commit())
	require.Equal(t, `{"reason": "erased"} {"phase": "grace"}`, a.Text(`SELECT before::text || ' ' || after::text FROM audit_events WHERE member_id = $1`, a.Leaver))
	require.Equal(t, `{"reason": "ill"}`, a.Text(`SELECT before FROM audit_events WHERE member_id = $1`, a.Manager))
}

// What the role needs after a migration it has, though the migration did not name it.
func TestAMigrationGrantsAgain(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner := connect(t, url)
	app := connect(t, testdb.AppURL(t, url))
	_, err := owner.Exec(`DROP TABLE notices CASCADE; CREATE TABLE notices (id int)`)
	require.NoError(t, err)
	missing, err := schema.Missing(t.Context(), app.DB)
	require.NoError(t, err)
	require.Regexp(t, "^the role \"handover_.*\" may not use notices; run `starter migrate --app-role handover_.*` as the owner$", missing)
	_, err = schema.Migrate(t.Context(), owner.DB)
	require.NoError(t, err)
	missing, err = schema.Missing(t.Context(), app.DB)
	require.NoError(t, err)
	require.Empty(t, missing)
	_, err = schema.Migrate(t.Context(), app.DB) // nothing to do: it needs nothing
	require.NoError(t, err)

	for db, may := range map[*sqlx.DB]bool{owner: true, app: false} {
		got, err := schema.MayChangeAudit(t.Context(), db.DB)
		require.NoError(t, err)
		require.Equal(t, may, got)
	}
}

// A role that could change the audit all the same is refused, with all that speaks
// against it.
func TestGrantRefusesARoleThatIsMore(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner, admin := connect(t, url), connect(t, testdb.AdminURL(t, url))
	role, _ := testdb.Role(t, url)
	var name, superuser string
	require.NoError(t, owner.Get(&name, `SELECT current_user`))
	require.NoError(t, admin.Get(&superuser, `SELECT current_user`))
	exec := func(statement string) {
		t.Helper()
		_, err := admin.Exec(statement)
		require.NoError(t, err)
	}
	refused := func(role string) string {
		t.Helper()
		var unfit *schema.RoleError
		require.ErrorAs(t, schema.Grant(t.Context(), owner.DB, role), &unfit)
		return unfit.Error()
	}
	require.Contains(t, refused("nobody's"), `there is no such role; make it with CREATE ROLE "nobody's" LOGIN`)
	require.Contains(t, refused(name), "it is, or belongs to, the owner of the tables")
	require.Contains(t, refused(superuser), "it is a superuser")
	for give, take := range map[[2]string]string{
		{`GRANT CREATE ON SCHEMA public TO PUBLIC`, `it may create objects: REVOKE CREATE ON SCHEMA public FROM PUBLIC`}: `REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
		{`GRANT UPDATE (event) ON audit_events TO PUBLIC`, `it may change audit_events`}:                                 `REVOKE ALL ON audit_events FROM PUBLIC`,
		{`GRANT DELETE ON audit_events TO PUBLIC`, `it may change audit_events`}:                                         `REVOKE ALL ON audit_events FROM PUBLIC`,
		{`GRANT "` + name + `" TO ` + role, `it is, or belongs to, the owner of the tables`}:                             `REVOKE "` + name + `" FROM ` + role,
	} {
		exec(give[0])
		require.Contains(t, refused(role), give[1])
		exec(take)
	}
	require.NoError(t, schema.Grant(t.Context(), owner.DB, role))
	require.NoError(t, schema.Grant(t.Context(), owner.DB, role), "again")
}

// Who owns the tables and not the database cannot let a role import; PostgreSQL only warns.
func TestGrantSaysWhatAnImportNeeds(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner, admin := connect(t, url), connect(t, testdb.AdminURL(t, url))
	role, _ := testdb.Role(t, url)
	var database string
	require.NoError(t, owner.Get(&database, `SELECT quote_ident(current_database())`))
	grant := `GRANT TEMPORARY ON DATABASE ` + database + ` TO ` + role
	for _, statement := range []string{`REVOKE TEMPORARY ON DATABASE ` + database + ` FROM PUBLIC`, `ALTER DATABASE ` + database + ` OWNER TO CURRENT_USER`} {
		_, err := admin.Exec(statement)
		require.NoError(t, err)
	}
	var unfit *schema.RoleError
	require.ErrorAs(t, schema.Grant(t.Context(), owner.DB, role), &unfit)
	require.Equal(t, []string{"it may not make the temporary tables of an import: " + grant + ", as the owner of the database"}, unfit.Problems)
	_, err := admin.Exec(grant)
	require.NoError(t, err)
	require.NoError(t, schema.Grant(t.Context(), owner.DB, role))
}

// Every function that runs as the owner says where it looks, and is for the application
// alone.
func TestFunctionsOfTheOwner(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	var functions []struct {
		Name   string
		Config pq.StringArray
		Public bool
	}
	require.NoError(t, db.Select(&functions, `SELECT p.proname AS name, p.proconfig AS config, has_function_privilege('public', p.oid, 'EXECUTE') AS public
		FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef`))
	require.NotEmpty(t, functions)
	role, err := os.ReadFile("role.go")
	require.NoError(t, err)
	for _, f := range functions {
		require.Contains(t, f.Config, "search_path=pg_catalog, public, pg_temp", f.Name)
		require.False(t, f.Public, f.Name)
		require.Regexp(t, regexp.MustCompile(`(?i)functions\s+= .*'`+f.Name+`'`), string(role), "it is granted")
	}
}
