package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/lib/pq"

	cases "handover/client"
	"handover/offboarding"
	"handover/postgres"
)

// bulkSizes is how much the lists are measured with.
type bulkSizes struct {
	rounds  int
	leavers int // on a list, and of the bare SQL
	single  int // one after the other, whose rate does not depend on how many they are
}

// bulk: from the start of a list until the last leaver on it has no access. Each way has
// leavers of its own in each round, all of one organization.
func (b *bench) bulk(ctx context.Context) (err error) {
	n := bulkSizes{rounds: scaled(b.scale, 3, 3, 5), leavers: offboarding.MaxBulkMembers, single: 2000}
	if b.scale == quick {
		n.leavers, n.single = 1000, 200
	}
	store, dsn, closeStore, err := b.database(ctx, "bulk")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	const warm = 500 // leavers of each way, before anything is measured
	org, err := fill(ctx, store.DB(), size{members: 3*warm + n.rounds*(2*n.leavers+n.single), documents: 2, accesses: 1})
	if err != nil {
		return err
	}
	w, stop, err := b.worker(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	sql, err := prepareLeaving(ctx, store.DB())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sql.Close()) }()
	m := bulkMeasure{b: b, store: store, org: org, worker: w, sql: sql, left: org.members}
	return m.run(ctx, warm, n)
}

// bulkMeasure takes away the access of an organization's members in several ways.
type bulkMeasure struct {
	b      *bench
	store  *postgres.Store
	org    organization
	worker *watchedWorker
	sql    *leavingSQL
	left   []string // members who are still there
	lists  int
}

func (m *bulkMeasure) run(ctx context.Context, warm int, n bulkSizes) error {
	for _, way := range []func(context.Context, []string) error{m.list, m.bare, m.oneByOne} {
		if _, err := m.take(ctx, warm, way); err != nil {
			return err
		}
	}
	var ones []float64
	list, bare, err := alternate(n.rounds,
		func(int) (float64, error) { return m.take(ctx, n.leavers, m.list) },
		func(int) (float64, error) {
			one, err := m.take(ctx, n.single, m.oneByOne)
			if err != nil {
				return 0, err
			}
			ones = append(ones, float64(n.single)/one)
			return m.take(ctx, n.leavers, m.bare)
		})
	if err != nil {
		return err
	}
	rate, one := float64(n.leavers)/list, quantile(ones, 0.5)
	m.b.row(fmt.Sprintf("%d leavers, one by one", n.leavers), number(rate)+" /s", number(one)+" /s", fmt.Sprintf("%.2f", one/rate),
		"a transaction a leaver, 50 at once, prepared: the rules' reads, the rules, two statements; the queue costs nothing")
	m.b.row(fmt.Sprintf("%d leavers, set-based", n.leavers), fmt.Sprintf("%.2f s", list), fmt.Sprintf("%.2f s", bare), fmt.Sprintf("%.2f", list/bare),
		"bare SQL, 500 a transaction and 4 at once: the same cases and events; no rules, and no list that could be resumed")
	m.b.result("bulk_revoked_per_second", rate)
	m.b.result("bulk_vs_one_by_one", one/rate)
	m.b.result("bulk_vs_bare_sql", list/bare)
	return m.b.invariants(ctx, m.store)
}

// take takes the access of the next n members and gives the seconds until the last of
// them had none.
func (m *bulkMeasure) take(ctx context.Context, n int, way func(context.Context, []string) error) (float64, error) {
	leavers := m.left[:n]
	m.left = m.left[n:]
	seconds, err := timed(func() error { return way(ctx, leavers) })
	if err != nil {
		return 0, err
	}
	m.b.say("  %d leavers: %.3f s", n, seconds)
	return seconds, m.gone(ctx, leavers)
}

// gone checks that the leavers have no access, and an event for everything that has
// become of them.
func (m *bulkMeasure) gone(ctx context.Context, leavers []string) error {
	const query = `SELECT count(*) FROM members m JOIN cases c ON c.member_id = m.id AND c.phase = 'deactivated' AND c.deactivated_at IS NOT NULL
		WHERE m.id = ANY ($1::uuid[]) AND m.status = 'inactive'
		AND NOT EXISTS (SELECT 1 FROM credentials k WHERE k.member_id = m.id AND k.status = 'active')
		AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.member_id = m.id AND s.status = 'active')
		AND (SELECT array_agg(e.event ORDER BY e.event) FROM audit_events e WHERE e.case_id = c.id)
			@> '{AdvanceOffboarding,DeactivateMember,RevokeCredentials,RevokeSessions,ScheduleOffboarding}'`
	var n int
	if err := m.store.DB().GetContext(ctx, &n, query, pq.Array(leavers)); err != nil {
		return err
	}
	if n < len(leavers)-started { // the workflow of a case moves it on
		m.b.broken = append(m.b.broken, fmt.Sprintf("bulk: %d of %d leavers are gone", n, len(leavers)))
	}
	return nil
}

// started is how many cases a list may start after it has taken all access, until it is
// ended.
const started = 5

// list offboards by a run of BulkOffboarding, until everybody on it has been processed.
// The cases' workflows, which the run would start afterwards, are another measurement.
func (m *bulkMeasure) list(ctx context.Context, leavers []string) error {
	m.lists++
	id := fmt.Sprintf("bench-%d", m.lists)
	r := offboarding.BulkRequest{RequestedBy: m.org.admin, Confirmed: true, Rate: 1, Members: make([]offboarding.BulkMember, len(leavers))}
	for i, member := range leavers {
		r.Members[i].MemberID = member
	}
	run, err := cases.New(m.worker.Client()).StartBulk(ctx, id, r)
	if err != nil {
		return err
	}
	// The last one first: to look through the list again and again would be work that nobody asked for.
	const processed = `SELECT CASE WHEN EXISTS (SELECT 1 FROM bulk_members WHERE bulk_id = $1 AND position = $2 AND result <> 'pending')
		THEN NOT EXISTS (SELECT 1 FROM bulk_members WHERE bulk_id = $1 AND result = 'pending') ELSE false END`
	if err := until(ctx, m.store.DB(), often, processed, id, len(leavers)); err != nil {
		return err
	}
	return m.worker.Client().TerminateWorkflow(ctx, run.WorkflowID, "", "measured")
}

// As many leavers in a transaction and as many transactions at once as a list has, which
// is about the best for bare SQL too (docs/performance.md).
const (
	bareBatch  = 500
	bareAtOnce = 4
)

func (m *bulkMeasure) bare(ctx context.Context, leavers []string) error {
	return m.sql.many(ctx, m.org.admin, leavers, bareBatch, bareAtOnce)
}

func (m *bulkMeasure) oneByOne(ctx context.Context, leavers []string) error {
	_, err := each(ctx, len(leavers), 50, func(ctx context.Context, i int) error { return m.sql.one(ctx, m.org.admin, leavers[i]) })
	return err
}
