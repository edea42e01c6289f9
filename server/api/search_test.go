package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// Members and cases are found by name, address and external ID, within reach.
func TestSearch(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	other := fixture.New(t, s.DB)
	s.Exec(`UPDATE members SET display_name = 'Ada Lovelace' WHERE id IN ($1, $2)`, s.Leaver, other.Leaver)
	s.Document(s.Leaver, "") // waits for an owner
	s.offboard(t, s.Leaver)

	var members offboarding.Page[offboarding.MemberRow]
	s.as(s.Admin).post(t, "/v1/members/search", body{"q": "love ada", "status": "all"}).into(t, 200, &members)
	require.Len(t, members.Items, 1)
	require.Equal(t, s.Leaver, members.Items[0].ID)
	require.Nil(t, members.Total)
	s.as(s.Admin).post(t, "/v1/members/search", body{"q": "ada"}).into(t, 200, &members)
	require.Empty(t, members.Items, "active ones unless others are asked for")
	s.as(s.Admin).post(t, "/v1/members/search", body{"limit": 1}).into(t, 200, &members)
	require.Len(t, members.Items, 1)
	require.NotEmpty(t, members.Next)
	s.as(s.Admin).post(t, "/v1/members/search", body{"limit": 1, "cursor": members.Next}).into(t, 200, &members)
	require.Len(t, members.Items, 1)

	var cases offboarding.Page[offboarding.CaseRow]
	s.as(s.Admin).post(t, "/v1/offboardings/search", body{"q": "m4@acme", "open": true}).into(t, 200, &cases)
	require.Len(t, cases.Items, 1)
	require.Equal(t, s.Leaver, cases.Items[0].MemberID)
	s.as(other.Admin).post(t, "/v1/offboardings/search", body{"q": "ada"}).into(t, 200, &cases)
	require.Empty(t, cases.Items, "another organization's")

	for _, path := range []string{"/v1/members/search", "/v1/offboardings/search"} {
		for field, wrong := range map[string]body{
			"q": {"q": strings.Repeat("a", 201)}, "cursor": {"cursor": "x"}, "limit": {"limit": 0}, "organization": {"organization": other.ID}, "phases": {"phases": "grace"},
		} {
			p := s.as(s.Admin).post(t, path, wrong).want(t, 400, offboarding.CodeInvalidArgument)
			require.Contains(t, p.Errors[0].Field, field, path)
		}
		s.as(s.Manager).post(t, path, body{"q": "ada"}).want(t, 403, offboarding.CodeNotAuthorized)
	}
}
