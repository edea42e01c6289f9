package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// figures is what the demo writes with --json; an unknown key is an error.
type figures struct {
	Organization       string          `json:"organization"`
	Members            int             `json:"members"`
	Documents          int             `json:"documents"`
	Leavers            int             `json:"leavers"`
	Offboarded         int             `json:"offboarded"`
	Refused            map[string]int  `json:"refused"`
	DocumentsOfLeavers int             `json:"documents_of_leavers"`
	Claimed            int             `json:"claimed"`
	Requested          int             `json:"requested"`
	Approved           int             `json:"approved"`
	Rejected           int             `json:"rejected"`
	Transferred        int             `json:"transferred"`
	Reactivated        int             `json:"reactivated"`
	Held               int             `json:"held"`
	Deleted            int             `json:"deleted"`
	ReadOnly           int             `json:"read_only"`
	StillUnowned       int             `json:"still_unowned"`
	AuditEvents        int             `json:"audit_events"`
	Invariants         map[string]bool `json:"invariants"`
	Seconds            float64         `json:"seconds"`
}

// demo tells the story of the organization in the folder.
func demo(t *testing.T, data string) (result, figures) {
	t.Helper()
	file := filepath.Join(tempDir(t), "figures.json")
	r := execute(t, work, nil, "devstack", "demo", "--data", data, "--json", file)
	for _, text := range []string{r.out, r.err} {
		require.Equal(t, -1, strings.IndexFunc(text, func(c rune) bool { return c != '\n' && unicode.In(c, unicode.Cc, unicode.Cf) }),
			"nobody watches, and there are control characters: %q", text)
	}
	var f figures
	raw, err := os.ReadFile(file)
	if r.code != 0 {
		require.Error(t, err, "no figures of a demo that was not told")
		return r, f
	}
	require.NoError(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&f))
	var keys object
	require.NoError(t, json.Unmarshal(raw, &keys))
	require.Len(t, keys, 20, "a key is missing: %v", keys)
	require.Len(t, f.Invariants, 9)
	for name, holds := range f.Invariants {
		require.True(t, holds, name)
	}
	return r, f
}

func TestDemo(t *testing.T) {
	t.Parallel()
	o := newFiles()
	leave := func(id string, documents int, lastDay, disposition, newOwner string) {
		o.leaver(id, documents)
		o.add("leavers.csv", "%s,%s,left,%s,%s", email(id), lastDay, disposition, newOwner)
	}
	leave("l1", 4, "2024-01-31", "transfer", email("k1"))
	leave("l2", 3, "2024-01-31", "transfer", "manager")
	leave("l3", 5, "2024-01-31", "archive", "")
	leave("l4", 9, "2024-01-31", "retain", "")
	leave("l5", 8, "2024-01-31", "", "")
	leave("l6", 6, "2024-01-31", "", "")
	leave("l7", 4, time.Now().UTC().AddDate(0, 0, 3).Format(time.DateOnly), "", "")
	leave("l8", 2, time.Now().UTC().AddDate(0, 0, 90).Format(time.DateOnly), "", "")
	leave("r1", 1, "2024-01-31", "transfer", email("e1")) // an editor cannot own documents
	o.add("leavers.csv", "%s,2024-01-31,left,,", email("nobody"))
	o.add("members.csv", "p1,someone@gmail.com,Someone,contributor,maker,b1,")
	o.add("leavers.csv", "someone@gmail.com,2024-01-31,left,,")
	o.rows["documents.csv"][16] = strings.Replace(o.rows["documents.csv"][16], ",Plan", ",\x1b[31m\u202ePlan", 1)
	o.rows["members.csv"][0] = strings.Replace(o.rows["members.csv"][0], displayName, "\x1b]0;x\a", 1)

	r, f := demo(t, o.write(t))
	require.Zero(t, r.code, r.err)
	require.Equal(t, []any{"small", 16, 42, 11, 8}, []any{f.Organization, f.Members, f.Documents, f.Leavers, f.Offboarded})
	require.Equal(t, map[string]int{"isp_domain": 1, "member_not_found": 1, "new_owner_not_eligible": 1}, f.Refused)

	// Where every document of a leaver is in the end.
	require.Equal(t, 6, number(t, r.out, `(\d+) members? offboarded in`))
	require.Equal(t, 2, number(t, r.out, `(\d+) members? on the list leave later`))
	kept := number(t, r.out, `theirs again who came back +(\d+)`)
	const archived, waiting = 5, 2 // l3's, and those of l8, who is still there
	require.Equal(t, 41, f.DocumentsOfLeavers)
	require.Equal(t, f.DocumentsOfLeavers, f.Claimed+f.Approved+f.Transferred+kept+archived+waiting+f.StillUnowned, "%+v", f)
	require.Equal(t, []int{1, 1, 1}, []int{f.Reactivated, f.Held, f.Deleted})
	require.Contains(t, r.out, "the answer is \"legal_hold\"")
	require.Contains(t, r.out, "last_owner: ")
	require.Regexp(t, `Who could own them all: .+ \(.+\)`, r.out)
	require.Positive(t, f.Claimed)
	require.Positive(t, f.Approved)
	require.GreaterOrEqual(t, f.Requested, f.Approved+f.Rejected)
	require.GreaterOrEqual(t, f.Transferred, 4+3)
	require.Positive(t, f.ReadOnly)
	require.GreaterOrEqual(t, f.StillUnowned, f.ReadOnly)
	require.Greater(t, f.AuditEvents, f.DocumentsOfLeavers)
	require.Positive(t, f.Seconds)
	require.Equal(t, f.Leavers, number(t, r.out, `leavers on the list +(\d+)`))
	require.Equal(t, f.ReadOnly, number(t, r.out, `read-only, waiting for an owner +(\d+)`))
}

