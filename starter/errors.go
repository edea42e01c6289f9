package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/terminal"
	"handover/offboarding"
	"handover/postgres"
)

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPartly  = 3
	exitRefused = 4
)

// usageError is a command line that cannot be run, with all that is wrong in it.
type usageError struct{ problems []string }

func (e *usageError) Error() string { return strings.Join(e.problems, "\n") }

// answeredError is a command whose answer already says what went wrong; only the
// exit code is left to set.
type answeredError struct{ code int }

func (e *answeredError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// problems collects what is wrong with a command line.
type problems []string

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Sprintf(format, args...))
	}
}

// args checks how many names the command was given.
func (p *problems) args(args []string, names ...string) {
	p.check(len(args) >= len(names), "%s is missing", strings.Join(names[min(len(args), len(names)):], " and "))
	p.check(len(args) <= len(names), "too many arguments: %s", strings.Join(args[min(len(args), len(names)):], " "))
}

// actor checks that somebody acts.
func (p *problems) actor(f *factory) {
	p.check(f.as != "", "--as is missing: who does this? (or set HANDOVER_AS)")
}

func (p *problems) err() error {
	if len(*p) == 0 {
		return nil
	}
	return &usageError{problems: *p}
}

// failure is the form of an error for scripts.
type failure struct {
	Code       string                  `json:"code"` // the first violation's, or wrong_usage, invalid_files, failed
	Message    string                  `json:"message"`
	Violations []offboarding.Violation `json:"violations,omitempty"`
	Problems   []string                `json:"problems,omitempty"`
	Rows       []offboarding.RowError  `json:"rows,omitempty"`
}

// report says what went wrong, once, and returns the exit code.
func report(f *factory, cmd *cobra.Command, err error) int {
	var (
		usage    *usageError
		answered *answeredError
		refusal  *offboarding.Refusal
		files    *offboarding.ImportError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &answered):
		return answered.code
	case errors.As(err, &usage):
		text := ""
		for _, problem := range usage.problems {
			text += "error: " + terminal.Clear(problem) + "\n"
		}
		f.say(failure{Code: "wrong_usage", Message: usage.Error(), Problems: usage.problems},
			text+"usage: "+cmd.UseLine()+"\nSee '"+cmd.CommandPath()+" --help'.\n")
		return exitUsage
	case errors.As(err, &refusal):
		f.say(failure{Code: string(refusal.Code()), Message: refusal.Error(), Violations: refusal.Violations},
			"refused:\n"+violationLines(refusal.Violations))
		return exitRefused
	case errors.As(err, &files):
		f.say(failure{Code: "invalid_files", Message: "nothing was imported", Rows: files.Rows}, files.Error()+"\n")
		return exitFailed
	}
	message := safeText(err)
	f.say(failure{Code: "failed", Message: message}, "error: "+message+"\n")
	return exitFailed
}

// safeText is the text of an error that may be shown. Those of the store and of
// the client are safe as they are; what they wrap stays inside.
func safeText(err error) string {
	var stored *postgres.Error
	var sent *client.Error
	switch {
	case errors.As(err, &stored) && stored.State == "":
		return "the database cannot be reached; is DATABASE_URL right?"
	case errors.As(err, &stored) && stored.Name == "insufficient_privilege":
		return "the role of DATABASE_URL may not do this; 'starter migrate --app-role' lets a role do what it needs"
	case errors.As(err, &stored) && stored.Name == "undefined_table":
		return "the database has no tables yet; run 'starter migrate'"
	case errors.As(err, &stored):
		return stored.Error()
	case errors.As(err, &sent):
		return sent.Error()
	}
	return err.Error()
}

func (f *factory) say(forScripts failure, forPeople string) {
	if f.output == outputJSON {
		_ = json.NewEncoder(f.err).Encode(forScripts) // nowhere left to complain
		return
	}
	_, _ = io.WriteString(f.err, terminal.Lines(forPeople)) // nowhere left to complain
}

// violationLines is a line per violation: code, rule, field, sentence.
func violationLines(violations []offboarding.Violation) string {
	var text strings.Builder
	for _, v := range violations {
		fmt.Fprintf(&text, "  %s", v.Code)
		if v.Rule != "" {
			fmt.Fprintf(&text, " (rule %s)", v.Rule)
		}
		if v.Field != "" {
			fmt.Fprintf(&text, " %s", v.Field)
		}
		fmt.Fprintf(&text, ": %s\n", terminal.Clear(v.Message))
	}
	return text.String()
}

// plainError is a failure told in words that can be shown; what the machine said
// stays inside.
type plainError struct {
	text string
	raw  error
}

func (e *plainError) Error() string { return e.text }

// Raw is what the machine said.
func (e *plainError) Raw() error { return e.raw }
