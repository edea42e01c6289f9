package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"

	cases "handover/client"
	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/offboarding"
	"handover/postgres"
	"handover/schema"
)

// TestAStorm runs cases with claims, requests, rehires and lists while workers,
// PostgreSQL, the Temporal server and the connections between them fail, all of it by a
// seed. When the storm is over, every case comes to its end, every promise holds, and the
// audit tells how the database has become what it is.
//
// CHAOS_SEED repeats a storm; CHAOS=full is a long one, and CHAOS_CLOCKS sets the clocks
// of workers so many seconds apart (make chaos does both).
func TestAStorm(t *testing.T) {
	t.Parallel()
	const tellers = 6
	rounds := 1
	if os.Getenv("CHAOS") == "full" {
		rounds = 8
	}
	seed := chaosSeed(t)
	w := newWorld(t)
	db, err := sqlx.Open("postgres", w.postgres.said)
	require.NoError(t, err)
	db.SetMaxOpenConns(20)
	t.Cleanup(func() { _ = db.Close() })
	_, err = schema.Migrate(t.Context(), db.DB)
	require.NoError(t, err)
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: w.temporal.said, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), Interceptors: []interceptor.ClientInterceptor{&hurry{}},
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	w.work()

	o := fixture.New(t, db)
	story := &storm{Organization: o, t: t, db: db, temporal: c, cases: cases.New(c)}
	var tales []func(context.Context) error
	for i := range tellers * rounds {
		r := rand.New(rand.NewPCG(seed, uint64(i)+2))
		tales = append(tales, story.rivals(r), story.requests(r), story.rehire(r), story.moves(r), story.list(i, r))
	}
	was := factsOf(t, db)

	began := time.Now()
	raging := make(chan error, 1)
	go func() { raging <- w.storm(seed, rounds) }()
	telling, end := context.WithTimeout(t.Context(), time.Duration(rounds)*3*patience)
	defer end()
	next := make(chan func(context.Context) error)
	failed := make([]error, 10) // side by side
	var all sync.WaitGroup
	for i := range failed {
		all.Go(func() {
			for tale := range next {
				failed[i] = errors.Join(failed[i], tale(telling))
			}
		})
	}
	for _, tale := range tales {
		next <- tale
	}
	close(next)
	all.Wait()
	require.NoError(t, <-raging)
	require.NoError(t, errors.Join(failed...))

	// Nobody is stuck.
	waitFor(t, "every case is closed", func() error {
		var open []string
		err := db.Select(&open, `SELECT workflow_id || ' ' || phase || ' ' || trouble_step || ' ' || trouble_error FROM cases WHERE closed_at IS NULL`)
		if err == nil && len(open) > 0 {
			err = fmt.Errorf("%d are not: %s", len(open), strings.Join(open, "; "))
		}
		return err
	})
	story.table(w, seed, time.Since(began), was)
}

// table checks what was promised, and prints what was done and what held.
func (s *storm) table(w *world, seed uint64, lasted time.Duration, was facts) {
	s.t.Helper()
	store := postgres.New(s.db)
	checked, err := store.CheckInvariants(s.t.Context())
	require.NoError(s.t, err)
	events := was.replay(s.t, s.db)
	is := factsOf(s.t, s.db)
	var rows, out strings.Builder
	fmt.Fprintf(&rows, "\nCHAOS_SEED=%d\t%s\n", seed, lasted.Round(time.Second))
	for _, f := range faults {
		fmt.Fprintf(&rows, "%s\t%d\n", f.name, w.done[f.name])
	}
	fmt.Fprintf(&rows, "clocks of workers set apart\t%s\n", time.Duration(stormWorkers-1)*time.Duration(w.apart)*time.Second)
	fmt.Fprintf(&rows, "messages sent\t%d\nof them again or out of order\t%d\nrefused by a rule\t%d\n", s.sent.Load(), s.twice.Load(), s.refused.Load())
	var phases []struct {
		Phase string
		N     int
	}
	require.NoError(s.t, s.db.Select(&phases, `SELECT phase, count(*) AS n FROM cases GROUP BY phase ORDER BY phase`))
	for _, p := range phases {
		fmt.Fprintf(&rows, "cases %s\t%d\n", p.Phase, p.N)
	}
	for _, i := range checked {
		held := "holds"
		if !i.Holds() {
			held = fmt.Sprintf("BROKEN by %d, such as %s", i.Broken, i.Sample)
		}
		fmt.Fprintf(&rows, "%s\t%s\n", i.Says, held)
	}
	fmt.Fprintf(&rows, "events of the audit replayed into facts\t%d into %d\n", events, len(is))
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, err = io.WriteString(tw, rows.String())
	require.NoError(s.t, errors.Join(err, tw.Flush()))
	s.t.Log(out.String())
	was.requireSame(s.t, is)
	require.False(s.t, slices.ContainsFunc(checked, func(i postgres.Invariant) bool { return !i.Holds() }), "a promise is broken")
}

