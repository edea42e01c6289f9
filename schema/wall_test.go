package schema_test

import (
	"fmt"
	neturl "net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"handover/internal/crowd"
	"handover/internal/fixture"
	"handover/internal/pgserver"
	"handover/internal/testdb"
	"handover/schema"
)

// besides is what two crowds have none of, in every organization of theirs.
const besides = `INSERT INTO folders (id, organization_id, owner_id, name, created_at) SELECT gen_random_uuid(), organization_id, id, 'Mine', created_at FROM members WHERE role = 'admin';
INSERT INTO schedules (id, organization_id, document_id, kind, cron, status)
	SELECT gen_random_uuid(), organization_id, (min(id::text))::uuid, 'export', '0 6 * * 1', 'active' FROM documents GROUP BY organization_id;
INSERT INTO scim_tokens (id, organization_id, hash, created_by, created_at) SELECT gen_random_uuid(), organization_id, sha256(id::text::bytea), id, now() FROM members WHERE role = 'admin';
INSERT INTO audit_seals (organization_id, number, first_event, last_event, hash, entries, at) SELECT id, 1, 1, 1, '', '', now() FROM organizations;
INSERT INTO audit_heads SELECT id, 1, '' FROM organizations;
INSERT INTO audit_texts SELECT id, 1, '', NULL, '', '{}' FROM organizations;
INSERT INTO notices (key, organization_id, case_id, kind, recipient_id, reason, documents, grace_ends_at, created_at)
	SELECT 'remind/' || id, organization_id, id, 'RemindGraceEnding', requested_by, 'manager', 1, created_at, created_at FROM cases`

// inFront are the tables that are of no organization, which the server's role may not use
// at all. A new table either has a column organization_id, or says in schema/wall.go to
// whose organization a row belongs, or belongs here.
var inFront = []string{"access_tokens", "audit_horizon", "case_steps", "goose_db_version", "idempotency_keys"}

// organizationOf says to whose organization a row of a table t belongs.
func organizationOf(table string) string {
	switch table {
	case "organizations":
		return "t.id"
	case "bulk_members":
		return "(SELECT x.organization_id FROM bulk_runs x WHERE x.id = t.bulk_id)"
	case "webhook_deliveries":
		return "(SELECT x.organization_id FROM webhooks x WHERE x.id = t.webhook_id)"
	}
	return "t.organization_id"
}

// walled is a database with two organizations that have rows in every table, and what the
// server's role does there.
type walled struct {
	*testing.T
	owner, server *sqlx.DB
	one, other    string
}

func newWalled(t *testing.T) *walled {
	t.Helper()
	w := &walled{T: t, owner: testdb.New(t)}
	var crowds []*crowd.Crowd
	for n := range 2 {
		o := fixture.New(t, w.owner)
		crowds = append(crowds, &crowd.Crowd{Organization: o.ID, Admin: o.Admin, Manager: o.Manager, Maker: o.Leaver, Number: n, Members: 1000, Documents: 2000})
	}
	w.one, w.other = crowds[0].Organization, crowds[1].Organization
	require.NoError(t, crowd.Fill(t.Context(), w.owner, crowds...))
	_, err := w.owner.Exec(besides)
	require.NoError(t, err)
	w.server = testdb.Server(t, w.owner)
	return w
}

// about is what a transaction says that is about some organizations.
func about(organizations ...string) string { return "{" + strings.Join(organizations, ",") + "}" }

// as does something in a transaction of the server's that has said so, and undoes it.
func (w *walled) as(said string, do func(tx *sqlx.Tx)) {
	w.Helper()
	tx, err := w.server.Beginx()
	require.NoError(w, err)
	defer func() { require.NoError(w, tx.Rollback()) }()
	_, err = tx.Exec(`SELECT set_config('handover.wall', $1, true)`, said)
	require.NoError(w, err)
	do(tx)
}

