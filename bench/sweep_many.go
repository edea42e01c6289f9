package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lib/pq"
	"golang.org/x/sync/errgroup"

	"handover/offboarding"
)

// ofMany starts a worker in place of the one that was killed, which had the peak of memory,
// and has it do the three sweeps over very many documents, while colleagues claim some of those
// that are transferred. Bare SQL does as many others after it, without claims.
func (s *sweeping) ofMany(ctx context.Context, n sweepSizes, peak float64, killed killedSweep) (err error) {
	worker, stop, err := s.worker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var claims []float64
	seconds, err := s.handover(ctx, n.many, func(ctx context.Context, caseID, leaver, heir string) (seconds float64, err error) {
		if err := s.redone(ctx, killed); err != nil { // which was missed while documents were made
			return 0, err
		}
		seconds, claims, err = s.transferWithClaims(ctx, caseID, leaver, heir)
		return seconds, err
	})
	if err != nil {
		return err
	}
	now, err := memoryPeak(worker)
	if err != nil {
		return err
	}
	them, err := s.bare(ctx, n.many)
	if err != nil {
		return err
	}
	for i, kind := range sweepKinds {
		s.beside(kind, n.many, seconds[i], them[i], "once each")
		s.result(fmt.Sprintf("%s_vs_bare_sql_at_%d", kind.key, n.many), seconds[i]/them[i])
	}
	ms := func(q float64) string { return fmt.Sprintf("%.0f ms", 1000*quantile(claims, q)) }
	s.row("  memory of the worker, at its most", fmt.Sprintf("%.0f MB", now), fmt.Sprintf("%.0f MB", peak), "",
		fmt.Sprintf("of a worker that has swept %d documents at once", n.documents))
	s.row("  a claim meanwhile: p50, p99, max", ms(0.5)+", "+ms(0.99)+", "+ms(1), "", "",
		fmt.Sprintf("%d claims of documents that are being transferred", len(claims)))
	s.result("worker_mb_growth", now-peak)
	s.result("claim_blocked_ms_p99", 1000*quantile(claims, 0.99))
	s.result("claim_blocked_ms_max", 1000*quantile(claims, 1))
	return nil
}

// transferWithClaims is transfer while colleagues claim documents that are among them.
func (s *sweeping) transferWithClaims(ctx context.Context, caseID, leaver, heir string) (seconds float64, claims []float64, err error) {
	documents, err := s.grantSome(ctx, leaver)
	if err != nil {
		return 0, nil, err
	}
	if err := s.warmClaims(ctx, caseID, documents[:warmingClaims]); err != nil {
		return 0, nil, err
	}
	swept := make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer close(swept)
		seconds, err = s.transfer(ctx, caseID, leaver, heir)
		return err
	})
	g.Go(func() (err error) {
		claims, err = s.claimUntil(ctx, swept, caseID, documents[warmingClaims:])
		return err
	})
	return seconds, claims, g.Wait()
}

// killedSweep is a sweep whose worker was killed.
type killedSweep struct {
	leaver, caseID string
	documents      int
}

// killed has a leaver's documents archived and kills the worker when a part is done.
func (s *sweeping) killed(ctx context.Context, documents, worker int) (k killedSweep, err error) {
	k = killedSweep{leaver: s.member(), documents: documents}
	if err := s.give(ctx, k.leaver, documents); err != nil {
		return k, err
	}
	started, err := s.leaves(ctx, offboarding.Request{MemberID: k.leaver, Disposition: offboarding.DispositionArchive})
	if err != nil {
		return k, err
	}
	k.caseID = started.CaseID
	if err := until(ctx, s.store.DB(), often, `SELECT count(*) > 3 FROM case_steps WHERE case_id = $1 AND step LIKE 'archive/%'`, k.caseID); err != nil {
		return k, err
	}
	return k, syscall.Kill(worker, syscall.SIGKILL)
}

