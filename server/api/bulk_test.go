package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
)

func TestBulkOverHTTP(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	other := fixture.New(t, s.DB)
	one, two, three := s.Maker(), s.Maker(), s.Maker()
	document := s.Document(one, "")
	var started api.BulkStarted
	c := s.as(s.Admin).with(api.HeaderKey, "layoff")
	request := body{"reason": "layoff", "new_owner_id": "email:m3@acme.example", "members": []body{
		{"member_id": one},
		{"member_id": "email:m6@acme.example", "disposition": "retain"},
		{"member_id": "external:m7"},
		{"member_id": other.Leaver},
		{"member_id": "email:nobody@acme.example"},
		{"member_id": s.Admin},
	}}
	a := c.post(t, "/v1/bulk-offboardings", request).into(t, 202, &started)
	require.Equal(t, started.URL, a.header.Get("Location"))
	require.Equal(t, 6, started.Total)
	require.NotContains(t, string(a.body), "@")
	var run api.BulkAnswer
	require.Eventually(t, func() bool {
		s.as(s.Owner).get(t, started.URL).into(t, 200, &run)
		return run.ClosedAt != nil
	}, 20*time.Second, 50*time.Millisecond)
	require.Equal(t, "PARTIAL_SUCCESS", run.Message)
	require.Equal(t, 3, *run.ResultCode)
	require.Equal(t, []int{6, 3, 3}, []int{run.Counts.Total, run.Counts.Started, run.Counts.Refused})
	for _, m := range []string{one, two, three} {
		require.Equal(t, "inactive", s.status(m))
	}
	require.Eventually(t, func() bool { return s.DocumentState(document) == s.Manager+" editable" }, 10*time.Second, 10*time.Millisecond)

	var page offboarding.Page[offboarding.BulkMemberRow]
	s.as(s.Admin).get(t, started.URL+"/members?outcome=refused&limit=2").into(t, 200, &page)
	require.Equal(t, []int{4, 5}, []int{page.Items[0].Position, page.Items[1].Position})
	require.Equal(t, offboarding.CodeMemberNotFound, page.Items[0].Violations[0].Code)
	s.as(s.Admin).get(t, started.URL+"/members?outcome=refused&limit=2&cursor="+page.Next).into(t, 200, &page)
	require.Equal(t, offboarding.CodeSelfOffboarding, page.Items[0].Violations[0].Code)
	// No address is in the history.
	require.Zero(t, s.Count(`SELECT count(*) FROM bulk_members WHERE reference LIKE '%@%'`))

	var runs offboarding.Page[api.BulkAnswer]
	s.as(s.Admin).get(t, "/v1/bulk-offboardings").into(t, 200, &runs)
	require.Len(t, runs.Items, 1)
	s.as(s.Admin).get(t, "/v1/bulk-offboardings?open=true").into(t, 200, &runs)
	require.Empty(t, runs.Items)
	s.as(s.Admin).post(t, started.URL+"/cancel", nil).want(t, 409, offboarding.CodeWrongPhase)
	for _, path := range []string{started.URL, started.URL + "/members"} {
		s.as(other.Admin).get(t, path).want(t, 404, offboarding.CodeCaseNotFound)
		s.as(s.Manager).get(t, path).want(t, 403, offboarding.CodeNotAuthorized)
	}
	s.as(other.Admin).post(t, started.URL+"/cancel", body{}).want(t, 404, offboarding.CodeCaseNotFound)

	// Who takes over finds the run.
	s.died(-time.Second)
	var again api.BulkStarted
	c.post(t, "/v1/bulk-offboardings", request).into(t, 202, &again)
	require.Equal(t, started, again)
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM bulk_runs`))
}

func TestBulkIsRefusedWhole(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	var members []body
	for range 12 {
		members = append(members, body{"member_id": s.Maker()})
	}
	p := s.as(s.Admin).post(t, "/v1/bulk-offboardings", body{"members": members}).want(t, 409, offboarding.CodeBulkLimitExceeded)
	require.Equal(t, "confirmed", p.Errors[0].Field)
	require.Zero(t, s.Count(`SELECT count(*) FROM bulk_runs`))
	s.as(s.Admin).post(t, "/v1/bulk-offboardings", body{"members": []body{}}).want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).post(t, "/v1/bulk-offboardings", body{"members": members[:1], "disposition": "retain", "archive_schedules": true}).
		want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Manager).post(t, "/v1/bulk-offboardings", body{"members": members[:1]}).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).post(t, "/v1/bulk-offboardings", `{"members":[{"member_id":"`+strings.Repeat("x", 5<<20)+`"}]}`).want(t, 413, "payload_too_large")
	s.as(s.Admin).post(t, "/v1/bulk-offboardings", body{"members": members, "confirmed": true}).into(t, 202, nil)
}

func TestBulkOfACSVFile(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	csv := s.as(s.Admin).with("Content-Type", "text/csv")
	bad := csv.post(t, "/v1/bulk-offboardings/csv", "email,last_day,reason\nm4@acme.example,soon,left\n").want(t, 400, offboarding.CodeInvalidArgument)
	require.Equal(t, "line 2, last_day", bad.Errors[0].Field)
	var started api.BulkStarted
	csv.post(t, "/v1/bulk-offboardings/csv?all_or_nothing=true", fmt.Sprintf("email,last_day,reason,new_owner_email\n%s,%s,left,m3@acme.example\n",
		"m4@acme.example", time.Now().AddDate(0, 0, 5).Format(time.DateOnly))).into(t, 202, &started)
	var page offboarding.Page[offboarding.BulkMemberRow]
	require.Eventually(t, func() bool {
		s.as(s.Admin).get(t, started.URL+"/members").into(t, 200, &page)
		return page.Items[0].Outcome == offboarding.BulkMemberScheduled
	}, 20*time.Second, 50*time.Millisecond)
	require.Equal(t, s.Leaver, page.Items[0].MemberID)
	var run api.BulkAnswer
	s.as(s.Admin).get(t, started.URL).into(t, 200, &run)
	require.True(t, run.AllOrNothing)
}
