package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

var importTime = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

var importTables = []string{
	"organizations", "members", "folders", "documents", "grants", "schedules", "credentials", "audit_events",
}

func devdocs(t *testing.T) offboarding.Import {
	t.Helper()
	in, err := offboarding.ReadImport(os.DirFS("../data/devdocs"))
	require.NoError(t, err)
	return in
}

// countRows counts the rows of each table that an import writes.
func countRows(t *testing.T, db *sqlx.DB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range importTables {
		counts[table] = number(t, db, `SELECT count(*) FROM `+table)
	}
	return counts
}

func number(t *testing.T, db *sqlx.DB, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, db.Get(&n, query, args...))
	return n
}

func noRows() map[string]int {
	counts := map[string]int{}
	for _, table := range importTables {
		counts[table] = 0
	}
	return counts
}

// By the application's role, beside a wall for the server's.
func TestImport(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	db, app := testdb.Open(t, url), testdb.Open(t, testdb.AppURL(t, url))
	testdb.Server(t, db)
	var reports [][2]int
	summary, err := postgres.New(app).Import(t.Context(), devdocs(t), importTime, func(done, total int) {
		reports = append(reports, [2]int{done, total})
	})
	require.NoError(t, err)
	require.NotEmpty(t, summary.OrganizationID)
	require.Equal(t, offboarding.ImportSummary{
		OrganizationID: summary.OrganizationID, Members: 369, Folders: 920, Documents: 3191, Grants: 5951, Schedules: 307, Credentials: 80,
	}, summary)
	require.Equal(t, map[string]int{
		"organizations": 1, "members": 369, "folders": 920, "documents": 3191, "grants": 5951, "schedules": 307, "credentials": 80, "audit_events": 1,
	}, countRows(t, db))
	require.Equal(t, [][2]int{{10_000, 10_818}, {10_818, 10_818}}, reports)

	var audit struct {
		Organization string    `db:"organization_id"`
		Event        string    `db:"event"`
		Kind         string    `db:"subject_kind"`
		Subject      string    `db:"subject_id"`
		After        string    `db:"after"`
		At           time.Time `db:"at"`
	}
	require.NoError(t, db.Get(&audit, `SELECT organization_id, event, subject_kind, subject_id, after, at FROM audit_events`))
	assert.Equal(t, []string{summary.OrganizationID, "ImportOrganization", "organization", summary.OrganizationID},
		[]string{audit.Organization, audit.Event, audit.Kind, audit.Subject})
	assert.JSONEq(t, fmt.Sprintf(`{"organization_id": %q, "members": 369, "folders": 920, "documents": 3191, "grants": 5951,
		"schedules": 307, "credentials": 80, "workspaces": 0}`, summary.OrganizationID), audit.After)
	assert.True(t, audit.At.Equal(importTime))
}

func TestImportKeepsWhatTheFilesSay(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	in := devdocs(t)
	in.Members[0].TimeZone, in.Members[0].ManagedBy = "Europe/Berlin", "entra"
	_, err := postgres.New(db).Import(t.Context(), in, importTime, nil)
	require.NoError(t, err)

	// Every row again, joined through the IDs and written as it stands in its file.
	for query, want := range map[string][]string{
		`SELECT concat_ws('|', m.external_id, m.email, m.display_name, m.role, m.account_type, b.external_id, m.managed_by, m.time_zone)
			FROM members m LEFT JOIN members b ON b.id = m.manager_id WHERE m.status = 'active' ORDER BY m.id`: rows(in.Members, func(m offboarding.ImportMember) []string {
			return []string{m.ExternalID, m.Email, m.DisplayName, string(m.Role), string(m.AccountType), m.ManagerExternalID, m.ManagedBy, m.TimeZone}
		}),
		`WITH RECURSIVE paths AS (SELECT id, name AS path FROM folders WHERE parent_id IS NULL
			UNION ALL SELECT f.id, p.path || '/' || f.name FROM folders f JOIN paths p ON p.id = f.parent_id)
			SELECT concat_ws('|', d.external_id, d.title, d.kind, p.path, m.external_id) FROM documents d
			LEFT JOIN paths p ON p.id = d.folder_id JOIN members m ON m.id = d.owner_id WHERE d.access = 'editable' ORDER BY d.id`: rows(in.Documents, func(d offboarding.ImportDocument) []string {
			return []string{d.ExternalID, d.Title, d.Kind, d.FolderPath, d.OwnerExternalID}
		}),
		`SELECT concat_ws('|', d.external_id, m.external_id, g.level) FROM grants g JOIN documents d ON d.id = g.document_id
			JOIN members m ON m.id = g.member_id ORDER BY d.external_id, m.external_id`: rows(in.Grants, func(g offboarding.ImportGrant) []string {
			return []string{g.DocumentExternalID, g.MemberExternalID, string(g.Level)}
		}),
		`SELECT concat_ws('|', d.external_id, s.kind, s.cron) FROM schedules s JOIN documents d ON d.id = s.document_id
			WHERE s.status = 'active' ORDER BY s.id`: rows(in.Schedules, func(s offboarding.ImportSchedule) []string {
			return []string{s.DocumentExternalID, s.Kind, s.Cron}
		}),
		`SELECT concat_ws('|', m.external_id, c.kind, c.name) FROM credentials c JOIN members m ON m.id = c.member_id
			WHERE c.status = 'active' ORDER BY c.id`: rows(in.Credentials, func(c offboarding.ImportCredential) []string {
			return []string{c.MemberExternalID, c.Kind, c.Name}
		}),
	} {
		var got []string
		require.NoError(t, db.Select(&got, query))
		require.ElementsMatch(t, want, got, query)
	}
	require.Zero(t, number(t, db, `SELECT count(*) FROM folders WHERE owner_id IS NOT NULL`), "imported folders are shared")
	require.Equal(t, 1334, number(t, db, `SELECT count(*) FROM documents WHERE folder_id IS NULL`), "in My Documents")
	require.Zero(t, number(t, db, `SELECT count(*) FROM pg_class WHERE relname = ANY ('{organizations,members,folders,documents,grants,schedules,credentials}')
		AND relkind = 'r' AND reltuples < 1`), "every table has been analyzed")
}

