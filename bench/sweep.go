package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	cases "handover/client"
	"handover/offboarding"
	"handover/postgres"
)

// sweepSizes is how much sweeps are measured with.
type sweepSizes struct {
	documents int // of a leaver
	rounds    int
	many      int // of the leaver with most; 0 for no such
	claimed   int // of the one whose documents are claimed meanwhile
}

// sweeps: all documents of a leaver are made read-only, transferred, and archived.
func (b *bench) sweeps(ctx context.Context) (err error) {
	n := scaled(b.scale,
		sweepSizes{documents: 4_000, rounds: 1, claimed: 10_000},
		sweepSizes{documents: 100_000, rounds: 2, claimed: 100_000},
		sweepSizes{documents: 100_000, rounds: 3, many: 1_000_000, claimed: 300_000})
	s := &sweeping{bench: b}
	var closeStore func() error
	if s.store, s.dsn, closeStore, err = b.database(ctx, "sweeps"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	if s.org, err = fill(ctx, s.store.DB(), size{members: 64, accesses: 1}); err != nil {
		return err
	}
	if s.temporal, err = b.temporal.Client(ctx, client.Options{Logger: quiet}); err != nil {
		return err
	}
	defer s.temporal.Close()
	s.cases = cases.New(s.temporal)
	if b.scale != quick {
		if err := s.layLog(ctx); err != nil {
			return err
		}
	}
	worker, stop, err := s.worker(ctx)
	if err != nil {
		return err
	}
	if err := s.besideBare(ctx, n); err != nil {
		return errors.Join(err, stop())
	}
	peak, err := memoryPeak(worker)
	if err != nil {
		return errors.Join(err, stop())
	}
	killed, err := s.killed(ctx, n.documents, worker)
	ended := stop()
	if err != nil {
		return errors.Join(err, ended)
	}
	if err := s.afterKill(ctx, n, peak, killed); err != nil {
		return err
	}
	return b.invariants(ctx, s.store)
}

// layLog makes the files of the write-ahead log, which a server that has run for a while uses
// again: to fill a new one takes tens of milliseconds, in which nobody can commit.
func (s *sweeping) layLog(ctx context.Context) error {
	for range keptLog / (16 << 20) { // the size of a file
		if _, err := s.store.DB().ExecContext(ctx, `SELECT pg_switch_wal() FROM pg_logical_emit_message(false, '', '')`); err != nil {
			return err
		}
	}
	return s.tidy(ctx)
}

// sweeping is what the measurements of sweeps share: an organization whose members get
// documents as they are needed.
type sweeping struct {
	*bench
	store    *postgres.Store
	dsn      string
	org      organization
	temporal client.Client
	cases    *cases.Client
	used     int // members who have been given a part
}

// worker is one in a process of its own.
func (s *sweeping) worker(ctx context.Context) (pid int, stop func() error, err error) {
	return s.workerProcess(ctx, s.dsn)
}

// sweepSeconds is how long each kind of sweep takes.
type sweepSeconds [len(sweepKinds)]float64

// besideBare does the three sweeps, one after the other over the same documents, beside
// bare SQL over as many others.
func (s *sweeping) besideBare(ctx context.Context, n sweepSizes) error {
	var ours, bare [len(sweepKinds)][]float64
	_, _, err := alternate(n.rounds,
		func(int) (float64, error) { return 0, appended(&ours)(s.handover(ctx, n.documents, s.transfer)) },
		func(int) (float64, error) { return 0, appended(&bare)(s.bare(ctx, n.documents)) })
	if err != nil {
		return err
	}
	for i, kind := range sweepKinds {
		us, them := quantile(ours[i], 0.5), quantile(bare[i], 0.5)
		s.beside(kind, n.documents, us, them, kind.note)
		s.result(kind.key+"_vs_bare_sql", us/them)
		s.result(kind.key+"_rows_per_second", float64(n.documents)/us)
	}
	return nil
}

// beside shows a sweep of Handover and one of bare SQL.
func (s *sweeping) beside(kind sweepKind, documents int, us, them float64, note string) {
	rate := func(seconds float64) string { return number(float64(documents)/seconds) + "/s" }
	s.row(fmt.Sprintf("%s %d documents", kind.what, documents), rate(us), rate(them), fmt.Sprintf("%.2f×", us/them), note)
}

// sweepKind is one of the sweeps: what it is called in the table and in results.json.
type sweepKind struct{ what, key, note string }

var sweepKinds = [...]sweepKind{
	{"read-only:", "read_only", "by bare SQL: range by range, the same rows, events and schedules, but no lock in order, no phase, no record of a step"},
	{"transfer:", "transfer", "by bare SQL: also without looking for holds, requests, folders and who the new owner is"},
	{"archive:", "archive", "by bare SQL: also without looking for holds and for what a removal has locked"},
}

// appended adds the figures of a round to those of each kind.
func appended(to *[len(sweepKinds)][]float64) func(sweepSeconds, error) error {
	return func(seconds sweepSeconds, err error) error {
		for i, f := range seconds {
			to[i] = append(to[i], f)
		}
		return err
	}
}

// handover has a member leave whose grace ends at once, an admin transfer the documents,
// and the new owner leave with their documents archived.
func (s *sweeping) handover(
	ctx context.Context, documents int, transfer func(ctx context.Context, caseID, leaver, heir string) (float64, error),
) (seconds sweepSeconds, err error) {
	leaver, heir := s.member(), s.member()
	if err := s.give(ctx, leaver, documents); err != nil {
		return seconds, err
	}
	left, err := s.leaves(ctx, offboarding.Request{MemberID: leaver, GracePeriod: "0s"})
	if err != nil {
		return seconds, err
	}
	if seconds[0], err = s.activity(ctx, leaver, "LockDocuments"); err != nil {
		return seconds, err
	}
	if seconds[1], err = transfer(ctx, left.CaseID, leaver, heir); err != nil {
		return seconds, err
	}
	if err := s.tidy(ctx); err != nil {
		return seconds, err
	}
	if _, err := s.leaves(ctx, offboarding.Request{MemberID: heir, Disposition: offboarding.DispositionArchive}); err != nil {
		return seconds, err
	}
	seconds[2], err = s.activity(ctx, heir, "ArchiveDocuments")
	return seconds, err
}

// transfer has the admin transfer all that a leaver owns.
func (s *sweeping) transfer(ctx context.Context, _, leaver, heir string) (float64, error) {
	_, err := s.cases.Transfer(ctx, offboarding.WorkflowID(leaver), offboarding.TransferDocuments{AdminID: s.org.admin, NewOwnerID: heir})
	if err != nil {
		return 0, err
	}
	return s.activity(ctx, leaver, "TransferDocuments")
}

// member is one who has no part yet.
func (s *sweeping) member() string {
	s.used++
	return s.org.members[s.used-1]
}

func (s *sweeping) leaves(ctx context.Context, r offboarding.Request) (offboarding.Status, error) {
	r.RequestedBy = s.org.admin
	return s.cases.StartAndAwait(ctx, r)
}

// activity waits for the end of an activity of a leaver's case and gives the seconds
// since the workflow asked for it, by the engine's history.
func (s *sweeping) activity(ctx context.Context, leaver, name string) (float64, error) {
	history := s.temporal.GetWorkflowHistory(ctx, offboarding.WorkflowID(leaver), "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var id int64
	var asked time.Time
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			return 0, err
		}
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == name {
			id, asked = event.GetEventId(), event.GetEventTime().AsTime()
		}
		if id != 0 && event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId() == id {
			return event.GetEventTime().AsTime().Sub(asked).Seconds(), nil
		}
	}
	return 0, fmt.Errorf("a case has ended without %s", name)
}

