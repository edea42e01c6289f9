package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// removing is a removal of the leaver from a workspace, with a document there and
// one elsewhere.
type removing struct {
	*leaving
	workspace, inside, outside string
}

func newRemoving(t testing.TB) *removing {
	t.Helper()
	db := testdb.New(t)
	return newRemovingOn(newLeavingOn(t, fixture.New(t, db), postgres.New(db).WithBatchSize(3)))
}

func newRemovingOn(l *leaving) *removing {
	r := &removing{leaving: l, workspace: l.Workspace()}
	r.Join(r.workspace, r.Leaver, offboarding.WorkspaceMember)
	r.inside, r.outside = r.DocumentIn(r.workspace, r.Leaver), r.Document(r.Leaver, "")
	return r
}

func (r *removing) request() offboarding.Request {
	in := r.leaving.request()
	in.WorkspaceID = r.workspace
	return in
}

func (r *removing) role() string {
	return r.Text(`SELECT max(role) FROM workspace_members WHERE workspace_id = $1 AND member_id = $2`, r.workspace, r.Leaver)
}

// Rule W1: the documents of the workspace go the way of a leaver's; the member
// stays active, with what is elsewhere and all that they can do.
func TestRuleW1RemovesFromOneWorkspaceOnly(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	credential, session := r.Credential(r.Leaver), r.Session(r.Leaver)
	schedule := r.Schedule(r.inside)
	colleague := r.Maker()
	r.Grant(r.inside, colleague, offboarding.GrantEdit)
	r.deactivated(r.request())

	require.Empty(t, r.role(), "still in the workspace")
	require.Equal(t, "active", r.Text(`SELECT status FROM members WHERE id = $1`, r.Leaver))
	require.Equal(t, "active", r.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
	require.Equal(t, "active", r.Text(`SELECT status FROM sessions WHERE id = $1`, session))
	require.Equal(t, 1, r.eventsOf(offboarding.EventRemoveFromWorkspace))
	require.Zero(t, r.eventsOf(offboarding.EventDeactivateMember))
	invariantsHold(t, r.store)

	ends := r.at.Add(grace)
	s, err := r.store.Settle(t.Context(), offboarding.SettleInput{Step: r.step("settle"), GraceEndsAt: &ends})
	require.NoError(t, err)
	require.Equal(t, 1, s.Unowned, "only what is in the workspace waits")
	r.readOnly()
	require.Equal(t, r.Leaver+" read_only", r.DocumentState(r.inside))
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.outside))
	require.Equal(t, "paused", r.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	invariantsHold(t, r.store)

	_, err = r.store.Claim(t.Context(), r.claimInput(r.outside, colleague))
	refused(t, offboarding.CodeNoAccess, err)
	r.Grant(r.inside, r.Leaver, offboarding.GrantEdit)
	_, err = r.store.Claim(t.Context(), r.claimInput(r.inside, r.Leaver))
	refused(t, offboarding.CodeNoAccess, err)
	require.Equal(t, offboarding.OutcomeClaimed, r.claim(r.inside, colleague).Outcome)
	require.Equal(t, colleague+" editable", r.DocumentState(r.inside))
	require.Equal(t, "active", r.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	s, err = r.store.Settle(t.Context(), offboarding.SettleInput{Step: r.step("settle/2")})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, s.Phase)
	invariantsHold(t, r.store)
}

func TestRuleW1Transfers(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	other := r.DocumentIn(r.Workspace(), r.Leaver)
	in := r.request()
	in.NewOwnerID = r.Manager
	r.deactivated(in)
	r.advance(offboarding.PhaseTransferring)
	require.Equal(t, 1, r.transfer(r.Manager).Documents)
	require.Equal(t, r.Manager+" editable", r.DocumentState(r.inside))
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.outside))
	require.Equal(t, r.Leaver+" editable", r.DocumentState(other))
	invariantsHold(t, r.store)
}

func TestRuleW1Archives(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	in := r.request()
	in.Disposition = offboarding.DispositionArchive
	r.deactivated(in)
	r.advance(offboarding.PhaseTransferring)
	require.Equal(t, 1, r.sweep(r.store.ArchiveBatch, offboarding.SweepInput{Step: r.step("archive")}).Documents)
	require.Equal(t, r.Leaver+" archived", r.DocumentState(r.inside))
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.outside))
	invariantsHold(t, r.store)
}

