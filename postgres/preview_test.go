package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestPreviewSaysWhatWouldHappen(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	preview, err := store.Preview(t.Context(), offboarding.Request{
		MemberID: "external:m3", RequestedBy: readID("member", 2), NewOwnerID: readID("member", 4), GracePeriod: "2d",
	}, readTime)
	require.NoError(t, err)
	require.True(t, preview.Allowed, "%v", preview.Violations)
	require.Equal(t, readID("member", 3), preview.MemberID)
	require.Equal(t, &offboarding.PlannedCase{
		Disposition: offboarding.DispositionTransfer, NewOwnerID: readID("member", 4), NewOwnerName: "Member 4",
		NewOwnerEmail: "grace@acme.example", EffectiveAt: readTime, GracePeriodSeconds: int64(48 * time.Hour / time.Second),
	}, preview.Plan)
	require.Equal(t, offboarding.PreviewDocuments{
		Total: 5, ByKind: map[string]int{"sheet": 2, "workbook": 3}, MyDocuments: 4, Shared: 1, Archived: 1, Claimable: 2, Unclaimable: 3,
	}, preview.Documents)
	require.Equal(t, offboarding.PreviewSchedules{Active: 1}, preview.Schedules)
	require.Equal(t, map[string]int{"api": 1}, preview.Credentials)
	require.Equal(t, 1, preview.Sessions)

	page, err := store.AuditEvents(t.Context(), offboarding.AuditFilter{})
	require.NoError(t, err)
	require.Empty(t, page.Items, "a preview changes nothing")
}

func TestPreviewNamesEveryRuleThatIsBroken(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	preview, err := store.Preview(t.Context(), offboarding.Request{
		MemberID: readID("member", 1), RequestedBy: readID("member", 2), Disposition: "shred", Origin: "FAX", NewOwnerID: "manager",
	}, readTime)
	require.NoError(t, err)
	require.False(t, preview.Allowed)
	require.Nil(t, preview.Plan)
	rules := []string{}
	for _, v := range preview.Violations {
		rules = append(rules, v.Rule)
	}
	require.Subset(t, rules, []string{"O1", "A2", "A3"})
	require.Equal(t, readID("member", 1), preview.MemberID, "what the member owns is shown all the same")

	preview, err = store.Preview(t.Context(), offboarding.Request{MemberID: readID("member", 6), RequestedBy: readID("member", 1)}, readTime)
	require.NoError(t, err)
	require.Equal(t, offboarding.CodeMemberNotFound, preview.Violations[0].Code, "another tenant's member is not found")
	require.Empty(t, preview.MemberID)
}

func TestPreviewOfAnOpenCaseAnswersWithIt(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	openCase(t, store, 1, 3, "2026-04-01")
	preview, err := store.Preview(t.Context(), offboarding.Request{MemberID: readID("member", 3), RequestedBy: readID("member", 2)}, readTime)
	require.NoError(t, err)
	require.True(t, preview.Allowed)
	require.Equal(t, readID("case", 1), preview.OpenCaseID)
	require.Nil(t, preview.Plan)
}

func TestPreviewOfADeletion(t *testing.T) {
	t.Parallel()
	store := readStore(t)
	r := offboarding.DeletionRequest{MemberID: readID("member", 3), RequestedBy: readID("member", 2)}
	active, err := store.PreviewDeletion(t.Context(), r, readTime)
	require.NoError(t, err)
	require.True(t, active.Allowed, "%v", active.Violations)
	require.True(t, active.OffboardFirst)
	require.Equal(t, offboarding.DispositionRetain, active.Plan.Disposition, "as the organization's settings say")
	require.Equal(t, offboarding.AttributionName, active.Attribution)
	require.Equal(t, 5, active.Documents.Total)
	require.Equal(t, 1, active.Sessions)

	of := func(member int) offboarding.DeletionPreview {
		r.MemberID = readID("member", member)
		preview, err := store.PreviewDeletion(t.Context(), r, readTime)
		require.NoError(t, err)
		require.Nil(t, preview.Plan)
		return preview
	}
	require.Equal(t, offboarding.CodeSelfOffboarding, of(2).Violations[0].Code)
	require.Equal(t, "A2", of(1).Violations[0].Rule)
	require.Equal(t, offboarding.CodeMemberNotFound, of(6).Violations[0].Code, "another tenant's member is not found")
	openCase(t, store, 1, 3, "2026-04-01")
	require.Equal(t, offboarding.CodeWrongPhase, of(3).Violations[0].Code)
	events, err := store.AuditEvents(t.Context(), offboarding.AuditFilter{})
	require.NoError(t, err)
	require.Len(t, events.Items, 1, "a preview changes nothing: %v", events.Items)
}
