package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestTheListIsWhatIsLinked: a module that is added, or has another version or license,
// is in the list, and its license is accepted.
func TestTheListIsWhatIsLinked(t *testing.T) {
	t.Parallel()
	all, err := modules(t.Context(), root)
	require.NoError(t, err)
	have, err := os.ReadFile(filepath.Join(root, list))
	require.NoError(t, err)
	require.Equal(t, string(table(all)), string(have), "make licenses")
	require.Greater(t, len(all), 100)
	for key := range byHand {
		path, version, _ := strings.Cut(key, "@")
		require.True(t, slices.ContainsFunc(all, func(m *module) bool { return m.Path == path && m.Version == version }), "%s is not linked any more", key)
	}

	text, err := texts(t.Context(), all)
	require.NoError(t, err)
	for _, m := range all {
		require.Equal(t, m.Production, strings.Contains(string(text), "\n"+m.Path+" "+m.Version+": "), m.Path)
	}
	require.Contains(t, string(text), "Copyright 2009 The Go Authors")
}

// TestTheLaptopStaysOutOfProduction: no server that believes everybody, and no Temporal
// server, is in a program of production, by whatever detour.
func TestTheLaptopStaysOutOfProduction(t *testing.T) {
	t.Parallel()
	for programs, there := range map[*[]string]bool{&production: false, &laptop: true} {
		packages, err := linked(t.Context(), root, *programs)
		require.NoError(t, err)
		for _, unwanted := range []string{
			"handover/internal/stack", "handover/internal/devidp", "handover/internal/pgserver", "handover/internal/temporalserver",
			"go.temporal.io/server/temporal", "github.com/temporalio/ui-server/v2/server",
		} {
			require.Equal(t, there, slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == unwanted }), unwanted)
		}
	}
}

func TestALicenseIsJudged(t *testing.T) {
	t.Parallel()
	const (
		mit = `MIT License

Copyright (c) 2026 Ada

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`
		// The notice that the GPL wants at the top of a file.
		gpl = `This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the
Free Software Foundation, either version 3 of the License, or (at your option) any later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of MERCHANTABILITY or FITNESS
FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details.
`
	)
	for name, test := range map[string]struct {
		files   map[string]string
		license string // "" where it is not accepted
		says    string
	}{
		"one":                  {files: map[string]string{"LICENSE": mit, "NOTICE": "whatever", "license.go": "package x"}, license: "MIT"},
		"one beside a package": {files: map[string]string{"LICENSE": mit, "internal/fork/COPYING": gpl}, says: "GPL"},
		"a license of our own": {files: map[string]string{"LICENSE.md": "Do what you want, but never on a Monday."}, says: "LICENSE.md is not the text of a license that is known"},
		"half of one":          {files: map[string]string{"LICENSE": mit + strings.Repeat("And never, ever, on a Monday. ", 200)}, says: "LICENSE is not the text"},
		"none":                 {files: map[string]string{"README.md": mit}, says: "no license was found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inside := filepath.Join(dir, "internal", "fork", "deep")
			require.NoError(t, os.MkdirAll(inside, 0o700))
			for file, text := range test.files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
			}
			m := &module{Path: "example.com/module", Version: "v1.2.3"}
			require.NoError(t, m.collect(inside, dir))
			err := m.judge()
			if test.license == "" {
				require.ErrorContains(t, err, "example.com/module v1.2.3: ")
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.license, m.License)
		})
	}
}
