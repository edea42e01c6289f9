// Command testrun reads `go test -json` and prints what `go test` would: a line a
// package, and all about what failed. At the end it fails where a test that
// docs/rules.md or docs/security.md names has not run, or not passed: whatever the
// reason, a build tag, a package left out, and in rules.md a skip. An attack can need
// what a machine has not, such as root; then it is told that its test was skipped.
//
//	go test -json ./... | testrun
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"handover/docs"
)

func main() {
	rows, err := docs.Rows()
	if err == nil {
		var attacks []docs.Row
		if attacks, err = docs.SecurityRows(); err == nil {
			err = run(os.Stdin, os.Stdout, append(rows, attacks...))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
}

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build
	Test       string
	Output     string
}

// module is what the folders of packages begin with.
const module = "handover/"

func run(in io.Reader, out io.Writer, rows []docs.Row) error {
	r := runs{outcomes: map[docs.Test]string{}, output: map[docs.Test][]string{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := r.take(line, out); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return r.check(out, rows)
}

// runs is what became of each test.
type runs struct {
	outcomes map[docs.Test]string // pass, fail or skip
	output   map[docs.Test][]string
	failed   bool
}

func (r *runs) take(line []byte, out io.Writer) error {
	var e event
	if json.Unmarshal(line, &e) != nil {
		_, err := out.Write(line) // not from a test, such as the go command's own errors
		return err
	}
	test := docs.Test{Package: strings.TrimPrefix(e.Package, module), Name: e.Test}
	var show string
	switch e.Action {
	case "output":
		if noise(e.Output) {
			break
		}
		if e.Test == "" {
			show = e.Output
			break
		}
		r.output[test] = append(r.output[test], e.Output)
	case "build-output":
		show = e.Output
	case "pass", "skip", "fail":
		r.failed = r.failed || e.Action == "fail"
		if e.Test == "" {
			show = r.unfinished(test.Package)
			break
		}
		r.outcomes[test] = e.Action
		if e.Action == "fail" {
			show = strings.Join(r.output[test], "")
		}
		delete(r.output, test)
	}
	_, err := io.WriteString(out, show)
	return err
}

// noise is what `go test` says only where it is asked to be verbose.
func noise(line string) bool {
	return line == "PASS\n" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "testing: warning: no tests")
}

// unfinished is what tests of a package had said when the package ended without
// them: a panic or a time-out.
func (r *runs) unfinished(pkg string) string {
	var all []string
	for test, output := range r.output {
		if test.Package == pkg {
			all = append(all, output...)
			delete(r.output, test)
		}
	}
	return strings.Join(all, "")
}

// check requires that each test named has passed, and none of its subtests was
// skipped.
func (r *runs) check(out io.Writer, rows []docs.Row) error {
	skipped := map[docs.Test]bool{}
	for test, outcome := range r.outcomes {
		for outcome == "skip" {
			skipped[test] = true
			end := strings.LastIndexByte(test.Name, '/')
			if end < 0 {
				break
			}
			test.Name = test.Name[:end]
		}
	}
	missing, without := 0, 0
	tests := map[docs.Test]bool{}
	for _, row := range rows {
		for _, test := range row.Tests {
			outcome := r.outcomes[test]
			if outcome == "pass" && skipped[test] {
				outcome = "skipped in part"
			}
			switch {
			case outcome == "":
				outcome = "did not run"
				fallthrough
			case outcome == "fail", outcome != "pass" && row.File == "rules.md":
				missing++
			case outcome != "pass":
				without++
			}
			if outcome != "pass" {
				if _, err := fmt.Fprintf(out, "docs/%s:%d: %s: %s: %s\n", row.File, row.Line, row.ID, test, outcome); err != nil {
					return err
				}
			}
			tests[test] = true
		}
	}
	switch {
	case missing > 0:
		return fmt.Errorf("%d of the tests that docs/rules.md and docs/security.md name did not pass", missing)
	case r.failed:
		return fmt.Errorf("tests failed")
	}
	_, err := fmt.Fprintf(out, "docs/rules.md and docs/security.md: %d rows, and of the %d tests that they name %d were skipped and the others have passed\n",
		len(rows), len(tests), without)
	return err
}
