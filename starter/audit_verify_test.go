package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// audited is a database with a sealed audit of one organization.
type audited struct {
	t   *testing.T
	db  *sqlx.DB // as the owner
	url string   // as the application
	dir string
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	owner := testdb.URL(t)
	a := &audited{t: t, url: testdb.AppURL(t, owner), dir: t.TempDir()}
	db, err := sqlx.Connect("postgres", owner)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	a.db = db
	importDevdocs(t, a.url)
	_, err = db.ExecContext(t.Context(), `INSERT INTO audit_events (organization_id, event, origin, member_id, subject_kind, subject_id, before, after, at)
		SELECT o.id, 'CancelOffboarding', '', m.id, 'member', m.id, jsonb_build_object('reason', 'x < y & z ' || chr(8232) || m.display_name), '{"n": 1.50}', m.created_at
		FROM organizations o, LATERAL (SELECT * FROM members m WHERE m.organization_id = o.id ORDER BY id LIMIT 5) m`)
	require.NoError(t, err)
	a.seal()
	return a
}

// seal seals everything, as the worker does.
func (a *audited) seal() {
	a.t.Helper()
	store, err := postgres.Open(a.url, 2)
	require.NoError(a.t, err)
	defer func() { require.NoError(a.t, store.Close()) }()
	for left := 1; left > 0; {
		_, err := store.SealAudit(a.t.Context(), 3)
		require.NoError(a.t, err)
		require.NoError(a.t, a.db.Get(&left, `SELECT count(*) FROM audit_events WHERE id > (SELECT sealed_id FROM audit_horizon)`))
	}
}

// starter runs a command line.
func (a *audited) starter(code int, args ...string) (out, errs string) {
	a.t.Helper()
	var o, e bytes.Buffer
	got := run(a.t.Context(), append(args, "--database-url", a.url), streams{in: strings.NewReader(""), out: &o, err: &e})
	require.Equal(a.t, code, got, "%s\n%s", o.String(), e.String())
	return o.String(), e.String()
}