// schedulesEach is how many documents there are for each schedule.
const schedulesEach = 10

// giveDocuments makes documents of a member, in My Documents, and schedules of some. Their IDs
// are of version 7, as those of an import are.
const giveDocuments = `WITH made AS (
		INSERT INTO documents (id, organization_id, external_id, title, kind, owner_id, access, created_at, updated_at)
		SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(d % 4096), 3, '0')
				|| '8' || substr(md5(random()::text), 1, 15))::uuid,
			m.organization_id, 'more-' || gen_random_uuid(), 'Document ' || d, 'document', m.id, 'editable', now(), now()
		FROM members m, generate_series(1, $2::int) d WHERE m.id = $1 RETURNING organization_id, id)
	INSERT INTO schedules (id, organization_id, document_id, kind, cron, status)
	SELECT gen_random_uuid(), organization_id, id, 'export', '0 6 * * *', 'active'
	FROM (SELECT organization_id, id, row_number() OVER () AS n FROM made) d WHERE n % $3 = 0`

// give makes documents of a member, half of them on a connection of its own.
func (s *sweeping) give(ctx context.Context, member string, documents int) error {
	s.say("  making %d documents", documents)
	g, side := errgroup.WithContext(ctx)
	for _, n := range []int{documents / 2, documents - documents/2} {
		g.Go(func() error {
			tx, err := s.store.DB().BeginTxx(side, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()                                                            // after a commit this does nothing
			if _, err := tx.ExecContext(side, `SET LOCAL session_replication_role = replica`); err != nil { // what they refer to is known to be there
				return err
			}
			if _, err := tx.ExecContext(side, giveDocuments, member, n, schedulesEach); err != nil {
				return err
			}
			return tx.Commit()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.tidy(ctx)
}

// tidy does what autovacuum would do in the midst of a measurement.
func (s *sweeping) tidy(ctx context.Context) error {
	for _, query := range []string{`VACUUM (ANALYZE) documents, schedules, audit_events`, `CHECKPOINT`} {
		if _, err := s.store.DB().ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}