// tables are all there are.
func (w *walled) tables() (all []string) {
	w.Helper()
	require.NoError(w, w.owner.Select(&all, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname`))
	return slices.DeleteFunc(all, func(table string) bool { return slices.Contains(inFront, table) })
}

// rows are the places of rows of a table.
func rows(t *testing.T, db sqlx.Queryer, table, where string, args ...any) (all []string) {
	t.Helper()
	require.NoError(t, sqlx.Select(db, &all, `SELECT t.ctid::text FROM `+table+` t WHERE `+where+` ORDER BY t.ctid`, args...))
	return all
}

// unwalled says why the role of a connection is not the server's, "" where it is.
func unwalled(t *testing.T, db *sqlx.DB) string {
	t.Helper()
	missing, err := schema.Unwalled(t.Context(), db.DB)
	require.NoError(t, err)
	return missing
}

func roleOf(t *testing.T, db *sqlx.DB) (role string) {
	t.Helper()
	require.NoError(t, db.Get(&role, `SELECT current_user`))
	return role
}

// A transaction of the server's sees, in every table that there is, the rows of the
// organizations that it has named and no other, and none unless it has named any.
func TestTheServerSeesWhatItHasNamed(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	for _, table := range w.tables() {
		of := organizationOf(table) + "::text = ANY ($1)"
		mine, theirs := rows(t, w.owner, table, of, pq.Array([]string{w.one})), rows(t, w.owner, table, of, pq.Array([]string{w.other}))
		require.NotEmpty(t, mine, "put a row of each organization into %s in this test (besides)", table)
		require.NotEmpty(t, theirs, table)
		for name, test := range map[string]struct {
			said string
			want []string
		}{
			"one organization":      {about(w.one), mine},
			"the other":             {about(w.other), theirs},
			"both":                  {about(w.one, w.other), rows(t, w.owner, table, of, pq.Array([]string{w.one, w.other}))},
			"one that there is not": {about("00000000-0000-0000-0000-000000000001"), nil},
			"none":                  {about(), nil},
			"nothing":               {"", nil},
		} {
			w.as(test.said, func(tx *sqlx.Tx) { require.Equal(t, test.want, rows(t, tx, table, "true"), "%s: %s", table, name) })
		}
		require.Empty(t, rows(t, w.server, table, "true"), "outside of a transaction")
	}
	for _, table := range inFront {
		_, err := w.server.Exec(`SELECT 1 FROM ` + table)
		require.Equal(t, insufficientPrivilege, state(err), table)
	}
}

// It changes, removes and adds nothing of another organization's.
func TestTheServerChangesWhatItHasNamed(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	for _, table := range w.tables() {
		theirs := rows(t, w.owner, table, organizationOf(table)+" = $1", w.other)[0]
		var columns []string
		require.NoError(t, w.owner.Select(&columns, `SELECT quote_ident(attname) FROM pg_attribute
			WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' ORDER BY attnum`, table))
		var row string
		require.NoError(t, w.owner.Get(&row, `SELECT to_jsonb(t) FROM `+table+` t WHERE ctid = $1::tid`, theirs))
		list := strings.Join(columns, ", ")
		for name, statement := range map[string]string{
			"adds":    fmt.Sprintf(`INSERT INTO %s (%s) SELECT %[2]s FROM jsonb_populate_record(NULL::%[1]s, $1)`, table, list),
			"changes": fmt.Sprintf(`UPDATE %s SET %s = %[2]s WHERE to_jsonb(%[1]s) = $1`, table, columns[0]),
			"removes": fmt.Sprintf(`DELETE FROM %s WHERE to_jsonb(%[1]s) = $1`, table),
		} {
			w.as(about(w.one), func(tx *sqlx.Tx) {
				result, err := tx.Exec(statement, row)
				if err != nil || name == "adds" {
					require.Equal(t, insufficientPrivilege, state(err), "%s %s: %v", name, table, err)
					return
				}
				n, err := result.RowsAffected()
				require.NoError(t, err)
				require.Zero(t, n, "%s %s", name, table)
			})
		}
	}
	for table, column := range map[string]string{"documents": "organization_id", "webhooks": "organization_id", "organizations": "id"} {
		w.as(about(w.one), func(tx *sqlx.Tx) {
			_, err := tx.Exec(`UPDATE `+table+` SET `+column+` = $1`, w.other)
			require.Equal(t, insufficientPrivilege, state(err), "what is its own is not given away: %s: %v", table, err)
		})
	}
}

// The wall is for the server's role alone; all others see what they saw.
func TestTheWallIsForTheServerAlone(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner := connect(t, url)
	fixture.New(t, owner)
	app := connect(t, testdb.AppURL(t, url))
	count := func(db *sqlx.DB) (n int) {
		t.Helper()
		require.NoError(t, db.Get(&n, `SELECT count(*) FROM members`))
		return n
	}
	before := count(owner)
	require.NotZero(t, before)
	server := testdb.Server(t, owner)
	require.Equal(t, before, count(owner))
	require.Equal(t, before, count(app))
	require.Zero(t, count(server))

	role, password := testdb.Role(t, url)
	u, err := neturl.Parse(url)
	require.NoError(t, err)
	u.User = neturl.UserPassword(role, password)
	for db, want := range map[*sqlx.DB]string{
		server: "^$", app: "it is the application's role", owner: "it is, or belongs to, the owner of the tables",
		connect(t, u.String()): "has no wall before .*members.*; run `starter migrate --server-role " + role + "` as the owner",
	} {
		require.Regexp(t, want, unwalled(t, db))
	}
	missing, err := schema.Missing(t.Context(), app.DB)
	require.NoError(t, err)
	require.Empty(t, missing)
}

// A table that a migration brings has its wall before the role may use it.
func TestAMigrationBuildsTheWall(t *testing.T) {
	t.Parallel()
	owner := testdb.New(t)
	server := testdb.Server(t, owner)
	for _, table := range []string{`CREATE TABLE later (organization_id uuid NOT NULL)`, `CREATE TABLE latest (id int)`} {
		_, err := owner.Exec(table)
		require.NoError(t, err)
	}
	require.Contains(t, unwalled(t, server), "has no wall before later;")
	_, err := schema.Migrate(t.Context(), owner.DB)
	require.NoError(t, err)
	require.Empty(t, unwalled(t, server))
	_, err = owner.Exec(`INSERT INTO later VALUES (gen_random_uuid())`)
	require.NoError(t, err)
	require.Empty(t, rows(t, server, "later", "true"))
	_, err = server.Exec(`SELECT 1 FROM latest`)
	require.Equal(t, insufficientPrivilege, state(err))
}

// A role that walks around the wall is refused, and a server that has it is not ready.
func TestNoWallForARoleThatIsMore(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner, admin, server := connect(t, url), connect(t, testdb.AdminURL(t, url)), connect(t, testdb.ServerURL(t, url))
	role := roleOf(t, server)
	refused := func() string {
		t.Helper()
		var unfit *schema.RoleError
		require.ErrorAs(t, schema.GrantServer(t.Context(), owner.DB, role), &unfit)
		return unfit.Error()
	}
	for give, take := range map[[2]string]string{
		{`ALTER ROLE ` + role + ` BYPASSRLS`, `it bypasses row-level security`}:                       `ALTER ROLE ` + role + ` NOBYPASSRLS`,
		{`GRANT SELECT ON case_steps TO PUBLIC`, `it may use case_steps, which has no wall`}:          `REVOKE ALL ON case_steps FROM PUBLIC`,
		{`GRANT CREATE ON SCHEMA public TO PUBLIC`, `it may create objects: REVOKE CREATE ON SCHEMA`}: `REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
	} {
		_, err := admin.Exec(give[0])
		require.NoError(t, err)
		require.Contains(t, refused(), give[1])
		require.Contains(t, unwalled(t, server), give[1])
		_, err = admin.Exec(take)
		require.NoError(t, err)
	}
	_, err := owner.Exec(`GRANT SELECT ON case_steps TO ` + role)
	require.NoError(t, err)
	require.NoError(t, schema.GrantServer(t.Context(), owner.DB, role))
	var unfit *schema.RoleError
	require.ErrorAs(t, schema.Grant(t.Context(), owner.DB, role), &unfit)
	require.Contains(t, unfit.Error(), "there is a wall before it")
	var may bool
	require.NoError(t, owner.Get(&may, `SELECT has_table_privilege($1, 'case_steps', 'SELECT')`, role))
	require.False(t, may)
}

// The application's role keeps what it has where it is named for the server by mistake. A
// server's role that has lost some of its wall gets it again.
func TestTheApplicationsRoleIsNotTheServers(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner, app, server := connect(t, url), connect(t, testdb.AppURL(t, url)), connect(t, testdb.ServerURL(t, url))
	role := roleOf(t, app)
	var unfit *schema.RoleError
	require.ErrorAs(t, schema.GrantServer(t.Context(), owner.DB, role), &unfit)
	require.Contains(t, unfit.Error(), "it is the application's role")
	missing, err := schema.Missing(t.Context(), app.DB)
	require.NoError(t, err)
	require.Empty(t, missing)
	require.NoError(t, schema.Grant(t.Context(), owner.DB, role), "it is what it was")

	role = roleOf(t, server)
	var policies []string
	require.NoError(t, owner.Select(&policies, `SELECT format('DROP POLICY %I ON %s', polname, polrelid::regclass) FROM pg_policy
		WHERE NOT polpermissive AND polrelid IN ('audit_events'::regclass, 'members'::regclass)`))
	require.Len(t, policies, 2)
	for _, policy := range policies {
		_, err := owner.Exec(policy)
		require.NoError(t, err)
	}
	require.NoError(t, schema.GrantServer(t.Context(), owner.DB, role))
	require.Empty(t, unwalled(t, server))
}

// A wall is of a role, and not of its name, which another one may have one day.
func TestARoleThatGetsTheNameOfAnother(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner, admin, server := connect(t, url), connect(t, testdb.AdminURL(t, url)), connect(t, testdb.ServerURL(t, url))
	role := roleOf(t, server)
	exec := func(statement string) {
		t.Helper()
		_, err := admin.Exec(statement)
		require.NoError(t, err)
	}
	exec(`ALTER ROLE ` + role + ` RENAME TO ` + role + `_2; CREATE ROLE ` + role)
	defer exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role + `; ALTER ROLE ` + role + `_2 RENAME TO ` + role)
	require.NoError(t, schema.GrantServer(t.Context(), owner.DB, role))
	require.NoError(t, schema.GrantServer(t.Context(), owner.DB, role+"_2"))
	require.Empty(t, unwalled(t, server))
}

// Connections to two servers are told apart, whatever both have alike.
func TestTwoServersAreNotOne(t *testing.T) {
	t.Parallel()
	if os.Getenv("DATABASE_URL") != "" {
		t.Skip("there is one server, that of DATABASE_URL")
	}
	url := testdb.URL(t)
	server, err := pgserver.Start(t.Context(), pgserver.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	first := func(url string) *sqlx.DB {
		t.Helper()
		u, err := neturl.Parse(url)
		require.NoError(t, err)
		u.Path = "/postgres" // which has the same ID everywhere
		return connect(t, u.String())
	}
	one, other := first(testdb.AdminURL(t, url)), first(server.URL())
	for db, want := range map[*sqlx.DB]bool{one: true, other: false} {
		same, err := schema.SameTables(t.Context(), one.DB, db.DB)
		require.NoError(t, err)
		require.Equal(t, want, same)
	}
}

// Without the wall nobody walks where it was: the role has nothing any more, whatever its
// name is by now.
func TestTheWallIsTakenBack(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner, admin, server := connect(t, url), connect(t, testdb.AdminURL(t, url)), connect(t, testdb.ServerURL(t, url))
	role := roleOf(t, server)
	rename := func(from, to string) {
		t.Helper()
		_, err := admin.Exec(`ALTER ROLE ` + from + ` RENAME TO ` + to)
		require.NoError(t, err)
	}
	rename(role, role+"_2")
	defer rename(role+"_2", role)
	p, err := goose.NewProvider(goose.DialectPostgres, owner.DB, schema.FS)
	require.NoError(t, err)
	_, err = p.DownTo(t.Context(), 26)
	require.NoError(t, err)
	_, err = server.Exec(`SELECT 1 FROM members`)
	require.Equal(t, insufficientPrivilege, state(err))
	var left int
	require.NoError(t, owner.Get(&left, `SELECT (SELECT count(*) FROM pg_policy) + (SELECT count(*) FROM pg_class WHERE relrowsecurity)`))
	require.Zero(t, left)
	_, err = schema.Migrate(t.Context(), owner.DB)
	require.NoError(t, err)
}
