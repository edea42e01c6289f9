package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// What an admission answers, and what the case and its event then say.
func TestAdmit(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	r := offboarding.Request{
		MemberID: "external:m4", RequestedBy: "external:m2", Origin: "AI,Acme,agent", Reason: "moves on", EffectiveAt: "2026-03-20",
		NewOwnerID: "manager", ArchiveSchedules: true, GracePeriod: "3d",
	}
	in := l.admitInput(r)
	in.At = in.At.Add(123456789 * time.Nanosecond) // a workflow's clock has nanoseconds
	first, err := l.store.Admit(t.Context(), in)
	require.NoError(t, err)
	effective := time.Date(2026, 3, 21, 0, 0, 0, 0, time.UTC)
	require.Equal(t, offboarding.Admission{
		CaseID: l.id, WorkflowID: in.WorkflowID, OrganizationID: l.ID, MemberID: l.Leaver, RequestedBy: l.Admin, Phase: offboarding.PhaseScheduled,
		Plan: offboarding.Plan{
			Disposition: offboarding.DispositionTransfer, NewOwnerID: l.Manager, ArchiveSchedules: true,
			EffectiveAt: effective, GracePeriod: 3 * 24 * time.Hour,
		},
		SignalsByName: true,
	}, first)
	require.Equal(t, "moves on", l.Text(`SELECT reason FROM cases WHERE id = $1`, l.id))
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'ScheduleOffboarding' AND actor_id = $1 AND member_id = $2
		AND case_id = $3 AND origin = 'AI,Acme,agent' AND after->>'new_owner_id' = $4`, l.Admin, l.Leaver, l.id, l.Manager))

	// Rule E2: another start, under another workflow ID and for another day, is
	// answered with the open case.
	again := l.of(l.Leaver)
	under := again.admitInput(again.request())
	under.WorkflowID = "hr/4711"
	second, err := l.store.Admit(t.Context(), under)
	require.NoError(t, err)
	require.True(t, second.Existing)
	second.Existing = false
	require.Equal(t, first, second)
	// But not one by somebody who may not act on the member.
	r = again.request()
	r.RequestedBy = l.Manager
	_, err = l.store.Admit(t.Context(), again.admitInput(r))
	refused(t, offboarding.CodeNotAuthorized, err)
	require.Len(t, l.Events(), 1)
}

// A start answered late is answered with the same times: those that are kept.
func TestAdmitNowTwice(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	in := l.admitInput(l.request())
	in.At = in.At.Add(987654999 * time.Nanosecond)
	first, err := l.store.Admit(t.Context(), in)
	require.NoError(t, err)
	second, err := l.store.Admit(t.Context(), in)
	require.NoError(t, err)
	require.True(t, second.Again)
	second.Again = false
	require.Equal(t, first, second)
	require.False(t, first.Plan.EffectiveAt.After(in.At), "a case that begins now does not wait")
}

// All that a request breaks is reported, and nothing is changed.
func TestAdmitRefused(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	stranger := fixture.New(t, l.DB)
	for name, test := range map[string]struct {
		change func(*offboarding.Request)
		codes  []offboarding.Code
	}{
		"everything at once": {func(r *offboarding.Request) {
			r.RequestedBy, r.Origin, r.GracePeriod, r.NewOwnerID = l.Manager, "robot", "soon", l.Leaver
		}, []offboarding.Code{
			offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument, offboarding.CodeNotAuthorized, offboarding.CodeNewOwnerNotEligible,
		}},
		"another organization's member": {
			func(r *offboarding.Request) { r.MemberID = stranger.Leaver }, []offboarding.Code{offboarding.CodeMemberNotFound},
		},
		"another organization's admin": {
			func(r *offboarding.Request) { r.RequestedBy = stranger.Admin }, []offboarding.Code{offboarding.CodeMemberNotFound},
		},
		"another organization's maker as new owner": {
			func(r *offboarding.Request) { r.NewOwnerID = stranger.Manager }, []offboarding.Code{offboarding.CodeNewOwnerNotEligible},
		},
		"two external IDs of two organizations each": {
			func(r *offboarding.Request) { r.MemberID, r.RequestedBy = "external:m4", "external:m2" },
			[]offboarding.Code{offboarding.CodeAmbiguousMember},
		},
		"the only owner": {
			func(r *offboarding.Request) { r.MemberID, r.RequestedBy = l.Owner, l.Admin },
			[]offboarding.Code{offboarding.CodeNotAuthorized, offboarding.CodeLastOwner},
		},
	} {
		r := l.request()
		test.change(&r)
		_, err := l.store.Admit(t.Context(), l.admitInput(r))
		var refusal *offboarding.Refusal
		require.ErrorAs(t, err, &refusal, name)
		var codes []offboarding.Code
		for _, v := range refusal.Violations {
			codes = append(codes, v.Code)
		}
		require.ElementsMatch(t, test.codes, codes, "%s: %v", name, err)
	}
	require.Zero(t, l.Count(`SELECT count(*) FROM cases`))
	require.Empty(t, l.Events())
}

// Rule A1: an admin of an ancestor acts where enterprise plan manager is on, and
// an external ID in the ancestor is found.
func TestAdmitByAnAncestor(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	top, middle, child := fixture.New(t, db), fixture.New(t, db), fixture.New(t, db)
	child.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, child.ID, middle.ID)
	child.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, middle.ID, top.ID)
	top.Exec(`UPDATE members SET external_id = 'boss' WHERE id = $1`, top.Admin)
	l := newLeavingOn(t, child, postgres.New(db))
	r := l.request()
	r.RequestedBy = top.Admin
	_, err := l.store.Admit(t.Context(), l.admitInput(r))
	refused(t, offboarding.CodeMemberNotFound, err)

	top.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, top.ID)
	r.RequestedBy = middle.Admin
	_, err = l.store.Admit(t.Context(), l.admitInput(r))
	refused(t, offboarding.CodeMemberNotFound, err)
	r.RequestedBy = "external:boss"
	a, err := l.store.Admit(t.Context(), l.admitInput(r))
	require.NoError(t, err)
	require.Equal(t, top.Admin, a.RequestedBy)
}