// storm is what the tales of one storm share.
type storm struct {
	*fixture.Organization
	t                    *testing.T
	db                   *sqlx.DB
	temporal             client.Client
	cases                *cases.Client
	sent, twice, refused atomic.Int64
}

// insist tries until it is done or a rule says no; everything else is the storm.
func (s *storm) insist(ctx context.Context, try func(context.Context) error) error {
	for {
		once, done := context.WithTimeout(ctx, 10*time.Second)
		err := try(once)
		done()
		var refusal *offboarding.Refusal
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refusal) && refusal.Code() != offboarding.CodeTryAgain:
			s.refused.Add(1)
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("there is no end to it: %w", err)
		}
		time.Sleep(4 * lookEvery)
	}
}

// ruled is nil for a refusal, which is an answer.
func ruled(err error) error {
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		return nil
	}
	return err
}

// send sends a message as an update, and again under the same ID; sometimes the signal of
// the same name comes before it, or after.
func (s *storm) send(ctx context.Context, r *dice, id, name string, payload any, update func(context.Context, cases.Option) error) error {
	message := fmt.Sprintf("%s/%d", name, r.next())
	signal := func() error {
		s.twice.Add(1)
		return s.insist(ctx, func(ctx context.Context) error {
			err := s.temporal.SignalWorkflow(ctx, id, "", name, payload)
			if err != nil && strings.Contains(err.Error(), "already completed") || err != nil && strings.Contains(err.Error(), "not found") {
				return nil // it comes too late
			}
			return err
		})
	}
	order := r.IntN(4)
	if order == 0 {
		if err := signal(); err != nil {
			return err
		}
	}
	var first error
	for n := range 2 {
		s.sent.Add(1)
		err := s.insist(ctx, func(ctx context.Context) error { return update(ctx, cases.WithUpdateID(message)) })
		if n == 0 {
			first = err
		} else {
			s.twice.Add(1)
		}
		if ruled(err) != nil {
			return err
		}
	}
	if order == 1 {
		if err := signal(); err != nil {
			return err
		}
	}
	return first
}

// dice are the chance of one tale, which is told by several at a time.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
	n  int
}

func (d *dice) IntN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func (d *dice) next() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	return d.n
}

// leaver is somebody with documents, which the makers may edit or, with view, ask for.
func (s *storm) leaver(n int, level offboarding.GrantLevel, makers ...string) (member string, documents []string) {
	member = s.Maker()
	s.Credential(member)
	s.Session(member)
	for range n {
		document := s.Document(member, "")
		s.Schedule(document)
		for _, maker := range makers {
			s.Grant(document, maker, level)
		}
		documents = append(documents, document)
	}
	return member, documents
}

func (s *storm) start(ctx context.Context, r offboarding.Request) error {
	r.RequestedBy = s.Admin
	for range 2 { // and once more, which changes nothing (rule E2)
		s.sent.Add(1)
		if err := s.insist(ctx, func(ctx context.Context) error { return s.cases.StartCase(ctx, r) }); err != nil {
			return err
		}
	}
	return s.reaches(ctx, offboarding.WorkflowID(r.MemberID), func(st offboarding.Status) bool { return st.DeactivatedAt != nil })
}

func (s *storm) reaches(ctx context.Context, id string, wanted func(offboarding.Status) bool) error {
	return s.insist(ctx, func(ctx context.Context) error {
		status, err := s.cases.Status(ctx, id)
		if err == nil && !wanted(status) {
			err = errNotYet
		}
		return err
	})
}

// rest gives what is left to the manager, and waits for the end of the case.
func (s *storm) rest(ctx context.Context, r *dice, id string) error {
	m := offboarding.TransferDocuments{AdminID: s.Admin, NewOwnerID: s.Manager}
	err := s.send(ctx, r, id, offboarding.MessageTransfer, m, func(ctx context.Context, once cases.Option) error {
		_, err := s.cases.Transfer(ctx, id, m, once)
		return err
	})
	if ruled(err) != nil { // a refusal: the last claim has closed the case
		return err
	}
	return s.closed(ctx, id)
}

func (s *storm) closed(ctx context.Context, id string) error {
	return s.reaches(ctx, id, func(st offboarding.Status) bool { return st.Phase.Closed() })
}

func (s *storm) claim(ctx context.Context, r *dice, id, document, member string) error {
	m := offboarding.ClaimRequest{DocumentID: document, MemberID: member}
	return ruled(s.send(ctx, r, id, offboarding.MessageClaim, m, func(ctx context.Context, once cases.Option) error {
		_, err := s.cases.Claim(ctx, id, m, once)
		return err
	}))
}

// rivals claim the same documents at the same time.
func (s *storm) rivals(r *rand.Rand) func(context.Context) error {
	makers := []string{s.Maker(), s.Maker(), s.Maker()}
	member, documents := s.leaver(3, offboarding.GrantEdit, makers...)
	d := &dice{r: r}
	return func(ctx context.Context) error {
		if err := s.start(ctx, offboarding.Request{MemberID: member}); err != nil {
			return err
		}
		id := offboarding.WorkflowID(member)
		errs := make([]error, len(makers))
		var all sync.WaitGroup
		for i, maker := range makers {
			all.Go(func() {
				for _, document := range documents[:2] {
					errs[i] = errors.Join(errs[i], s.claim(ctx, d, id, document, maker))
				}
			})
		}
		all.Wait()
		return errors.Join(errors.Join(errs...), s.rest(ctx, d, id))
	}
}

