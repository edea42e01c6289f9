package offboarding_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

const devdocs = "../data/devdocs"

// acme are the files of a small organization in which everything is right.
func acme() map[string]string {
	return map[string]string{
		"organization.json": `{
  "slug": "acme",
  "name": "Acme",
  "domains": ["Acme.example", "acme.test"],
  "seat_limit": 3,
  "claim_policy": "admin_approval",
  "identity_provider": "okta",
  "provisioning_admin_external_id": "m3"
}`,
		"members.csv": "external_id,email,display_name,role,account_type,manager_external_id,managed_by\n" +
			"m1,ann@acme.example,Ann,owner,maker,,\n" +
			"m2,bob@acme.example,Bob,reader,viewer,m3,okta\n" +
			"m3,cem@acme.example,\"Cem, the third\",admin,maker,m1,\n",
		"folders.csv":     "path,kind\na,shared\na/b/c,shared\n",
		"documents.csv":   "external_id,title,kind,folder_path,owner_external_id\nd1,One,workbook,a/b/c,m1\nd2,Two,doc,,m3\n",
		"grants.csv":      "document_external_id,member_external_id,level\nd1,m2,view\nd1,m3,edit\n",
		"schedules.csv":   "document_external_id,kind,cron\nd1,export,\"*/5 0-6,22 1 JAN-mar MON,7\"\n",
		"credentials.csv": "member_external_id,kind,name\nm1,api,CI\n",
	}
}

func read(files map[string]string) (offboarding.Import, error) {
	dir := fstest.MapFS{}
	for name, content := range files {
		dir[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return offboarding.ReadImport(dir)
}

func TestReadImportOfLatestEdits(t *testing.T) {
	t.Parallel()
	files := acme()
	files["grants.csv"] = "last_edited_at,level,document_external_id,member_external_id\n2026-02-01,edit,d1,m2\n2026-02-01T01:30:00+02:00,edit,d1,m3\n,view,d2,m3\n"
	in, err := read(files)
	require.NoError(t, err)
	edited := make([]time.Time, 0, len(in.Grants))
	for _, g := range in.Grants {
		edited = append(edited, g.LastEditedAt)
	}
	require.Equal(t, []time.Time{
		time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC), {},
	}, edited)
}

func TestReadImport(t *testing.T) {
	t.Parallel()
	in, err := read(acme())
	require.NoError(t, err)
	require.Equal(t, offboarding.Import{
		Organization: offboarding.Organization{
			Slug: "acme", Name: "Acme", Domains: []string{"acme.example", "acme.test"}, SeatLimit: 3,
			ClaimPolicy: offboarding.PolicyApproval, GracePeriod: 7 * 24 * time.Hour,
			DefaultDisposition: offboarding.DispositionRetain, TimeZone: "UTC", IdentityProvider: "okta",
			SSOSessions: offboarding.SSORevoke, Attribution: offboarding.AttributionName, BulkLimitPercent: 20,
		},
		ProvisioningAdminExternalID: "m3",
		Members: []offboarding.ImportMember{
			{ExternalID: "m1", Email: "ann@acme.example", DisplayName: "Ann", Role: "owner", AccountType: "maker"},
			{ExternalID: "m2", Email: "bob@acme.example", DisplayName: "Bob", Role: "reader", AccountType: "viewer", ManagerExternalID: "m3", ManagedBy: "okta"},
			{ExternalID: "m3", Email: "cem@acme.example", DisplayName: "Cem, the third", Role: "admin", AccountType: "maker", ManagerExternalID: "m1"},
		},
		Folders: []offboarding.ImportFolder{{Path: "a"}, {Path: "a/b/c"}},
		Documents: []offboarding.ImportDocument{
			{ExternalID: "d1", Title: "One", Kind: "workbook", FolderPath: "a/b/c", OwnerExternalID: "m1"},
			{ExternalID: "d2", Title: "Two", Kind: "doc", OwnerExternalID: "m3"},
		},
		Grants: []offboarding.ImportGrant{
			{DocumentExternalID: "d1", MemberExternalID: "m2", Level: "view"},
			{DocumentExternalID: "d1", MemberExternalID: "m3", Level: "edit"},
		},
		Schedules:   []offboarding.ImportSchedule{{DocumentExternalID: "d1", Kind: "export", Cron: "*/5 0-6,22 1 JAN-mar MON,7"}},
		Credentials: []offboarding.ImportCredential{{MemberExternalID: "m1", Kind: "api", Name: "CI"}},
	}, in)
}

func TestReadImportTolerates(t *testing.T) {
	t.Parallel()
	want, err := read(acme())
	require.NoError(t, err)
	tests := map[string]func(files map[string]string){
		"a byte order mark": func(files map[string]string) {
			for name := range files {
				files[name] = "\ufeff" + files[name]
			}
		},
		"CRLF": func(files map[string]string) {
			for name := range files {
				files[name] = strings.ReplaceAll(files[name], "\n", "\r\n")
			}
		},
		"blank lines and no line end": func(files map[string]string) {
			files["grants.csv"] = strings.TrimSuffix(strings.ReplaceAll(files["grants.csv"], "\n", "\n\n"), "\n\n")
		},
		"columns in another order": func(files map[string]string) {
			files["folders.csv"] = "kind , path\nshared,a\nshared,a/b/c\n"
		},
		"other files": func(files map[string]string) { files["leavers.csv"] = "who,when\n" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := acme()
			change(files)
			in, err := read(files)
			require.NoError(t, err)
			require.Equal(t, want, in)
		})
	}
}

