package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/problem"
)

// event writes an audit event of the organization by hand.
func event(o *fixture.Organization, name, member, document, origin string, at time.Time) {
	o.Exec(`INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, subject_kind, subject_id, before, after, at)
		VALUES ($1, $2, $3, $4, nullif($5, '')::uuid, nullif($6, '')::uuid, 'document', 'x', '{}', '{}', $7)`, o.ID, name, o.Admin, origin, member, document, at)
}

// Seed 002: admins see changes of ownership in the audit, by the events' names.
func TestAuditEvents(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	foreign := fixture.New(t, s.DB)
	document := s.Document(s.Leaver, "")
	day := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	event(s.Organization, offboarding.EventClaimDocOwnership, s.Leaver, document, "", day.Add(-time.Second))
	event(s.Organization, offboarding.EventTransferDocs, s.Manager, "", "SCRIPT,Acme,hr", day)
	event(s.Organization, offboarding.EventGrantEdit, s.Leaver, "", "", day.Add(24*time.Hour-time.Second))
	event(foreign, offboarding.EventTransferDocs, foreign.Leaver, "", "", day)

	list := func(query string) []string {
		t.Helper()
		names := []string{}
		for cursor := ""; ; {
			var page offboarding.Page[offboarding.AuditRow]
			s.as(s.Admin).get(t, "/v1/audit-events?limit=2&cursor="+cursor+query).into(t, 200, &page)
			for _, e := range page.Items {
				require.Equal(t, s.ID, e.OrganizationID)
				names = append(names, e.Event)
			}
			if cursor = page.Next; cursor == "" {
				return names
			}
		}
	}
	claim, transfer, grant := offboarding.EventClaimDocOwnership, offboarding.EventTransferDocs, offboarding.EventGrantEdit
	for query, want := range map[string][]string{
		"":           {grant, transfer, claim},
		"&order=asc": {claim, transfer, grant},
		"&event=ClaimDocOwnership,TransferDocs&order=asc":             {claim, transfer},
		"&member=external:m4":                                         {grant, claim},
		"&document=" + document:                                       {claim},
		"&case=" + document:                                           {},
		"&from=2026-03-04&to=2026-03-04":                              {grant, transfer},
		"&from=2026-03-04T00:00:01Z":                                  {grant},
		"&to=2026-03-04T01:00:00%2B01:00":                             {claim},
		"&to=2026-03-04T01:00:00+01:00":                               {claim},
		"&from=2026-03-04T00:00:00Z&event=NoSuchEvent":                {},
		"&organization=" + s.ID + "&event=" + transfer + "&order=asc": {transfer},
	} {
		require.Equal(t, want, list(query), query)
	}
	s.as(s.Admin).get(t, "/v1/audit-events?from=yesterday&to=x&member="+foreign.Leaver).
		want(t, 404, offboarding.CodeMemberNotFound, offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument)
	s.as(s.Admin).get(t, "/v1/audit-events?cursor=9999999999999999999999").want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Leaver).get(t, "/v1/audit-events").want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Leaver).get(t, "/v1/audit-events/export").want(t, 403, offboarding.CodeNotAuthorized)
}

// An export has every event once, and says at its end that it is whole.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	foreign := fixture.New(t, s.DB)
	event(foreign, offboarding.EventTransferDocs, foreign.Leaver, "", "", fixture.Start)
	const n = 2*offboarding.MaxLimit + 1
	s.Exec(`INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, subject_kind, subject_id, before, after, at)
		SELECT $1::uuid, 'TransferDocs', $2::uuid, '', $3::uuid, 'document', i::text, '{}', '{}', $4::timestamptz FROM generate_series(1, $5) i`, s.ID, s.Admin, s.Leaver, fixture.Start, n)
	s.Exec(`UPDATE members SET display_name = '=HYPERLINK("http://x","y")' WHERE id = $1`, s.Leaver)

	answer := s.as(s.Admin).get(t, "/v1/audit-events/export").into(t, 200, nil)
	require.Equal(t, "application/x-ndjson", answer.header.Get("Content-Type"))
	require.Regexp(t, `^attachment; filename="audit-\d{8}T\d{6}Z\.ndjson"$`, answer.header.Get("Content-Disposition"))
	require.Equal(t, "no-store", answer.header.Get("Cache-Control"))
	lines := bytes.Split(bytes.TrimSpace(answer.body), []byte("\n"))
	require.Len(t, lines, n+1)
	last := int64(0)
	for _, line := range lines[:n] {
		var row offboarding.AuditRow
		require.NoError(t, json.Unmarshal(line, &row))
		require.Greater(t, row.ID, last)
		require.Equal(t, s.ID, row.OrganizationID)
		last = row.ID
	}
	require.JSONEq(t, fmt.Sprintf(`{"event":"EndOfExport","events":%d}`, n), string(lines[n]))

	answer = s.as(s.Admin).get(t, "/v1/audit-events/export?format=csv&member="+s.Leaver).into(t, 200, nil)
	require.Equal(t, "text/csv; charset=utf-8", answer.header.Get("Content-Type"))
	table, err := csv.NewReader(bytes.NewReader(answer.body)).ReadAll()
	require.NoError(t, err)
	require.Len(t, table, n+2)
	column := func(name string) int {
		for i, header := range table[0] {
			if header == name {
				return i
			}
		}
		t.Fatalf("no column %s", name)
		return 0
	}
	require.Equal(t, `'=HYPERLINK("http://x","y")`, table[1][column("member_name")], "a formula is a text")
	require.Equal(t, "EndOfExport", table[n+1][column("event")])
	require.Equal(t, fmt.Sprintf(`{"events":%d}`, n), table[n+1][column("after")])

	answer = s.as(s.Admin).get(t, "/v1/audit-events/export?event=NoSuchEvent").into(t, 200, nil)
	require.JSONEq(t, `{"event":"EndOfExport","events":0}`, string(answer.body))
	s.as(s.Admin).get(t, "/v1/audit-events/export?format=xml").want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).get(t, "/v1/audit-events/export?from=x").want(t, 400, offboarding.CodeInvalidArgument)
}

