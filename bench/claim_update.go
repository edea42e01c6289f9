package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lib/pq"

	cases "handover/client"
	"handover/offboarding"
)

// The race through Temporal: so many leavers with cases of their own, whose documents
// are claimed by so many updates at once.
const (
	updateLeavers = 20
	updatesAtOnce = 100
)

// byUpdate lets makers race for documents as people do it: by the update of a running
// case. Its leavers are the last members.
func (m *claimMeasure) byUpdate(ctx context.Context, dsn string, documents int) (err error) {
	w, stop, err := m.b.worker(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	c := cases.New(w.Client())
	leavers := m.org.members[len(m.org.members)-updateLeavers:]
	if _, err := each(ctx, len(leavers), updateLeavers, func(ctx context.Context, i int) error {
		_, err := c.StartAndAwait(ctx, offboarding.Request{MemberID: leavers[i], RequestedBy: m.org.admin})
		return err
	}); err != nil {
		return err
	}
	wishes, err := m.wishesOf(ctx, leavers, documents)
	if err != nil {
		return err
	}
	var late atomic.Int64
	var took []float64
	seconds, err := timed(func() (err error) {
		took, err = each(ctx, len(wishes), updatesAtOnce, func(ctx context.Context, i int) error {
			_, err := c.Claim(ctx, wishes[i].workflowID, offboarding.ClaimRequest{DocumentID: wishes[i].document, MemberID: wishes[i].member})
			if offboarding.CodeOf(err) == offboarding.CodeAlreadyOwned {
				late.Add(1)
				return nil
			}
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	if won := len(wishes) - int(late.Load()); won != len(leavers)*documents {
		m.b.broken = append(m.b.broken, fmt.Sprintf("claims: %d documents were claimed by %d updates", len(leavers)*documents, won))
	}
	m.b.row(fmt.Sprintf("by the update, %d at once", updatesAtOnce), number(float64(len(wishes))/seconds)+" /s", "", "",
		fmt.Sprintf("%d cases on Temporal; 99 %% within %.0f ms", updateLeavers, 1000*quantile(took, 0.99)))
	m.b.result("claim_updates_per_second", float64(len(wishes))/seconds)
	return nil
}

// sent is a wish that is sent to a case.
type sent struct{ document, member, workflowID string }

// wishesOf makes the same makers want the first documents of each of the leavers.
func (m *claimMeasure) wishesOf(ctx context.Context, leavers []string, documents int) (wishes []sent, err error) {
	owned := make([][]string, len(leavers))
	for i, leaver := range leavers {
		if err := m.store.DB().SelectContext(ctx, &owned[i], `SELECT id FROM documents WHERE owner_id = $1 ORDER BY id LIMIT $2`, leaver, documents); err != nil {
			return nil, err
		}
	}
	var wanted, by []string
	for d := range documents {
		for i, leaver := range leavers {
			for k := range m.sizes.wanters {
				w := sent{owned[i][d], m.org.members[2*m.leavers+i*m.sizes.wanters+k], offboarding.WorkflowID(leaver)}
				wishes = append(wishes, w)
				wanted, by = append(wanted, w.document), append(by, w.member)
			}
		}
	}
	return wishes, m.grant(ctx, wanted, by)
}

// grant lets members edit documents.
func (m *claimMeasure) grant(ctx context.Context, documents, members []string) error {
	const query = `INSERT INTO grants (organization_id, document_id, member_id, level)
		SELECT $1, w.document, w.member, 'edit' FROM unnest($2::uuid[], $3::uuid[]) w (document, member)`
	_, err := m.store.DB().ExecContext(ctx, query, m.org.id, pq.Array(documents), pq.Array(members))
	return err
}
