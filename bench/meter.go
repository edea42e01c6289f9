package main

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"go.temporal.io/sdk/client"

	cases "handover/client"
	"handover/offboarding"
)

// meter reads what cases cost the engine.
type meter struct {
	client client.Client
	cases  *cases.Client
	db     *sqlx.DB
	org    organization // whose members leave
}

// engineCost is what the server keeps of a run.
type engineCost struct{ events, bytes, transitions float64 }

func (c engineCost) String() string {
	return fmt.Sprintf("%s events, %s bytes, %s transitions", number(c.events), number(c.bytes), number(c.transitions))
}

// read is what the present run of a member's case has cost.
func (m *meter) read(ctx context.Context, member string) (engineCost, error) {
	d, err := m.client.DescribeWorkflowExecution(ctx, offboarding.WorkflowID(member), "")
	if err != nil {
		return engineCost{}, err
	}
	info := d.GetWorkflowExecutionInfo()
	return engineCost{float64(info.GetHistoryLength()), float64(info.GetHistorySizeBytes()), float64(info.GetStateTransitionCount())}, nil
}

// start starts a case, waits for the answer, and reads what that has cost.
func (m *meter) start(ctx context.Context, r offboarding.Request) (engineCost, error) {
	if _, err := m.cases.StartAndAwait(ctx, r); err != nil {
		return engineCost{}, err
	}
	return m.read(ctx, r.MemberID)
}

// each sends n messages one after the other, and gives the cost of one.
func (m *meter) each(ctx context.Context, member string, n int, send func(i int) error) (engineCost, error) {
	before, err := m.read(ctx, member)
	if err != nil {
		return engineCost{}, err
	}
	for i := range n {
		if err := send(i); err != nil {
			return engineCost{}, err
		}
	}
	after, err := m.read(ctx, member)
	of := func(before, after float64) float64 { return (after - before) / float64(n) }
	return engineCost{of(before.events, after.events), of(before.bytes, after.bytes), of(before.transitions, after.transitions)}, err
}

// documents are the first of a member's.
func (m *meter) documents(ctx context.Context, member string, n int) (ids []string, err error) {
	err = m.db.SelectContext(ctx, &ids, `SELECT id FROM documents WHERE owner_id = $1 ORDER BY id LIMIT $2`, member, n)
	if err == nil && len(ids) != n {
		err = fmt.Errorf("%d documents of %d", len(ids), n)
	}
	return ids, err
}

// request is a start of the i-th member's case by the admin.
func (o organization) request(i int) offboarding.Request {
	return offboarding.Request{MemberID: o.members[i], RequestedBy: o.admin}
}
