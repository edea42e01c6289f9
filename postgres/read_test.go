package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// readTime is the moment at which the reads are made; the case of the leaver
// began an hour before.
var readTime = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// readID makes IDs that tell what they name: a kind and a number.
func readID(kind string, n int) string {
	return fmt.Sprintf("%s-0000-4000-8000-%012d", map[string]string{
		"organization": "0a000000", "member": "0b000000", "folder": "0c000000", "document": "0d000000", "case": "0e000000",
		"request": "0f000000", "other": "0aa00000",
	}[kind], n)
}

// readStore has two organizations. In acme: 1 the owner, 2 an admin, 3 the
// leaver with six documents, 4 a maker with edit grants, 5 a viewer. In globex: 6,
// who shares the external ID "m3" with the leaver.
func readStore(t *testing.T) *postgres.Store {
	t.Helper()
	db := testdb.New(t)
	exec := func(query string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), query, args...)
		require.NoError(t, err)
	}
	before := readTime.Add(-24 * time.Hour)
	for n, slug := range map[int]string{1: "acme", 2: "globex"} {
		exec(`INSERT INTO organizations VALUES ($1, NULL, $2, $2, $3, 0, 'self_serve', 604800, 'retain', 'UTC', 'none', false, $4)`,
			readID("organization", n), slug, "{"+slug+".example}", before)
	}
	member := func(n, organization int, external, email, role, account string) {
		t.Helper()
		exec(`INSERT INTO members VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', NULL, '', '', $8, NULL)`,
			readID("member", n), readID("organization", organization), external, email, fmt.Sprintf("Member %d", n), role, account, before)
	}
	member(1, 1, "m1", "owner@acme.example", "owner", "maker")
	member(2, 1, "m2", "admin@acme.example", "admin", "maker")
	member(3, 1, "m3", "Ada@acme.example", "contributor", "maker")
	member(4, 1, "m4", "grace@acme.example", "contributor", "maker")
	member(5, 1, "m5", "viewer@acme.example", "reader", "viewer")
	member(6, 2, "m3", "bob@globex.example", "owner", "maker")
	exec(`INSERT INTO folders VALUES ($1, $2, NULL, NULL, 'Team', NULL, NULL, $3), ($4, $2, $5, NULL, 'Drafts', NULL, NULL, $3)`,
		readID("folder", 1), readID("organization", 1), before, readID("folder", 2), readID("member", 3))
	for n := 1; n <= 6; n++ {
		folder := map[int]any{1: readID("folder", 1), 2: readID("folder", 2)}[n]
		access := map[bool]string{true: "archived", false: "editable"}[n == 6]
		exec(`INSERT INTO documents (id, organization_id, external_id, title, kind, folder_id, owner_id, access, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`, readID("document", n), readID("organization", 1), fmt.Sprintf("d%d", n),
			fmt.Sprintf("Document %d", n), map[bool]string{true: "sheet", false: "workbook"}[n <= 2], folder, readID("member", 3), access, before)
	}
	for document, member := range map[int]int{1: 4, 2: 4, 3: 5} {
		exec(`INSERT INTO grants VALUES ($1, $2, $3, 'edit')`, readID("organization", 1), readID("document", document), readID("member", member))
	}
	exec(`INSERT INTO schedules VALUES ($1, $2, $3, 'export', '0 6 * * 1', 'active', NULL)`,
		readID("other", 1), readID("organization", 1), readID("document", 1))
	exec(`INSERT INTO credentials VALUES ($1, $2, $3, 'api', 'ci', 'active', $4, NULL)`,
		readID("other", 1), readID("organization", 1), readID("member", 3), before)
	exec(`INSERT INTO sessions VALUES ($1, $2, $3, false, 'active', $4, NULL)`,
		readID("other", 1), readID("organization", 1), readID("member", 3), before)
	return postgres.New(db)
}

