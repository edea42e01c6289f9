package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/jedib0t/go-pretty/v6/table"
	"go.temporal.io/api/serviceerror"

	"handover/internal/terminal"
)

// historyBound is the number of events that no run of a case may exceed
// (invariant 6): what a case allows itself, and what comes in at the last moment.
const historyBound = 4000

// pendingRequest waits for a decision.
type pendingRequest struct {
	ID         string `db:"id"`
	WorkflowID string `db:"workflow_id"`
	NewOwner   string `db:"new_owner"` // whom the admin names; "" where the requester can own documents
}

func (s *story) pending(ctx context.Context) ([]pendingRequest, error) {
	var found []pendingRequest
	err := s.store.DB().SelectContext(ctx, &found, `SELECT r.id, c.workflow_id,
			CASE WHEN m.account_type = 'maker' THEN '' ELSE coalesce(k.id::text, $1) END AS new_owner
		FROM ownership_requests r JOIN cases c ON c.id = r.case_id JOIN members m ON m.id = r.member_id
		LEFT JOIN LATERAL (SELECT b.id FROM grants g JOIN members b ON b.id = g.member_id AND b.status = 'active' AND b.account_type = 'maker'
			WHERE g.document_id = r.document_id ORDER BY b.external_id LIMIT 1) k ON true
		WHERE r.status = 'pending' ORDER BY r.id`, s.admin.ID)
	return found, err
}

// check checks the promises from the database and the audit, and the length of
// the cases' histories.
func (s *story) check(ctx context.Context) error {
	s.chapter("What was promised, checked from the database and the audit")
	f := &s.figures
	f.Invariants = map[string]bool{}
	checked, err := s.store.CheckInvariants(ctx)
	if err != nil {
		return err
	}
	for _, inv := range checked {
		f.Invariants[inv.Name] = inv.Holds()
		s.verdict(inv.Holds(), inv.Says, fmt.Sprintf("%d broken, such as %s", inv.Broken, inv.Sample))
	}
	if err := s.longestHistory(ctx); err != nil {
		return err
	}
	bounded := s.histories <= historyBound
	f.Invariants["history_is_bounded"] = bounded
	s.verdict(bounded, fmt.Sprintf("a case's history is bounded (the longest here has %d events)", s.histories), "")

	for _, figure := range []struct {
		into  *int
		query string
	}{
		{&f.Transferred, `SELECT count(*) FROM audit_events e WHERE e.event = 'TransferDocs' AND NOT EXISTS (
			SELECT 1 FROM ownership_requests r WHERE r.document_id = e.document_id AND r.case_id = e.case_id AND r.status = 'approved')`},
		{&f.ReadOnly, `SELECT count(*) FROM documents WHERE access = 'read_only'`},
		{&f.StillUnowned, `SELECT count(*) FROM documents d JOIN members m ON m.id = d.owner_id WHERE m.status <> 'active' AND d.access <> 'archived'`},
		{&f.AuditEvents, `SELECT count(*) FROM audit_events`},
	} {
		if *figure.into, err = s.number(ctx, figure.query); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) verdict(holds bool, says, otherwise string) {
	if holds {
		s.say("  ✓ %s", says)
		return
	}
	s.say("  ✗ %s: %s", says, otherwise)
}

// longestHistory asks the Temporal server for the length of every case's history.
func (s *story) longestHistory(ctx context.Context) error {
	var all []string
	if err := s.store.DB().SelectContext(ctx, &all, `SELECT workflow_id FROM cases`); err != nil {
		return err
	}
	var mu sync.Mutex
	return s.each(ctx, "reading histories", len(all), func(ctx context.Context, i int) error {
		d, err := s.stack.Client().DescribeWorkflowExecution(ctx, all[i], "")
		var none *serviceerror.NotFound
		if errors.As(err, &none) {
			return nil // closed by the run that opened it
		}
		if err != nil {
			return fmt.Errorf("describe a case: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		s.histories = max(s.histories, int(d.GetWorkflowExecutionInfo().GetHistoryLength()))
		return nil
	})
}

// table prints the figures.
func (s *story) table() {
	f := s.figures
	s.say("")
	t := terminal.NewTable(s.out)
	refused := make([]string, 0, len(f.Refused))
	total := 0
	for _, code := range sortedKeys(f.Refused) {
		refused = append(refused, fmt.Sprintf("%s %d", code, f.Refused[code]))
		total += f.Refused[code]
	}
	for _, row := range []table.Row{
		{"organization", f.Organization},
		{"members", f.Members},
		{"leavers on the list", f.Leavers},
		{"  offboarded", f.Offboarded},
		{"  refused", fmt.Sprintf("%d   %s", total, strings.Join(refused, ", "))},
		{"documents", f.Documents},
		{"  left behind by leavers", f.DocumentsOfLeavers},
		{"  claimed by colleagues", f.Claimed},
		{"  requested", fmt.Sprintf("%d   approved %d, rejected %d", f.Requested, f.Approved, f.Rejected)},
		{"  transferred by an admin", f.Transferred},
		{"  theirs again who came back", s.kept},
		{"  read-only, waiting for an owner", f.ReadOnly},
		{"leavers hired again", f.Reactivated},
		{"documents held for a while", f.Held},
		{"leavers deleted for good", f.Deleted},
		{"audit events", f.AuditEvents},
		{"seconds", fmt.Sprintf("%.1f", f.Seconds)},
	} {
		t.AppendRow(row)
	}
	t.Render()
	s.say("")
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }

// count says how many of something there are.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