func (a *audited) write(name, text string) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	require.NoError(a.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestAuditVerify(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	out, _ := a.starter(0, "audit", "verify")
	require.Contains(t, out, "Every sealed event is what it was.")
	heads, _ := a.starter(0, "audit", "verify", "-o", "json", "--organization", "devdocs")
	var answer struct {
		Whole         bool                       `json:"whole"`
		Organizations []offboarding.AuditChecked `json:"organizations"`
		Breaks        []offboarding.AuditBreak   `json:"breaks"`
	}
	require.NoError(t, json.Unmarshal([]byte(heads), &answer))
	require.True(t, answer.Whole)
	require.NotNil(t, answer.Breaks)
	require.Len(t, answer.Organizations, 1)
	require.Equal(t, 6, answer.Organizations[0].Events)
	kept := a.write("heads.json", heads)

	// It goes on, and what was kept is still true.
	_, err := a.db.ExecContext(t.Context(), `INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at)
		SELECT organization_id, event, origin, subject_kind, subject_id, '{}', '{}', at FROM audit_events LIMIT 1`)
	require.NoError(t, err)
	a.seal()
	head := answer.Organizations[0].AuditHead
	a.starter(0, "audit", "verify", "--heads", kept)
	a.starter(0, "audit", "verify", "--organization", "devdocs", "--expect-head", "2:"+head.Hash)

	// The end is cut off, so well that the database does not know.
	for _, statement := range []string{
		`ALTER TABLE audit_events DISABLE TRIGGER USER`, `ALTER TABLE audit_seals DISABLE TRIGGER USER`,
		`DELETE FROM audit_seals WHERE number > 1`, `DELETE FROM audit_events WHERE id > (SELECT last_event FROM audit_seals)`,
		`UPDATE audit_heads SET number = 1, hash = (SELECT hash FROM audit_seals)`,
	} {
		_, err := a.db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	a.starter(0, "audit", "verify")
	out, _ = a.starter(1, "audit", "verify", "--heads", kept)
	require.Contains(t, out, "its end was cut off")
	out, _ = a.starter(1, "audit", "verify", "--organization", "devdocs", "--expect-head", "2:"+head.Hash)
	require.Contains(t, out, "its end was cut off")
	_, err = a.db.ExecContext(t.Context(), `UPDATE audit_events SET origin = 'AI,Acme,forger' WHERE id = (SELECT max(id) FROM audit_events)`)
	require.NoError(t, err)
	out, _ = a.starter(1, "audit", "verify")
	require.Regexp(t, `(?m)^ *[0-9a-f-]{36} +1 +\d+ +changed after it was sealed$`, out)
	require.Contains(t, out, "The audit is not what it was.")
	out, _ = a.starter(1, "audit", "verify", "-o", "json")
	require.Contains(t, out, `"kind": "changed"`)
	require.Contains(t, out, `"whole": false`)
}

// An export is verified without the database; whatever is done to it is found.
func TestAuditVerifyOfAnExport(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	export, _ := a.starter(0, "audit", "export")
	lines := strings.SplitAfter(strings.TrimSuffix(export, "\n"), "\n") // seal, three events, seal, three events, end
	require.Len(t, lines, 9)
	verify := func(code int, lines ...string) (out, errs string) {
		t.Helper()
		return a.starter(code, "audit", "verify", "--database-url", "postgres://nobody@127.0.0.1:1/nothing", "--file", a.write("audit.ndjson", strings.Join(lines, "")))
	}
	out, _ := verify(0, lines...)
	require.Contains(t, out, "Every sealed event is what it was.")
	var reformatted bytes.Buffer
	for _, line := range lines {
		var v map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		require.NoError(t, d.Decode(&v))
		require.NoError(t, writeJSON(&reformatted, v, "   ")) // other order, other spaces
	}
	verify(0, reformatted.String())

	end := func(n string) string { return strings.Replace(lines[8], `"events":6`, `"events":`+n, 1) }
	for what, test := range map[string]struct {
		want  string
		lines []string
	}{
		"changed after it was sealed": {"", append(append(append([]string{}, lines[:6]...), strings.Replace(lines[6], "1.50", "1.5", 1)), lines[7:]...)},
		"removed after it was sealed": {"", append(append(append([]string{}, lines[:2]...), lines[3:8]...), end("5"))},
		"the seal is gone":            {"", append(append([]string{}, lines[1:8]...), lines[8])},
		"its end was cut off":         {"", append(append([]string{}, lines[:4]...), end("3"))},
		"not in its place":            {"", append([]string{lines[0], lines[2], lines[1]}, lines[3:]...)},
		"the seal was changed":        {"", append([]string{strings.Replace(lines[0], `"entries":"AAAA`, `"entries":"AAAB`, 1)}, lines[1:]...)},
	} {
		out, _ := verify(1, test.lines...)
		require.Contains(t, out, what)
	}
	for want, broken := range map[string][]string{
		"it was cut off": lines[:8],
		"the file has 5 events, and says that it has 6":   append(append([]string{}, lines[:2]...), lines[3:]...),
		"line 1 is no line of an export":                  {"{}"},
		"line 2 is no line of an export":                  {lines[0], "hello"},
		"the file has no seals: export it with the proof": {lines[1], lines[2], end("2")},
	} {
		_, errs := verify(1, broken...)
		require.Contains(t, errs, want)
	}
	_, errs := a.starter(1, "audit", "verify", "--file", filepath.Join(a.dir, "nowhere"))
	require.Contains(t, errs, "cannot be read")
	_, errs = a.starter(1, "audit", "verify", "--heads", a.write("no.json", "{}"))
	require.Contains(t, errs, "is no answer of 'starter audit verify --output json'")
	_, errs = a.starter(2, "audit", "verify", "--expect-head", "x")
	require.Contains(t, errs, "--expect-head must be NUMBER:HASH")
	require.Contains(t, errs, "--organization is missing")
}

// erase deletes a member whom a sealed event with a text is about, as the application does.
func (a *audited) erase() {
	a.t.Helper()
	app, err := sqlx.Connect("postgres", a.url)
	require.NoError(a.t, err)
	defer func() { require.NoError(a.t, app.Close()) }()
	var member string
	require.NoError(a.t, app.Get(&member, `SELECT member_id FROM audit_events WHERE event = 'CancelOffboarding' AND member_id NOT IN (
		SELECT member_id FROM credentials WHERE status = 'active' UNION SELECT id FROM members WHERE role = 'owner') LIMIT 1`))
	_, err = app.ExecContext(a.t.Context(), `UPDATE members SET status = 'inactive', deactivated_at = created_at WHERE id = $1`, member)
	require.NoError(a.t, err)
	tx, err := app.Beginx()
	require.NoError(a.t, err)
	for _, statement := range []string{
		`UPDATE members SET status = 'deleted', email = 'deleted-' || id || '@deleted.invalid', external_id = 'deleted:' || id,
			manager_id = NULL, managed_by = '', time_zone = '', user_name = NULL, provider_id = NULL, profile = '{}' WHERE id = $1`,
		`SELECT erase_audit_texts($1)`,
		`INSERT INTO audit_events (organization_id, event, origin, member_id, subject_kind, subject_id, before, after, at)
			SELECT organization_id, 'DeleteMember', '', id, 'member', id, '{}', '{}', created_at FROM members WHERE id = $1`,
	} {
		_, err := tx.ExecContext(a.t.Context(), statement, member)
		require.NoError(a.t, err)
	}
	require.NoError(a.t, tx.Commit())
}

// The verifier that docs/audit.md shows, in another language, comes to the same.
func TestTheDocumentedVerifier(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	a := newAudited(t)
	page, err := os.ReadFile(filepath.Join("..", "docs", "audit.md"))
	require.NoError(t, err)
	_, script, found := strings.Cut(string(page), "```python\n")
	require.True(t, found)
	script, _, _ = strings.Cut(script, "```")
	program := a.write("verify.py", script)
	verify := func(export string) (string, error) {
		out, err := exec.CommandContext(t.Context(), python, program, a.write("audit.ndjson", export)).CombinedOutput()
		return string(out), err
	}
	whole := func() string {
		t.Helper()
		export, _ := a.starter(0, "audit", "export")
		a.starter(0, "audit", "verify", "--file", a.write("export.ndjson", export))
		out, err := verify(export)
		require.NoError(t, err, out)
		return export
	}
	whole()
	a.erase() // of what is sealed; the deletion is not yet
	whole()
	a.seal()
	export := whole()
	for from, to := range map[string]string{
		`"n":1.50`: `"n":1.5`, `"reason":"erased"`: `"reason":"x"`, `"event":"DeleteMember"`: `"event":"RestoreMember"`, `"salt":"`: `"salt":"0`,
		`"event":"EndOfExport"`: `"event":"End"`, `"number":2`: `"number":3`,
	} {
		changed := strings.Replace(export, from, to, 1)
		require.NotEqual(t, export, changed)
		out, err := verify(changed)
		require.Error(t, err, "%s %s", from, out)
		a.starter(1, "audit", "verify", "--file", a.write("changed.ndjson", changed))
	}
}
