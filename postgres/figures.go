package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// What metrics are made of is read again and again: every statement reads what is
// open and nothing else, however many cases have closed and documents there are.
const (
	// Where a few own nearly all documents the planner takes a leaver for one of them,
	// and would rather read the table.
	byIndex = `set_config('enable_seqscan', 'off', true)`

	// What stops at a limit follows an index to there, and does not gather all that it
	// has first.
	alongIndex = `set_config('enable_bitmapscan', 'off', true)`

	countOpen = `SELECT c.phase, count(*) AS cases, count(*) FILTER (WHERE ` + overdue + `) AS overdue
		FROM cases c WHERE c.closed_at IS NULL GROUP BY c.phase`

	countTroubled = `SELECT count(*) FROM cases c WHERE c.trouble_step <> ''
		AND (c.closed_at IS NULL OR c.trouble_step = '` + offboarding.StepArchiveMember + `')`

	// A document in the workspace of a removal waits in the case of the whole
	// organization where its owner has one.
	countWaiting = `SELECT coalesce(sum(n), 0) FROM (
			SELECT (SELECT count(*) FROM documents d WHERE d.owner_id = c.member_id AND d.access <> 'archived') AS n
			FROM cases c JOIN members m ON m.id = c.member_id
			WHERE c.closed_at IS NULL AND c.workspace_id IS NULL AND m.status <> 'active'
		UNION ALL
			SELECT (SELECT count(*) FROM documents d WHERE d.workspace_id = c.workspace_id AND d.owner_id = c.member_id AND d.access <> 'archived')
			FROM cases c JOIN members m ON m.id = c.member_id
			WHERE c.closed_at IS NULL AND c.workspace_id IS NOT NULL AND c.deactivated_at IS NOT NULL AND m.status = 'active') AS w`

	countRequests = `SELECT count(*) AS pending, count(*) FILTER (WHERE r.created_at <= $1) AS overdue, min(r.created_at) AS oldest
		FROM ownership_requests r WHERE r.status = 'pending'`

	oldestUnsealed = `SELECT (SELECT a.at FROM audit_events a WHERE a.id > (SELECT h.sealed_id FROM audit_horizon h) ORDER BY a.id LIMIT 1)`
)

// Figures counts, as of now, what is open.
func (s *Store) Figures(ctx context.Context, now time.Time) (offboarding.Figures, error) {
	f := offboarding.Figures{Open: map[offboarding.Phase]int{}}
	err := s.inTx(ctx, "count cases", func(t *tx) error {
		if err := t.set(byIndex); err != nil {
			return err
		}
		var phases []struct {
			Phase          offboarding.Phase `db:"phase"`
			Cases, Overdue int
		}
		if err := t.list(&phases, countOpen, now); err != nil {
			return err
		}
		for _, p := range phases {
			f.Open[p.Phase] = p.Cases
			f.Overdue += p.Overdue
		}
		if err := t.get(&f.Troubled, countTroubled); err != nil {
			return err
		}
		if err := t.get(&f.Waiting, countWaiting); err != nil {
			return err
		}
		var requests struct {
			Pending, Overdue int
			Oldest           *time.Time
		}
		if err := t.get(&requests, countRequests, now.Add(-offboarding.EscalateAfter)); err != nil {
			return err
		}
		f.PendingRequests, f.OverdueRequests = requests.Pending, requests.Overdue
		if requests.Oldest != nil {
			f.OldestRequestAge = max(0, now.Sub(*requests.Oldest))
		}
		var unsealed *time.Time
		if err := t.get(&unsealed, oldestUnsealed); err != nil {
			return err
		}
		if unsealed != nil {
			f.OldestUnsealedAge = max(0, now.Sub(*unsealed))
		}
		return nil
	})
	return f, err
}
