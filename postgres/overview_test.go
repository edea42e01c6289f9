package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// An overview follows the cases of the organizations in reach, and a document is
// counted once however many cases it waits in.
func TestOverviewFollowsTheCases(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	r := newRemoving(t)
	l := r.leaving
	stranger := fixture.New(t, l.DB)
	overview := func(now time.Time, organizations ...string) offboarding.Overview {
		t.Helper()
		o, err := l.store.Overview(t.Context(), organizations, now)
		require.NoError(t, err)
		return o
	}
	documents := func(spans []offboarding.DocumentsSpan) (all []int) {
		for _, s := range spans {
			all = append(all, s.Documents)
		}
		return all
	}
	phases := func(o offboarding.Overview) map[offboarding.Phase]int {
		all := map[offboarding.Phase]int{}
		for _, p := range o.Open {
			if p.Cases > 0 {
				all[p.Phase] = p.Cases
			}
		}
		require.Len(t, o.Open, len(offboarding.OpenPhases))
		return all
	}
	last := func(o offboarding.Overview) int { return o.Weeks[len(o.Weeks)-1].Offboarded }

	empty := overview(l.at, l.ID)
	require.Empty(t, phases(empty))
	require.Equal(t, []int{0, 0, 0, 0, 0}, documents(empty.WaitingByAge))
	require.Equal(t, []int{0, 0, 0, 0, 0}, documents(empty.NewOwners))
	require.Zero(t, empty.Waiting+empty.Overdue+empty.Troubled+empty.PendingRequests+last(empty))

	r.deactivated(r.request()) // from the workspace only
	o := overview(l.at, l.ID)
	require.Equal(t, map[offboarding.Phase]int{offboarding.PhaseDeactivated: 1}, phases(o))
	require.Equal(t, 1, o.Waiting, "what is outside of the workspace waits for nobody")
	require.Equal(t, 1, overview(l.at.Add(time.Hour), l.ID).Overdue)
	require.Zero(t, last(o), "who is removed from a workspace is not offboarded")

	whole := l.of(l.member)
	whole.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, whole.Document(whole.member, ""))
	claimed, transferred := whole.Document(whole.member, ""), whole.Document(whole.member, "")
	whole.inGrace()
	deactivated := whole.at
	o = overview(whole.at, l.ID, stranger.ID)
	require.Equal(t, map[offboarding.Phase]int{offboarding.PhaseDeactivated: 1, offboarding.PhaseGrace: 1}, phases(o))
	require.Equal(t, 4, o.Waiting, "archived documents wait for nobody")
	require.Equal(t, []int{4, 0, 0, 0, 0}, documents(o.WaitingByAge))
	require.Equal(t, 1, last(o))
	require.Equal(t, []int{0, 4, 0, 0, 0}, documents(overview(deactivated.Add(2*day), l.ID).WaitingByAge))
	require.Equal(t, []int{0, 0, 0, 0, 4}, documents(overview(deactivated.Add(300*day), l.ID).WaitingByAge))
	require.Zero(t, last(overview(deactivated.Add(7*day), l.ID)), "that was last week")
	require.Equal(t, 1, overview(deactivated.Add(7*day), l.ID).Weeks[offboarding.OverviewWeeks-2].Offboarded)
	require.Equal(t, []int{4, 0, 0, 0, 0}, documents(overview(deactivated.Add(-day), l.ID).WaitingByAge), "a case whose time was skipped is ahead")

	request := whole.requested(transferred, whole.Maker())
	asked := whole.at
	require.Equal(t, 1, overview(asked, l.ID).PendingRequests)
	require.Zero(t, overview(asked, l.ID).OverdueRequests)
	require.Equal(t, 1, overview(asked.Add(offboarding.EscalateAfter), l.ID).OverdueRequests)

	whole.at = deactivated.Add(2 * day)
	whole.Grant(claimed, l.Manager, offboarding.GrantEdit)
	require.Equal(t, offboarding.OutcomeClaimed, whole.claim(claimed, l.Manager).Outcome)
	whole.at = deactivated.Add(4 * day)
	_, err := whole.store.Decide(t.Context(), whole.decideInput(request, offboarding.DecisionApprove, ""))
	require.NoError(t, err)
	o = overview(whole.at, l.ID)
	require.Zero(t, o.PendingRequests)
	require.Equal(t, 2, o.Waiting)
	require.Equal(t, []int{0, 1, 1, 0, 0}, documents(o.NewOwners))
	require.InDelta(t, (2 * day).Seconds(), float64(o.MedianWaitSeconds), 3600)

	require.NoError(t, l.store.RecordTrouble(t.Context(), offboarding.TroubleInput{
		CaseID: whole.id, Trouble: &offboarding.Trouble{Step: "settle", Attempt: 3, LastError: "settle: the database failed (SQLSTATE 53300)", Since: whole.at},
	}))
	require.Equal(t, 1, overview(whole.at, l.ID).Troubled)

	foreign := overview(whole.at, stranger.ID)
	empty.At = whole.at
	require.Equal(t, empty, foreign, "nothing of others is counted")
}

// Counting stops at its limit, and says so by it.
func TestOverviewStopsCounting(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Documents(l.member, offboarding.CountLimit+1)
	l.inGrace()
	other := l.of(l.Maker())
	other.Document(other.member, "")
	other.inGrace()
	o, err := l.store.Overview(t.Context(), []string{l.ID}, l.at.AddDate(0, 0, 1))
	require.NoError(t, err)
	require.Equal(t, offboarding.CountLimit, o.Waiting)
	cases, err := l.store.Cases(t.Context(), offboarding.CaseFilter{MemberID: l.member, Now: l.at})
	require.NoError(t, err)
	require.Equal(t, offboarding.CountLimit, cases.Items[0].Unowned, "lists count as far")
	members, err := l.store.Members(t.Context(), offboarding.MemberFilter{Status: offboarding.MemberInactive, Reach: []string{l.ID}})
	require.NoError(t, err)
	require.Equal(t, offboarding.CountLimit, members.Items[0].Documents)
	require.Equal(t, offboarding.CountLimit, members.Items[0].Unowned)
	require.Equal(t, 2, *members.Total)
	require.Equal(t, offboarding.CountLimit, o.WaitingByAge[1].Documents+o.WaitingByAge[0].Documents-1, "each span by itself")
}