// rows are the rows of a file as concat_ws writes them: what is NULL in the
// database is left out.
func rows[T any](in []T, fields func(T) []string) []string {
	nullable := map[int]bool{}
	var zero T
	switch any(zero).(type) {
	case offboarding.ImportMember:
		nullable[5] = true // manager
	case offboarding.ImportDocument:
		nullable[3] = true // folder
	}
	texts := make([]string, len(in))
	for i, row := range in {
		for n, field := range fields(row) {
			if field == "" && nullable[n] {
				continue
			}
			if n > 0 {
				texts[i] += "|"
			}
			texts[i] += field
		}
	}
	return texts
}

func TestImportTwiceIsRefused(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db)
	in := devdocs(t)
	_, err := store.Import(t.Context(), in, importTime, nil)
	require.NoError(t, err)
	before := countRows(t, db)

	summary, err := store.Import(t.Context(), in, importTime, nil)
	var refusal *offboarding.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, []offboarding.Violation{{
		Code: offboarding.CodeInvalidArgument, Field: "slug", Message: "an organization with this slug exists already",
	}}, refusal.Violations)
	require.Zero(t, summary)
	require.Equal(t, before, countRows(t, db))

	// Another tenant may use the same external IDs and addresses.
	in.Organization.Slug = "devdocs-two"
	_, err = store.Import(t.Context(), in, importTime, nil)
	require.NoError(t, err)
	require.Equal(t, 2*before["members"], countRows(t, db)["members"])
}

func TestImportAtTheSameMoment(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store, in := postgres.New(db), devdocs(t)
	errs := make(chan error, 2)
	for range cap(errs) {
		go func() {
			_, err := store.Import(t.Context(), in, importTime, nil)
			errs <- err
		}()
	}
	winner, loser := <-errs, <-errs
	if winner != nil {
		winner, loser = loser, winner
	}
	require.NoError(t, winner)
	require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(loser), "%v", loser)
	require.Equal(t, 369, countRows(t, db)["members"])
	require.Equal(t, 1, countRows(t, db)["audit_events"])
}

// Whatever goes wrong, and however late, nothing is half-imported.
func TestImportLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(in *offboarding.Import)
		code   offboarding.Code
		field  string
	}{
		"unknown manager":    {func(in *offboarding.Import) { in.Members[5].ManagerExternalID = "nobody" }, offboarding.CodeInvalidArgument, "manager_external_id"},
		"unknown parent":     {func(in *offboarding.Import) { in.ParentSlug = "nobody" }, offboarding.CodeInvalidArgument, "parent"},
		"unknown admin":      {func(in *offboarding.Import) { in.ProvisioningAdminExternalID = "nobody" }, offboarding.CodeInvalidArgument, "provisioning_admin_external_id"},
		"unknown folder":     {func(in *offboarding.Import) { in.Documents[5].FolderPath = "nowhere" }, offboarding.CodeInvalidArgument, "folder_path"},
		"unknown owner":      {func(in *offboarding.Import) { in.Documents[5].OwnerExternalID = "" }, offboarding.CodeInvalidArgument, "owner_external_id"},
		"unknown document":   {func(in *offboarding.Import) { in.Schedules[5].DocumentExternalID = "none" }, offboarding.CodeInvalidArgument, "document_external_id"},
		"unknown credential": {func(in *offboarding.Import) { in.Credentials[79].MemberExternalID = "nobody" }, offboarding.CodeInvalidArgument, "member_external_id"},
		// What the database refuses itself, were the files not read by ReadImport.
		"a member twice":     {func(in *offboarding.Import) { in.Members[368].ExternalID = in.Members[0].ExternalID }, "", ""},
		"an address twice":   {func(in *offboarding.Import) { in.Members[368].Email = in.Members[0].Email }, "", ""},
		"a bad role":         {func(in *offboarding.Import) { in.Members[368].Role = "king" }, "", ""},
		"a grant twice":      {func(in *offboarding.Import) { in.Grants[5950] = in.Grants[0] }, "", ""},
		"a bad last row":     {func(in *offboarding.Import) { in.Credentials[79].Kind = "key" }, "", ""},
		"NUL":                {func(in *offboarding.Import) { in.Documents[0].Title = "\x00" }, offboarding.CodeInvalidArgument, ""},
		"a bad organization": {func(in *offboarding.Import) { in.Organization.ClaimPolicy = "" }, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testdb.New(t)
			in := devdocs(t)
			tt.change(&in)
			_, err := postgres.New(db).Import(t.Context(), in, importTime, nil)
			require.Error(t, err)
			if tt.code != "" {
				var refusal *offboarding.Refusal
				require.ErrorAs(t, err, &refusal)
				require.Equal(t, tt.code, refusal.Code())
				require.Equal(t, tt.field, refusal.Violations[0].Field)
			} else {
				var dbError *postgres.Error
				require.ErrorAs(t, err, &dbError, "the driver's text stays inside")
			}
			require.Equal(t, noRows(), countRows(t, db))
			require.NoError(t, db.Ping(), "the connection is still good")
		})
	}
}

func TestImportCanBeCanceled(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := postgres.New(db).Import(ctx, devdocs(t), importTime, func(int, int) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, noRows(), countRows(t, db))
}
