package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/stack"
	"handover/internal/terminal"
	"handover/postgres"
)

type demoOptions struct {
	data, json  string
	concurrency int
}

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo --data DIR",
		Short: "Tell the story of an organization's leavers, on a throw-away state",
		Long: `Tell the story of an organization's leavers, on a throw-away state.

Imports the organization, previews the largest estate, offboards everybody on its
list of leavers in one run, lets nine days pass on the Temporal server's own clock
while colleagues claim, admins decide, a document is held, a leaver comes back and
another is deleted, and checks what was promised. A promise that does not hold makes
the exit status 1.`,
		Example: "  devstack demo --data data/devdocs --json demo.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.data, "data", "", "`folder` with the organization's eight files (required)")
	cmd.Flags().StringVar(&o.json, "json", "", "write the figures to this `file`")
	cmd.Flags().IntVar(&o.concurrency, "concurrency", 16, "cases worked on at the same time")
	_ = cmd.MarkFlagRequired("data") // the flag exists
	return cmd
}

// figures is what --json writes.
type figures struct {
	Organization       string          `json:"organization"`
	Members            int             `json:"members"`
	Documents          int             `json:"documents"`
	Leavers            int             `json:"leavers"`
	Offboarded         int             `json:"offboarded"`
	Refused            map[string]int  `json:"refused"`
	DocumentsOfLeavers int             `json:"documents_of_leavers"`
	Claimed            int             `json:"claimed"`
	Requested          int             `json:"requested"`
	Approved           int             `json:"approved"`
	Rejected           int             `json:"rejected"`
	Transferred        int             `json:"transferred"`
	Reactivated        int             `json:"reactivated"`
	Held               int             `json:"held"`
	Deleted            int             `json:"deleted"`
	ReadOnly           int             `json:"read_only"`
	StillUnowned       int             `json:"still_unowned"`
	AuditEvents        int             `json:"audit_events"`
	Invariants         map[string]bool `json:"invariants"`
	Seconds            float64         `json:"seconds"`
}

// errBroken says that a promise does not hold.
var errBroken = errors.New("an invariant is broken")

// story is a demo under way.
type story struct {
	demoOptions
	out, err io.Writer
	stack    *stack.Stack
	store    *postgres.Store
	cases    *client.Client
	figures  figures

	day       int       // on the cases' clock
	begun     time.Time // the wall's clock when the first case started
	open      []string  // workflow IDs of the cases whose clock is moved
	skipped   time.Duration
	admin     person
	histories int    // the longest history of a case, in events
	kept      int    // documents that are theirs again who came back
	hold      string // the legal hold that is in force, "" for none
	held      asking // the document that it is on
}

func demo(ctx context.Context, o demoOptions, out, stderr io.Writer) (err error) {
	if o.concurrency < 1 {
		return errors.New("--concurrency must be at least 1")
	}
	began := time.Now()
	s := &story{demoOptions: o, out: out, err: stderr}
	in, leavers, err := s.read()
	if err != nil {
		return err
	}
	s.say("Starting a PostgreSQL and a Temporal server for this demo; both are thrown away at its end.")
	if address := os.Getenv("TEMPORAL_ADDRESS"); address != "" {
		s.say("TEMPORAL_ADDRESS is set: the cases run, and stay, on the Temporal server at %s, which must allow time-skipping.", address)
	}
	if os.Getenv("DATABASE_URL") != "" {
		s.say("DATABASE_URL is set: the demo makes a database of its own on that server.")
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s.stack, err = stack.Start(ctx, stack.Options{TemporalAddress: "127.0.0.1:0", Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stack.Close()) }()
	s.store, s.cases = s.stack.Store(), client.New(s.stack.Client())

	for _, chapter := range []func(context.Context) error{
		func(ctx context.Context) error { return s.importOrganization(ctx, in) },
		func(ctx context.Context) error { return s.leave(ctx, leavers) },
		s.lastOwner, s.claims, s.requests, s.transfer, s.rehire, s.graceEnds, s.lateClaim, s.forget, s.check,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	s.figures.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	s.table()
	if err := s.write(); err != nil {
		return err
	}
	for _, holds := range s.figures.Invariants {
		if !holds {
			return errBroken
		}
	}
	return nil
}

// say prints a line. The texts in it are the organization's: a name or a title may
// hold what a terminal obeys.
func (s *story) say(format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = terminal.Clear(text)
		}
	}
	_, _ = fmt.Fprintf(s.out, format+"\n", args...) // a story that nobody hears still has its end
}

// chapter begins a part of the story.
func (s *story) chapter(title string) { s.say("\n── %s", title) }

// write writes the figures where --json asks for them.
func (s *story) write() error {
	if s.json == "" {
		return nil
	}
	data, err := json.MarshalIndent(s.figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.json, append(data, '\n'), 0o644); err != nil { //nolint:gosec // figures for everybody
		return fmt.Errorf("write the figures: %w", err)
	}
	s.say("The figures are in %s.", s.json)
	return nil
}
