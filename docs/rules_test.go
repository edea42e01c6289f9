package docs

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rowsOf(t *testing.T) []Row {
	t.Helper()
	rows, err := Rows()
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	return rows
}

func everyRow(t *testing.T) []Row {
	t.Helper()
	rows, err := SecurityRows()
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	return append(rowsOf(t), rows...)
}

// Every test that rules.md or security.md names is there, in a file that is built, and does not
// begin by skipping itself. Whether it has run is known after the run only:
// `make test` asks internal/testrun.
func TestEveryTestNamedExists(t *testing.T) {
	t.Parallel()
	packages := map[string]map[string]*ast.FuncDecl{}
	for _, row := range everyRow(t) {
		for _, test := range row.Tests {
			functions, ok := packages[test.Package]
			if !ok {
				functions = testFunctions(t, filepath.Join("..", filepath.FromSlash(test.Package)))
				packages[test.Package] = functions
			}
			fn := functions[test.Func()]
			if assert.NotNil(t, fn, "%s:%d: %s: there is no %s", row.File, row.Line, row.ID, test) {
				assert.False(t, skipsAlways(fn), "%s:%d: %s: %s is always skipped", row.File, row.Line, row.ID, test)
			}
		}
	}
}

// testFunctions are the functions of a folder's tests that this machine builds.
func testFunctions(t *testing.T, folder string) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	functions := map[string]*ast.FuncDecl{}
	for _, path := range files {
		built, err := build.Default.MatchFile(folder, filepath.Base(path))
		require.NoError(t, err)
		if !built {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				functions[fn.Name.Name] = fn
			}
		}
	}
	return functions
}

// skipsAlways reports whether a statement of the test itself, under no condition,
// skips it.
func skipsAlways(fn *ast.FuncDecl) bool {
	return slices.ContainsFunc(fn.Body.List, func(statement ast.Stmt) bool {
		expression, ok := statement.(*ast.ExprStmt)
		if !ok {
			return false
		}
		call, ok := expression.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		return ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name)
	})
}

// Against every attack in security.md there is a test.
func TestEveryAttackHasATest(t *testing.T) {
	t.Parallel()
	rows, err := SecurityRows()
	require.NoError(t, err)
	attacks := 0
	for _, row := range rows {
		if row.Threat != "" {
			attacks++
			require.NotEmpty(t, row.Tests, "security.md:%d", row.Line)
		}
	}
	require.Greater(t, attacks, 15)
}

// Every place in the code that rules.md or security.md names is there.
func TestEveryPlaceNamedExists(t *testing.T) {
	t.Parallel()
	for _, row := range everyRow(t) {
		for _, place := range row.Code {
			path, name, _ := strings.Cut(place, ":")
			text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
			if assert.NoError(t, err, "%s:%d: %s", row.File, row.Line, row.ID) && name != "" {
				found, err := regexp.Match(`\b`+regexp.QuoteMeta(name)+`\b`, text)
				require.NoError(t, err)
				assert.True(t, found, "%s:%d: %s: there is no %s in %s", row.File, row.Line, row.ID, name, path)
			}
		}
	}
}

func TestRowsHaveANumberEach(t *testing.T) {
	t.Parallel()
	lines := map[string]int{}
	for _, row := range rowsOf(t) {
		assert.Regexp(t, `^([A-Z]\d+|00\d\.\d+)$`, row.ID, "rules.md:%d", row.Line)
		assert.Zero(t, lines[row.ID], "rules.md:%d: %s is on another line too", row.Line, row.ID)
		lines[row.ID] = row.Line
	}
}

// Every rule and every code that the domain refuses with is in rules.md.
func TestEveryRuleAndCodeOfTheDomainHasItsRow(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, row := range rowsOf(t) {
		known[row.ID] = true
	}
	files, err := filepath.Glob(filepath.Join("..", "offboarding", "*.go"))
	require.NoError(t, err)
	rule := regexp.MustCompile(`^[A-Z][0-9]$`)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Code") {
				if code, ok := literal(spec.Values[0]); ok && !strings.Contains(rules, "`"+code+"`") {
					t.Errorf("the code %s, of %s, is not in rules.md", code, path)
				}
			}
			if text, ok := n.(ast.Expr); ok {
				if number, ok := literal(text); ok && rule.MatchString(number) && !known[number] {
					t.Errorf("rule %s, of %s, has no row in rules.md", number, path)
				}
			}
			return true
		})
	}
}

func literal(expression ast.Expr) (string, bool) {
	basic, ok := expression.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}

func TestReadRefusesARowThatProvesNothing(t *testing.T) {
	t.Parallel()
	const head = "| # | where | tests |\n|---|---|---|\n"
	for text, want := range map[string]string{
		head + "| A1 | `offboarding/plan.go` | |":                  `rules.md:3: name a test, or say "none: " and why there is none`,
		head + "| A1 | | `TestRuleA1` |":                           `rules.md:3: "TestRuleA1" is not the name of a test, such as postgres/TestTwoClaims`,
		head + "| A1 | `postgres/TestTwoClaims` |":                 "rules.md:3: 2 cells, want 3",
		head + "| A1 | | yes, by hand |":                           `rules.md:3: name a test, or say "none: " and why there is none`,
		"text\n\n" + head + "| A1 | | none: no console |\n| | | |": `rules.md:6: name a test, or say "none: " and why there is none`,
	} {
		_, err := read("rules.md", text)
		require.EqualError(t, err, want)
	}
	rows, err := read("rules.md", head+"| A1 | `a/b.go:C`, `d.md` | `internal/x/TestY/a_b`; `e2e/TestZ` |\n\n| other | table |\n|---|---|\n| 1 | 2 |")
	require.NoError(t, err)
	require.Equal(t, []Row{{
		File: "rules.md", Line: 3, ID: "A1", Code: []string{"a/b.go:C", "d.md"}, Tests: []Test{{"internal/x", "TestY/a_b"}, {"e2e", "TestZ"}},
	}}, rows)
}
