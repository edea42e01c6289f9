package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
	"handover/postgres"
)

// claimSizes is how much claims are measured with.
type claimSizes struct {
	makers  int // who all claim at once
	wanters int // of each document
	rounds  int
	waves   int // of a round: in a wave every maker claims one document
	updated int // documents of a leaver that are claimed through Temporal
}

// claims: makers race for the documents of open cases. Each document is wanted by some
// at the same moment: one wins, and the others are told so.
func (b *bench) claims(ctx context.Context) (err error) {
	n := claimSizes{makers: 1000, wanters: 5, rounds: scaled(b.scale, 2, 3, 5), waves: 10, updated: 20}
	if b.scale == quick {
		n.waves, n.updated = 3, 5
	}
	store, dsn, closeStore, err := b.database(ctx, "claims")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	m := claimMeasure{b: b, store: store, sizes: n, leavers: n.makers / n.wanters, waves: 1 + n.rounds*n.waves}
	if m.org, err = fill(ctx, store.DB(), size{members: 2*m.leavers + n.makers + updateLeavers, documents: m.waves, accesses: 1}); err != nil {
		return err
	}
	if err := m.wish(ctx); err != nil {
		return err
	}
	if err := m.race(ctx); err != nil {
		return err
	}
	if err := m.byUpdate(ctx, dsn, n.updated); err != nil {
		return err
	}
	return b.invariants(ctx, store)
}

// claimMeasure is an organization whose first members leave, half of them for each way
// to claim, then the makers who want their documents, then those who leave on Temporal.
type claimMeasure struct {
	b       *bench
	store   *postgres.Store
	sizes   claimSizes
	org     organization
	leavers int       // of each way
	waves   int       // and documents of each leaver
	wishes  [2][]wish // of each way, wave by wave
	late    [2]int64  // claims that came too late
}

// wish is that a maker claims a document.
type wish struct{ document, member, caseID string }

// wish opens the leavers' cases and makes the wishes: a leaver's documents are wanted by
// the same few makers, who may edit them.
func (m *claimMeasure) wish(ctx context.Context) error {
	var documents []string
	err := m.store.DB().SelectContext(ctx, &documents, `SELECT d.id FROM documents d JOIN members m ON m.id = d.owner_id
		ORDER BY substr(m.external_id, 2)::int, split_part(d.external_id, '-', 2)::int`)
	if err != nil {
		return err
	}
	m.b.say("  opening %d cases", 2*m.leavers)
	opened, err := inGrace(ctx, m.store, m.org, 2*m.leavers)
	if err != nil {
		return err
	}
	var wanted, by []string
	for way := range m.wishes {
		for wave := range m.waves {
			for l := range m.leavers {
				leaver := way*m.leavers + l
				for k := range m.sizes.wanters {
					w := wish{documents[leaver*m.waves+wave], m.org.members[2*m.leavers+l*m.sizes.wanters+k], opened[leaver]}
					m.wishes[way] = append(m.wishes[way], w)
					wanted, by = append(wanted, w.document), append(by, w.member)
				}
			}
		}
	}
	if err := m.grant(ctx, wanted, by); err != nil {
		return err
	}
	_, err = m.store.DB().ExecContext(ctx, `VACUUM (ANALYZE)`)
	return err
}

// inGrace opens the cases of the first n members by the steps that a case does, and
// gives their IDs.
func inGrace(ctx context.Context, store *postgres.Store, org organization, n int) ([]string, error) {
	ids := make([]string, n)
	_, err := each(ctx, n, poolSize, func(ctx context.Context, i int) error {
		at := time.Now().UTC()
		id := uuid.Must(uuid.NewV7()).String()
		ids[i] = id
		step := func(name string) offboarding.Step { return offboarding.Step{CaseID: id, Name: name, At: at} }
		request := offboarding.Request{MemberID: org.members[i], RequestedBy: org.admin}
		if _, err := store.Admit(ctx, offboarding.AdmitInput{CaseID: id, WorkflowID: offboarding.WorkflowID(org.members[i]), At: at, Request: request}); err != nil {
			return err
		}
		if _, err := store.Revoke(ctx, offboarding.RevokeInput{Step: step("revoke")}); err != nil {
			return err
		}
		if _, err := store.Deactivate(ctx, step("deactivate")); err != nil {
			return err
		}
		ends := at.Add(7 * 24 * time.Hour)
		_, err := store.Settle(ctx, offboarding.SettleInput{Step: step("settle"), GraceEndsAt: &ends})
		return err
	})
	return ids, err
}