func number(t *testing.T, text, pattern string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	require.NotNil(t, found, "%s in\n%s", pattern, text)
	n, err := strconv.Atoi(found[1])
	require.NoError(t, err)
	return n
}

func TestDemoWithoutLeavers(t *testing.T) {
	t.Parallel()
	o := newFiles()
	o.rows = map[string][]string{}
	o.member("o1", "owner", "maker") // an organization of one
	r, f := demo(t, o.write(t))
	require.Zero(t, r.code, r.err)
	require.Equal(t, []int{1, 0, 0, 0}, []int{f.Members, f.Documents, f.Leavers, f.Offboarded})
	require.NotNil(t, f.Refused)
	require.Equal(t, 1, f.AuditEvents, "the import")
}

func TestDemoOfOneOwnerWhoLeaves(t *testing.T) {
	t.Parallel()
	o := newFiles()
	o.rows = map[string][]string{}
	o.member("o1", "owner", "maker")
	o.add("leavers.csv", "%s,2024-01-31,left,,", email("o1"))
	r, _ := demo(t, o.write(t))
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "no active owner or admin who stays")
}

func TestDemoReportsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	o := newFiles()
	o.settings = `{"slug": "Not a slug", "name": "Small", "domains": ["` + emailDomain + `"], "seat_limit": 0, "claim_policy": "self_serve",
		"identity_provider": "none"}`
	o.leaver("l1", 2)
	o.add("members.csv", "m1,no address,M,contributor,maker,,")
	o.add("members.csv", "m2,%s,M,boss,maker,,", email("m2"))
	o.add("documents.csv", "d1,Plan,sheet,,ghost")
	o.add("grants.csv", "d9,k1,edit")
	o.add("schedules.csv", "l1-1,export,whenever")
	o.add("credentials.csv", "k1,password,p")
	o.add("leavers.csv", "%s,some day,left,,", email("l1"))
	o.add("leavers.csv", "%s,2024-01-31,left,burn,", email("k1"))
	r, _ := demo(t, o.write(t))
	require.Equal(t, 1, r.code)
	for _, line := range []string{
		`organization\.json:1: slug: .*`, `members\.csv:9: email: .*`, `members\.csv:10: role: .*`, `documents\.csv:4: owner_external_id: .*`,
		`grants\.csv:5: document_external_id: .*`, `schedules\.csv:3: cron: .*`, `credentials\.csv:9: kind: .*`, `leavers\.csv:2: last_day: .*`,
		`leavers\.csv:3: disposition: .*`,
	} {
		require.Regexp(t, line, r.err)
	}
	require.NotContains(t, r.out, "Starting", "nothing was started for it")
}

func TestDemoWithoutItsFolder(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(tempDir(t), "nowhere")
	r, _ := demo(t, missing)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, missing)
	require.Less(t, strings.Count(r.err, "\n"), 3, "one reason, not one for each file:\n%s", r.err)
}
