package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	cases "handover/client"
	"handover/offboarding"
)

// cost: what a case leaves in Temporal, as the server counts it.
func (b *bench) cost(ctx context.Context) (err error) {
	many, claims := 1000, 800
	if b.scale == quick {
		many, claims = 200, 60
	}
	store, dsn, closeStore, err := b.database(ctx, "cost")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	w, stop, err := b.worker(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	m := &meter{client: w.Client(), cases: cases.New(w.Client()), db: store.DB()}
	few, err := fill(ctx, store.DB(), size{members: 3, documents: 1, accesses: 1, grants: 1})
	if err != nil {
		return err
	}
	if m.org, err = fill(ctx, store.DB(), size{members: 8, documents: many, accesses: 1, grants: 2}); err != nil {
		return err
	}
	if err := b.costParked(ctx, m, few, w.watch, many); err != nil {
		return err
	}
	for _, part := range []func() error{
		func() error { return b.costOfMessages(ctx, m) },
		func() error { return b.costCompleted(ctx, m, many) },
		func() error { return b.costBound(ctx, m, claims) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return b.invariants(ctx, store)
}

// costParked measures a case that waits in its grace.
func (b *bench) costParked(ctx context.Context, m *meter, few organization, seen *watch, many int) error {
	if _, err := m.cases.Start(ctx, few.request(0)); err != nil {
		return err
	}
	if _, err := await(ctx, seen.parked); err != nil {
		return err
	}
	parked, err := m.read(ctx, few.members[0])
	if err != nil {
		return err
	}
	waited, err := m.start(ctx, few.request(1))
	if err != nil {
		return err
	}
	large, err := m.start(ctx, m.org.request(0))
	if err != nil {
		return err
	}
	b.row("parked in grace, 1 document", parked.String(), "", "", "")
	b.row("the same, the caller has waited", waited.String(), "", "", "")
	b.row(fmt.Sprintf("the same, %d documents", many), large.String(), "", "", "")
	b.result("events_parked", parked.events)
	b.result("bytes_parked", parked.bytes)
	b.result("transitions_parked", parked.transitions)
	b.result("events_parked_waited", waited.events)
	b.result("transitions_parked_waited", waited.transitions)
	b.result("events_parked_of_many_documents", large.events)
	return nil
}

// costOfMessages measures claims, requests and approvals that come one by one, which
// is dearest: those that come together share a workflow task.
func (b *bench) costOfMessages(ctx context.Context, m *meter) error {
	const n = 10
	if _, err := m.start(ctx, m.org.request(1)); err != nil {
		return err
	}
	id, claimant := offboarding.WorkflowID(m.org.members[1]), m.org.members[2]
	documents, err := m.documents(ctx, m.org.members[1], 2*n)
	if err != nil {
		return err
	}
	var requests []string
	ask := func(as string) func(int) error {
		return func(i int) error {
			out, err := m.cases.Claim(ctx, id, offboarding.ClaimRequest{DocumentID: documents[i], MemberID: claimant, As: as})
			requests = append(requests, out.RequestID)
			documents[i] = documents[len(documents)-1-i] // the next who asks takes another one
			return err
		}
	}
	for _, message := range []struct {
		name, key string
		send      func(i int) error
	}{
		{"a claim", "events_per_claim", ask("claim")},
		{"a request", "events_per_request", func(i int) error {
			if i == 0 {
				requests = nil
			}
			return ask("request")(i)
		}},
		{"an approval", "events_per_approval", func(i int) error {
			_, err := m.cases.Decide(ctx, id, offboarding.AdminApproval{RequestID: requests[i], AdminID: m.org.admin, Decision: offboarding.DecisionApprove})
			return err
		}},
	} {
		c, err := m.each(ctx, m.org.members[1], n, message.send)
		if err != nil {
			return err
		}
		b.row(message.name, c.String(), "", "", "")
		b.result(message.key, c.events)
	}
	return nil
}

// costCompleted measures a case whose documents have a new owner at once, and so ends.
func (b *bench) costCompleted(ctx context.Context, m *meter, many int) error {
	r := m.org.request(3)
	r.NewOwnerID = m.org.members[4]
	if _, err := m.start(ctx, r); err != nil {
		return err
	}
	if _, err := m.cases.Result(ctx, offboarding.WorkflowID(r.MemberID)); err != nil {
		return err
	}
	completed, err := m.read(ctx, r.MemberID)
	if err != nil {
		return err
	}
	b.row(fmt.Sprintf("completed, %d documents transferred", many), completed.String(), "", "", "")
	b.result("events_completed", completed.events)
	b.result("bytes_completed", completed.bytes)
	b.result("transitions_completed", completed.transitions)
	return nil
}

// costBound measures how long a history gets at most, however many claims there are.
func (b *bench) costBound(ctx context.Context, m *meter, claims int) error {
	leaver := m.org.members[5]
	if _, err := m.start(ctx, m.org.request(5)); err != nil {
		return err
	}
	id := offboarding.WorkflowID(leaver)
	documents, err := m.documents(ctx, leaver, claims)
	if err != nil {
		return err
	}
	longest := 0.0
	for part := range 8 { // looked at in between: a run that has gone on as another one starts anew
		var g errgroup.Group
		g.SetLimit(20)
		for i := part * claims / 8; i < (part+1)*claims/8; i++ {
			g.Go(func() error {
				_, err := m.cases.Claim(ctx, id, offboarding.ClaimRequest{DocumentID: documents[i], MemberID: m.org.members[6]})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		c, err := m.read(ctx, leaver)
		if err != nil {
			return err
		}
		longest = max(longest, c.events)
	}
	status, err := m.cases.Status(ctx, id)
	if err != nil {
		return err
	}
	b.row(fmt.Sprintf("%d claims on one case, 20 at once", claims), number(longest)+" events at most", "", "",
		fmt.Sprintf("continued as new %d times", status.ContinuedAsNew))
	b.result("events_at_most", longest)
	return nil
}
