package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"handover/offboarding"
)

// afterKill starts a worker in place of the one that was killed, which had the peak of memory,
// and measures the rest with it.
func (s *sweeping) afterKill(ctx context.Context, n sweepSizes, peak float64, killed killedSweep) (err error) {
	worker, stop, err := s.worker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if n.many > 0 {
		if err := s.ofMany(ctx, n, worker, peak); err != nil {
			return err
		}
	}
	return s.claimsBeside(ctx, n.claimed, killed)
}

// ofMany does the three sweeps over very many documents. Bare SQL does as many others after it.
func (s *sweeping) ofMany(ctx context.Context, n sweepSizes, worker int, peak float64) error {
	seconds, err := s.handover(ctx, n.many, s.transfer)
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
	s.row("  memory of the worker, at its most", fmt.Sprintf("%.0f MB", now), fmt.Sprintf("%.0f MB", peak), "",
		fmt.Sprintf("of a worker that has swept %d documents at once", n.documents))
	s.result("worker_mb_growth", now-peak)
	return nil
}

// claimsBeside tells what claims take while a leaver's documents are transferred.
func (s *sweeping) claimsBeside(ctx context.Context, documents int, killed killedSweep) error {
	var during claimsDuring
	_, err := s.handover(ctx, documents, func(ctx context.Context, caseID, leaver, heir string) (seconds float64, err error) {
		if err := s.redone(ctx, killed); err != nil { // which was missed before, at the latest while documents were made
			return 0, err
		}
		seconds, during, err = s.transferWithClaims(ctx, caseID, leaver, heir)
		return seconds, err
	})
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what, key, note string
		seconds         []float64
	}{
		{"a claim during a transfer", "claim_during_sweep", fmt.Sprintf("of %d documents that are being transferred, drawn from all", documents), during.any},
		{"a claim in the midst of a batch", "claim_in_batch", "of the first document that has not been transferred yet, as seen from outside", during.next},
	} {
		ms := func(q float64) float64 { return 1000 * quantile(c.seconds, q) }
		s.row("  "+c.what+": p50, p99, max", fmt.Sprintf("%.0f ms, %.0f ms, %.0f ms", ms(0.5), ms(0.99), ms(1)), "", "",
			fmt.Sprintf("%d %s", len(c.seconds), c.note))
		s.result(c.key+"_ms_p99", ms(0.99))
		s.result(c.key+"_ms_max", ms(1))
	}
	s.row("  the longest that anybody waited for a lock", fmt.Sprintf("%.0f ms", 1000*during.blocked), "", "",
		fmt.Sprintf("looked for every %s; the rest of a slow claim is the disk and the processor", lookEvery))
	s.result("claim_blocked_ms_max", 1000*during.blocked)
	return nil
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