func TestReadImportOptional(t *testing.T) {
	t.Parallel()
	files := acme()
	files["organization.json"] = strings.Replace(files["organization.json"], "{",
		`{"grace_period": "2d", "time_zone": "Africa/Cairo", "default_disposition": "archive", "parent": "acme-group",
		"enterprise_plan_manager": true, "sso_sessions": "wait", "attribution": "anonymous", "bulk_limit_percent": 50,`, 1)
	files["members.csv"] = "time_zone,external_id,email,display_name,role,account_type,manager_external_id,managed_by\n" +
		"Europe/Berlin,m1,ann@acme.example,Ann,owner,maker,,\n,m2,bob@acme.example,Bob,reader,viewer,,\n,m3,c@acme.example,Cem,admin,maker,,\n"
	in, err := read(files)
	require.NoError(t, err)
	assert.Equal(t, 48*time.Hour, in.Organization.GracePeriod)
	assert.Equal(t, "Africa/Cairo", in.Organization.TimeZone)
	assert.Equal(t, offboarding.DispositionArchive, in.Organization.DefaultDisposition)
	assert.Equal(t, "acme-group", in.ParentSlug)
	assert.True(t, in.Organization.EnterprisePlanManager)
	assert.Equal(t, offboarding.SSOWait, in.Organization.SSOSessions)
	assert.Equal(t, offboarding.AttributionAnonymous, in.Organization.Attribution)
	assert.Equal(t, 50, in.Organization.BulkLimitPercent)
	assert.Equal(t, "Europe/Berlin", in.Members[0].TimeZone)
	assert.Empty(t, in.Members[1].TimeZone)
}

func TestReadImportDevdocs(t *testing.T) {
	t.Parallel()
	in, err := offboarding.ReadImport(os.DirFS(devdocs))
	require.NoError(t, err)
	assert.Len(t, in.Members, 369)
	assert.Len(t, in.Folders, 789)
	assert.Len(t, in.Documents, 3191)
	assert.Len(t, in.Grants, 5951)
	assert.Len(t, in.Schedules, 307)
	assert.Len(t, in.Credentials, 80)
}

// bad is a change to one file of acme, and all that is then reported.
type bad struct {
	file, old, new string
	want           []string
}

func TestReadImportRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range badRows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := acme()
			require.Contains(t, files[tt.file], tt.old)
			files[tt.file] = strings.Replace(files[tt.file], tt.old, tt.new, 1)
			requireRows(t, files, tt.want)
		})
	}
}

// requireRows requires that exactly these errors are reported, in this order,
// and that nothing is read.
func requireRows(t *testing.T, files map[string]string, want []string) {
	t.Helper()
	in, err := read(files)
	var importError *offboarding.ImportError
	require.ErrorAs(t, err, &importError)
	var got []string
	for _, row := range importError.Rows {
		got = append(got, row.Error())
		require.Contains(t, err.Error(), "\n  "+row.Error())
	}
	require.Equal(t, strings.Join(want, "\n"), strings.Join(got, "\n"))
	require.Zero(t, in)
}

func TestReadImportMissingFiles(t *testing.T) {
	t.Parallel()
	requireRows(t, nil, []string{
		"organization.json: the file is missing", "members.csv: the file is missing", "folders.csv: the file is missing",
		"documents.csv: the file is missing", "grants.csv: the file is missing", "schedules.csv: the file is missing",
		"credentials.csv: the file is missing",
	})
	// What refers to a file that is not there is not held against every row.
	files := acme()
	maps.DeleteFunc(files, func(name, _ string) bool { return name == "members.csv" || name == "folders.csv" })
	requireRows(t, files, []string{"members.csv: the file is missing", "folders.csv: the file is missing"})
}

