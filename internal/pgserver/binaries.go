package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binaries is one installation of PostgreSQL's server programs.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

// installed are where the packages of Debian, Red Hat, Homebrew and Postgres.app put them.
var installed = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// findBinaries gives the programs to use: those that made the data directory, for
// an existing one, else the first of PATH, pg_config, and the newest installed.
// With none on the machine they are downloaded.
func findBinaries(ctx context.Context, data string, logf func(string, ...any)) (binaries, error) {
	found := machineBinaries(ctx)
	want, err := dataVersion(data)
	if err != nil {
		return binaries{}, err
	}
	for _, b := range found {
		if want == 0 || b.major == want {
			return b, nil
		}
	}
	if len(found) > 0 {
		return binaries{}, fmt.Errorf("%s was made by PostgreSQL %d, and the machine has %d: install %d, or remove the directory",
			data, want, found[0].major, want)
	}
	logf("no PostgreSQL on this machine; downloading one")
	dir, err := download()
	if err != nil {
		return binaries{}, fmt.Errorf("no PostgreSQL on this machine (install it with your package manager or set DATABASE_URL), and downloading it failed: %w", err)
	}
	b, err := inspect(ctx, dir)
	if err != nil {
		return binaries{}, fmt.Errorf("the downloaded PostgreSQL: %w", err)
	}
	return b, nil
}

func machineBinaries(ctx context.Context) []binaries {
	var dirs []string
	if p, err := exec.LookPath("postgres"); err == nil {
		if program, err := filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(program))
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	first := inspectAll(ctx, dirs)

	dirs = nil
	for _, pattern := range installed {
		matches, _ := filepath.Glob(pattern) // the patterns are well-formed
		dirs = append(dirs, matches...)
	}
	rest := inspectAll(ctx, dirs)
	slices.SortStableFunc(rest, func(a, b binaries) int { return b.major - a.major })
	return append(first, rest...)
}

// inspectAll keeps the directories that hold a server that can be run.
func inspectAll(ctx context.Context, dirs []string) []binaries {
	var found []binaries
	for _, dir := range dirs {
		if b, err := inspect(ctx, dir); err == nil {
			found = append(found, b)
		}
	}
	return found
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func inspect(ctx context.Context, dir string) (binaries, error) {
	b := binaries{dir: dir}
	if _, err := exec.LookPath(b.path("initdb")); err != nil {
		return b, err
	}
	out, err := exec.CommandContext(ctx, b.path("postgres"), "--version").Output() //nolint:gosec // a directory of PostgreSQL's
	if err != nil {
		return b, err
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return b, fmt.Errorf("%s does not know its version: %q", b.path("postgres"), out)
	}
	b.major, err = strconv.Atoi(string(m[1]))
	return b, err
}

// dataVersion is the major version that made the data directory; 0 if there is none yet.
func dataVersion(data string) (int, error) {
	content, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // our own data directory
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}
