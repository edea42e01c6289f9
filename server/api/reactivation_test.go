package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// A preview of a reactivation says what it would come to, of one member and of many.
func TestPreviewReactivations(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	other := fixture.New(t, s.DB)
	s.Member(offboarding.RoleOwner, offboarding.AccountMaker) // one stays
	s.Exec(`UPDATE members SET status = 'inactive', deactivated_at = created_at WHERE id = ANY (ARRAY[$1, $2]::uuid[])`, s.Leaver, s.Owner)
	s.Document(s.Leaver, "")
	admin := s.as(s.Admin)
	var one offboarding.PreviewedReactivation
	admin.get(t, "/v1/members/external:m4/reactivation-preview").into(t, 200, &one)
	require.Equal(t, offboarding.PreviewedReactivation{
		Position: 1, MemberID: s.Leaver, MemberName: "Member 4", Email: "m4@acme.example", Status: offboarding.MemberInactive, Documents: 1,
	}, one)
	admin.get(t, "/v1/members/"+s.Owner+"/reactivation-preview").want(t, 403, offboarding.CodeNotAuthorized)
	admin.get(t, "/v1/members/"+other.Leaver+"/reactivation-preview").want(t, 404, offboarding.CodeMemberNotFound)

	var many offboarding.ReactivationPreview
	admin.post(t, "/v1/members/reactivate/preview", body{"member_ids": []string{s.Owner, s.Leaver, other.Leaver}}).into(t, 200, &many)
	require.Equal(t, 1, many.Allowed)
	require.Equal(t, offboarding.CodeNotAuthorized, many.Members[0].Violations[0].Code)
	require.Equal(t, offboarding.CodeMemberNotFound, many.Members[2].Violations[0].Code)
	require.Empty(t, many.Members[2].Email)
	admin.post(t, "/v1/members/reactivate/preview", body{"member_ids": []string{}}).want(t, 400, offboarding.CodeInvalidArgument)
}

// A preview of a deletion says what it would do, and whom it would offboard first.
func TestPreviewADeletion(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	s.Document(s.Leaver, "")
	admin := s.as(s.Admin)
	var preview offboarding.DeletionPreview
	admin.get(t, "/v1/members/"+s.Leaver+"/deletion-preview").into(t, 200, &preview)
	require.True(t, preview.Allowed)
	require.True(t, preview.OffboardFirst)
	require.Equal(t, 1, preview.Documents.Total)
	admin.get(t, "/v1/members/"+s.Owner+"/deletion-preview").want(t, 403, offboarding.CodeNotAuthorized, offboarding.CodeLastOwner)
}
