package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// What runs in production, and what a laptop has besides.
var (
	production = []string{"./worker", "./server", "./starter", "./internal/probe"}
	laptop     = []string{"./devstack"}
)

// module is one that is linked into a program.
type module struct {
	Path, Version string
	Production    bool
	License       string   // SPDX
	files         []string // its licenses and notices
}

// listed is a package as `go list -deps -json` has it.
type listed struct {
	ImportPath, Dir string
	Module          *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// linked are the packages that the programs are made of on Linux, the whole tree.
func linked(ctx context.Context, root string, programs []string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-mod=readonly", "-deps", "-json=ImportPath,Dir,Module"}, programs...)...) //nolint:gosec // which programs is said above
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0") // the list is the same wherever it is made
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, complaint.String())
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// modules are those that are not ours, by their path. What cannot be listed is reported
// all at once.
func modules(ctx context.Context, root string) ([]*module, error) {
	byPath := map[string]*module{}
	for _, programs := range [][]string{production, laptop} {
		packages, err := linked(ctx, root, programs)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if p.Module == nil || p.Module.Main {
				continue // the standard library's, or ours
			}
			m := byPath[p.Module.Path]
			if m == nil {
				m = &module{Path: p.Module.Path, Version: p.Module.Version, Production: &programs[0] == &production[0]}
				byPath[m.Path] = m
			}
			if err := m.collect(p.Dir, p.Module.Dir); err != nil {
				return nil, err
			}
		}
	}
	var all []*module
	var wrong []error
	for _, m := range byPath {
		wrong = append(wrong, m.judge())
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *module) int { return cmp.Compare(a.Path, b.Path) })
	return all, errors.Join(wrong...)
}

var (
	license = regexp.MustCompile(`(?i)^([a-z0-9]+[-_.])?(licen[sc]e|copying|unlicense)([-_.].*)?$`)
	notice  = regexp.MustCompile(`(?i)^notice([-_.](txt|md))?$`)
	code    = regexp.MustCompile(`\.(go|sh|py|tmpl)$`)
)

// collect finds the files that stand beside a package of the module, or above it: code
// that came from elsewhere has a folder and a license of its own.
func (m *module) collect(dir, root string) error {
	for ; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		for _, e := range entries {
			file := filepath.Join(dir, e.Name())
			if e.Type().IsRegular() && !code.MatchString(e.Name()) && (license.MatchString(e.Name()) || notice.MatchString(e.Name())) &&
				!slices.Contains(m.files, file) {
				m.files = append(m.files, file)
			}
		}
		if dir == root || !strings.HasPrefix(dir, root) {
			slices.Sort(m.files)
			return nil
		}
	}
}

// enough is how much of a file must be the text of licenses for it to be known, in
// percent: the rest is who holds the copyright, and how to reach them.
const enough = 75

// judge finds out the license of a module, and whether it is one that is accepted.
func (m *module) judge() error {
	if m.License = byHand[m.Path+"@"+m.Version].license; m.License == "" {
		ids, err := m.recognize()
		if err != nil {
			return fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
		m.License = strings.Join(ids, " AND ")
	}
	for id := range strings.SplitSeq(m.License, " AND ") {
		if !accepted[id] {
			return fmt.Errorf("%s %s: %q is none of the licenses that are accepted (internal/licenses/policy.go)", m.Path, m.Version, id)
		}
	}
	return nil
}

// recognize reads the licenses of a module.
func (m *module) recognize() (ids []string, err error) {
	for _, file := range m.files {
		if notice.MatchString(filepath.Base(file)) {
			continue
		}
		text, err := os.ReadFile(file) //nolint:gosec // of the module's own folder
		if err != nil {
			return nil, err
		}
		scan := licensecheck.Scan(text)
		if scan.Percent < enough {
			return nil, fmt.Errorf("%s is not the text of a license that is known: say by hand which it is", filepath.Base(file))
		}
		for _, match := range scan.Match {
			if !match.IsURL {
				ids = append(ids, match.ID)
			}
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("no license was found: say by hand which it is")
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
