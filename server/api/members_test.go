package api_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

func TestReadAMember(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	other := fixture.New(t, s.DB)
	s.Document(s.Leaver, "")
	for _, ref := range []string{s.Leaver, "external:m4", "email:m4@acme.example"} {
		var m offboarding.MemberDetail
		s.as(s.Admin).get(t, "/v1/members/"+ref).into(t, 200, &m)
		require.Equal(t, s.Leaver, m.ID)
		require.Equal(t, "Member 3", m.ManagerName)
		require.Equal(t, 1, m.Documents)
		require.Equal(t, fixture.Start, m.CreatedAt)
	}
	s.as("").get(t, "/v1/members/"+s.Leaver).want(t, 401, "unauthenticated")
	foreign := s.as(s.Admin).get(t, "/v1/members/"+other.Leaver).want(t, 404, offboarding.CodeMemberNotFound)
	nobody := s.as(s.Admin).get(t, "/v1/members/"+uuid.NewString()).want(t, 404, offboarding.CodeMemberNotFound)
	foreign.RefID, nobody.RefID = "", ""
	require.Equal(t, nobody, foreign, "an ID of another organization looks as one that does not exist")
	require.Equal(t, "id", nobody.Errors[0].Field, "the field is named as the route has it")
	byReader := s.as(s.Leaver).post(t, "/v1/documents/"+uuid.NewString()+"/claim", nil).want(t, 404, offboarding.CodeNoAccess)
	require.Equal(t, "id", byReader.Errors[0].Field)
	run := s.as(s.Admin).get(t, "/v1/bulk-offboardings/"+uuid.NewString()).want(t, 404, offboarding.CodeCaseNotFound)
	require.Equal(t, "id", run.Errors[0].Field)
	there := s.as(s.Leaver).get(t, "/v1/members/"+s.Manager).want(t, 403, offboarding.CodeNotAuthorized)
	for _, ref := range []string{uuid.NewString(), "email:nobody@acme.example", "external:nobody", other.Leaver} {
		not := s.as(s.Leaver).get(t, "/v1/members/"+ref).want(t, 403, offboarding.CodeNotAuthorized)
		not.RefID = there.RefID
		require.Equal(t, there, not, "who reads nobody else does not learn who is there")
	}
}