// race lets the makers claim wave after wave, by the step of a case and by bare SQL.
func (m *claimMeasure) race(ctx context.Context) (err error) {
	sql, err := prepareClaim(ctx, m.store.DB())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sql.Close()) }()
	claims := [2]func(context.Context, wish) (bool, error){m.step, sql.one}
	var took [2][]float64
	waves := func(way, from, n int) (float64, error) {
		wishes := m.wishes[way][from*m.sizes.makers : (from+n)*m.sizes.makers]
		return timed(func() error {
			each, err := each(ctx, len(wishes), m.sizes.makers, func(ctx context.Context, i int) error {
				won, err := claims[way](ctx, wishes[i])
				if !won {
					atomic.AddInt64(&m.late[way], 1)
				}
				return err
			})
			took[way] = append(took[way], each...)
			return err
		})
	}
	round := func(way int) func(int) (float64, error) {
		return func(round int) (float64, error) {
			seconds, err := waves(way, 1+round*m.sizes.waves, m.sizes.waves)
			m.b.say("  %d claims: %.3f s", m.sizes.waves*m.sizes.makers, seconds)
			return seconds, err
		}
	}
	for way := range claims { // what prepares statements
		if _, err := waves(way, 0, 1); err != nil {
			return err
		}
		took[way] = nil
	}
	ours, bare, err := alternate(m.sizes.rounds, round(0), round(1))
	if err != nil {
		return err
	}
	rate := float64(m.sizes.waves*m.sizes.makers) / ours
	m.b.row(fmt.Sprintf("%d makers for %d documents", m.sizes.makers, m.sizes.rounds*m.sizes.waves*m.leavers),
		number(rate)+" /s", number(rate*ours/bare)+" /s", fmt.Sprintf("%.2f", ours/bare),
		fmt.Sprintf("%d want each: one wins; bare SQL: rule, locks, folders and events in one statement, no record of the step", m.sizes.wanters))
	p99, other := 1000*quantile(took[0], 0.99), 1000*quantile(took[1], 0.99)
	m.b.row("the slowest 1 %", number(p99)+" ms", number(other)+" ms", fmt.Sprintf("%.2f", p99/other), "all makers at once on 32 connections")
	m.b.result("claims_vs_bare_sql", ours/bare)
	m.b.result("claims_per_second", rate)
	m.b.result("claim_p99_ms", p99)
	return m.winners(ctx)
}

// step claims a document by the step of its case.
func (m *claimMeasure) step(ctx context.Context, w wish) (won bool, err error) {
	return claimStep(ctx, m.store, w.caseID, w.document, w.member)
}

// claimStep claims a document by the step of a case. Who comes too late has not won, which
// is no error.
func claimStep(ctx context.Context, store *postgres.Store, caseID, document, member string) (won bool, err error) {
	_, err = store.Claim(ctx, offboarding.ClaimInput{
		Step:    offboarding.Step{CaseID: caseID, Name: "update/" + uuid.NewString(), At: time.Now().UTC()},
		Message: offboarding.ClaimRequest{DocumentID: document, MemberID: member},
	})
	if offboarding.CodeOf(err) == offboarding.CodeAlreadyOwned {
		return false, nil
	}
	return err == nil, err
}

// winners checks that each document was claimed exactly once, and that everybody else
// was told so.
func (m *claimMeasure) winners(ctx context.Context) error {
	const query = `SELECT count(*) FROM (SELECT document_id FROM audit_events WHERE event = 'ClaimDocOwnership'
		GROUP BY document_id HAVING count(*) = 1) once`
	var once int
	if err := m.store.DB().GetContext(ctx, &once, query); err != nil {
		return err
	}
	documents := m.leavers * m.waves
	if once != 2*documents || m.late[0] != int64(documents*(m.sizes.wanters-1)) || m.late[1] != m.late[0] {
		m.b.broken = append(m.b.broken, fmt.Sprintf("claims: %d of %d documents were claimed once, and %d of %d claims came too late",
			once, 2*documents, m.late[0]+m.late[1], 2*documents*(m.sizes.wanters-1)))
	}
	return nil
}
