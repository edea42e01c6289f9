package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"handover/offboarding"
)

// Colleagues who stay, and claim documents of cases whose grace does not end.
const (
	claimants       = 50
	claimsPerSecond = 20
)

// shortestGrace is twice the time in which cases act whose graces end together.
const shortestGrace = 10 * time.Minute

// parkEnding parks cases whose graces end together, when the rest is parked too, which slows
// down at times, and the worker has been watched. They are long enough for cases to act as long
// after them as after a week's.
func (p *parked) parkEnding(ctx context.Context, rest int) error {
	ending, within := p.sizes.ending, p.sizes.within
	first := time.Duration(5+1.4*float64(ending+rest)/p.rate())*time.Second + p.sizes.idle
	if p.scale == full {
		first = max(first, shortestGrace)
	}
	return p.park(ctx, ending, func(i int) time.Duration { return first + within*time.Duration(i)/time.Duration(ending) })
}

// letClaim grants each claimant a share of the documents.
func (p *parked) letClaim(ctx context.Context) error {
	_, err := p.store.DB().ExecContext(ctx, `INSERT INTO grants (organization_id, document_id, member_id, level)
		SELECT d.organization_id, d.id, c.id, 'edit' FROM documents d JOIN members m ON m.id = d.owner_id
		JOIN members c ON c.organization_id = d.organization_id AND c.external_id = 'm' || ($2::int - $3::int + 1 + substr(m.external_id, 2)::int % $3::int)
		WHERE d.organization_id = $1 AND c.id <> m.id`, p.org.id, len(p.org.members), claimants)
	return err
}

// wanted is a claim of a document of a case that stays in grace.
type wanted struct {
	Workflow string `db:"workflow_id"`
	Document string `db:"document_id"`
	Member   string `db:"member_id"`
}

// claims makes claims one after the other, so many a second whatever becomes of them,
// and gives the seconds of each.
func (p *parked) claims(ctx context.Context, span time.Duration) ([]float64, error) {
	n := int(span.Seconds() * claimsPerSecond)
	if n <= 0 || n > len(p.wishes) {
		return nil, fmt.Errorf("%d claims are to be made in %s, and %d can be", n, span, len(p.wishes))
	}
	wishes := p.wishes[:n]
	p.wishes = p.wishes[n:]
	took := make([]float64, n)
	g, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(time.Second / claimsPerSecond)
	defer tick.Stop()
	for i, w := range wishes {
		<-tick.C
		g.Go(func() (err error) {
			took[i], err = timed(func() error {
				out, err := p.cases.Claim(ctx, w.Workflow, offboarding.ClaimRequest{DocumentID: w.Document, MemberID: w.Member})
				if err == nil && out.Outcome != offboarding.OutcomeClaimed {
					err = fmt.Errorf("a claim came to %s", out.Outcome)
				}
				return err
			})
			return err
		})
	}
	return took, g.Wait()
}

// wish finds the claims that can be made, of cases whose grace does not end now: one of
// each case, then the others.
func (p *parked) wish(ctx context.Context) error {
	p.wishes = nil
	return p.store.DB().SelectContext(ctx, &p.wishes, `SELECT c.workflow_id, d.id AS document_id, g.member_id FROM cases c
		JOIN documents d ON d.owner_id = c.member_id JOIN grants g ON g.document_id = d.id
		WHERE c.grace_ends_at > now() + interval '1 day' ORDER BY split_part(d.external_id, '-', 2)::int, c.id`)
}

// claimAlone makes claims while nothing else happens.
func (p *parked) claimAlone(ctx context.Context) (err error) {
	if err = p.wish(ctx); err == nil {
		p.alone, err = p.claims(ctx, p.sizes.within/6)
	}
	return err
}

// end waits for the graces that end within a minute, and claims documents of other cases
// meanwhile.
func (p *parked) end(ctx context.Context) error {
	ending := p.sizes.ending
	var ends struct {
		First time.Time `db:"first"`
		Last  time.Time `db:"last"`
	}
	err := p.store.DB().GetContext(ctx, &ends, `SELECT min(grace_ends_at) AS first, max(grace_ends_at) AS last FROM cases WHERE grace_ends_at < now() + interval '1 day'`)
	if err == nil {
		err = p.wish(ctx)
	}
	if err != nil {
		return err
	}
	time.Sleep(time.Until(ends.First)) // a time, and not a condition: nothing is to happen before it
	var during []float64
	for left := ending; left > 0; {
		took, err := p.claims(ctx, time.Second)
		if err == nil {
			err = p.store.DB().GetContext(ctx, &left, `SELECT count(*) FROM cases WHERE phase = 'grace' AND grace_ends_at <= $1`, ends.Last)
		}
		if err != nil {
			return err
		}
		during = append(during, took...)
	}
	if err := until(ctx, p.store.DB(), rarely, `SELECT count(*) = $1 FROM documents WHERE access = 'read_only'`, 2*ending); err != nil {
		return err
	}
	took := time.Since(ends.First).Seconds()
	var late []float64
	err = p.store.DB().SelectContext(ctx, &late, `SELECT extract(epoch FROM max(a.at) - c.grace_ends_at)::float8 FROM audit_events a JOIN cases c ON c.id = a.case_id
		WHERE a.event = 'MarkDocsReadOnly' GROUP BY c.id`)
	if err != nil {
		return err
	}
	p.row(fmt.Sprintf("%d graces that end in %s", ending, p.sizes.within), number(took)+" s", "", "",
		fmt.Sprintf("until the last document is read-only; cases act up to half of their grace and five minutes later: p50 %.0f s, p99 %.0f s", quantile(late, 0.5), quantile(late, 0.99)))
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		p.row("a claim meanwhile, "+q.name, fmt.Sprintf("%.1f ms", 1000*quantile(during, q.q)), fmt.Sprintf("%.1f ms", 1000*quantile(p.alone, q.q)),
			number(quantile(during, q.q)/quantile(p.alone, q.q)), "compared to: a claim while nothing else happens")
	}
	p.result("graces_seconds", took)
	p.result("claim_during_graces_p99_ms", 1000*quantile(during, 0.99))
	return nil
}
