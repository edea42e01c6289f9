package api_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
)

func (s *stand) offboard(t *testing.T, member string) {
	t.Helper()
	status, err := s.cases.StartAndAwait(t.Context(), offboarding.Request{MemberID: member, RequestedBy: s.Owner})
	require.NoError(t, err)
	require.NotNil(t, status.DeactivatedAt)
}

// leaves is a stand on which the leaver has a document that a maker has an edit grant
// on, and has left.
func leaves(t *testing.T) (s *stand, document, maker string) {
	t.Helper()
	s = newStand(t)
	document, maker = s.Document(s.Leaver, ""), s.Maker()
	s.Grant(document, maker, offboarding.GrantEdit)
	s.Document(s.Leaver, "")
	s.offboard(t, s.Leaver)
	return s, document, maker
}

type documentsPage = offboarding.Page[api.Document]

func ids(page documentsPage) []string {
	out := []string{}
	for _, d := range page.Items {
		out = append(out, d.ID)
	}
	return out
}

// Seed 002: members see what they have access to, and what they may do about it.
func TestDocuments(t *testing.T) {
	t.Parallel()
	s, document, maker := leaves(t)
	viewer := s.Member(offboarding.RoleReader, offboarding.AccountViewer)
	s.Grant(document, viewer, offboarding.GrantView)
	others := s.Document(s.Manager, "")
	foreign := fixture.New(t, s.DB)
	theirs := foreign.Document(foreign.Leaver, "")

	var page documentsPage
	s.as(s.Admin).get(t, "/v1/documents").into(t, 200, &page)
	require.Len(t, page.Items, 3)
	s.as(s.Admin).get(t, "/v1/documents?unowned=true&limit=1").into(t, 200, &page)
	require.Equal(t, []string{document}, ids(page))
	s.as(s.Admin).get(t, "/v1/documents?unowned=true&limit=1&cursor="+page.Next).into(t, 200, &page)
	require.Len(t, page.Items, 1)
	s.as(s.Admin).get(t, "/v1/documents?owner=external:m3").into(t, 200, &page)
	require.Equal(t, []string{others}, ids(page))

	for member, may := range map[string]string{maker: "claim", viewer: "request"} {
		page = documentsPage{}
		s.as(member).get(t, "/v1/documents?claimable=true").into(t, 200, &page)
		require.Equal(t, []string{document}, ids(page))
		require.Equal(t, may, page.Items[0].May)
		require.Equal(t, member == viewer, page.Items[0].ClaimObstacle == offboarding.ObstacleAccount, "and why not to claim")
		require.Equal(t, 7, *page.Items[0].GraceDaysLeft)
		s.as(member).get(t, "/v1/documents").into(t, 200, &page)
		require.Equal(t, []string{document}, ids(page), "nothing but what they have a grant on")
	}
	page = documentsPage{}
	s.as(s.Manager).get(t, "/v1/documents?owner=me").into(t, 200, &page)
	require.Equal(t, []string{others}, ids(page))
	s.as(s.Manager).get(t, "/v1/documents?owner="+uuid.NewString()).into(t, 200, &page)
	s.as(s.Manager).get(t, "/v1/documents?owner="+foreign.Leaver).into(t, 200, &page)
	require.Empty(t, page.Items)
	s.as(s.Admin).get(t, "/v1/documents?owner="+foreign.Leaver).want(t, 404, offboarding.CodeMemberNotFound)
	s.as(s.Admin).get(t, "/v1/documents?organization="+foreign.ID).want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).get(t, "/v1/documents?cursor=x").want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).get(t, "/v1/documents?unownd=true").want(t, 400, offboarding.CodeInvalidArgument)

	var cases offboarding.Page[offboarding.CaseRow]
	s.as(s.Admin).get(t, "/v1/offboardings?waiting=true").into(t, 200, &cases)
	require.Len(t, cases.Items, 1)
	s.as(s.Admin).post(t, "/v1/offboardings/search", body{"q": "m4", "waiting": true}).into(t, 200, &cases)
	require.Equal(t, 2, cases.Items[0].Unowned)

	var one api.Document
	s.as(viewer).get(t, "/v1/documents/"+document).into(t, 200, &one)
	require.Equal(t, offboarding.GrantView, one.Grant)
	for _, hidden := range []string{others, theirs, uuid.NewString(), "external:none", "%00"} {
		status, code := 404, offboarding.CodeNoAccess
		if hidden == "%00" {
			status, code = 400, offboarding.CodeInvalidArgument
		}
		s.as(viewer).get(t, "/v1/documents/"+hidden).want(t, status, code)
	}
	s.as(s.Admin).get(t, "/v1/documents/"+theirs).want(t, 404, offboarding.CodeNoAccess)
}

