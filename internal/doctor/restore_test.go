package doctor_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	engine "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"handover/client"
	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/offboarding"
)

// run runs one of PostgreSQL's programs.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		produced.skip()
		t.Skipf("there is no %s on this machine", program)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// The procedure of docs/operations.md for a database that is restored from a dump, while
// Temporal has gone on: what happened since happens again, and what was asked is asked again.
func TestADatabaseThatIsOlderThanTemporal(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	claims, claimed := c.inGrace(c.Leaver)
	waits := c.Document(c.Leaver, "")
	colleague := c.grantee(claimed)
	further := c.Maker()
	c.Document(further, "")
	c.leave(further, func(r *offboarding.Request) { r.GracePeriod = "3s" })
	c.reaches(offboarding.WorkflowID(further), offboarding.PhaseGrace)
	ended := c.Maker()
	c.inGrace(ended)
	erased := c.Maker()
	c.closes(c.leave(erased, nil).WorkflowID)
	var late [5]string // whose cases the dump does not know
	for i := range late {
		late[i] = c.Maker()
	}
	key := c.Credential(late[0])
	c.finds()
	dump := filepath.Join(t.TempDir(), "handover.dump")
	run(t, "pg_dump", "--format=custom", "--file="+dump, c.url)

	_, err := c.cases.Claim(t.Context(), claims.WorkflowID, offboarding.ClaimRequest{DocumentID: claimed, MemberID: colleague})
	require.NoError(t, err)
	c.reaches(offboarding.WorkflowID(further), offboarding.PhaseReadOnly)
	_, err = c.cases.Transfer(t.Context(), offboarding.WorkflowID(ended), offboarding.TransferDocuments{AdminID: c.Admin, NewOwnerID: c.Manager})
	require.NoError(t, err)
	c.closes(offboarding.WorkflowID(ended))
	_, err = c.cases.Delete(t.Context(), offboarding.DeletionRequest{MemberID: erased, RequestedBy: c.Admin})
	require.NoError(t, err)
	c.inGrace(late[0])
	c.closes(c.leave(late[1], nil).WorkflowID)
	c.closes(c.leave(late[4], nil).WorkflowID)
	c.Document(late[2], "")
	_, err = c.cases.StartBulk(t.Context(), "leavers", offboarding.BulkRequest{
		RequestedBy: c.Admin, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: late[2]}, {MemberID: late[3]}},
	})
	require.NoError(t, err)
	_, err = c.cases.BulkResult(t.Context(), "leavers")
	require.NoError(t, err)
	c.reaches(offboarding.WorkflowID(late[2]), offboarding.PhaseGrace)
	for _, id := range []string{
		offboarding.WorkflowID(ended), offboarding.WorkflowID(late[1]), offboarding.WorkflowID(late[4]), offboarding.BulkWorkflowID("leavers"),
		offboarding.DeletionWorkflowID(erased),
	} {
		c.listed(id, "Completed")
	}
	c.strangers()
	for _, gone := range []string{ended, late[4]} {
		c.takes(offboarding.WorkflowID(gone), "Stranger", elsewhere, nil)
	}

	c.worker.Stop()
	c.url = testdb.URL(t)
	run(t, "pg_restore", "--clean", "--if-exists", "--no-owner", "--dbname="+c.url, dump)
	c.open()
	c.work()
	require.Equal(t, "active", c.Text(`SELECT status FROM credentials WHERE id = $1`, key), "who has left is back in")
	c.finds(offboarding.DriftWorkflowAhead, offboarding.DriftCaseUnknown, offboarding.DriftBulkUnknown, offboarding.DriftDeletionUndone)
	left := c.repairs()
	require.Equal(t, 1, left.Left, "%+v", left.Checks)
	require.Equal(t, "inactive", c.Text(`SELECT status FROM members WHERE id = $1`, erased), "who was deleted is so again when somebody says it")
	again := c.repairs(offboarding.DriftDeletionUndone)
	require.Equal(t, []int{1, 0}, []int{again.Mended, again.Left}, "%+v", again.Checks)
	c.healthy()

	require.Equal(t, "revoked", c.Text(`SELECT status FROM credentials WHERE id = $1`, key))
	for _, gone := range append(late[:], c.Leaver, further, ended) {
		require.Equal(t, "inactive", c.Text(`SELECT status FROM members WHERE id = $1`, gone))
	}
	c.eventually(func() bool { return c.Text(`SELECT status FROM members WHERE id = $1`, erased) == "deleted" }, "the deletion is done again")
	require.Equal(t, colleague+" editable", c.DocumentState(claimed), "the claim is told again")
	require.Equal(t, "completed", c.Text(`SELECT phase FROM cases WHERE member_id = $1`, ended), "and so is the transfer")
	require.Equal(t, c.Leaver+" editable", c.DocumentState(waits))
	require.Equal(t, "completed", c.Text(`SELECT phase FROM bulk_runs`))
	c.transfer(claims.WorkflowID)
	c.transfer(offboarding.WorkflowID(further))
}

// The procedure for a Temporal that is restored from a copy, while the database has gone on.
func TestATemporalThatIsOlderThanTheDatabase(t *testing.T) {
	t.Parallel()
	c := &clinic{t: t, url: testdb.URL(t)}
	c.open()
	c.Organization = fixture.New(t, c.db())
	dir := t.TempDir()
	live, copied := filepath.Join(dir, "live"), filepath.Join(dir, "copy")
	var server *temporalserver.Server
	begin := func(dir string) {
		var err error
		server, err = temporalserver.Start(t.Context(), temporalserver.Options{Dir: dir, Address: "127.0.0.1:0"})
		require.NoError(t, err)
		c.temporal, err = server.Client(t.Context(), engine.Options{Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
		require.NoError(t, err)
		c.cases, c.namespace = client.New(c.temporal), server.Namespace()
		c.work()
	}
	end := func() {
		c.worker.Stop()
		c.temporal.Close()
		require.NoError(t, server.Stop())
	}
	begin(live)
	extended, document := c.inGrace(c.Leaver)
	ended := c.Maker()
	c.inGrace(ended)
	end()
	require.NoError(t, os.CopyFS(copied, os.DirFS(live)))

	begin(live)
	until := time.Now().Add(30 * 24 * time.Hour).UTC().Format(time.RFC3339)
	_, err := c.cases.Extend(t.Context(), extended.WorkflowID, offboarding.ExtendGrace{AdminID: c.Admin, Until: until})
	require.NoError(t, err)
	c.transfer(offboarding.WorkflowID(ended))
	late := c.Maker()
	started, _ := c.inGrace(late)
	end()

	begin(copied)
	t.Cleanup(end)
	c.mends(offboarding.DriftWorkflowBehind, offboarding.DriftCaseClosed, offboarding.DriftCaseWithoutWorkflow)
	is := c.reaches(extended.WorkflowID, offboarding.PhaseGrace)
	require.Equal(t, until, is.GraceEndsAt.UTC().Format(time.RFC3339))
	c.transfer(extended.WorkflowID)
	require.Equal(t, c.Manager+" editable", c.DocumentState(document))
	c.transfer(started.WorkflowID)
}
