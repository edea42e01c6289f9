package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	cases "handover/client"
	"handover/offboarding"
)

// setBack sets a run back to its beginning, as whoever reaches the namespace can, and
// answers with the code of the refusal that it ends with.
func (g *guarded) setBack(workflowID, runID string) offboarding.Code {
	g.t.Helper()
	require.NoError(g.t, g.gateway.StartOver(g.t.Context(), g.server.Namespace(), cases.Execution{WorkflowID: workflowID, RunID: runID}, "an attack"))
	return codeOf(g.client.GetWorkflow(g.t.Context(), workflowID, "").Get(g.t.Context(), nil))
}

// latest is the run that a workflow ID stands for.
func (g *guarded) latest(workflowID string) string {
	g.t.Helper()
	e, found, err := g.gateway.Execution(g.t.Context(), workflowID, "")
	require.NoError(g.t, err)
	require.True(g.t, found)
	return e.RunID
}

// newInGrace is the case of the leaver, in grace, and its ID.
func newInGrace(t *testing.T) (*guarded, *live, string) {
	t.Helper()
	g := newGuarded(t)
	documents(g.Organization, g.Leaver, 1)
	c := g.offboard(g.Leaver, nil)
	return g, c, c.reaches(phase(offboarding.PhaseGrace)).CaseID
}

func (g *guarded) rehire(member string) {
	g.t.Helper()
	_, err := g.gateway.ReactivateMembers(g.t.Context(), "", offboarding.ReactivationRequest{MemberID: member, RequestedBy: g.Admin})
	require.NoError(g.t, err)
	require.Equal(g.t, "active", g.Text(`SELECT status FROM members WHERE id = $1`, member))
}

// A start that was refused stays refused, though the rules would allow it now.
func TestARefusedStartThatIsSetBackStaysRefused(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	id := g.offboard(g.Leaver, nil).ends(offboarding.PhaseCompleted).id
	_, err := g.gateway.StartAndAwait(t.Context(), offboarding.Request{MemberID: g.Leaver, RequestedBy: g.Admin})
	require.Equal(t, offboarding.CodeAlreadyInactive, offboarding.CodeOf(err))
	refused := g.latest(id)
	_, err = g.gateway.StartBulk(t.Context(), "nobody", offboarding.BulkRequest{RequestedBy: g.Leaver, Members: []offboarding.BulkMember{{MemberID: g.Maker()}}})
	require.NoError(t, err)
	require.Equal(t, offboarding.CodeNotAuthorized, codeOf(g.client.GetWorkflow(t.Context(), offboarding.BulkWorkflowID("nobody"), "").Get(t.Context(), nil)))
	g.rehire(g.Leaver)
	g.Exec(`UPDATE members SET role = 'admin' WHERE id = $1`, g.Leaver)

	before := g.tables()
	require.Equal(t, offboarding.CodeAlreadyInactive, g.setBack(id, refused))
	require.Equal(t, offboarding.CodeNotAuthorized, g.setBack(offboarding.BulkWorkflowID("nobody"), ""))
	require.Equal(t, before, g.tables())
	g.Exec(`UPDATE members SET role = 'contributor' WHERE id = $1`, g.Leaver)
	g.offboard(g.Leaver, nil).ends(offboarding.PhaseCompleted) // a new start is judged anew
}

// A start that has taken a case over opens no other when that has closed.
func TestAStartThatHasTakenOverOpensNothing(t *testing.T) {
	t.Parallel()
	g, c, _ := newInGrace(t)
	require.NoError(t, g.client.TerminateWorkflow(t.Context(), c.id, "", "a mistake"))
	g.offboard(g.Leaver, nil).reaches(phase(offboarding.PhaseGrace))
	taken := g.latest(c.id)
	require.Equal(t, 1, g.Count(`SELECT count(*) FROM cases`))
	_, err := g.gateway.Reactivate(t.Context(), c.id, offboarding.Reactivate{AdminID: g.Admin})
	require.NoError(t, err)
	c.ends(offboarding.PhaseReactivated)

	before := g.tables()
	require.Equal(t, offboarding.CodeWrongPhase, g.setBack(c.id, taken))
	require.Equal(t, before, g.tables())
}

// A reactivation is about the case that it has found open: not about one that came later,
// under the same workflow ID, whoever sets it back.
func TestAReactivationThatIsSetBackIsAboutItsCase(t *testing.T) {
	t.Parallel()
	for _, refused := range []bool{false, true} {
		g, c, first := newInGrace(t)
		if refused {
			g.Exec(`UPDATE organizations SET seat_limit = (SELECT count(*) FROM members WHERE status = 'active') WHERE id = $1`, g.ID)
			_, err := g.gateway.ReactivateMembers(t.Context(), "", offboarding.ReactivationRequest{MemberID: g.Leaver, RequestedBy: g.Admin})
			require.Equal(t, offboarding.CodeSeatLimitExceeded, offboarding.CodeOf(err))
			g.Exec(`UPDATE organizations SET seat_limit = 0 WHERE id = $1`, g.ID)
			_, err = g.gateway.Transfer(t.Context(), c.id, offboarding.TransferDocuments{AdminID: g.Admin, NewOwnerID: g.Manager})
			require.NoError(t, err)
			c.ends(offboarding.PhaseCompleted)
		} else {
			g.rehire(g.Leaver)
			c.ends(offboarding.PhaseReactivated)
			second := g.offboard(g.Leaver, nil).reaches(phase(offboarding.PhaseGrace))
			require.NotEqual(t, first, second.CaseID)
		}

		before := g.tables()
		code := g.setBack(offboarding.ReactivationWorkflowID(g.Leaver), "")
		if refused {
			require.Equal(t, offboarding.CodeSeatLimitExceeded, code)
		}
		require.Equal(t, "inactive", g.Text(`SELECT status FROM members WHERE id = $1`, g.Leaver))
		require.Equal(t, before, g.tables())
	}
}

// The same where the reactivation was terminated before it had sent its message: it is not
// sent to the case that runs now.
func TestAReactivationThatWasBrokenOffIsAboutItsCase(t *testing.T) {
	t.Parallel()
	g, c, _ := newInGrace(t)
	g.rehire(g.Leaver)
	c.ends(offboarding.PhaseReactivated)
	g.Exec(`DELETE FROM case_steps WHERE step LIKE 'send/%'`) // as if it had died there
	g.offboard(g.Leaver, nil).reaches(phase(offboarding.PhaseGrace))
	require.Equal(t, offboarding.CodeWrongPhase, g.setBack(offboarding.ReactivationWorkflowID(g.Leaver), ""))
	require.Equal(t, "inactive", g.Text(`SELECT status FROM members WHERE id = $1`, g.Leaver))
	require.Equal(t, offboarding.PhaseGrace, c.status().Phase)
}