// Rules C1 and C2: the first claim wins, the others hear that it is taken.
func TestClaimAndRequest(t *testing.T) {
	t.Parallel()
	s, document, maker := leaves(t)
	viewer, late := s.Member(offboarding.RoleReader, offboarding.AccountViewer), s.Maker()
	s.Grant(document, viewer, offboarding.GrantView)
	s.Grant(document, late, offboarding.GrantEdit)
	path := "/v1/documents/" + document

	s.as(viewer).post(t, path+"/claim", nil).want(t, 403, offboarding.CodeNotEligibleToClaim)
	var out offboarding.Outcome
	s.as(viewer).post(t, path+"/request-ownership", body{"note": "I know it"}).into(t, 200, &out)
	require.Equal(t, offboarding.OutcomeRequested, out.Outcome)
	s.as(viewer).post(t, path+"/request-ownership", nil).want(t, 409, offboarding.CodeAlreadyRequested)
	s.as(s.Manager).post(t, path+"/claim", nil).want(t, 404, offboarding.CodeNoAccess)
	s.as(s.Admin).post(t, path+"/claim", nil).want(t, 404, offboarding.CodeNoAccess)

	asked := out.RequestID
	out = offboarding.Outcome{}
	s.as(maker).post(t, path+"/claim", body{}).into(t, 200, &out)
	require.Equal(t, []any{offboarding.OutcomeClaimed, maker, []string{asked}}, []any{out.Outcome, out.OwnerID, out.Superseded})
	s.as(late).post(t, path+"/claim", nil).want(t, 409, offboarding.CodeAlreadyOwned)
	s.as(late).post(t, path+"/request-ownership", nil).want(t, 409, offboarding.CodeAlreadyOwned)
	require.Equal(t, maker+" editable", s.DocumentState(document))

	var request offboarding.RequestRow
	s.as(viewer).get(t, "/v1/ownership-requests/"+asked).into(t, 200, &request)
	require.Equal(t, offboarding.RequestSuperseded, request.Status)
}

// Rule C1: whose answer was lost asks again, and is answered as the first time, also
// when the case has closed since. Nobody else is, nor who owned the document all along.
func TestAClaimIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	s, document, maker := leaves(t)
	late := s.Maker()
	s.Grant(document, late, offboarding.GrantEdit)
	own := s.Document(maker, "")
	path := "/v1/documents/" + document
	claimed := func() {
		t.Helper()
		var out offboarding.Outcome
		s.as(maker).post(t, path+"/claim", nil).into(t, 200, &out)
		require.Equal(t, []any{offboarding.OutcomeClaimed, document, maker}, []any{out.Outcome, out.DocumentID, out.OwnerID})
		require.Equal(t, maker+" editable", s.DocumentState(document))
		require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ClaimDocOwnership'`))
		s.as(maker).post(t, path+"/request-ownership", nil).want(t, 409, offboarding.CodeAlreadyOwned)
		s.as(late).post(t, path+"/claim", nil).want(t, 409, offboarding.CodeAlreadyOwned)
		s.as(maker).post(t, "/v1/documents/"+own+"/claim", nil).want(t, 409, offboarding.CodeAlreadyOwned)
	}
	claimed()
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases WHERE closed_at IS NULL`))
	claimed()
	s.as(s.Admin).post(t, "/v1/documents/transfer", body{"from": s.Leaver}).into(t, 200, nil)
	_, err := s.cases.Result(t.Context(), offboarding.WorkflowID(s.Leaver))
	require.NoError(t, err)
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases WHERE closed_at IS NOT NULL`))
	claimed()
	// Who has passed it on does not have it any more.
	s.Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, document, s.Manager)
	s.as(maker).post(t, path+"/claim", nil).want(t, 409, offboarding.CodeAlreadyOwned)
}

