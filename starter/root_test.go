package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// silent is a factory that writes to nowhere.
func silent() *factory {
	return newFactory(streams{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}})
}

func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() != "help" && !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%q has no example that runs it", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%q: the short help is a phrase without a full stop, not %q", cmd.CommandPath(), cmd.Short)
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRootCmd(silent()))
}

// TestExamplesParse runs every example up to the point where it would act.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	for _, cmd := range newRootCmd(silent()).Commands() {
		for line := range strings.Lines(cmd.Example) {
			args := split(line)
			if len(args) == 0 || args[1] == "import" || args[1] == "bulk" || slices.Contains(args, "--file") {
				continue // they look for their files first
			}
			f := silent()
			ctx, stop := context.WithCancel(context.Background())
			stop()
			root := newRootCmd(f)
			root.SetArgs(append(args[1:], "--database-url", "postgres://nobody@127.0.0.1:1/nowhere"))
			if _, err := root.ExecuteContextC(ctx); err != nil {
				var buf bytes.Buffer
				f.err = &buf
				if code := report(f, root, err); code == exitUsage {
					t.Errorf("%s\n%s", line, buf.String())
				}
			}
		}
	}
}

// split is a command line in words; quotes hold some together.
func split(line string) (words []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func TestPeopleAreNotShownControlCharacters(t *testing.T) {
	t.Parallel()
	if got := short("a\x1b[31m\nb\u202ec", 10); got != "a[31m bc" {
		t.Errorf("short = %q", got)
	}
	if got := short("ten characters", 4); got != "ten…" {
		t.Errorf("short = %q", got)
	}
}
