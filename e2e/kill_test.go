package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leaversInBulk are enough that a crash finds some of them half done.
const leaversInBulk = 60

// bulkAnswer is what `bulk --output json` says.
type bulkAnswer struct {
	Items []struct {
		Email   string `json:"email"`
		Outcome string `json:"outcome"`
		Code    string `json:"code"`
	} `json:"items"`
}

// TestACrashLosesNothing kills everything at once, three times.
func TestACrashLosesNothing(t *testing.T) {
	t.Parallel()
	began := time.Now()
	step := func(what string) { t.Logf("%4.0f s: %s", time.Since(began).Seconds(), what) }
	files := newFiles()
	files.leaver("z1", 4) // has an open case before the first crash
	files.leaver("z2", 1) // is scheduled before it
	for i := range leaversInBulk {
		id := fmt.Sprintf("l%d", i)
		files.leaver(id, 3)
		files.add("leavers.csv", "%s,2024-01-31,left,%s,%s", email(id), []string{"retain", "transfer", "archive"}[i%3], []string{"", "manager", ""}[i%3])
	}
	files.add("members.csv", "p1,someone@gmail.com,Someone,contributor,maker,b1,")
	files.add("leavers.csv", "someone@gmail.com,2024-01-31,left,,")
	data := files.write(t)

	s := &stack{dir: tempDir(t)}
	require.NoError(t, s.up())
	t.Cleanup(func() {
		if err := s.down(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("devstack said:\n%s\n%s", s.proc.out.String(), s.proc.err.String())
		}
	})
	starter := func(args ...string) string { // finds the stack by itself
		t.Helper()
		return succeed(t, s.dir, []string{"HANDOVER_AS=a1"}, "starter", args...)
	}
	step("it is up")
	starter("import", data)
	starter("start", "z1", "--disposition", "retain")
	starter("claim", "z1-1", "--as", "k1")
	last := time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly)
	starter("start", "z2", "--disposition", "transfer", "--new-owner", "k2", "--last-day", last)

	// The first crash: everybody has lost access, and some of the cases run.
	bulkArgs := []string{
		"bulk", filepath.Join(data, "leavers.csv"), "--as", "a1", "--output", "json", "--bulk-id", "crash", "--confirm", "--rate", "10", "--timeout", "5s",
	}
	bulk := start(t, s.dir, nil, "starter", bulkArgs...)
	running := func() (n int) {
		require.NoError(t, s.db.Get(&n, `SELECT count(*) FROM bulk_members WHERE running_at IS NOT NULL`))
		return n
	}
	waitFor(t, "some of the list run", func() error {
		if n := running(); n < leaversInBulk/4 {
			return fmt.Errorf("%d cases", n)
		}
		return nil
	})
	s.proc.kill(t)
	require.NotZero(t, bulk.wait(t), "the command line does not claim that it went well:\n%s", bulk.out.String())
	require.Contains(t, bulk.err.String(), "--bulk-id crash")

	step("the list was cut short")
	require.NoError(t, s.up())
	require.Less(t, running(), leaversInBulk, "the crash came before the end")
	var active int
	require.NoError(t, s.db.Get(&active, `SELECT count(*) FROM members WHERE status = 'active' AND external_id LIKE 'l%'`))
	require.Zero(t, active, "nobody has access while the cases are started")
	require.Contains(t, starter("status", "z1"), "grace")
	require.Contains(t, starter("status", "z2"), "scheduled")
	again := execute(t, s.dir, nil, "starter", bulkArgs[:len(bulkArgs)-2]...)
	require.Equal(t, 3, again.code, "%s\n%s", again.out, again.err)
	var answer bulkAnswer
	require.NoError(t, json.Unmarshal([]byte(again.out), &answer))
	require.Len(t, answer.Items, leaversInBulk+1)
	for _, item := range answer.Items {
		if strings.HasSuffix(item.Email, "@gmail.com") {
			require.Equal(t, "isp_domain", item.Code)
		} else {
			require.Equal(t, "started", item.Outcome, item.Email)
		}
	}
	require.Equal(t, leaversInBulk, running())

	step("the list is done")
	// The second crash, while days pass; the third, when nothing at all happens.
	ctx, stop := context.WithCancel(t.Context())
	passing := make(chan struct{})
	go func() {
		defer close(passing)
		_ = daysPass(ctx, s, 8*day) // what it does not come to is done after the crash
	}()
	waitFor(t, "the grace of some has ended", func() error {
		var n int
		require.NoError(t, s.db.Get(&n, `SELECT count(*) FROM cases WHERE phase = 'read_only'`))
		if n < 5 {
			return fmt.Errorf("%d cases are read-only", n)
		}
		return nil
	})
	s.proc.kill(t)
	stop()
	<-passing
	require.NoError(t, s.up())
	s.proc.kill(t)
	require.NoError(t, s.up())

	step("it is up again after two more crashes")
	require.NoError(t, daysPass(t.Context(), s, 10*day))
	waitFor(t, "every case is where it should be", func() error {
		var open []string
		if err := s.db.Select(&open, `SELECT m.external_id || ' ' || c.phase FROM cases c JOIN members m ON m.id = c.member_id WHERE c.phase NOT IN ('read_only', 'completed')
			OR c.phase = 'read_only' AND EXISTS (SELECT 1 FROM documents d WHERE d.owner_id = c.member_id AND d.access = 'editable')`); err != nil {
			return err
		}
		if len(open) > 0 {
			return fmt.Errorf("%d are not: %v", len(open), open[:min(len(open), 5)])
		}
		return nil
	})
	step("the days have passed")
	var cases int
	require.NoError(t, s.db.Get(&cases, `SELECT count(*) FROM cases`))
	require.Equal(t, leaversInBulk+2, cases)
	var left []string
	require.NoError(t, s.db.Select(&left, `SELECT external_id FROM members WHERE status = 'active' AND (external_id LIKE 'l%' OR external_id LIKE 'z%')`))
	require.Empty(t, left, "every leaver of the list is offboarded or refused")
	require.Contains(t, starter("status", "z2"), "completed")
	waitFor(t, "every audit event is sealed", func() error {
		var left int
		if err := s.db.Get(&left, `SELECT count(*) FROM audit_events WHERE id > (SELECT sealed_id FROM audit_horizon)`); err != nil || left == 0 {
			return err
		}
		return fmt.Errorf("%d are not", left)
	})
	require.Contains(t, starter("audit", "verify"), "Every sealed event is what it was.")
	requireInvariants(t, s.DatabaseURL)
	requireTransferredOnce(t, s)
	require.NotContains(t, s.proc.err.String(), emailDomain)
}

// daysPass moves the clock of every open case.
func daysPass(ctx context.Context, s *stack, d time.Duration) error {
	var ids []string
	if err := s.db.SelectContext(ctx, &ids, `SELECT workflow_id FROM cases WHERE closed_at IS NULL ORDER BY id`); err != nil {
		return err
	}
	next := make(chan string, len(ids))
	for _, id := range ids {
		next <- id
	}
	close(next)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			for id := range next {
				if errs[i] = fastForward(ctx, s.client, id, d); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// requireTransferredOnce: what was given to the manager was given once.
func requireTransferredOnce(t *testing.T, s *stack) {
	t.Helper()
	var n struct{ Events, Documents int }
	require.NoError(t, s.db.Get(&n, `SELECT count(*) AS events, count(DISTINCT document_id) AS documents FROM audit_events WHERE event = 'TransferDocs'`))
	require.Equal(t, leaversInBulk/3*3+1, n.Documents)
	require.Equal(t, n.Documents, n.Events)
}
