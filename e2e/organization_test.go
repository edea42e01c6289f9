package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// organization is the files of an organization: a name and the rows below the header.
type organization struct {
	settings string
	rows     map[string][]string
}

var headers = map[string]string{
	"members.csv":     "external_id,email,display_name,role,account_type,manager_external_id,managed_by",
	"folders.csv":     "path,kind",
	"documents.csv":   "external_id,title,kind,folder_path,owner_external_id",
	"grants.csv":      "document_external_id,member_external_id,level",
	"schedules.csv":   "document_external_id,kind,cron",
	"credentials.csv": "member_external_id,kind,name",
	"leavers.csv":     "email,last_day,reason,disposition,new_owner_email",
}

// newFiles is an organization with an owner, an admin, a manager and makers who
// stay: o1, a1, b1, k1, k2, and e1, an editor.
func newFiles() *organization {
	o := &organization{
		settings: `{"slug": "small", "name": "Small", "domains": ["` + emailDomain + `"], "seat_limit": 0, "claim_policy": "self_serve",
			"identity_provider": "none"}`,
		rows: map[string][]string{},
	}
	o.member("o1", "owner", "maker")
	o.member("a1", "admin", "maker")
	o.member("b1", "contributor", "maker")
	o.member("k1", "contributor", "maker")
	o.member("k2", "contributor", "maker")
	o.member("e1", "contributor", "editor")
	o.add("folders.csv", "Team/Plans,shared")
	return o
}

func (o *organization) add(file, format string, args ...any) {
	o.rows[file] = append(o.rows[file], fmt.Sprintf(format, args...))
}

func email(id string) string { return id + "@" + emailDomain }

func (o *organization) member(id, role, account string) {
	manager := "b1"
	if len(o.rows["members.csv"]) < 3 {
		manager = ""
	}
	o.add("members.csv", "%s,%s,%s%s,%s,%s,%s,", id, email(id), displayName, id, role, account, manager)
	o.add("credentials.csv", "%s,api,key-%s", id, id)
}

// leaver adds a maker with n documents, named <id>-1 and so on: the first of four
// can be claimed by k1 and k2, the second asked for by e1, the third is in a shared
// folder, and the fourth is nobody else's.
func (o *organization) leaver(id string, n int) {
	o.member(id, "contributor", "maker")
	for i := range n {
		document, folder := fmt.Sprintf("%s-%d", id, i+1), ""
		switch i % 4 {
		case 0:
			o.add("grants.csv", "%s,k1,edit", document)
			o.add("grants.csv", "%s,k2,edit", document)
			o.add("schedules.csv", "%s,export,0 6 * * 1", document)
		case 1:
			o.add("grants.csv", "%s,e1,view", document)
		case 2:
			folder = "Team/Plans"
		}
		o.add("documents.csv", "%s,Plan %s,sheet,%s,%s", document, document, folder, id)
	}
}

// write writes the files and returns their folder.
func (o *organization) write(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(tempDir(t), "organization")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "organization.json"), []byte(o.settings), 0o600))
	for file, header := range headers {
		text := strings.Join(append([]string{header}, o.rows[file]...), "\n") + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	return dir
}
