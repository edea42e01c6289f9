// Command licenses lists the modules that are linked into the programs, with their
// versions and licenses, and fails where one has a license that is not accepted.
//
//	licenses                      # writes docs/licenses.md
//	licenses --texts FILE         # writes what has to go along with the programs
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	list  = "docs/licenses.md"
	usage = "usage: licenses [--texts FILE]"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	all, err := modules(ctx, ".")
	if err != nil {
		return err
	}
	file, text := list, table(all)
	switch {
	case len(args) == 2 && args[0] == "--texts":
		file = args[1]
		if text, err = texts(ctx, all); err != nil {
			return err
		}
	case len(args) > 0:
		return errors.New(usage)
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // for everybody to read
}

// table is the list as a page.
func table(all []*module) []byte {
	var b bytes.Buffer
	b.WriteString(`# Licenses of what is linked in

Written by ` + "`make licenses`" + `; a test fails where it is not what is linked, or where a license is not one of those that are accepted (` +
		"`internal/licenses/policy.go`" + `). The
texts are in the image, as ` + "`/licenses.txt`" + `. What each binary has is in it (` + "`go version -m`" + `), and in the bill of materials that ` + "`make sbom`" + ` writes.

`)
	for _, part := range []struct {
		title      string
		production bool
	}{
		{"In worker, server, starter and probe", true},
		{"In devstack only", false},
	} {
		fmt.Fprintf(&b, "## %s\n\n| module | version | license |\n|---|---|---|\n", part.title)
		for _, m := range all {
			if m.Production == part.production {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", m.Path, m.Version, m.License)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("## Besides\n\n" +
		"- Go's standard library and runtime: BSD-3-Clause.\n" +
		"- What browsers load from the console, htmx and idiomorph: 0BSD ([server/console/static](../server/console/static/README.md)).\n" +
		"- In tests only, and in no program: axe-core, MPL-2.0 (`e2e/testdata/axe-core`).\n\n" +
		"Found by hand, because no file of the module says it so that it is recognized:\n\n")
	for _, m := range all {
		if f, ok := byHand[m.Path+"@"+m.Version]; ok {
			fmt.Fprintf(&b, "- %s %s: %s\n", m.Path, m.Version, f.where)
		}
	}
	return b.Bytes()
}

// texts are the licenses and notices of what is linked into the programs of production.
func texts(ctx context.Context, all []*module) ([]byte, error) {
	var b bytes.Buffer
	add := func(title string, file string) error {
		text, err := os.ReadFile(file) //nolint:gosec // of a module's folder, or Go's
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s\n%s\n%s\n\n%s\n\n", strings.Repeat("=", 80), title, strings.Repeat("=", 80), bytes.TrimSpace(text))
		return nil
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	if err := add("Go", filepath.Join(strings.TrimSpace(string(root)), "LICENSE")); err != nil {
		return nil, err
	}
	for _, m := range all {
		if !m.Production {
			continue
		}
		for _, file := range m.files {
			if err := add(fmt.Sprintf("%s %s: %s", m.Path, m.Version, filepath.Base(file)), file); err != nil {
				return nil, err
			}
		}
		if len(m.files) == 0 {
			fmt.Fprintf(&b, "%s\n%s %s: %s\n%s\n\n", strings.Repeat("=", 80), m.Path, m.Version, m.License, strings.Repeat("=", 80))
		}
	}
	return b.Bytes(), nil
}
