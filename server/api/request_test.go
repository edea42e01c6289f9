package api_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// Rule C3 and seed 002: admins see the requests and decide them, others see their own.
func TestOwnershipRequests(t *testing.T) {
	t.Parallel()
	s, document, maker := leaves(t)
	s.Exec(`UPDATE organizations SET claim_policy = 'admin_approval'`)
	viewer := s.Member(offboarding.RoleReader, offboarding.AccountViewer)
	s.Grant(document, viewer, offboarding.GrantView)
	foreign := fixture.New(t, s.DB)
	ask := func(member string) string {
		t.Helper()
		var out offboarding.Outcome
		s.as(member).post(t, "/v1/documents/"+document+"/request-ownership", body{"note": "please"}).into(t, 200, &out)
		return out.RequestID
	}
	s.as(maker).post(t, "/v1/documents/"+document+"/claim", nil).want(t, 403, offboarding.CodeNotEligibleToClaim)
	first, second := ask(viewer), ask(maker)

	list := func(member, query string) []string {
		t.Helper()
		var page offboarding.Page[offboarding.RequestRow]
		s.as(member).get(t, "/v1/ownership-requests"+query).into(t, 200, &page)
		out := []string{}
		for _, row := range page.Items {
			out = append(out, row.ID)
		}
		return out
	}
	require.Equal(t, []string{first, second}, list(s.Admin, ""))
	require.Equal(t, []string{first, second}, list(s.Admin, "?document="+document))
	require.Equal(t, []string{second}, list(s.Admin, "?member="+maker+"&status=all"))
	require.Equal(t, []string{second}, list(maker, ""))
	require.Equal(t, []string{second}, list(maker, "?member=me"))
	require.Empty(t, list(s.Admin, "?case="+uuid.NewString()))
	require.Empty(t, list(s.Admin, "?status=approved"))
	require.Empty(t, list(s.Admin, "?status=decided"))
	require.Equal(t, []string{second, first}, list(s.Admin, "?order=desc"))
	require.Equal(t, []string{second}, list(s.Admin, "?order=desc&limit=1"))
	require.Empty(t, list(foreign.Owner, "?status=all"))
	s.as(maker).get(t, "/v1/ownership-requests?member="+viewer).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).get(t, "/v1/ownership-requests?status=open").want(t, 400, offboarding.CodeInvalidArgument)

	for _, member := range []string{maker, s.Manager, foreign.Owner} {
		s.as(member).get(t, "/v1/ownership-requests/"+first).want(t, 404, "not_found")
	}
	s.as(s.Admin).get(t, "/v1/ownership-requests/x").want(t, 404, "not_found")
	s.as(foreign.Owner).post(t, "/v1/ownership-requests/"+first+"/approve", nil).want(t, 404, "not_found")
	s.as(maker).post(t, "/v1/ownership-requests/"+second+"/approve", nil).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).post(t, "/v1/ownership-requests/"+first+"/approve", nil).want(t, 409, offboarding.CodeNewOwnerNotEligible)
	s.as(s.Admin).post(t, "/v1/ownership-requests/"+first+"/approve", body{"new_owner_id": "external:none"}).want(t, 409, offboarding.CodeNewOwnerNotEligible)

	var out offboarding.Outcome
	s.as(s.Admin).post(t, "/v1/ownership-requests/"+first+"/approve", body{"new_owner_id": "external:m3", "note": "as agreed"}).into(t, 200, &out)
	require.Equal(t, []any{offboarding.OutcomeApproved, s.Manager, []string{second}}, []any{out.Outcome, out.OwnerID, out.Superseded})
	s.as(s.Admin).post(t, "/v1/ownership-requests/"+second+"/reject", nil).want(t, 409, offboarding.CodeRequestNotPending)
	require.Equal(t, []string{second, first}, list(s.Admin, "?status=decided&order=desc"))
	require.Equal(t, []string{second}, list(maker, "?status=decided"))
	require.Empty(t, list(foreign.Owner, "?status=decided"))
	var page offboarding.Page[offboarding.RequestRow]
	s.as(s.Admin).get(t, "/v1/ownership-requests?status=decided&order=desc&limit=1").into(t, 200, &page)
	s.as(s.Admin).get(t, "/v1/ownership-requests?status=decided&order=desc&limit=1&cursor="+page.Next).into(t, 200, &page)
	row := page.Items[0]
	require.Equal(t, []any{first, "Member 2", "Member 3", "Member 3", s.Manager, false, true},
		[]any{row.ID, row.DecidedByName, row.NewOwnerName, row.OwnerName, row.OwnerID, row.MayGetIt(), row.GraceEndsAt != nil})
}

func TestRejectOwnershipRequest(t *testing.T) {
	t.Parallel()
	s, document, maker := leaves(t)
	var out offboarding.Outcome
	s.as(maker).post(t, "/v1/documents/"+document+"/request-ownership", nil).into(t, 200, &out)
	s.as(s.Admin).post(t, "/v1/ownership-requests/"+out.RequestID+"/reject", body{"note": "it stays with the team"}).into(t, 200, &out)
	require.Equal(t, offboarding.OutcomeRejected, out.Outcome)
	var row offboarding.RequestRow
	s.as(maker).get(t, "/v1/ownership-requests/"+out.RequestID).into(t, 200, &row)
	require.Equal(t, []any{offboarding.RequestRejected, s.Admin, "it stays with the team"}, []any{row.Status, row.DecidedBy, row.DecisionNote})
}
