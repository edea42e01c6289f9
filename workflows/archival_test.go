package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/postgres"
)

// entras is a start on behalf of Entra, which manages the leaver.
func (s *scene) entras(r *offboarding.Request) { r.RequestedBy, r.Provider = "", "entra" }

// Whom Entra manages is inactive for 30 days and then archived, whether the case
// is completed by then or not (seed 000).
func TestEntrasLeaverIsArchivedAfterAMonth(t *testing.T) {
	t.Parallel()
	for name, documents := range map[string]int{"the case has long been completed": 0, "the case is open": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Provisioned("entra", s.Leaver)
			s.Documents(s.Leaver, documents)
			status := func() string { return s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver) }
			seen := 0
			s.after(30*day-time.Minute, func() { require.Equal(t, "inactive", status()); seen++ })
			s.after(30*day+time.Minute, func() { require.Equal(t, "archived", status()); seen++ })
			s.lasting(40 * day)
			s.run(s.entras)
			if documents == 0 {
				require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
				require.Equal(t, 1, s.archiveNow(30*day))
				return
			}
			require.Equal(t, 2, seen)
			require.Equal(t, 1, s.count(offboarding.EventArchiveMember))
			require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase, "who is archived owns nothing that is in use")
			s.invariantsHold()
		})
	}
}

// archiveNow runs what the case has started, as the server would beyond its end,
// and says how many were archived.
func (s *scene) archiveNow(after time.Duration) int {
	s.t.Helper()
	caseID := s.Text(`SELECT id FROM cases ORDER BY created_at LIMIT 1`)
	s.stage(offboarding.ArchivalWorkflowID(caseID))
	s.env.ExecuteWorkflow(offboarding.WorkflowMemberArchival, offboarding.ArchivalInput{CaseID: caseID, At: fixtureTime(after)})
	require.NoError(s.t, s.env.GetWorkflowError())
	return s.count(offboarding.EventArchiveMember)
}

// A rehire ends the wait for the archive, and the next offboarding has its own.
func TestARehiredLeaverIsNotArchivedByAnOlderCase(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Provisioned("entra", s.Leaver)
	s.Document(s.Leaver, "")
	s.after(10*day, func() { s.signal(offboarding.MessageReactivate, offboarding.Reactivate{Provider: "entra"}) })
	s.run(s.entras)
	require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
	require.Equal(t, 0, s.archiveNow(30*day))
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))

	s.now = fixtureTime(20 * day)
	s.stage(offboarding.WorkflowID(s.Leaver) + "/again")
	archived := map[time.Duration]string{}
	for _, d := range []time.Duration{11 * day, 30*day + time.Minute} {
		s.after(d, func() { archived[d] = s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver) })
	}
	s.lasting(40 * day)
	s.run(s.entras)
	require.Equal(t, map[time.Duration]string{11 * day: "inactive", 30*day + time.Minute: "archived"}, archived)
	s.invariantsHold()
}

// A case that is taken over does not lose the archival, nor double it.
func TestACaseThatIsTakenOverArchivesOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Provisioned("entra", s.Leaver)
	s.Document(s.Leaver, "")
	s.lasting(3 * day)
	s.run(s.entras)
	open := s.status()
	require.Equal(t, offboarding.PhaseGrace, open.Phase)

	s.now = s.env.Now()
	s.stage(open.WorkflowID)
	s.lasting(40 * day)
	s.run(s.entras)
	require.Equal(t, open.CaseID, s.status().CaseID)
	require.Equal(t, 1, s.count(offboarding.EventArchiveMember))
	require.Equal(t, 1, s.archiveNow(30*day), "the first workflow's own timer does nothing any more")
}

// entras starts the case of a leaver whom Entra manages.
func (s *stand) entras(leaver string) *live {
	s.t.Helper()
	s.Provisioned("entra", leaver)
	return s.start(leaver, func(r *offboarding.Request) { r.RequestedBy, r.Provider = "", "entra" })
}

// archives is what archives the case's leaver, once it has done so.
func (c *live) archives() *live {
	c.t.Helper()
	a := &live{stand: c.stand, id: offboarding.ArchivalWorkflowID(c.status().CaseID)}
	a.forward(31 * day)
	require.NoError(c.t, c.client.GetWorkflow(c.t.Context(), a.id, "").Get(c.t.Context(), nil))
	return a
}

// On a server the archival outlives its case, and a case that is started again
// after a termination finds it there.
func TestTheArchivalOutlivesItsCase(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	document := documents(s.Organization, s.Leaver, 1)[0]
	c := s.entras(s.Leaver)
	c.reaches(phase(offboarding.PhaseGrace))
	require.NoError(t, s.client.TerminateWorkflow(t.Context(), c.id, "", "a mistake"))
	c = s.entras(s.Leaver)
	c.reaches(phase(offboarding.PhaseGrace))
	c.claim(document, s.Manager)
	c.ends(offboarding.PhaseCompleted)
	require.Equal(t, "inactive", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	c.archives()
	require.Equal(t, "archived", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ArchiveMember'`))
}

// An archival that fails says so at its case, though that is closed, and goes on.
func TestTroubleOfAnArchivalShows(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Provisioned("entra", s.Leaver)
	s.run(s.entras)
	caseID := s.result().CaseID
	s.stage(offboarding.ArchivalWorkflowID(caseID))
	s.after(30*day-time.Minute, func() { s.breakTable("case_steps") })
	s.after(30*day+2*time.Hour, func() {
		page, err := postgres.New(s.DB).Cases(t.Context(), offboarding.CaseFilter{Troubled: true, Now: s.env.Now()})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Equal(t, "archive-member", page.Items[0].TroubleStep)
		s.repairTable("case_steps")
	})
	s.env.ExecuteWorkflow(offboarding.WorkflowMemberArchival, offboarding.ArchivalInput{CaseID: caseID, At: fixtureTime(30 * day)})
	require.NoError(t, s.env.GetWorkflowError())
	require.Equal(t, 1, s.count(offboarding.EventArchiveMember))
	s.invariantsHold()
}
