package postgres_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

func (l *leaving) previewReactivation(members ...string) offboarding.ReactivationPreview {
	l.t.Helper()
	preview, err := l.store.PreviewReactivation(l.t.Context(), offboarding.ReactivationRequest{MemberIDs: members, RequestedBy: l.Admin})
	require.NoError(l.t, err)
	return preview
}

// What a preview counts is what the reactivation then does.
func TestPreviewOfAReactivation(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	for range 4 {
		l.Document(l.member, "")
	}
	l.completed()
	before := l.Count(`SELECT count(*) FROM audit_events`)
	preview := l.previewReactivation(l.member).Members[0]
	require.Equal(t, l.id, preview.CaseID)
	require.Empty(t, preview.Violations)
	moved := l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, l.Manager)
	require.Positive(t, moved)
	require.Equal(t, moved, preview.Moved)
	require.Equal(t, moved, preview.Returnable)
	require.Zero(t, preview.Documents)
	require.Equal(t, before, l.Count(`SELECT count(*) FROM audit_events`), "a preview changes nothing")

	l.Exec(`UPDATE documents SET held = true WHERE id = (SELECT id FROM documents WHERE owner_id = $1 LIMIT 1)`, l.Manager)
	require.Equal(t, moved-1, l.previewReactivation(l.member).Members[0].Returnable, "what is held stays where it is")
	l.reopened(returning)
	require.Equal(t, moved-1, l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, l.member))
	require.True(t, (&offboarding.Refusal{Violations: l.previewReactivation(l.member).Members[0].Violations}).Has(offboarding.CodeAlreadyActive))
}

// Each member is judged alone, as the reactivation judges them: who comes back takes a seat.
func TestPreviewOfManyReactivations(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	other := fixture.New(t, l.DB)
	first, second, managed, elsewhere := l.Maker(), l.Maker(), l.Maker(), l.Maker()
	l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = created_at WHERE id = ANY (ARRAY[$1, $2, $3, $4]::uuid[])`, first, second, managed, elsewhere)
	l.Exec(`UPDATE members SET email = 'e@elsewhere.example' WHERE id = $1`, elsewhere)
	l.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, managed)
	l.Exec(`UPDATE organizations SET seat_limit = (SELECT count(*) + 1 FROM members WHERE organization_id = $1 AND status = 'active') WHERE id = $1`, l.ID)
	preview := l.previewReactivation(first, second, managed, l.Owner, other.Leaver, "nobody", uuid.NewString(), elsewhere)
	require.Equal(t, 1, preview.Allowed)
	require.Equal(t, 7, preview.Refused)
	var codes [][]offboarding.Code
	for i, m := range preview.Members {
		require.Equal(t, i+1, m.Position)
		codes = append(codes, (&offboarding.Refusal{Violations: m.Violations}).Codes())
	}
	require.Equal(t, [][]offboarding.Code{
		nil,
		{offboarding.CodeSeatLimitExceeded},
		{offboarding.CodeSeatLimitExceeded, offboarding.CodeExternallyManaged},
		{offboarding.CodeNotAuthorized, offboarding.CodeAlreadyActive},
		{offboarding.CodeMemberNotFound},
		{offboarding.CodeMemberNotFound},
		{offboarding.CodeMemberNotFound},
		{offboarding.CodeSeatLimitExceeded, offboarding.CodeDomainNotAssociated},
	}, codes)
	require.Empty(t, preview.Members[4].MemberName, "another tenant's member is nobody")
	require.NotEmpty(t, preview.Members[1].MemberName)

	l.Provisioned("okta")
	all := l.previewReactivation(first, second)
	require.Equal(t, offboarding.CodeIDPAuthentication, all.Violations[0].Code, "rule R2")
	require.Zero(t, all.Allowed)
	require.Equal(t, 2, all.Refused)
}