// requests are made by several and decided by an admin.
func (s *storm) requests(r *rand.Rand) func(context.Context) error {
	makers := []string{s.Maker(), s.Maker()}
	member, documents := s.leaver(2, offboarding.GrantView, makers...)
	d := &dice{r: r}
	return func(ctx context.Context) error {
		if err := s.start(ctx, offboarding.Request{MemberID: member}); err != nil {
			return err
		}
		id := offboarding.WorkflowID(member)
		for _, maker := range makers {
			for _, document := range documents {
				if err := s.claim(ctx, d, id, document, maker); err != nil {
					return err
				}
			}
		}
		var pending []string
		if err := s.insist(ctx, func(ctx context.Context) error {
			return s.db.SelectContext(ctx, &pending, `SELECT r.id FROM ownership_requests r JOIN cases c ON c.id = r.case_id WHERE c.member_id = $1`, member)
		}); err != nil {
			return err
		}
		for i, request := range pending {
			m := offboarding.AdminApproval{RequestID: request, AdminID: s.Admin, Decision: offboarding.DecisionApprove}
			if i%2 == 1 {
				m.Decision = offboarding.DecisionReject
			}
			if err := ruled(s.send(ctx, d, id, offboarding.MessageDecision, m, func(ctx context.Context, once cases.Option) error {
				_, err := s.cases.Decide(ctx, id, m, once)
				return err
			})); err != nil {
				return err
			}
		}
		return s.rest(ctx, d, id)
	}
}

// rehire comes back when the grace is over, with the documents that the case has moved.
func (s *storm) rehire(r *rand.Rand) func(context.Context) error {
	maker := s.Maker()
	member, documents := s.leaver(3, offboarding.GrantEdit, maker)
	d := &dice{r: r}
	return func(ctx context.Context) error {
		if err := s.start(ctx, offboarding.Request{MemberID: member}); err != nil {
			return err
		}
		id := offboarding.WorkflowID(member)
		if err := s.claim(ctx, d, id, documents[0], maker); err != nil {
			return err
		}
		if err := s.insist(ctx, func(ctx context.Context) error {
			return temporalserver.FastForward(ctx, s.temporal, temporalserver.DefaultNamespace, id, 8*day)
		}); err != nil {
			return err
		}
		m := offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: r.IntN(2) == 0}
		if err := ruled(s.send(ctx, d, id, offboarding.MessageReactivate, m, func(ctx context.Context, once cases.Option) error {
			_, err := s.cases.Reactivate(ctx, id, m, once)
			return err
		})); err != nil {
			return err
		}
		return s.closed(ctx, id)
	}
}

// moves gives everything to the manager, and some come back afterwards.
func (s *storm) moves(r *rand.Rand) func(context.Context) error {
	member, _ := s.leaver(4, offboarding.GrantEdit)
	back := r.IntN(2) == 0
	return func(ctx context.Context) error {
		if err := s.start(ctx, offboarding.Request{MemberID: member, NewOwnerID: s.Manager, Disposition: offboarding.DispositionTransfer}); err != nil {
			return err
		}
		if err := s.closed(ctx, offboarding.WorkflowID(member)); err != nil || !back {
			return err
		}
		s.sent.Add(1)
		return ruled(s.insist(ctx, func(ctx context.Context) error {
			_, err := s.cases.ReactivateMembers(ctx, "", offboarding.ReactivationRequest{MemberID: member, RequestedBy: s.Admin, ReturnDocuments: true})
			return err
		}))
	}
}

// list offboards some members at once.
func (s *storm) list(i int, r *rand.Rand) func(context.Context) error {
	request := offboarding.BulkRequest{RequestedBy: s.Admin, Confirmed: true}
	for n := range 5 {
		member, _ := s.leaver(n%3, offboarding.GrantEdit)
		request.Members = append(request.Members, offboarding.BulkMember{MemberID: member})
	}
	d, bulk := &dice{r: r}, fmt.Sprintf("storm-%d", i)
	return func(ctx context.Context) error {
		s.sent.Add(1)
		if err := s.insist(ctx, func(ctx context.Context) error {
			_, err := s.cases.StartBulk(ctx, bulk, request)
			return err
		}); err != nil {
			return err
		}
		if err := s.insist(ctx, func(ctx context.Context) error {
			_, err := s.cases.BulkResult(ctx, bulk)
			return err
		}); err != nil {
			return err
		}
		for n, m := range request.Members {
			if n%3 == 0 {
				continue // owned nothing
			}
			if err := s.rest(ctx, d, offboarding.WorkflowID(m.MemberID)); err != nil {
				return err
			}
		}
		return nil
	}
}
