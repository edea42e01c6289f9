package api_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
)

// Seed 002: org admins switch to self-serve, among other settings.
func TestSettings(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	below, foreign := fixture.New(t, s.DB), fixture.New(t, s.DB)
	s.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, below.ID, s.ID)
	s.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, s.ID)

	var before, after, now api.Settings
	s.as(s.Admin).get(t, "/v1/settings").into(t, 200, &before)
	require.Equal(t, []any{s.ID, "none", "self_serve", "7d"},
		[]any{before.OrganizationID, before.IdentityProvider, *before.Settings.ClaimPolicy, *before.Settings.GracePeriod})
	s.as(s.Manager).get(t, "/v1/settings").want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).get(t, "/v1/settings?organization="+below.ID).into(t, 200, &now)
	require.Equal(t, below.ID, now.OrganizationID)
	for _, other := range []string{foreign.ID, uuid.NewString()} {
		s.as(s.Admin).get(t, "/v1/settings?organization="+other).want(t, 400, offboarding.CodeInvalidArgument)
		s.as(s.Admin).patch(t, "/v1/settings?organization="+other, body{"seat_limit": 100}).want(t, 400, offboarding.CodeInvalidArgument)
	}

	s.as(s.Admin).patch(t, "/v1/settings", body{"claim_policy": "admin_approval", "seat_limit": 1, "grace_period": "x"}).
		want(t, 400, offboarding.CodeInvalidArgument, offboarding.CodeSeatLimitExceeded)
	s.as(s.Admin).patch(t, "/v1/settings", body{"claim_policy": "everybody", "seats": 3}).
		want(t, 400, offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument)
	s.as(s.Admin).get(t, "/v1/settings").into(t, 200, &after)
	require.Equal(t, before, after, "all of them or none")

	s.as(s.Admin).patch(t, "/v1/settings", body{
		"claim_policy": "admin_approval", "grace_period": "36h", "default_disposition": "archive", "attribution": "anonymous", "sso_sessions": "wait",
		"seat_limit": 100, "bulk_limit_percent": 5, "domains": []string{"acme.example", "b.example"}, "time_zone": "Europe/Vienna",
		"provisioning_admin": "external:m1", "enterprise_plan_manager": true, "scim_delete": "delete", "scim_role": "reviewer", "scim_account_type": "editor",
	}).into(t, 200, &after)
	require.Len(t, after.Changed, 13, "enterprise_plan_manager was on already")
	s.as(s.Admin).get(t, "/v1/settings").into(t, 200, &now)
	require.Equal(t, s.Owner, *now.Settings.ProvisioningAdmin)
	require.Equal(t, []string{"acme.example", "b.example"}, *now.Settings.Domains)
	require.Equal(t, 13, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ChangeSettings' AND actor_id = $1`, s.Admin))
	s.as(s.Admin).patch(t, "/v1/settings?organization="+below.ID, body{"claim_policy": "admin_approval"}).into(t, 200, &after)
	require.Len(t, after.Changed, 1)
	s.as(s.Admin).patch(t, "/v1/settings", body{}).into(t, 200, nil)
}

// Every setting that there is can be read and changed over HTTP.
func TestEverySettingIsInTheAPI(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	var all struct {
		Settings map[string]any `json:"settings"`
	}
	s.as(s.Admin).get(t, "/v1/settings").into(t, 200, &all)
	var names []string
	for _, setting := range new(offboarding.Organization).Settings() {
		names = append(names, setting.Name)
	}
	var got []string
	for name := range all.Settings {
		got = append(got, name)
	}
	require.ElementsMatch(t, names, got)
}