// Rule C1 over HTTP: of many at once exactly one wins.
func TestClaimsAtOnce(t *testing.T) {
	t.Parallel()
	s, document, _ := leaves(t)
	const n = 6
	statuses := make(chan int, n)
	for range n {
		member := s.Maker()
		s.Grant(document, member, offboarding.GrantEdit)
		go func() {
			statuses <- s.as(member).post(t, "/v1/documents/"+document+"/claim", nil).status
		}()
	}
	count := map[int]int{}
	for range n {
		count[<-statuses]++
	}
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: n - 1}, count)
}

// Rules T1 and N1: all of a leaver's documents, or some, of several leavers too.
func TestTransfer(t *testing.T) {
	t.Parallel()
	s, document, maker := leaves(t)
	second := s.Maker()
	of := s.Document(second, "")
	here := s.Document(s.Manager, "")
	s.offboard(t, second)
	viewer := s.Member(offboarding.RoleReader, offboarding.AccountViewer)
	const path = "/v1/documents/transfer"

	s.as(maker).post(t, path, body{"from": s.Leaver}).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).post(t, path, body{}).want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).post(t, path, body{"from": s.Manager}).want(t, 409, offboarding.CodeMemberStillActive)
	s.as(s.Admin).post(t, path, body{"document_ids": []string{document, here, uuid.NewString()}, "new_owner": "external:none"}).
		want(t, 409, offboarding.CodeMemberStillActive, offboarding.CodeNoAccess, offboarding.CodeNewOwnerNotEligible)
	s.as(s.Admin).post(t, path, body{"from": s.Leaver, "new_owner": viewer}).want(t, 409, offboarding.CodeNewOwnerNotEligible)
	require.Zero(t, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'TransferDocs'`), "a refusal changes nothing")

	var out api.Transferred
	s.as(s.Admin).post(t, path, body{"document_ids": []string{document, of, document}, "new_owner": "external:m3"}).into(t, 200, &out)
	require.Equal(t, []any{"SUCCESS", 0, 2, 2}, []any{out.Message, out.ResultCode, out.Documents, len(out.Transfers)})
	require.Equal(t, s.Manager+" editable", s.DocumentState(document))
	require.Equal(t, s.Manager+" editable", s.DocumentState(of))
	out = api.Transferred{}
	s.as(s.Admin).post(t, path, body{"from": s.Leaver}).into(t, 200, &out)
	require.Equal(t, []any{1, s.Admin}, []any{out.Documents, out.Transfers[0].OwnerID}, "the rest goes to who does it (rule N2)")
}

// A transfer from several leavers says of each what became of it.
func TestTransferInPart(t *testing.T) {
	t.Parallel()
	s, document, _ := leaves(t)
	second := s.Maker()
	held := s.Document(second, "")
	s.offboard(t, second)
	s.as(s.Admin).post(t, "/v1/legal-holds", body{"document_id": held, "reason": "matter 1"}).into(t, 201, nil)
	var out api.Transferred
	s.as(s.Admin).post(t, "/v1/documents/transfer", body{"document_ids": []string{document, held}}).into(t, 200, &out)
	require.Equal(t, []any{"PARTIAL_SUCCESS", 3, 1}, []any{out.Message, out.ResultCode, out.Documents})
	require.Equal(t, "refused", out.Transfers[1].Outcome)
	require.Equal(t, offboarding.CodeLegalHold, out.Transfers[1].Errors[0].Code)
	s.as(s.Admin).post(t, "/v1/documents/transfer", body{"document_ids": []string{held}}).want(t, 409, offboarding.CodeLegalHold)
}
