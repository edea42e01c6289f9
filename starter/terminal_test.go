package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/postgres"
)

// What people have called themselves, their documents and their reasons does nothing to
// the terminal of who lists them: it neither moves its cursor, nor names its window, nor
// writes lines that look like ours.
func TestNothingButTextReachesTheTerminal(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	importDevdocs(t, url)
	store, err := postgres.Open(url, 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	const hostile = "\x1b[2J\x1b]0;owned\a\u009b31m\u202e\r\nFORGED\u2028\x7f"
	show := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		args = append(args, "--database-url", url, "--organization", "devdocs")
		require.Equal(t, want, run(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &errs}), "%q: %s", args, errs.String())
		all := out.String() + errs.String()
		for _, r := range all {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%q writes %U:\n%q", args, r, all)
		}
		for line := range strings.Lines(all) {
			require.False(t, strings.HasPrefix(line, "FORGED"), "%q:\n%s", args, all)
		}
		return all
	}
	show(exitDone, "hold", "place", "--member", "m0236", "--reason", "a case", "--as", "m0169")
	show(exitDone, "credential", "create", "--as", "m0236", "--name", "a key")
	show(exitDone, "hold", "place", "--member", "m0236", "--reason", "another"+hostile, "--as", "m0169")
	for _, change := range []string{ // what is in the database, whoever has let it in
		`UPDATE members SET display_name = display_name || $1`, `UPDATE documents SET title = title || $1`, `UPDATE credentials SET name = name || $1`,
		`UPDATE workspaces SET name = name || $1`, `UPDATE organizations SET name = name || $1`, `UPDATE legal_holds SET reason = reason || $1`,
	} {
		_, err := store.DB().ExecContext(t.Context(), change, hostile)
		require.NoError(t, err, change)
	}
	named := 0
	for _, args := range [][]string{
		{"members"},
		{"documents", "--owner", "m0236"},
		{"audit"},
		{"preview", "m0236", "--as", "m0169"},
		{"hold", "list"},
		{"credential", "list", "--as", "m0236"},
		{"settings"},
		{"requests"},
		{"list"},
	} {
		if strings.Contains(show(exitDone, args...), "FORGED") {
			named++
		}
	}
	require.GreaterOrEqual(t, named, 4, "the texts were shown")
	show(exitUsage, "members", hostile)
	show(exitUsage, "no"+hostile)
	show(exitRefused, "preview", "x"+hostile, "--as", "m0169")
}
