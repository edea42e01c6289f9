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

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
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
	tellers, rounds := 4, 1
	if os.Getenv("CHAOS") == "full" {
		tellers, rounds = 6, 8
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
	t.Cleanup(func() { why(t, c, temporalserver.DefaultNamespace, w.logs()...) })

	o := fixture.New(t, db)
	story := &storm{Organization: o, t: t, db: db, temporal: c, cases: cases.New(c)}
	var tales []func(context.Context) error
	for i := range tellers * rounds {
		kinds := []func(*rand.Rand) func(context.Context) error{
			story.rivals, story.requests, story.rehire, story.moves, story.list, story.tangle,
			[]func(*rand.Rand) func(context.Context) error{story.scheduled, story.hold, story.removal, story.deletion}[i%4],
		}
		for _, kind := range kinds { // each with a chance of its own: they are told side by side
			tales = append(tales, kind(rand.New(rand.NewPCG(seed, uint64(len(tales))+2))))
		}
	}
	was := factsOf(t, db)

	began := time.Now()
	raging := make(chan error, 1)
	go func() { raging <- w.storm(seed, rounds) }()
	telling, end := context.WithTimeout(t.Context(), time.Duration(rounds+1)*patience)
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
	sealed, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sealed)
		for store := postgres.New(db); ; {
			select {
			case <-stop:
				return
			case <-time.After(4 * lookEvery):
				_, _ = store.SealAudit(telling, 20) // while it storms it may fail
			}
		}
	}()
	for _, tale := range tales {
		next <- tale
	}
	close(next)
	all.Wait()
	close(stop)
	<-sealed
	require.NoError(t, <-raging)
	require.NoError(t, errors.Join(failed...))

	// Nobody is stuck: no case, and no list, reactivation or deletion.
	waitFor(t, "every workflow has ended", func() error {
		running, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: temporalserver.DefaultNamespace, Query: `ExecutionStatus = "Running"`,
		})
		if err == nil && running.GetCount() > 0 {
			err = fmt.Errorf("%d have not", running.GetCount())
		}
		return err
	})
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
	verified := s.seal(store)
	is := factsOf(s.t, s.db)
	var rows, out strings.Builder
	fmt.Fprintf(&rows, "\nCHAOS_SEED=%d\t%s\n", seed, lasted.Round(time.Second))
	for _, f := range faults {
		fmt.Fprintf(&rows, "%s\t%d\n", f.name, w.done[f.name])
	}
	fmt.Fprintf(&rows, "clocks of workers set apart\t%s\n", time.Duration(stormWorkers-1)*time.Duration(w.apart)*time.Second)
	fmt.Fprintf(&rows, "messages sent\t%d\nof them again, or as a signal too\t%d\nof them in any order\t%d\nrefused by a rule\t%d\n",
		s.sent.Load(), s.twice.Load(), s.tangles.Load(), s.refused.Load())
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
	fmt.Fprintf(&rows, "of them sealed and verified\t%d\n", verified)
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, err = io.WriteString(tw, rows.String())
	require.NoError(s.t, errors.Join(err, tw.Flush()))
	s.t.Log(out.String())
	was.requireSame(s.t, is)
	require.Equal(s.t, events, verified)
	require.False(s.t, slices.ContainsFunc(checked, func(i postgres.Invariant) bool { return !i.Holds() }), "a promise is broken")
}

// seal seals the audit to its end and verifies it, as starter audit verify does.
func (s *storm) seal(store *postgres.Store) (events int) {
	s.t.Helper()
	waitFor(s.t, "everything is sealed", func() error {
		_, err := store.SealAudit(s.t.Context(), 1000)
		var left int
		err = errors.Join(err, s.db.Get(&left, `SELECT count(*) FROM audit_events WHERE id > (SELECT sealed_id FROM audit_horizon)`))
		if err == nil && left > 0 {
			err = fmt.Errorf("%d are not", left)
		}
		return err
	})
	v := &offboarding.AuditVerifier{}
	require.NoError(s.t, store.VerifyAudit(s.t.Context(), "", v, nil))
	report := v.Report()
	require.Empty(s.t, report.Breaks)
	for _, o := range report.Organizations {
		events += o.Events
	}
	return events
}

