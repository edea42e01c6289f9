package chaos_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/workflows"
)

// A step is "<workflow>/<activity>": one activity is as many steps as there are types of
// workflows that do it.

// never are the steps that the code names and no crash point can be at, and why.
var never = map[string]string{
	"Offboarding/Notify":             "only in histories of earlier builds",
	"WorkspaceRemoval/Notify":        "only in histories of earlier builds",
	"WorkspaceRemoval/CheckSessions": "a removal leaves the account its sessions, and waits for none",
}

// reads are the activities that change nothing: there is nothing to commit.
var reads = map[string]string{
	"JudgeContinued": "asks the engine, after two thousand events of history",
}

// registered takes down which function is which type of workflow.
type registered struct {
	worker.Registry
	types map[string]string // by the function's name
}

func (*registered) RegisterActivityWithOptions(any, activity.RegisterOptions) {}

func (r *registered) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	name := runtime.FuncForPC(reflect.ValueOf(w).Pointer()).Name()
	r.types[name[strings.LastIndexByte(name, '.')+1:]] = options.Name
}

// stepsOf reads the code of the workflows: which activities each type of workflow comes to,
// by whatever functions, and at how many places.
func stepsOf(t *testing.T) map[string]int {
	t.Helper()
	files := token.NewFileSet()
	var parsed []*ast.File
	names, err := filepath.Glob("../workflows/*.go")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		parsed = append(parsed, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	// Of other packages nothing has to be known: who calls whom is inside of this one.
	config := types.Config{Error: func(error) {}, Importer: nothing{}}
	pkg, _ := config.Check("workflows", files, parsed, info)
	require.NotNil(t, pkg)

	uses := map[types.Object][]types.Object{} // functions by who names them
	does := map[types.Object][]string{}       // activities, likewise
	for _, file := range parsed {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			by := info.Defs[f.Name]
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && (x.Name == "act" || x.Name == "webhooks") && info.Uses[x] != nil && info.Uses[x].Parent() == pkg.Scope() {
						does[by] = append(does[by], n.Sel.Name)
					}
				case *ast.Ident:
					if used, ok := info.Uses[n].(*types.Func); ok {
						uses[by] = append(uses[by], used.Origin())
					}
				case *ast.CallExpr: // a doer is handed over with what it does about trouble
					for _, arg := range n.Args {
						for _, name := range []string{"troubled", "resolved", "givesWay"} {
							if of := info.Types[arg].Type; of != nil {
								if method, _, _ := types.LookupFieldOrMethod(of, true, pkg, name); method != nil {
									uses[by] = append(uses[by], method)
								}
							}
						}
					}
				}
				return true
			})
		}
	}

	r := &registered{types: map[string]string{}}
	workflows.RegisterWorkflows(r)
	workflows.RegisterWebhooks(struct{ *registered }{r}, &activities.Webhooks{})
	steps := map[string]int{}
	for function, workflowType := range r.types {
		seen := map[types.Object]bool{}
		var walk func(types.Object)
		walk = func(f types.Object) {
			if seen[f] {
				return
			}
			seen[f] = true
			for _, name := range does[f] {
				steps[workflowType+"/"+name]++
			}
			for _, used := range uses[f] {
				walk(used)
			}
		}
		start := pkg.Scope().Lookup(function)
		require.NotNil(t, start, function)
		walk(start)
	}
	return steps
}

type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

// requireEveryStep fails where a step has no point: one that is new needs a scenario that
// comes to it. One that does what another does already, at a second place, has a name of
// its own.
func requireEveryStep(t *testing.T, points []string) {
	t.Helper()
	names := map[string]map[string]bool{}
	for _, point := range points {
		point = point[:strings.LastIndexByte(point, '/')] // without its commit
		parts := strings.SplitN(point, "/", 3)
		step := parts[0] + "/" + parts[1]
		if names[step] == nil {
			names[step] = map[string]bool{}
		}
		names[step][counter.ReplaceAllString(point, "/N")] = true
	}
	places := stepsOf(t)
	require.NotEmpty(t, places)
	var missing []string
	for step, n := range places {
		_, activity, _ := strings.Cut(step, "/")
		if have := len(names[step]); have < n && never[step] == "" && reads[activity] == "" {
			missing = append(missing, fmt.Sprintf("%s (%d of %d)", step, have, n))
		}
	}
	slices.Sort(missing)
	require.Empty(t, missing, "no scenario comes to these steps: scenarios_test.go needs one")
	for step := range names {
		require.Contains(t, places, step, "the code is not read as it runs")
		require.Empty(t, never[step], "it is done after all: %s", step)
	}
	for step := range never {
		require.Contains(t, places, step, "the code does not name it any more")
	}
}

// counter is what tells a step that is done more than once from itself.
var counter = regexp.MustCompile(`/\d+(/|$)`)
