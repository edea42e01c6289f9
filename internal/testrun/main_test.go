package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/docs"
)

// What `go test -json` says of a test, and whether it proves a rule.
func TestOnlyATestThatPassedProvesARule(t *testing.T) {
	t.Parallel()
	rows := []docs.Row{{File: "rules.md", Line: 7, ID: "C1", Tests: []docs.Test{{Package: "postgres", Name: "TestTwoClaims/one"}}}}
	event := func(action, test string) string {
		return `{"Action":"` + action + `","Package":"handover/postgres","Test":"` + test + `"}` + "\n"
	}
	for name, test := range map[string]struct{ log, want string }{
		"passed":           {event("run", "TestTwoClaims/one") + event("pass", "TestTwoClaims/one"), ""},
		"failed":           {event("fail", "TestTwoClaims/one"), "C1: postgres/TestTwoClaims/one: fail"},
		"skipped":          {event("skip", "TestTwoClaims/one"), "C1: postgres/TestTwoClaims/one: skip"},
		"skipped in part":  {event("skip", "TestTwoClaims/one/deep/er") + event("pass", "TestTwoClaims/one"), "TestTwoClaims/one: skipped in part"},
		"another":          {event("pass", "TestTwoClaims"), "docs/rules.md:7: C1: postgres/TestTwoClaims/one: did not run"},
		"began, never end": {event("run", "TestTwoClaims/one"), "did not run"},
		"nothing":          {"", "did not run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			err := run(strings.NewReader(test.log), &out, rows)
			if test.want == "" {
				require.NoError(t, err)
				require.Equal(t, "docs/rules.md and docs/security.md: 1 rows, and of the 1 tests that they name 0 were skipped and the others have passed\n", out.String())
				return
			}
			require.Error(t, err)
			require.Contains(t, out.String(), test.want)
		})
	}
}

// What stops an attack can need what a machine has not.
func TestASkippedAttackIsTold(t *testing.T) {
	t.Parallel()
	rows := []docs.Row{{File: "security.md", Line: 3, Tests: []docs.Test{{Package: "privacy", Name: "TestConfined"}}}}
	for action, want := range map[string]string{"skip": "1 were skipped", "fail": "TestConfined: fail", "run": "did not run"} {
		var out strings.Builder
		err := run(strings.NewReader(`{"Action":"`+action+`","Package":"handover/privacy","Test":"TestConfined"}`), &out, rows)
		require.Equal(t, action == "skip", err == nil, "%s: %v", action, err)
		require.Contains(t, out.String(), want)
	}
}

// People see what failed and a line a package, as from `go test`.
func TestOutputIsThatOfGoTest(t *testing.T) {
	t.Parallel()
	const log = `{"Action":"start","Package":"handover/x"}
{"Action":"output","Package":"handover/x","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"handover/x","Test":"TestA","Output":"    a_test.go:1: wrong\n"}
{"Action":"output","Package":"handover/x","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"handover/x","Test":"TestA"}
{"Action":"output","Package":"handover/x","Test":"TestB","Output":"well\n"}
{"Action":"pass","Package":"handover/x","Test":"TestB"}
{"Action":"output","Package":"handover/x","Test":"TestC","Output":"panic: help\n"}
{"Action":"output","Package":"handover/x","Output":"FAIL\thandover/x\t0.1s\n"}
{"Action":"fail","Package":"handover/x"}
{"ImportPath":"handover/y","Action":"build-output","Output":"y.go:1: undefined\n"}
go: no such module
{"Action":"output","Package":"handover/z","Output":"PASS\n"}
{"Action":"output","Package":"handover/z","Output":"ok  \thandover/z\t(cached)\n"}
{"Action":"pass","Package":"handover/z"}
`
	var out strings.Builder
	require.EqualError(t, run(strings.NewReader(log), &out, nil), "tests failed")
	require.Equal(t, `    a_test.go:1: wrong
--- FAIL: TestA (0.00s)
FAIL	handover/x	0.1s
panic: help
y.go:1: undefined
go: no such module
ok  	handover/z	(cached)
`, out.String())
}