// storm is what the tales of one storm share.
type storm struct {
	*fixture.Organization
	t                    *testing.T
	db                   *sqlx.DB
	temporal             client.Client
	cases                *cases.Client
	sent, twice, refused atomic.Int64
	tangles              atomic.Int64 // messages that were sent in any order
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

func (d *dice) shuffle(messages []func() error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.r.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
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
	id := offboarding.WorkflowID(r.MemberID)
	if r.WorkspaceID != "" {
		id = offboarding.RemovalWorkflowID(r.WorkspaceID, r.MemberID)
	}
	wanted := func(st offboarding.Status) bool { return st.DeactivatedAt != nil }
	if r.EffectiveAt != "" {
		wanted = func(st offboarding.Status) bool { return st.Phase == offboarding.PhaseScheduled }
	}
	r.RequestedBy = s.Admin
	if err := s.again(ctx, func(ctx context.Context) error { return s.cases.StartCase(ctx, r) }); err != nil { // the second changes nothing (rule E2)
		return err
	}
	return s.reaches(ctx, id, wanted)
}

// again asks for something twice.
func (s *storm) again(ctx context.Context, ask func(context.Context) error) error {
	s.twice.Add(1)
	for range 2 {
		s.sent.Add(1)
		if err := s.insist(ctx, ask); err != nil {
			return err
		}
	}
	return nil
}

// tangled sends messages of one case in any order, each before the others are answered,
// and all of them once more in another order. Each is done, or a rule says no.
func (s *storm) tangled(ctx context.Context, r *dice, messages ...func() error) error {
	for range 2 {
		r.shuffle(messages)
		errs := make([]error, len(messages))
		var all sync.WaitGroup
		for i, message := range messages {
			all.Go(func() { errs[i] = ruled(message()) })
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil || ctx.Err() != nil {
			return err
		}
		s.tangles.Add(int64(len(messages)))
	}
	return nil
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

// requested are the requests in the cases of a member.
func (s *storm) requested(ctx context.Context, member string) (requests []string, err error) {
	return requests, s.insist(ctx, func(ctx context.Context) error {
		const query = `SELECT r.id FROM ownership_requests r JOIN cases c ON c.id = r.case_id WHERE c.member_id = $1 ORDER BY r.id`
		return s.db.SelectContext(ctx, &requests, query, member)
	})
}

func (s *storm) decide(ctx context.Context, r *dice, id, request string, approve bool) error {
	m := offboarding.AdminApproval{RequestID: request, AdminID: s.Admin, Decision: offboarding.DecisionReject}
	if approve {
		m.Decision = offboarding.DecisionApprove
	}
	return ruled(s.send(ctx, r, id, offboarding.MessageDecision, m, func(ctx context.Context, once cases.Option) error {
		_, err := s.cases.Decide(ctx, id, m, once)
		return err
	}))
}

func (s *storm) reactivate(ctx context.Context, r *dice, id string) error {
	m := offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: r.IntN(2) == 0}
	return ruled(s.send(ctx, r, id, offboarding.MessageReactivate, m, func(ctx context.Context, once cases.Option) error {
		_, err := s.cases.Reactivate(ctx, id, m, once)
		return err
	}))
}

// extend lets the grace end so many days from now.
func (s *storm) extend(ctx context.Context, r *dice, id string, days int) error {
	m := offboarding.ExtendGrace{AdminID: s.Admin, Until: in(days)}
	return ruled(s.send(ctx, r, id, offboarding.MessageExtend, m, func(ctx context.Context, once cases.Option) error {
		_, err := s.cases.Extend(ctx, id, m, once)
		return err
	}))
}

func (s *storm) reschedule(ctx context.Context, r *dice, id string, days int) error {
	m := offboarding.Reschedule{AdminID: s.Admin, EffectiveAt: in(days)}
	return ruled(s.send(ctx, r, id, offboarding.MessageReschedule, m, func(ctx context.Context, once cases.Option) error {
		_, err := s.cases.Reschedule(ctx, id, m, once)
		return err
	}))
}

func (s *storm) cancel(ctx context.Context, r *dice, id string) error {
	m := offboarding.Cancel{AdminID: s.Admin}
	return ruled(s.send(ctx, r, id, offboarding.MessageCancel, m, func(ctx context.Context, once cases.Option) error {
		_, err := s.cases.Cancel(ctx, id, m, once)
		return err
	}))
}

func in(days int) string { return time.Now().Add(time.Duration(days) * day).Format(time.RFC3339) }

func (s *storm) forward(ctx context.Context, id string, d time.Duration) error {
	return s.insist(ctx, func(ctx context.Context) error {
		return temporalserver.FastForward(ctx, s.temporal, temporalserver.DefaultNamespace, id, d)
	})
}

// tangle has messages change places: a decision before its request, what is for a case
// that waits after it has begun, a rehire beside claims.
func (s *storm) tangle(r *rand.Rand) func(context.Context) error {
	claimant, asker := s.Maker(), s.Maker()
	member, documents := s.leaver(4, offboarding.GrantEdit, claimant)
	for _, document := range documents[:3] {
		s.Grant(document, asker, offboarding.GrantView)
	}
	d, back := &dice{r: r}, r.IntN(3) == 0
	return func(ctx context.Context) error {
		if err := s.start(ctx, offboarding.Request{MemberID: member}); err != nil {
			return err
		}
		id := offboarding.WorkflowID(member)
		decide := func(approve bool) func() error {
			return func() error {
				requests, err := s.requested(ctx, member)
				if err != nil {
					return err
				}
				for _, request := range append(requests, uuid.NewString()) { // and one that is not there yet
					err = errors.Join(err, s.decide(ctx, d, id, request, approve))
				}
				return err
			}
		}
		messages := []func() error{
			decide(true), decide(false),
			func() error { return s.extend(ctx, d, id, 10) },
			func() error { return s.extend(ctx, d, id, 20) },
			func() error { return s.cancel(ctx, d, id) },
			func() error { return s.reschedule(ctx, d, id, 1) },
		}
		for i, document := range documents[:3] {
			messages = append(messages, func() error { return s.claim(ctx, d, id, document, asker) })
			if i > 0 {
				messages = append(messages, func() error { return s.claim(ctx, d, id, document, claimant) })
			}
		}
		if back {
			messages = append(messages, func() error { return s.reactivate(ctx, d, id) })
		}
		return errors.Join(s.tangled(ctx, d, messages...), s.rest(ctx, d, id))
	}
}

// scheduled is moved and canceled while its time comes.
func (s *storm) scheduled(r *rand.Rand) func(context.Context) error {
	maker := s.Maker()
	member, documents := s.leaver(2, offboarding.GrantEdit, maker)
	d := &dice{r: r}
	return func(ctx context.Context) error {
		if err := s.start(ctx, offboarding.Request{MemberID: member, EffectiveAt: in(2)}); err != nil {
			return err
		}
		id := offboarding.WorkflowID(member)
		messages := []func() error{
			func() error { return s.reschedule(ctx, d, id, 1) },
			func() error { return s.reschedule(ctx, d, id, 3) },
			func() error { return s.extend(ctx, d, id, 30) },
			func() error { return s.claim(ctx, d, id, documents[0], maker) },
			func() error { return s.forward(ctx, id, 2*day) },
		}
		if d.IntN(2) == 0 {
			messages = append(messages, func() error { return s.cancel(ctx, d, id) })
		}
		if err := s.tangled(ctx, d, messages...); err != nil {
			return err
		}
		if err := s.forward(ctx, id, 4*day); err != nil {
			return err
		}
		begun := func(st offboarding.Status) bool { return st.DeactivatedAt != nil || st.Phase.Closed() }
		return errors.Join(s.reaches(ctx, id, begun), s.rest(ctx, d, id))
	}
}

// hold is on one of the documents, and is lifted while the case goes on.
func (s *storm) hold(r *rand.Rand) func(context.Context) error {
	maker := s.Maker()
	member, documents := s.leaver(3, offboarding.GrantEdit, maker)
	d, store := &dice{r: r}, postgres.New(s.db)
	return func(ctx context.Context) error {
		hold := offboarding.Hold{ID: uuid.NewString(), DocumentID: documents[0], Reason: "court"}
		if err := s.again(ctx, func(ctx context.Context) error {
			_, err := store.PlaceHold(ctx, hold, s.Admin, time.Now())
			return err
		}); err != nil {
			return err
		}
		if err := s.start(ctx, offboarding.Request{MemberID: member, Disposition: offboarding.DispositionArchive}); err != nil {
			return err
		}
		id := offboarding.WorkflowID(member)
		lift := func() error {
			return s.again(ctx, func(ctx context.Context) error { return store.LiftHold(ctx, hold.ID, s.Admin, "", time.Now()) })
		}
		return errors.Join(s.tangled(ctx, d, lift, func() error { return s.claim(ctx, d, id, documents[0], maker) }), s.rest(ctx, d, id))
	}
}

// removal is from a workspace, and may be undone while its documents are claimed.
func (s *storm) removal(r *rand.Rand) func(context.Context) error {
	maker, workspace := s.Maker(), s.Workspace()
	member, documents := s.leaver(3, offboarding.GrantEdit, maker)
	s.Join(workspace, member, offboarding.WorkspaceMember)
	s.Exec(`UPDATE documents SET workspace_id = $2 WHERE owner_id = $1`, member, workspace)
	d, back := &dice{r: r}, r.IntN(2) == 0
	return func(ctx context.Context) error {
		if err := s.start(ctx, offboarding.Request{MemberID: member, WorkspaceID: workspace}); err != nil {
			return err
		}
		id := offboarding.RemovalWorkflowID(workspace, member)
		messages := []func() error{func() error { return s.extend(ctx, d, id, 9) }}
		for _, document := range documents[:2] {
			messages = append(messages, func() error { return s.claim(ctx, d, id, document, maker) })
		}
		if back {
			messages = append(messages, func() error { return s.reactivate(ctx, d, id) })
		}
		return errors.Join(s.tangled(ctx, d, messages...), s.rest(ctx, d, id))
	}
}

// deletion is of somebody who is still active; the manager gets the documents.
func (s *storm) deletion(*rand.Rand) func(context.Context) error {
	member, _ := s.leaver(2, offboarding.GrantEdit)
	return func(ctx context.Context) error {
		r := offboarding.DeletionRequest{MemberID: member, RequestedBy: s.Admin, Disposition: offboarding.DispositionTransfer, NewOwnerID: s.Manager}
		return ruled(s.again(ctx, func(ctx context.Context) error { // who is gone is not there to be deleted
			_, err := s.cases.Delete(ctx, r)
			return err
		}))
	}
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
		pending, err := s.requested(ctx, member)
		if err != nil {
			return err
		}
		for i, request := range pending {
			if err := s.decide(ctx, d, id, request, i%2 == 0); err != nil {
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
		if err := s.forward(ctx, id, 8*day); err != nil {
			return err
		}
		if err := s.reactivate(ctx, d, id); err != nil {
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
		return ruled(s.again(ctx, func(ctx context.Context) error {
			_, err := s.cases.ReactivateMembers(ctx, "", offboarding.ReactivationRequest{MemberID: member, RequestedBy: s.Admin, ReturnDocuments: true})
			return err
		}))
	}
}

// list offboards some members at once.
func (s *storm) list(r *rand.Rand) func(context.Context) error {
	request := offboarding.BulkRequest{RequestedBy: s.Admin, Confirmed: true}
	for n := range 5 {
		member, _ := s.leaver(n%3, offboarding.GrantEdit)
		request.Members = append(request.Members, offboarding.BulkMember{MemberID: member})
	}
	d, bulk := &dice{r: r}, "storm-"+uuid.NewString()
	return func(ctx context.Context) error {
		if err := s.again(ctx, func(ctx context.Context) error {
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
