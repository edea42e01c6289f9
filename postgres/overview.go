package postgres

import (
	"context"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// An overview counts by indexes, and stops where it has counted CountLimit of a kind:
// what it costs depends on how many organizations are in reach, and on nothing else.
const (
	overviewPhases = `SELECT p.phase, count(c.overdue) AS cases, count(*) FILTER (WHERE c.overdue) AS overdue
	FROM unnest($2::text[]) WITH ORDINALITY AS p (phase, n) LEFT JOIN LATERAL (SELECT ` + overdue + ` AS overdue FROM cases c
		WHERE c.organization_id = ANY ($3::uuid[]) AND c.phase = p.phase AND c.closed_at IS NULL LIMIT $4) c ON true
	GROUP BY p.phase, p.n ORDER BY p.n`

	overviewTroubled = `SELECT count(*) FROM (SELECT FROM cases c WHERE c.organization_id = ANY ($1::uuid[]) AND c.trouble_step <> ''
		AND (c.closed_at IS NULL OR c.trouble_step = '` + offboarding.StepArchiveMember + `') LIMIT $2) c`

	overviewRequests = `SELECT count(*) AS pending, count(*) FILTER (WHERE r.created_at <= $1) AS overdue FROM (
		SELECT created_at FROM ownership_requests WHERE organization_id = ANY ($2::uuid[]) AND status = 'pending' LIMIT $3) r`

	// A document in the workspace of a removal waits in the case of the whole
	// organization where its owner has one, as for countWaiting.
	overviewWaiting = `SELECT (SELECT count(*) FROM (SELECT FROM cases c JOIN members m ON m.id = c.member_id CROSS JOIN LATERAL (
			SELECT FROM documents d WHERE c.workspace_id IS NULL AND m.status <> 'active' AND d.owner_id = c.member_id AND d.access <> 'archived'
			UNION ALL SELECT FROM documents d WHERE c.workspace_id IS NOT NULL AND m.status = 'active'
				AND d.workspace_id = c.workspace_id AND d.owner_id = c.member_id AND d.access <> 'archived' LIMIT $4) d
		WHERE c.organization_id = ANY ($1::uuid[]) AND c.phase IN ('deactivated', 'transferring', 'grace', 'read_only') AND c.closed_at IS NULL
			AND c.deactivated_at > s.after AND c.deactivated_at <= s.until LIMIT $4) w)
	FROM unnest($2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS s (after, until, n) ORDER BY s.n`

	overviewWeeks = `SELECT (SELECT count(*) FROM (SELECT FROM cases c WHERE c.organization_id = ANY ($1::uuid[]) AND c.workspace_id IS NULL
		AND c.deactivated_at >= w.monday AND c.deactivated_at < w.monday + interval '7 days' LIMIT $3) c)
	FROM unnest($2::timestamptz[]) WITH ORDINALITY AS w (monday, n) ORDER BY w.n`

	// An order by the event too, which is one and not said to be, has one index only: the
	// latest of all organizations' are not searched for those of one.
	overviewNewOwners = `SELECT extract(epoch FROM a.at - c.deactivated_at)::bigint FROM (
		SELECT a.case_id, a.at FROM unnest($1::uuid[]) AS o (id)
		CROSS JOIN LATERAL (
			(SELECT id, case_id, at FROM audit_events WHERE organization_id = o.id AND event BETWEEN '` + offboarding.EventTransferDocs + `' AND '` + offboarding.EventTransferDocs + `'
				ORDER BY organization_id DESC, event DESC, id DESC LIMIT $2)
			UNION ALL (SELECT id, case_id, at FROM audit_events WHERE organization_id = o.id AND event BETWEEN '` + offboarding.EventClaimDocOwnership + `' AND '` + offboarding.EventClaimDocOwnership + `'
				ORDER BY organization_id DESC, event DESC, id DESC LIMIT $2)) a
		ORDER BY a.id DESC LIMIT $2) a
	JOIN cases c ON c.id = a.case_id AND c.deactivated_at IS NOT NULL`
)

// Overview counts, as of now, what is open in some organizations and what has been.
func (s *Store) Overview(ctx context.Context, organizations []string, now time.Time) (offboarding.Overview, error) {
	reach, limit := uuidArray(organizations), offboarding.CountLimit
	o := offboarding.Overview{At: now, Open: []offboarding.PhaseCount{}, Weeks: offboarding.WeeksUntil(now), WaitingByAge: offboarding.DocumentsSpans()}
	err := s.inTx(ctx, "make an overview", func(t *tx) error {
		if err := t.set(byIndex, alongIndex); err != nil {
			return err
		}
		var phases []struct {
			offboarding.PhaseCount
			Overdue int `db:"overdue"`
		}
		if err := t.list(&phases, overviewPhases, now, pq.Array(offboarding.OpenPhases), reach, limit); err != nil {
			return err
		}
		for _, p := range phases {
			o.Open = append(o.Open, p.PhaseCount)
			o.Overdue = min(o.Overdue+p.Overdue, limit)
		}
		if err := t.get(&o.Troubled, overviewTroubled, reach, limit); err != nil {
			return err
		}
		var requests struct{ Pending, Overdue int }
		if err := t.get(&requests, overviewRequests, now.Add(-offboarding.EscalateAfter), reach, limit); err != nil {
			return err
		}
		o.PendingRequests, o.OverdueRequests = requests.Pending, requests.Overdue
		if err := t.waitingByAge(&o, reach, limit); err != nil {
			return err
		}
		return t.pastOf(&o, reach, limit)
	})
	return o, err
}

// waitingByAge counts what waits for an owner, by how long.
func (t *tx) waitingByAge(o *offboarding.Overview, reach any, limit int) error {
	var after, until []time.Time // the youngest span first
	for _, s := range o.WaitingByAge {
		from, to := o.At.AddDate(0, 0, -s.ToDays), o.At.AddDate(0, 0, -s.FromDays)
		if s.ToDays == 0 {
			from = time.Time{}
		}
		if s.FromDays == 0 {
			to = o.At.AddDate(100, 0, 0) // a case whose time was skipped is ahead
		}
		after, until = append(after, from), append(until, to)
	}
	var counts []int
	if err := t.list(&counts, overviewWaiting, reach, pq.Array(after), pq.Array(until), limit); err != nil {
		return err
	}
	for i, n := range counts {
		o.WaitingByAge[i].Documents = n
		o.Waiting = min(o.Waiting+n, limit)
	}
	return nil
}

// pastOf counts who was offboarded, and how long documents had to wait.
func (t *tx) pastOf(o *offboarding.Overview, reach any, limit int) error {
	mondays := make([]time.Time, len(o.Weeks))
	for i, w := range o.Weeks {
		mondays[i] = w.From
	}
	var counts []int
	if err := t.list(&counts, overviewWeeks, reach, pq.Array(mondays), limit); err != nil {
		return err
	}
	for i, n := range counts {
		o.Weeks[i].Offboarded = n
	}
	var seconds []int64
	if err := t.list(&seconds, overviewNewOwners, reach, offboarding.OverviewNewOwners); err != nil {
		return err
	}
	waits := make([]time.Duration, len(seconds))
	for i, n := range seconds {
		waits[i] = max(0, time.Duration(n)*time.Second)
	}
	spans, median := offboarding.SpansOf(waits)
	o.NewOwners, o.MedianWaitSeconds = spans, int64(median.Seconds())
	return nil
}
