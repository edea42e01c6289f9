// Package docs reads the tables of rules.md and security.md, so that what they say of the
// code and its tests can be checked.
package docs

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	//go:embed rules.md
	rules string
	//go:embed security.md
	security string
)

// Row is one rule, or one statement of a help page, and where it is kept.
type Row struct {
	File   string
	Line   int    // of the file, from 1
	ID     string // A1, 002.7; "" in security.md
	Threat string // of a table of attacks
	Codes  []string
	Code   []string // path of a file, or path:Name of something in it
	Tests  []Test   // none where NotYet says why
	// NotYet is why there is no test, "" where there is one.
	NotYet string
}

// Test is a test by name: a function, or one of its subtests.
type Test struct {
	Package string // its folder, such as postgres
	Name    string // TestTwoClaims, TestScripts/preview
}

func (t Test) String() string { return t.Package + "/" + t.Name }

// Func is the test's function: its name without subtests.
func (t Test) Func() string {
	name, _, _ := strings.Cut(t.Name, "/")
	return name
}

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	testName = regexp.MustCompile(`^([a-z0-9/]+)/(Test\w*(?:/.+)?)$`)
)

// Rows are the rows of all tables of rules.md that have a column of tests, or what
// is malformed in them.
func Rows() ([]Row, error) { return read("rules.md", rules) }

// SecurityRows are those of security.md.
func SecurityRows() ([]Row, error) { return read("security.md", security) }

func read(file, text string) ([]Row, error) {
	var rows []Row
	var header []string
	for i, line := range strings.Split(text, "\n") {
		cells, ok := split(line)
		if !ok {
			header = nil
			continue
		}
		if header == nil {
			header = cells
			continue
		}
		if !slices.Contains(header, "tests") || strings.HasPrefix(cells[0], "---") {
			continue
		}
		row, err := readRow(header, cells)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
		row.File, row.Line = file, i+1
		rows = append(rows, row)
	}
	return rows, nil
}

// split is the cells of a table's line. A cell has no pipe of its own.
func split(line string) ([]string, bool) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(line), "|")
	if !ok {
		return nil, false
	}
	cells := strings.Split(strings.TrimSuffix(inner, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells, true
}

func readRow(header, cells []string) (Row, error) {
	var row Row
	if len(cells) != len(header) {
		return row, fmt.Errorf("%d cells, want %d", len(cells), len(header))
	}
	for i, cell := range cells {
		var names []string
		for _, match := range quoted.FindAllStringSubmatch(cell, -1) {
			names = append(names, match[1])
		}
		switch header[i] {
		case "#":
			row.ID = cell
		case "attack":
			row.Threat = cell
		case "code":
			row.Codes = names
		case "where":
			row.Code = names
		case "tests":
			for _, name := range names {
				parts := testName.FindStringSubmatch(name)
				if parts == nil {
					return row, fmt.Errorf("%q is not the name of a test, such as postgres/TestTwoClaims", name)
				}
				row.Tests = append(row.Tests, Test{Package: parts[1], Name: parts[2]})
			}
			if len(names) == 0 {
				var ok bool
				if row.NotYet, ok = strings.CutPrefix(cell, "none: "); !ok {
					return row, fmt.Errorf(`name a test, or say "none: " and why there is none`)
				}
			}
		}
	}
	return row, nil
}
