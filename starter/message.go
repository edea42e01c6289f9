package main

import (
	"context"
	"fmt"
	"strings"

	"handover/client"
	"handover/offboarding"
)

// target is the case that a message goes to, and who sends it.
type target struct {
	*names
	leaver offboarding.Member
	admin  offboarding.Member
	row    offboarding.CaseRow
}

// target finds the case of the member whom a command names, by that case's ID too; what else the
// command names is found by more, so that all mistakes are reported together.
func (f *factory) target(ctx context.Context, member string, more func(*target)) (*target, error) {
	n, err := f.names(ctx)
	if err != nil {
		return nil, err
	}
	t := &target{names: n}
	var of string
	t.leaver, of = n.memberOrCase(member, "member_id", f.now())
	t.admin = n.actor(f.as, "admin_id", t.leaver.OrganizationID)
	if t.leaver.ID != "" {
		if t.row, err = n.store.FindCase(ctx, of, f.now().UTC()); err != nil {
			n.keep(err, "member_id")
		}
	}
	if more != nil {
		more(t)
	}
	return t, n.err()
}

// send sends one message to a case and prints what it came to.
func (f *factory) send(
	ctx context.Context, message func(context.Context, *client.Client) (offboarding.Outcome, error),
	sentence func(offboarding.Outcome) string,
) error {
	cases, err := f.cases(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, f.timeout)
	defer stop()
	outcome, err := message(ctx, cases)
	if err != nil {
		return err
	}
	if outcome.At != nil {
		at := outcome.At.UTC()
		outcome.At = &at
	}
	return f.answer(outcome, func(w *strings.Builder) { fmt.Fprintln(w, sentence(outcome)) })
}
