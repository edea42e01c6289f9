package api_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// A list is judged row by row before anything happens; nothing does.
func TestBulkPreview(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	other := fixture.New(t, s.DB)
	maker := s.Maker() // m5
	s.Document(maker, "")
	var p offboarding.BulkPreview
	s.as(s.Admin).post(t, "/v1/bulk-offboardings/preview", body{"reason": "layoff", "new_owner_id": "email:m3@acme.example", "members": []body{
		{"member_id": maker},
		{"member_id": "email:m4@acme.example", "effective_at": nextYear, "disposition": "retain"},
		{"member_id": other.Leaver},
		{"member_id": "email:Nobody@acme.example"},
		{"member_id": s.Admin},
	}}).into(t, 200, &p)
	require.True(t, p.Allowed)
	require.Equal(t, offboarding.BulkPreviewCounts{Total: 5, Started: 1, Scheduled: 1, Refused: 3}, p.Counts)
	require.Equal(t, map[offboarding.Disposition]int{"transfer": 1, "retain": 0}, p.Documents)
	require.Equal(t, "PARTIAL_SUCCESS", p.Message)
	require.Equal(t, "Member 3", p.Items[0].NewOwnerName)
	require.True(t, p.Items[1].EffectiveAt.After(time.Now()))
	require.Equal(t, other.Leaver, p.Items[2].Reference, "as the request has it")
	require.Empty(t, p.Items[2].MemberName)
	require.Equal(t, "email:Nobody@acme.example", p.Items[3].Reference)
	require.Equal(t, offboarding.CodeMemberNotFound, p.Items[3].Violations[0].Code)
	require.Equal(t, offboarding.CodeSelfOffboarding, p.Items[4].Violations[0].Code)
	require.Zero(t, s.Count(`SELECT count(*) FROM cases`)+s.Count(`SELECT count(*) FROM bulk_runs`))

	s.as(s.Manager).post(t, "/v1/bulk-offboardings/preview", body{"members": []body{{"member_id": maker}}}).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).post(t, "/v1/bulk-offboardings/preview", body{"members": []body{}}).want(t, 400, offboarding.CodeInvalidArgument)
}

// Every mistake of a file is shown in its place, also where a row cannot be read.
func TestBulkPreviewOfACSVFile(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	s.Maker() // m5
	csv := s.as(s.Admin).with("Content-Type", "text/csv")
	const path = "/v1/bulk-offboardings/csv/preview"
	var p offboarding.BulkPreview
	csv.post(t, path, "email,last_day,reason\nm4@acme.example,"+nextYear+",left\nm5@acme.example,soon,left\n"+
		"no address,never,left\nonly one\nghost@acme.example,"+nextYear+",left\nM4@acme.example,"+nextYear+",again\n").into(t, 200, &p)
	require.False(t, p.Allowed)
	require.Empty(t, p.Violations)
	require.Equal(t, offboarding.BulkPreviewCounts{Total: 6, Scheduled: 1, Refused: 5}, p.Counts)
	for i, want := range []struct {
		outcome offboarding.BulkOutcome
		fields  []string
	}{
		{offboarding.BulkMemberScheduled, nil},
		{offboarding.BulkMemberRefused, []string{"last_day"}},
		{offboarding.BulkMemberRefused, []string{"email", "last_day"}},
		{offboarding.BulkMemberRefused, []string{""}},
		{offboarding.BulkMemberRefused, []string{"member_id"}},
		{offboarding.BulkMemberRefused, []string{"email"}},
	} {
		row := p.Items[i]
		require.Equal(t, i+2, row.Line)
		require.Equal(t, i+1, row.Position)
		require.Equal(t, want.outcome, row.Outcome, "%+v", row)
		var fields []string
		for _, v := range row.Violations {
			fields = append(fields, v.Field)
		}
		require.Equal(t, want.fields, fields, "%+v", row)
	}
	require.Equal(t, "ghost@acme.example", p.Items[4].Reference)

	p = offboarding.BulkPreview{}
	csv.post(t, path+"?all_or_nothing=true", "email,last_day,reason\nm4@acme.example,"+nextYear+",left\nghost@acme.example,"+nextYear+",left\n").into(t, 200, &p)
	require.True(t, p.Allowed)
	require.Equal(t, offboarding.BulkPreviewCounts{Total: 2, Refused: 1, NotStarted: 1}, p.Counts)
	require.Equal(t, "REFUSED", p.Message)

	for _, text := range []string{"nonsense\n", "email,reason\nm4@acme.example,x\n", "email,last_day,reason\n", "\x00\xff"} {
		p = offboarding.BulkPreview{}
		csv.post(t, path, text).into(t, 200, &p)
		require.False(t, p.Allowed, "%q", text)
		require.NotEmpty(t, p.Violations, "%q", text)
		require.Empty(t, p.Items)
	}
	csv.post(t, path, "").want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Manager).with("Content-Type", "text/csv").post(t, path, "email,last_day,reason\n").want(t, 403, offboarding.CodeNotAuthorized)
}