// With the proof an export is verified by whoever has it; it has the seals of those
// organizations only that may be seen.
func TestAuditExportWithProof(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	foreign := fixture.New(t, s.DB)
	store := postgres.New(s.DB)
	for i := range 6 {
		event(s.Organization, offboarding.EventTransferDocs, s.Leaver, "", fmt.Sprint(i), fixture.Start)
		event(foreign, offboarding.EventTransferDocs, foreign.Leaver, "", "", fixture.Start)
	}
	for s.Count(`SELECT count(*) FROM audit_events WHERE id > (SELECT sealed_id FROM audit_horizon)`) > 0 {
		_, err := store.SealAudit(t.Context(), 4)
		require.NoError(t, err)
	}
	event(s.Organization, offboarding.EventTransferDocs, s.Leaver, "", "new", fixture.Start)
	export := func() offboarding.AuditReport {
		t.Helper()
		answer := s.as(s.Admin).get(t, "/v1/audit-events/export?proof=true").into(t, 200, nil)
		require.NotContains(t, string(answer.body), foreign.ID)
		v := &offboarding.AuditVerifier{}
		require.NoError(t, v.VerifyExport(bytes.NewReader(answer.body)))
		return v.Report()
	}
	r := export()
	require.Empty(t, r.Breaks)
	require.Len(t, r.Organizations, 1)
	require.Equal(t, 6, r.Organizations[0].Events)
	require.Equal(t, 1, r.Organizations[0].Unsealed)
	require.Equal(t, int64(3), r.Organizations[0].Number)

	s.Exec(`ALTER TABLE audit_events DISABLE TRIGGER USER`)
	s.Exec(`UPDATE audit_events SET origin = 'forged' WHERE origin = '3'`)
	require.Len(t, export().Breaks, 1)
	for _, filter := range []string{"format=csv", "event=TransferDocs", "member=" + s.Leaver, "case=" + s.ID, "from=2026-01-01", "to=2026-01-01"} {
		s.as(s.Admin).get(t, "/v1/audit-events/export?proof=true&"+filter).want(t, 400, offboarding.CodeInvalidArgument)
	}
}

// An export with proof keeps a moment of the database: there are two of them at a time.
func TestFewExportsWithProofAtOnce(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	s.Exec(`INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, subject_kind, subject_id, before, after, at)
		SELECT $1::uuid, 'TransferDocs', $2::uuid, '', $3::uuid, 'document', i::text, '{}', '{}', $4::timestamptz FROM generate_series(1, 40000) i`, s.ID, s.Admin, s.Leaver, fixture.Start)
	const path = "/v1/audit-events/export?proof=true"
	for range 2 {
		slow := s.as(s.Admin).open(t.Context(), t, http.MethodGet, path, nil)
		defer func() { require.NoError(t, slow.Body.Close()) }()
		require.Equal(t, 200, slow.StatusCode)
	}
	answer := s.as(s.Admin).get(t, path)
	answer.want(t, 429, problem.CodeRateLimited)
	require.Equal(t, "60", answer.header.Get("Retry-After"))
	s.as(s.Admin).get(t, "/v1/audit-events/export?event=NoSuchEvent").into(t, 200, nil)
}

// Where the database fails in the middle, the connection is broken off: what has come
// cannot be taken for the whole.
func TestACutExportDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	s.Exec(`INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, subject_kind, subject_id, before, after, at)
		SELECT $1::uuid, 'TransferDocs', $2::uuid, '', $3::uuid, 'document', i::text, '{}', '{}', $4::timestamptz FROM generate_series(1, 40000) i`, s.ID, s.Admin, s.Leaver, fixture.Start)
	for _, format := range []string{"ndjson", "csv"} {
		t.Run(format, func(t *testing.T) {
			response := s.as(s.Admin).open(t.Context(), t, http.MethodGet, "/v1/audit-events/export?format="+format, nil)
			defer func() { require.NoError(t, response.Body.Close()) }()
			require.Equal(t, 200, response.StatusCode)
			_, err := io.ReadFull(response.Body, make([]byte, 1000))
			require.NoError(t, err)
			// The server waits for us to read; meanwhile the table goes away.
			s.Exec(`ALTER TABLE audit_events RENAME TO gone`)
			rest, err := io.ReadAll(response.Body)
			s.Exec(`ALTER TABLE gone RENAME TO audit_events`)
			require.Error(t, err, "the connection is broken off")
			require.NotContains(t, string(rest), "EndOfExport")
			require.True(t, strings.Contains(s.log.String(), "an export of the audit was cut off"))
		})
	}
}