func TestReadImportReportsAllAtOnce(t *testing.T) {
	t.Parallel()
	files := acme()
	files["organization.json"] = "{\"slug\": \"A b\",\n\"name\": 7, \"color\": \"red\"}"
	files["members.csv"] += "m1,no,,king,maker,m9\nm4,no,,king,maker,m9,\n"
	files["grants.csv"] += "d1,m2,edit\nd8,m8,own\n"
	requireRows(t, files, []string{
		`organization.json: domains: the key is missing`,
		`organization.json: seat_limit: the key is missing`,
		`organization.json: claim_policy: the key is missing`,
		`organization.json: identity_provider: the key is missing`,
		`organization.json:1: slug: "A b" is not of lower-case letters, digits, dots, dashes and underscores`,
		`organization.json:2: unknown key "color"`,
		`organization.json:2: name: is not a text`,
		`members.csv:5: the row has 6 fields, the header 7`,
		`members.csv:6: email: "no" is not an email address`,
		`members.csv:6: display_name: is empty`,
		`members.csv:6: role: "king" is not one of owner, admin, contributor, reviewer, reader`,
		`members.csv:6: manager_external_id: "m9" is not in members.csv`,
		`grants.csv:4: the member's grant on this document is on line 2 already`,
		`grants.csv:5: level: "own" is not one of edit, view`,
		`grants.csv:5: document_external_id: "d8" is not in documents.csv`,
		`grants.csv:5: member_external_id: "m8" is not in members.csv`,
	})
}

// A million rows are the size of a large customer: a check that is quadratic
// would not end here.
func TestReadImportIsLinear(t *testing.T) {
	t.Parallel()
	files := acme()
	var documents, grants strings.Builder
	documents.WriteString(files["documents.csv"])
	grants.WriteString(files["grants.csv"])
	const n = 50_000
	for i := range n {
		fmt.Fprintf(&documents, "x%d,Title,doc,a,m1\n", i)
		fmt.Fprintf(&grants, "x%d,m2,view\nx%d,m3,edit\n", i, i)
	}
	files["documents.csv"], files["grants.csv"] = documents.String(), grants.String()
	in, err := read(files)
	require.NoError(t, err)
	require.Len(t, in.Documents, n+2)
	require.Len(t, in.Grants, 2*n+2)
}

// Workspaces come in two files that an organization without any leaves out.
func TestReadImportReadsWorkspaces(t *testing.T) {
	t.Parallel()
	files := acme()
	files["workspaces.csv"] = "external_id,name\nw1,Research\n"
	files["workspace_members.csv"] = "workspace_external_id,member_external_id,role\nw1,m2,member\nw1,m3,admin\n"
	files["documents.csv"] = "external_id,title,kind,folder_path,owner_external_id,workspace_external_id\nd1,One,workbook,a/b/c,m1,w1\nd2,Two,doc,,m3,\n"
	in, err := read(files)
	require.NoError(t, err)
	require.Equal(t, []offboarding.ImportWorkspace{{ExternalID: "w1", Name: "Research"}}, in.Workspaces)
	require.Equal(t, []offboarding.ImportWorkspaceMember{
		{WorkspaceExternalID: "w1", MemberExternalID: "m2", Role: offboarding.WorkspaceMember},
		{WorkspaceExternalID: "w1", MemberExternalID: "m3", Role: offboarding.WorkspaceAdmin},
	}, in.WorkspaceMembers)
	require.Equal(t, "w1", in.Documents[0].WorkspaceExternalID)

	files["workspaces.csv"] += "w1,Again\n,Nameless\n"
	files["workspace_members.csv"] += "w1,m3,member\nw2,m9,boss\n"
	files["documents.csv"] = strings.ReplaceAll(files["documents.csv"], "w1", "w3")
	_, err = read(files)
	var wrong *offboarding.ImportError
	require.ErrorAs(t, err, &wrong)
	lines := []string{}
	for _, row := range wrong.Rows {
		lines = append(lines, row.Error())
	}
	require.Equal(t, []string{
		`workspaces.csv:3: external_id: "w1" is on line 2 already`,
		`workspaces.csv:4: external_id: is empty`,
		`workspace_members.csv:4: the member is in this workspace on line 3 already`,
		`workspace_members.csv:5: role: "boss" is not one of admin, member`,
		`workspace_members.csv:5: workspace_external_id: "w2" is not in workspaces.csv`,
		`workspace_members.csv:5: member_external_id: "m9" is not in members.csv`,
		`documents.csv:2: workspace_external_id: "w3" is not in workspaces.csv`,
	}, lines)

	files = acme()
	files["documents.csv"] = "external_id,title,kind,folder_path,owner_external_id,workspace_external_id\nd1,One,workbook,a/b/c,m1,w1\n"
	_, err = read(files)
	require.ErrorContains(t, err, `"w1" is not in workspaces.csv`, "the file is missing")
}
