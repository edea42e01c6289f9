package doctor_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	engine "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	"handover/client"
	"handover/internal/doctor"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/internal/testengine"
	"handover/offboarding"
	"handover/postgres"
	"handover/workflows"
)

// clinic is an organization with a worker on a real engine, whose cases are made ill.
type clinic struct {
	*fixture.Organization
	t         *testing.T
	url       string
	temporal  engine.Client
	namespace string
	cases     *client.Client
	store     *postgres.Store
	worker    worker.Worker
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{t: t, url: testdb.URL(t)}
	c.open()
	c.Organization = fixture.New(t, c.db())
	c.emptyTemporal()
	c.work()
	t.Cleanup(func() { c.worker.Stop() })
	return c
}

// open opens the database at the URL.
func (c *clinic) open() {
	db, err := sqlx.Open("postgres", c.url)
	require.NoError(c.t, err)
	db.SetMaxOpenConns(10)
	c.store = postgres.New(db)
	if c.Organization != nil {
		c.DB = db
	}
	c.t.Cleanup(func() { _ = db.Close() })
}

// emptyTemporal makes a Temporal that knows nothing.
func (c *clinic) emptyTemporal() {
	c.temporal = testengine.New(c.t)
	c.namespace = testengine.Namespace(c.t, c.temporal)
	c.cases = client.New(c.temporal)
}

// work starts a worker, which works until it is stopped.
func (c *clinic) work() {
	c.t.Helper()
	c.workAs(worker.Options{WorkerStopTimeout: time.Second})
}

func (c *clinic) workAs(o worker.Options) {
	c.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	c.worker = worker.New(c.temporal, offboarding.TaskQueue, o)
	workflows.Register(c.worker, activities.New(c.store, c.cases, activities.LogNotifier{Log: quiet}, quiet))
	require.NoError(c.t, c.worker.Start())
	c.eventually(func() bool {
		there, err := c.cases.HasWorkers(c.t.Context())
		return err == nil && there
	}, "Temporal knows of the worker")
}

func (c *clinic) db() *sqlx.DB { return c.store.DB() }

// leave starts the case of a member, and waits until they are inactive.
func (c *clinic) leave(member string, change func(*offboarding.Request)) offboarding.Status {
	c.t.Helper()
	r := offboarding.Request{MemberID: member, RequestedBy: c.Admin}
	if change != nil {
		change(&r)
	}
	status, err := c.cases.StartAndAwait(c.t.Context(), r)
	require.NoError(c.t, err)
	return status
}

// inGrace starts the case of a member with a document, which waits in grace then.
func (c *clinic) inGrace(member string) (status offboarding.Status, document string) {
	c.t.Helper()
	document = c.Document(member, "")
	c.leave(member, nil)
	return c.reaches(offboarding.WorkflowID(member), offboarding.PhaseGrace), document
}

// reaches waits until the workflow of a case, and the case, are in a phase.
func (c *clinic) reaches(workflowID string, phase offboarding.Phase) offboarding.Status {
	c.t.Helper()
	var status offboarding.Status
	var err error
	c.eventually(func() bool {
		status, err = c.cases.Status(c.t.Context(), workflowID)
		return err == nil && status.Phase == phase && c.Text(`SELECT phase FROM cases WHERE id = $1`, status.CaseID) == string(phase)
	}, "the case gets to %s: %v %+v", phase, &err, &status)
	return status
}

