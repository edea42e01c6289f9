package problem_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/server/problem"
)

// Every code of the rules has a number, a status and a title of its own, also one that
// somebody adds tomorrow.
func TestEveryCodeHasAMeaning(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../offboarding/code.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		require.Equal(t, offboarding.Code(code), problem.MeaningOf(offboarding.Code(code)).Code, "%s has no meaning", code)
		found++
		return true
	})
	require.Greater(t, found, 25)
	numbers, codes := map[int]bool{}, map[offboarding.Code]bool{}
	for _, m := range problem.Meanings {
		require.False(t, numbers[m.Number], "the number %d is there twice", m.Number)
		require.False(t, codes[m.Code], "%s is there twice", m.Code)
		require.NotEmpty(t, m.Title)
		require.True(t, m.Status >= 400 && m.Status < 600)
		numbers[m.Number], codes[m.Code] = true, true
	}
}

// docs/api.md lists the codes as they are.
func TestTheTableOfCodes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	for _, m := range problem.Meanings {
		require.Contains(t, string(page), fmt.Sprintf("| `%s` | %d | %d | %s |\n", m.Code, m.Number, m.Status, m.Title))
	}
}
