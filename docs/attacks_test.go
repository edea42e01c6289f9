package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every test that security.md names against an attack is there, and does not begin by
// skipping itself.
func TestEveryAttackHasATest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("security.md")
	require.NoError(t, err)
	var header []string
	attacks := 0
	for i, line := range strings.Split(string(text), "\n") {
		cells, ok := split(line)
		switch {
		case !ok:
			header = nil
			continue
		case header == nil:
			header = cells
			continue
		case header[0] != "attack" || !slices.Contains(header, "tests") || strings.HasPrefix(cells[0], "---"):
			continue
		}
		row, err := readRow(header, cells)
		require.NoError(t, err, "security.md:%d", i+1)
		require.NotEmpty(t, row.Tests, "security.md:%d", i+1)
		attacks++
		for _, test := range row.Tests {
			fn := testFunctions(t, filepath.Join("..", filepath.FromSlash(test.Package)))[test.Func()]
			if assert.NotNil(t, fn, "security.md:%d: there is no %s", i+1, test) {
				assert.False(t, skipsAlways(fn), "security.md:%d: %s is always skipped", i+1, test)
			}
		}
	}
	require.Greater(t, attacks, 15)
}