func (c *clinic) eventually(ok func() bool, text string, args ...any) {
	c.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			require.FailNow(c.t, "it does not come", append([]any{text}, args...)...)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// listed waits until visibility knows that a workflow has come to a status.
func (c *clinic) listed(workflowID, status string) {
	c.t.Helper()
	c.eventually(func() bool {
		found, _, err := c.cases.Executions(c.t.Context(), `WorkflowId = '`+workflowID+`' AND ExecutionStatus = '`+status+`'`, 1, nil)
		return err == nil && len(found) > 0
	}, "%s is listed as %s", workflowID, status)
}

// under are the options of a start under a workflow ID of the caller's own.
func (c *clinic) under(workflowID string) engine.StartWorkflowOptions {
	return engine.StartWorkflowOptions{ID: workflowID, TaskQueue: offboarding.TaskQueue}
}

func (c *clinic) terminate(workflowID string) {
	c.t.Helper()
	require.NoError(c.t, c.temporal.TerminateWorkflow(c.t.Context(), workflowID, "", "by mistake"))
}

// behindTheGuards changes a table as nobody but its owner can: with its guards away.
func (c *clinic) behindTheGuards(table, statement string, args ...any) {
	c.t.Helper()
	tx, err := c.db().Beginx()
	require.NoError(c.t, err)
	for _, s := range []string{"ALTER TABLE " + table + " DISABLE TRIGGER USER", statement, "ALTER TABLE " + table + " ENABLE TRIGGER USER"} {
		if s != statement {
			_, err = tx.Exec(s)
		} else {
			_, err = tx.Exec(s, args...)
		}
		require.NoError(c.t, err, s)
	}
	require.NoError(c.t, tx.Commit())
}

func (c *clinic) options() doctor.Options {
	return doctor.Options{
		Store: c.store, Cases: c.cases, Namespace: c.namespace, ActorID: c.Admin, Settle: 300 * time.Millisecond, Rate: 1000, Keep: 100,
	}
}

// repairs looks and mends, with drifts those alone.
func (c *clinic) repairs(only ...offboarding.Drift) doctor.Report {
	c.t.Helper()
	o := c.options()
	o.Repair, o.Only = true, only
	r, err := doctor.Run(c.t.Context(), o)
	require.NoError(c.t, err)
	produced.repaired(r)
	return r
}

// finds looks without mending, and wants these drifts and no others.
func (c *clinic) finds(drifts ...offboarding.Drift) doctor.Report {
	c.t.Helper()
	const byDoctor = `SELECT count(*) FROM audit_events WHERE origin = '` + offboarding.DoctorOrigin + `'`
	before := c.Count(byDoctor)
	r, err := doctor.Run(c.t.Context(), c.options())
	require.NoError(c.t, err)
	require.ElementsMatch(c.t, drifts, driftsOf(r), "%+v", r.Checks)
	require.Equal(c.t, r.Found, r.Left)
	require.Equal(c.t, before, c.Count(byDoctor), "a dry run changes nothing")
	produced.wanted(drifts)
	return r
}

// mends finds these drifts and mends all of them, with an event each; afterwards the
// invariants hold, and nothing is found any more.
func (c *clinic) mends(drifts ...offboarding.Drift) doctor.Report {
	c.t.Helper()
	c.finds(drifts...)
	r := c.repairs()
	require.Zero(c.t, r.Left, "%+v", r.Checks)
	for _, drift := range drifts {
		require.Contains(c.t, driftsOf(r), drift)
	}
	require.Equal(c.t, r.Mended, c.Count(`SELECT count(*) FROM audit_events WHERE event = 'RepairDrift' AND actor_id = $1 AND origin = $2`,
		c.Admin, offboarding.DoctorOrigin))
	c.healthy()
	return r
}

func driftsOf(r doctor.Report) []offboarding.Drift {
	drifts := make([]offboarding.Drift, len(r.Checks))
	for i, check := range r.Checks {
		drifts[i] = check.Drift
	}
	return drifts
}

// healthy wants no drift and every promise kept.
func (c *clinic) healthy() {
	c.t.Helper()
	c.finds()
	invariants, err := c.store.CheckInvariants(c.t.Context())
	require.NoError(c.t, err)
	for _, i := range invariants {
		require.True(c.t, i.Holds(), "%s: %s", i.Name, i.Sample)
	}
}

// closes waits for the end of a case.
func (c *clinic) closes(workflowID string) offboarding.Result {
	c.t.Helper()
	result, err := c.cases.Result(c.t.Context(), workflowID)
	require.NoError(c.t, err)
	return result
}

// grantee is a new maker who may edit a document.
func (c *clinic) grantee(document string) string {
	maker := c.Maker()
	c.Grant(document, maker, offboarding.GrantEdit)
	return maker
}

// transfer ends a case by giving everything to the manager.
func (c *clinic) transfer(workflowID string) {
	c.t.Helper()
	_, err := c.cases.Transfer(c.t.Context(), workflowID, offboarding.TransferDocuments{AdminID: c.Admin, NewOwnerID: c.Manager})
	require.NoError(c.t, err)
	require.Equal(c.t, offboarding.PhaseCompleted, c.closes(workflowID).Phase)
	c.healthy()
}
