package e2e_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leaversInBulk are enough that a crash finds some of them half done.
const leaversInBulk = 30

// bulkAnswer is what `bulk --output json` says.
type bulkAnswer struct {
	Items []struct {
		Email   string `json:"email"`
		Outcome string `json:"outcome"`
		Code    string `json:"code"`
	} `json:"items"`
}

// TestADevstackComesBack after it was killed, with its PostgreSQL, its Temporal server and
// all that they know, and the command line goes on with a list that was cut short. What
// else may die, and when, is chaos's to see.
func TestADevstackComesBack(t *testing.T) {
	t.Parallel()
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
	starter("import", data)
	starter("start", "z1", "--disposition", "retain")
	starter("claim", "z1-1", "--as", "k1")
	last := time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly)
	starter("start", "z2", "--disposition", "transfer", "--new-owner", "k2", "--last-day", last)

	// Everybody has lost access, and some of the cases run.
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

	requireInvariants(t, s.DatabaseURL)
	require.NotContains(t, s.proc.err.String(), emailDomain)
}