func TestRuleW1WhoMay(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	workspaceAdmin, stranger := r.Maker(), r.Maker()
	r.Join(r.workspace, workspaceAdmin, offboarding.WorkspaceAdmin)
	r.Join(r.workspace, r.Admin, offboarding.WorkspaceMember)
	other := r.Workspace()
	r.Join(other, stranger, offboarding.WorkspaceAdmin)
	child := fixture.New(t, r.DB)
	contractor := r.Maker()
	r.Exec(`UPDATE members SET email = 'vendor@gmail.com' WHERE id = $1`, contractor)
	r.Join(r.workspace, contractor, offboarding.WorkspaceMember)
	for _, c := range []struct {
		name             string
		by, of, in, code string
	}{
		{"an admin", r.Admin, r.Leaver, r.workspace, ""},
		{"the workspace's admin", workspaceAdmin, r.Leaver, r.workspace, ""},
		{"by external ID", workspaceAdmin, r.Leaver, "external:" + r.Text(`SELECT external_id FROM workspaces WHERE id = $1`, r.workspace), ""},
		{"a contractor on an ISP domain", workspaceAdmin, contractor, r.workspace, ""},
		{"another workspace's admin", stranger, r.Leaver, r.workspace, "not_authorized"},
		{"a member", r.Manager, r.Leaver, r.workspace, "not_authorized"},
		{"a workspace admin on an admin", workspaceAdmin, r.Admin, r.workspace, "not_authorized"},
		{"oneself", workspaceAdmin, workspaceAdmin, r.workspace, "self_offboarding"},
		{"who is not in it", r.Admin, r.Leaver, other, "not_in_workspace"},
		{"no workspace", r.Admin, r.Leaver, newID(), "workspace_not_found"},
		{"another tenant's", child.Owner, r.Leaver, r.workspace, "member_not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := r.of(c.of)
			before := dump(t, r.DB)
			_, err := r.store.Admit(t.Context(), one.admitInput(offboarding.Request{MemberID: c.of, RequestedBy: c.by, WorkspaceID: c.in}))
			if c.code != "" {
				refused(t, offboarding.Code(c.code), err)
				require.Equal(t, before, dump(t, r.DB), "a refusal changes nothing")
				return
			}
			require.NoError(t, err)
			_, err = r.store.Cancel(t.Context(), offboarding.CancelInput{Step: one.step("cancel"), Message: offboarding.Cancel{AdminID: c.by}})
			require.NoError(t, err)
		})
	}
}

// Undone, the member is what they were in the workspace, with their documents.
func TestRemovalIsUndone(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	r.Exec(`UPDATE workspace_members SET role = 'admin' WHERE member_id = $1`, r.Leaver)
	colleague := r.Maker()
	claimed := r.DocumentIn(r.workspace, r.Leaver)
	r.Grant(claimed, colleague, offboarding.GrantEdit)
	r.deactivated(r.request())
	ends := r.at.Add(grace)
	_, err := r.store.Settle(t.Context(), offboarding.SettleInput{Step: r.step("settle"), GraceEndsAt: &ends})
	require.NoError(t, err)
	r.claim(claimed, colleague)
	r.readOnly()
	r.reactivate(true)
	require.Equal(t, "admin", r.role())
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.inside))
	require.Equal(t, r.Leaver+" editable", r.DocumentState(claimed))
	require.Equal(t, 1, r.eventsOf(offboarding.EventReturnToWorkspace))
	require.Zero(t, r.eventsOf(offboarding.EventReactivateMember))
	invariantsHold(t, r.store)
}

// A member may leave the organization while a removal is open: both cases go on,
// and what the removal locked stays locked for it.
func TestRemovalAndOffboardingTogether(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	r.deactivated(r.request())
	ends := r.at.Add(grace)
	_, err := r.store.Settle(t.Context(), offboarding.SettleInput{Step: r.step("settle"), GraceEndsAt: &ends})
	require.NoError(t, err)

	whole := r.of(r.Leaver)
	whole.at = r.at
	whole.inGrace()
	whole.readOnly()
	require.Equal(t, r.Leaver+" read_only", r.DocumentState(r.outside))
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.inside), "the removal's, whose grace has not ended")
	invariantsHold(t, r.store)

	r.at = whole.at
	r.advance(offboarding.PhaseReadOnly)
	r.sweep(r.store.LockBatch, offboarding.SweepInput{Step: r.step("lock")})
	require.Equal(t, r.Leaver+" read_only", r.DocumentState(r.inside))
	invariantsHold(t, r.store)

	in := offboarding.ReactivateInput{Step: r.step("reactivate/while inactive"), Message: offboarding.Reactivate{AdminID: r.Admin}}
	_, err = r.store.AuthorizeReactivation(t.Context(), in)
	refused(t, offboarding.CodeAlreadyInactive, err)

	whole.reactivate(false)
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.outside))
	require.Equal(t, r.Leaver+" read_only", r.DocumentState(r.inside), "still removed from there")
	invariantsHold(t, r.store)
	r.reactivate(false)
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.inside))
	invariantsHold(t, r.store)
}

