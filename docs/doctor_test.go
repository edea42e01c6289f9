package docs

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// The table of operations.md is that of the code, row by row.
func TestTheTableOfTheDoctorIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("operations.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "| check | what is wrong | how it is mended | by |\n|---|---|---|---|\n")
	require.True(t, found)
	table, _, _ := strings.Cut(rest, "\n\n")
	rows := strings.Split(table, "\n")
	require.Len(t, rows, len(offboarding.Checks))
	for i, c := range offboarding.Checks {
		by := "doctor"
		if c.Human {
			by = "a person"
		}
		assert.Equal(t, fmt.Sprintf("| `%s` | %s | %s | %s |", c.Drift, c.Wrong, c.Mend, by), rows[i])
	}
}
