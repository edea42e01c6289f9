package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheReadmesCurlExamples runs what README.md shows under "The same over HTTP", word
// for word and in order, on a devstack of its own, and holds the answers against
// those that are shown; … stands for anything.
func TestTheReadmesCurlExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n### The same over HTTP\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n### ")
	blocks := regexp.MustCompile("(?ms)^```(bash)?\n(.*?)^```$").FindAllStringSubmatch(section, -1)
	require.NotEmpty(t, blocks)

	s := &stack{dir: tempDir(t), server: freeAddress()}
	require.NoError(t, s.up())
	t.Cleanup(func() {
		if err := s.down(); err != nil {
			t.Error(err)
		}
	})
	// The examples say 127.0.0.1:8080, where something else may listen.
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, ".curlrc"), []byte("connect-to = 127.0.0.1:8080:"+s.server+"\n"), 0o600))
	data, err := filepath.Abs("../data")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(data, filepath.Join(s.dir, "data")))
	succeed(t, s.dir, nil, "starter", "import", "data/devdocs")

	const end = "\nend of the block\n"
	script, shown := "set -euo pipefail\n", []string{}
	for _, block := range blocks {
		if block[1] == "bash" {
			script += block[2] + "echo; echo '" + strings.TrimSpace(end) + "'\n"
			shown = append(shown, "")
		} else {
			require.NotEmpty(t, shown)
			shown[len(shown)-1] = block[2]
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "CURL_HOME="+s.dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	answers := strings.Split(string(out), end)
	require.Len(t, answers, len(shown)+1, "%s", out)
	compared := 0
	for i, want := range shown {
		if want == "" {
			continue
		}
		compared++
		pattern := regexp.QuoteMeta(strings.TrimSpace(want))
		pattern = strings.ReplaceAll(pattern, "…", "(?s:.*)")
		pattern = strings.ReplaceAll(pattern, "\n", `\s*`) // curl ends no line
		require.Regexp(t, `^\s*`+pattern+`\s*$`, answers[i])
	}
	require.Positive(t, compared)
}