// Rule H1: who may place and lift holds, and where they are seen.
func TestLegalHolds(t *testing.T) {
	t.Parallel()
	s, document, maker := leaves(t)
	foreign := fixture.New(t, s.DB)
	const path = "/v1/legal-holds"
	var placed struct {
		HoldID string `json:"hold_id"`
	}
	s.as(maker).post(t, path, body{"document_id": document, "reason": "x"}).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).post(t, path, body{"document_id": document}).want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).post(t, path, body{"reason": "matter 1"}).want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).post(t, path, body{"document_id": uuid.NewString(), "member_id": foreign.Leaver, "reason": "matter 1"}).
		want(t, 404, offboarding.CodeMemberNotFound, offboarding.CodeNoAccess)
	s.as(s.Admin).post(t, path, body{"document_id": document, "reason": "matter 1"}).into(t, 201, &placed)
	s.as(maker).post(t, "/v1/documents/"+document+"/claim", nil).want(t, 409, offboarding.CodeLegalHold)

	list := func(member, query string) int {
		t.Helper()
		var page offboarding.Page[offboarding.HoldRow]
		s.as(member).get(t, path+query).into(t, 200, &page)
		return len(page.Items)
	}
	require.Equal(t, 1, list(s.Admin, ""))
	require.Equal(t, 1, list(s.Admin, "?document="+document))
	require.Zero(t, list(s.Admin, "?member="+s.Leaver))
	require.Zero(t, list(foreign.Admin, ""))

	theirs := s.as(foreign.Admin).del(t, path+"/"+placed.HoldID, nil).want(t, 404, offboarding.CodeHoldNotFound)
	nobodys := s.as(foreign.Admin).del(t, path+"/"+uuid.NewString(), nil).want(t, 404, offboarding.CodeHoldNotFound)
	theirs.RefID, nobodys.RefID = "", ""
	require.Equal(t, nobodys, theirs)
	for range 2 {
		s.as(s.Admin).del(t, path+"/"+placed.HoldID, nil).into(t, 204, nil)
	}
	s.as(s.Owner).del(t, path+"/"+placed.HoldID, nil).want(t, 404, offboarding.CodeHoldNotFound)
	require.Zero(t, list(s.Admin, ""))
	require.Equal(t, 1, list(s.Admin, "?lifted=true"))
	s.as(maker).post(t, "/v1/documents/"+document+"/claim", nil).into(t, 200, nil)
}

func TestWorkspacesAndOrganizations(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	below := fixture.New(t, s.DB)
	workspace := s.Workspace()
	s.Join(workspace, s.Leaver, offboarding.WorkspaceMember)
	s.Join(workspace, s.Manager, offboarding.WorkspaceAdmin)
	s.DocumentIn(workspace, s.Leaver)
	foreign := below.Workspace()

	var spaces offboarding.Page[offboarding.WorkspaceRow]
	s.as(s.Admin).get(t, "/v1/workspaces").into(t, 200, &spaces)
	require.Len(t, spaces.Items, 1)
	require.Equal(t, []int{2, 1}, []int{spaces.Items[0].Members, spaces.Items[0].Documents})
	s.as(s.Leaver).get(t, "/v1/workspaces").want(t, 403, offboarding.CodeNotAuthorized)
	var members offboarding.Page[offboarding.WorkspaceMemberRow]
	s.as(s.Admin).get(t, "/v1/workspaces/"+workspace+"/members?limit=1").into(t, 200, &members)
	require.Equal(t, s.Manager, members.Items[0].ID)
	require.Equal(t, offboarding.WorkspaceAdmin, members.Items[0].WorkspaceRole)
	next := members.Next
	members = offboarding.Page[offboarding.WorkspaceMemberRow]{}
	s.as(s.Admin).get(t, "/v1/workspaces/external:"+spaces.Items[0].ExternalID+"/members?cursor="+next).into(t, 200, &members)
	require.Equal(t, s.Leaver, members.Items[0].ID)
	s.as(s.Admin).get(t, "/v1/workspaces/"+foreign+"/members").want(t, 404, offboarding.CodeWorkspaceNotFound)

	organizations := func(member string) []string {
		t.Helper()
		var page offboarding.Page[offboarding.OrganizationRow]
		s.as(member).get(t, "/v1/organizations").into(t, 200, &page)
		out := []string{}
		for _, row := range page.Items {
			out = append(out, row.ID)
		}
		return out
	}
	require.Equal(t, []string{s.ID}, organizations(s.Admin))
	s.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, below.ID, s.ID)
	require.Equal(t, []string{s.ID}, organizations(s.Admin))
	s.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, s.ID)
	require.Equal(t, []string{s.ID, below.ID}, organizations(s.Admin))
	require.Equal(t, []string{s.ID}, organizations(s.Leaver))
	s.as(s.Admin).get(t, "/v1/workspaces/"+foreign+"/members").into(t, 200, nil)
}
