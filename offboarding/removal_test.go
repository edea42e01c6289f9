package offboarding_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// removal is the start of a removal that breaks no rule, and its facts.
func removal() (offboarding.Request, offboarding.RemovalFacts) {
	r, f := start()
	r.WorkspaceID = "research"
	return r, offboarding.RemovalFacts{AdmissionFacts: f, WorkspaceFound: true, Role: offboarding.WorkspaceMember}
}

func TestRuleW1(t *testing.T) {
	t.Parallel()
	workspaceAdmin := by(member("wes"))
	workspaceAdmin.WorkspaceAdmin = true
	left := by(member("wes", status(offboarding.MemberInactive)))
	left.WorkspaceAdmin = true
	for name, c := range map[string]struct {
		change func(*offboarding.RemovalFacts)
		want   []string
	}{
		"an admin":                           {func(*offboarding.RemovalFacts) {}, nil},
		"the workspace's admin":              {func(f *offboarding.RemovalFacts) { f.Actor = workspaceAdmin }, nil},
		"another domain":                     {func(f *offboarding.RemovalFacts) { f.Leaver.Email = "vic@gmail.com" }, nil},
		"managed by a provider":              {func(f *offboarding.RemovalFacts) { f.Leaver.ManagedBy = "okta" }, nil},
		"a workspace admin who has left":     {func(f *offboarding.RemovalFacts) { f.Actor = left }, []string{"A1 not_authorized requested_by"}},
		"a colleague":                        {func(f *offboarding.RemovalFacts) { f.Actor = by(member("x")) }, []string{"A1 not_authorized requested_by"}},
		"an admin, by the workspace's admin": {func(f *offboarding.RemovalFacts) { f.Actor, f.Leaver.Role = workspaceAdmin, offboarding.RoleAdmin }, []string{"A2 not_authorized requested_by"}},
		"an owner, by the workspace's admin": {func(f *offboarding.RemovalFacts) { f.Actor, f.Leaver.Role = workspaceAdmin, offboarding.RoleOwner }, []string{"A2 not_authorized requested_by"}},
		"oneself":                            {func(f *offboarding.RemovalFacts) { f.Leaver = f.Actor.Member }, []string{"A4 self_offboarding requested_by"}},
		"nobody":                             {func(f *offboarding.RemovalFacts) { f.Leaver = nil }, []string{"E1 member_not_found member_id"}},
		"who has left":                       {func(f *offboarding.RemovalFacts) { f.Leaver.Status = offboarding.MemberInactive }, []string{"W1 already_inactive member_id"}},
		"no workspace":                       {func(f *offboarding.RemovalFacts) { f.WorkspaceFound = false }, []string{"W1 workspace_not_found workspace_id"}},
		"who is not in it":                   {func(f *offboarding.RemovalFacts) { f.Role = offboarding.WorkspaceNone }, []string{"W1 not_in_workspace member_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, f := removal()
			c.change(&f)
			_, err := offboarding.AdmitRemoval(r, f, now)
			require.ElementsMatch(t, c.want, broken(t, err))
		})
	}
	t.Run("an admin of the workspace has no authority elsewhere", func(t *testing.T) {
		t.Parallel()
		r, f := start()
		f.Actor = by(member("wes"))
		_, err := offboarding.Admit(r, f, now)
		require.Equal(t, []string{"A1 not_authorized requested_by"}, broken(t, err))
	})
	t.Run("all that is broken", func(t *testing.T) {
		t.Parallel()
		r, f := removal()
		f.Actor, f.Role = by(member("x")), offboarding.WorkspaceNone
		r.GracePeriod, r.NewOwnerID = "soon", "y"
		_, err := offboarding.AdmitRemoval(r, f, now)
		require.ElementsMatch(t, []string{
			"invalid_argument grace_period", "A1 not_authorized requested_by", "W1 not_in_workspace member_id", "N1 new_owner_not_eligible new_owner_id",
		}, broken(t, err))
	})
}

// Whoever is put back must be active; who puts them back is judged as ever.
func TestRuleW1PutsBack(t *testing.T) {
	t.Parallel()
	require.NoError(t, offboarding.JudgeRestoration(offboarding.RestorationFacts{Admin: admin(), Leaver: member("x")}))
	require.ElementsMatch(t, []string{"A1 not_authorized admin_id", "W1 already_inactive member_id"},
		broken(t, offboarding.JudgeRestoration(offboarding.RestorationFacts{
			Admin: by(member("y")), Leaver: member("x", status(offboarding.MemberInactive)),
		})))
}