// redone waits until another worker has gone on, and counts what was done twice and what
// was thrown away: an event that is rolled back leaves its number to nobody.
func (s *sweeping) redone(ctx context.Context, k killedSweep) error {
	if _, err := s.activity(ctx, k.leaver, "ArchiveDocuments"); err != nil {
		return err
	}
	var twice, once, lost int
	err := s.store.DB().QueryRowxContext(ctx, `WITH events AS (
			SELECT document_id, count(*) AS n FROM audit_events WHERE case_id = $1 AND event = 'ArchiveDocs' GROUP BY document_id)
		SELECT (SELECT count(*) FROM events WHERE n > 1), (SELECT count(*) FROM events WHERE n = 1),
			(SELECT upto - since + 1 - (SELECT count(*) FROM audit_events WHERE id BETWEEN since AND upto)
				FROM (SELECT min(id) AS since, max(id) AS upto FROM audit_events WHERE case_id = $1) AS ids)`, k.caseID).Scan(&twice, &once, &lost)
	if err != nil {
		return err
	}
	if twice > 0 || once != k.documents {
		s.broken = append(s.broken, fmt.Sprintf("a sweep after a kill: %d of %d documents archived, %d of them twice", once+twice, k.documents, twice))
	}
	s.row("a worker killed in the midst of it", fmt.Sprintf("%d rows lost", lost), "", "", fmt.Sprintf("done twice: %d; at most one batch is begun afresh", twice))
	s.result("kill_rows_lost", lost)
	s.result("kill_rows_twice", twice)
	return nil
}

// claimed is a document and who may claim it.
type claimed struct {
	DocumentID string `db:"document_id"`
	MemberID   string `db:"member_id"`
}

// grantSome lets some colleagues claim some of a leaver's documents.
func (s *sweeping) grantSome(ctx context.Context, leaver string) (documents []claimed, err error) {
	colleagues := make([]string, 8)
	for i := range colleagues {
		colleagues[i] = s.member()
	}
	err = s.store.DB().SelectContext(ctx, &documents, `WITH wanted AS (
			SELECT organization_id, id, row_number() OVER () AS n FROM (
				SELECT organization_id, id FROM documents WHERE owner_id = $1 ORDER BY random() LIMIT 20000) d),
		given AS (INSERT INTO grants (organization_id, document_id, member_id, level)
			SELECT organization_id, id, ($2::uuid[])[1 + n % cardinality($2::uuid[])], 'edit' FROM wanted RETURNING document_id, member_id)
		SELECT document_id, member_id FROM given ORDER BY random()`, leaver, pq.Array(colleagues))
	return documents, err
}

// claimEvery is the time between two claims, whether the ones before are answered or not.
const claimEvery = 10 * time.Millisecond

// claimUntil claims document after document by the store, as a worker does it, until
// done, and gives the seconds that each took.
func (s *sweeping) claimUntil(ctx context.Context, done <-chan struct{}, caseID string, documents []claimed) (took []float64, err error) {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	for _, d := range documents {
		select {
		case <-ctx.Done():
			return took, g.Wait()
		case <-done:
			return took, g.Wait()
		case <-tick.C:
		}
		g.Go(func() error {
			seconds, err := timed(func() error { return s.claim(ctx, caseID, d) })
			mu.Lock()
			defer mu.Unlock()
			took = append(took, seconds)
			return err
		})
	}
	return took, g.Wait()
}

// claim claims a document, unless the sweep was there before.
func (s *sweeping) claim(ctx context.Context, caseID string, d claimed) error {
	_, err := claimStep(ctx, s.store, caseID, d.DocumentID, d.MemberID)
	return err
}

// warmingClaims let each connection prepare its statements and plan them for any values.
const warmingClaims = 10 * poolSize

// warmClaims makes claims that nobody measures.
func (s *sweeping) warmClaims(ctx context.Context, caseID string, documents []claimed) error {
	_, err := each(ctx, len(documents), poolSize, func(ctx context.Context, i int) error { return s.claim(ctx, caseID, documents[i]) })
	return err
}

// memoryPeak is the most megabytes of memory that a process has had, by Linux's /proc.
func memoryPeak(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(data), "VmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("/proc/%d/status cannot be read", pid)
	}
	kilobytes, err := strconv.ParseFloat(fields[0], 64)
	return kilobytes / 1024, err
}