// A removal that waits for its time leaves nothing editable behind it: it may be
// canceled, or refused at its second look because the member has left.
func TestARemovalThatHasNotBegunKeepsNothingOpen(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(*removing){
		"canceled": func(r *removing) {
			in := offboarding.CancelInput{Step: r.step("cancel"), Message: offboarding.Cancel{AdminID: r.Admin}}
			_, err := r.store.Cancel(t.Context(), in)
			require.NoError(t, err)
		},
		"refused at the second look": func(r *removing) {
			_, err := r.store.Revoke(t.Context(), offboarding.RevokeInput{Step: r.step("revoke"), SecondLook: true})
			refused(t, offboarding.CodeAlreadyInactive, err)
			require.NoError(t, r.store.Fail(t.Context(), offboarding.FailInput{Step: r.step("fail")}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemoving(t)
			in := r.request()
			in.EffectiveAt = "2026-05-01"
			r.admit(in)
			whole := r.of(r.Leaver)
			whole.inGrace().readOnly()
			require.Equal(t, r.Leaver+" read_only", r.DocumentState(r.inside))
			ends(r)
			invariantsHold(t, r.store)
		})
	}
}

// Who leaves the organization with everything archived leaves nothing behind that a
// removal has locked.
func TestOffboardingArchivesWhatARemovalLocked(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	schedule := r.Schedule(r.inside)
	r.deactivated(r.request())
	ends := r.at.Add(grace)
	_, err := r.store.Settle(t.Context(), offboarding.SettleInput{Step: r.step("settle"), GraceEndsAt: &ends})
	require.NoError(t, err)
	r.readOnly()
	require.Equal(t, r.Leaver+" read_only", r.DocumentState(r.inside))

	whole := r.of(r.Leaver)
	whole.at = r.at
	in := whole.request()
	in.Disposition = offboarding.DispositionArchive
	whole.deactivated(in)
	whole.advance(offboarding.PhaseTransferring)
	swept := whole.sweep(r.store.ArchiveBatch, offboarding.SweepInput{Step: whole.step("archive")})
	require.Equal(t, 2, swept.Documents)
	require.Equal(t, 1, swept.Schedules)
	for _, document := range []string{r.inside, r.outside} {
		require.Equal(t, r.Leaver+" archived", r.DocumentState(document))
	}
	require.Equal(t, "archived", r.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	invariantsHold(t, r.store)

	whole.reactivate(false)
	require.Equal(t, r.Leaver+" editable", r.DocumentState(r.inside))
	require.Equal(t, "active", r.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	invariantsHold(t, r.store)
}

// Rule E2, of a removal: one is open for a member and a workspace.
func TestTwoRemovals(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		r := newRemovingOn(l)
		other := *r
		other.leaving = l.of(l.Leaver)
		in := other.admitInput(r.request())
		in.WorkflowID = "another"
		return called(r.store.Admit, r.admitInput(r.request())), called(r.store.Admit, in), func(a, b error) {
			require.NoError(t, a)
			require.NoError(t, b)
			require.Equal(t, 1, r.Count(`SELECT count(*) FROM cases WHERE workspace_id = $1`, r.workspace))
		}
	})
}

func TestPreviewOfARemovalIsAboutTheWorkspaceAlone(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	r.Credential(r.Leaver)
	held := r.DocumentIn(r.workspace, r.Leaver)
	r.hold(offboarding.Hold{DocumentID: held})
	before := dump(t, r.DB)
	p, err := r.store.Preview(t.Context(), r.request(), r.at)
	require.NoError(t, err)
	require.True(t, p.Allowed)
	require.Equal(t, 2, p.Documents.Total)
	require.Equal(t, 1, p.Documents.Held)
	require.Empty(t, p.Credentials)
	p, err = r.store.Preview(t.Context(), r.leaving.request(), r.at)
	require.NoError(t, err)
	require.Equal(t, 3, p.Documents.Total)
	require.Equal(t, map[string]int{"api": 1}, p.Credentials)
	require.Equal(t, before, dump(t, r.DB))
	r.admit(r.request())
	p, err = r.store.Preview(t.Context(), r.request(), r.at)
	require.NoError(t, err)
	require.Equal(t, r.id, p.OpenCaseID)
	p, err = r.store.Preview(t.Context(), r.leaving.request(), r.at)
	require.NoError(t, err)
	require.Empty(t, p.OpenCaseID, "the account's own case is another")
}