// openCase opens a case as the workflow would.
func openCase(t *testing.T, s *postgres.Store, n, member int, effective string) {
	t.Helper()
	_, err := s.Admit(t.Context(), offboarding.AdmitInput{
		CaseID: readID("case", n), WorkflowID: offboarding.WorkflowID(readID("member", member)),
		At: readTime.Add(time.Duration(n-60) * time.Minute),
		Request: offboarding.Request{
			MemberID: readID("member", member), RequestedBy: readID("member", 1), EffectiveAt: effective,
		},
	})
	require.NoError(t, err)
}

func TestFindMember(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	for name, test := range map[string]struct {
		ref, organization string
		want              int // 0 when refused
		code              offboarding.Code
	}{
		"ID":                              {ref: readID("member", 3), want: 3},
		"email, whatever its case":        {ref: "ADA@acme.example", want: 3},
		"email with its prefix":           {ref: "email:ada@acme.example", want: 3},
		"external ID":                     {ref: "m4", want: 4},
		"external ID with its prefix":     {ref: "external:m4", want: 4},
		"external ID of two":              {ref: "m3", code: offboarding.CodeAmbiguousMember},
		"external ID, organization named": {ref: "m3", organization: "globex", want: 6},
		"organization by ID":              {ref: "m3", organization: readID("organization", 1), want: 3},
		"in another organization":         {ref: readID("member", 3), organization: "globex", code: offboarding.CodeMemberNotFound},
		"nobody":                          {ref: "ghost@acme.example", code: offboarding.CodeMemberNotFound},
		"nothing":                         {ref: "", code: offboarding.CodeMemberNotFound},
		"an attempt at SQL":               {ref: "' OR true --", code: offboarding.CodeMemberNotFound},
	} {
		m, err := store.FindMember(t.Context(), test.ref, test.organization)
		if test.code != "" {
			require.Equal(t, test.code, offboarding.CodeOf(err), "%s: %v", name, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, readID("member", test.want), m.ID, name)
	}
}

func TestFindDocument(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	for _, ref := range []string{"d1", "external:d1", readID("document", 1)} {
		d, err := store.FindDocument(t.Context(), ref, "acme")
		require.NoError(t, err, ref)
		require.Equal(t, readID("document", 1), d.ID, ref)
		require.Equal(t, readID("member", 3), d.OwnerID, ref)
	}
	for _, organization := range []string{"globex", "nowhere"} {
		_, err := store.FindDocument(t.Context(), "d1", organization)
		require.Equal(t, offboarding.CodeNoAccess, offboarding.CodeOf(err))
	}
}

func TestCasesAndTheirPages(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	openCase(t, store, 1, 3, "2026-03-02T11:30:00Z") // has passed since
	openCase(t, store, 2, 4, "2026-04-01")
	openCase(t, store, 3, 5, "2026-04-01")
	_, err := store.DB().Exec(`UPDATE cases SET trouble_step = 'revoke', trouble_attempt = 7, trouble_error = 'no answer',
		trouble_since = $2 WHERE id = $1`, readID("case", 2), readTime)
	require.NoError(t, err)

	list := func(f offboarding.CaseFilter) []string {
		t.Helper()
		f.Now = readTime
		page, err := store.Cases(t.Context(), f)
		require.NoError(t, err)
		ids := []string{}
		for _, row := range page.Items {
			ids = append(ids, row.ID)
		}
		return ids
	}
	one, two, three := readID("case", 1), readID("case", 2), readID("case", 3)
	require.Equal(t, []string{three, two, one}, list(offboarding.CaseFilter{}), "the newest first")
	require.Equal(t, []string{one}, list(offboarding.CaseFilter{Overdue: true}))
	require.Equal(t, []string{two}, list(offboarding.CaseFilter{Troubled: true}))
	require.Equal(t, []string{two}, list(offboarding.CaseFilter{MemberID: readID("member", 4), OpenOnly: true}))
	require.Empty(t, list(offboarding.CaseFilter{Phase: offboarding.PhaseGrace}))
	require.Empty(t, list(offboarding.CaseFilter{OrganizationID: readID("organization", 2)}))
	require.Empty(t, list(offboarding.CaseFilter{OrganizationID: "acme"}), "a slug is no ID")

	var seen []string
	filter := offboarding.CaseFilter{Now: readTime, Limit: 1}
	for {
		page, err := store.Cases(t.Context(), filter)
		require.NoError(t, err)
		seen = append(seen, page.Items[0].ID)
		if filter.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	require.Equal(t, []string{three, two, one}, seen, "pages of one")
	_, err = store.Cases(t.Context(), offboarding.CaseFilter{Cursor: "nonsense"})
	require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(err))

	row, err := store.FindCase(t.Context(), readID("member", 3), readTime)
	require.NoError(t, err)
	require.True(t, row.Overdue)
	require.Equal(t, "Ada@acme.example", row.MemberEmail)
	require.Equal(t, time.UTC, row.EffectiveAt.Location())
	_, err = store.FindCase(t.Context(), readID("member", 1), readTime)
	require.Equal(t, offboarding.CodeCaseNotFound, offboarding.CodeOf(err))
}

func TestRequestsWaitInTheirOrder(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	openCase(t, store, 1, 3, "2026-04-01")
	for n, member := range map[int]int{1: 4, 2: 5} {
		_, err := store.DB().Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
			VALUES ($1, $2, $3, $4, $5, 'mine', 'pending', $6)`, readID("request", n), readID("organization", 1), readID("case", 1),
			readID("document", 1), readID("member", member), readTime.Add(time.Duration(n)*time.Minute))
		require.NoError(t, err)
	}
	page, err := store.Requests(t.Context(), offboarding.RequestFilter{DocumentID: readID("document", 1)})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	require.Equal(t, readID("request", 1), page.Items[0].ID)
	require.Equal(t, "Document 1", page.Items[0].DocumentTitle)
	page, err = store.Requests(t.Context(), offboarding.RequestFilter{Status: offboarding.RequestApproved})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	row, err := store.FindRequest(t.Context(), readID("request", 2))
	require.NoError(t, err)
	require.Equal(t, offboarding.WorkflowID(readID("member", 3)), row.WorkflowID)
	_, err = store.FindRequest(t.Context(), "no ID")
	require.Equal(t, offboarding.CodeRequestNotPending, offboarding.CodeOf(err))
}

func TestAuditEvents(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	for n := 1; n <= 3; n++ {
		openCase(t, store, n, n+2, "2026-04-01")
	}
	read := func(f offboarding.AuditFilter) offboarding.Page[offboarding.AuditRow] {
		t.Helper()
		page, err := store.AuditEvents(t.Context(), f)
		require.NoError(t, err)
		return page
	}
	require.Len(t, read(offboarding.AuditFilter{Events: []string{offboarding.EventScheduleOffboarding}}).Items, 3)
	require.Empty(t, read(offboarding.AuditFilter{Events: []string{offboarding.EventClaimDocOwnership}}).Items)
	one := read(offboarding.AuditFilter{MemberID: readID("member", 3), CaseID: readID("case", 1)}).Items
	require.Len(t, one, 1)
	require.Equal(t, "Member 1", one[0].ActorName)
	require.Equal(t, "Member 3", one[0].MemberName)
	require.Equal(t, readTime.Add(-59*time.Minute), one[0].At)
	require.Len(t, read(offboarding.AuditFilter{From: readTime.Add(-58 * time.Minute)}).Items, 2, "from is included")
	require.Len(t, read(offboarding.AuditFilter{To: readTime.Add(-58 * time.Minute)}).Items, 1, "to is not")

	first := read(offboarding.AuditFilter{Limit: 2, OldestFirst: true})
	require.Equal(t, readID("case", 1), first.Items[0].CaseID)
	second := read(offboarding.AuditFilter{Limit: 2, OldestFirst: true, Cursor: first.Next})
	require.Equal(t, readID("case", 3), second.Items[0].CaseID)
	require.Empty(t, second.Next)
	_, err := store.AuditEvents(t.Context(), offboarding.AuditFilter{Cursor: "x"})
	require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(err))
}

func TestReadsStopWithTheirContext(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := store.Cases(ctx, offboarding.CaseFilter{})
	require.ErrorIs(t, err, context.Canceled)
}
