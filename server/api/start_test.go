package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
)

func TestAStartAnswersWhenNobodyGetsInAnyMore(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	document := s.Document(s.Leaver, "")
	credential := s.Credential(s.Leaver)
	var start api.Start
	a := s.as(s.Admin).with("Handover-Integration-Source", "SCRIPT,Acme,hr").post(t, "/v1/offboardings", body{
		"member_id": "email:m4@acme.example", "new_owner_id": "manager", "reason": "left",
	}).into(t, 201, &start)
	require.True(t, start.AccessRevoked)
	require.Equal(t, "open", start.State)
	require.Equal(t, "/v1/offboardings/"+start.CaseID, a.header.Get("Location"))
	require.Equal(t, start.URL, a.header.Get("Location"))
	require.Equal(t, "inactive", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
	require.Equal(t, "SCRIPT,Acme,hr", s.Text(`SELECT DISTINCT origin FROM audit_events WHERE event = 'DeactivateMember'`))
	require.Eventually(t, func() bool { return s.DocumentState(document) == s.Manager+" editable" }, 10*time.Second, 10*time.Millisecond)
	require.NotContains(t, string(a.body), "acme.example")

	var detail api.CaseDetail
	s.as(s.Owner).get(t, start.URL).into(t, 200, &detail)
	require.Equal(t, s.Admin, detail.RequestedBy)
}

func TestASecondStartAnswersWithTheOpenCase(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	var first, second api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &first)
	s.as(s.Owner).post(t, "/v1/offboardings", body{"member_id": s.Leaver, "disposition": "archive"}).into(t, 200, &second)
	require.Equal(t, first.CaseID, second.CaseID)
	require.Equal(t, offboarding.DispositionRetain, second.Disposition)
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases`))
}

func TestOfManyStartsAtOnceOneOpensTheCase(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	statuses := make(chan int, 8)
	for range cap(statuses) {
		go func() { statuses <- s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).status }()
	}
	seen := map[int]int{}
	for range cap(statuses) {
		seen[<-statuses]++
	}
	require.Equal(t, map[int]int{201: 1, 200: cap(statuses) - 1}, seen)
}

func TestAScheduledStartSaysThatItWaits(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver, "effective_at": time.Now().AddDate(0, 0, 3).Format(time.RFC3339)}).into(t, 201, &start)
	require.False(t, start.AccessRevoked)
	require.Equal(t, "effective_at", start.WaitsFor)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
}

func TestAStartThatWaitsForSessionsSaysSo(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Exec(`UPDATE organizations SET sso_sessions = 'wait', identity_provider = 'saml' WHERE id = $1`, s.ID)
	s.Exec(`INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at, expires_at)
		VALUES (gen_random_uuid(), $1, $2, true, 'active', now(), now() + interval '1 hour')`, s.ID, s.Leaver)
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &start)
	require.False(t, start.AccessRevoked)
	require.Equal(t, "sessions_end_at", start.WaitsFor)
	require.NotNil(t, start.SessionsEndAt)
}

func TestARefusedStartSaysEverythingAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	other := fixture.New(t, s.DB)
	admin := s.as(s.Admin)
	start := func(c caller, b body) *answer { return c.post(t, "/v1/offboardings", b) }

	start(admin, body{"member_id": s.Admin}).want(t, 403, offboarding.CodeSelfOffboarding)
	start(admin, body{"member_id": s.Owner}).want(t, 403, offboarding.CodeNotAuthorized, offboarding.CodeLastOwner)
	start(s.as(s.Manager), body{"member_id": s.Leaver}).want(t, 403, offboarding.CodeNotAuthorized)
	start(s.as(""), body{"member_id": s.Leaver}).want(t, 401, "unauthenticated")
	// All at once, each under its field.
	p := start(admin.with("smartsheet-integration-source", "ROBOT,a,b"), body{
		"member_id": "external:nobody", "effective_at": "soon", "grace_period": "a while", "archive_schedules": true, "disposition": "archive",
	}).want(t, 404, offboarding.CodeMemberNotFound, offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument,
		offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument)
	fields := map[string]bool{}
	for _, fault := range p.Errors {
		fields[fault.Field] = true
	}
	require.Equal(t, map[string]bool{"member_id": true, "effective_at": true, "grace_period": true, "archive_schedules": true, "Smartsheet-Integration-Source": true}, fields)
	start(admin, body{"member_id": s.Leaver, "new_owner_id": "email:nobody@acme.example"}).want(t, 409, offboarding.CodeNewOwnerNotEligible)
	start(admin, body{"member_id": s.Leaver, "workspace_id": "external:none"}).want(t, 404, offboarding.CodeWorkspaceNotFound)
	start(admin, body{"member_id": s.Leaver, "requested_by": s.Owner}).want(t, 400, offboarding.CodeInvalidArgument)
	start(admin, body{}).want(t, 400, offboarding.CodeInvalidArgument)
	admin.post(t, "/v1/offboardings", "{").want(t, 400, offboarding.CodeInvalidArgument)
	admin.post(t, "/v1/offboardings", `{"member_id": "`+strings.Repeat("x", 300<<10)+`"}`).want(t, 413, "payload_too_large")

	// Nobody can tell a member of another organization from nobody.
	foreign := start(admin, body{"member_id": other.Leaver}).want(t, 404, offboarding.CodeMemberNotFound)
	nobody := start(admin, body{"member_id": uuid.NewString()}).want(t, 404, offboarding.CodeMemberNotFound)
	foreign.RefID, nobody.RefID = "", ""
	require.Equal(t, nobody, foreign)
	require.Zero(t, s.Count(`SELECT count(*) FROM cases`))
	require.Zero(t, s.Count(`SELECT count(*) FROM audit_events`))
}

func TestRespondAsync(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	async := s.as(s.Admin).with("Prefer", "wait=5")
	async.header["Prefer"] = append(async.header["Prefer"], `for="now, or later", Respond-Async`)
	var start api.Start
	a := async.post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 202, &start)
	require.Equal(t, "respond-async", a.header.Get("Preference-Applied"))
	require.Equal(t, "pending", start.State)
	require.False(t, start.AccessRevoked)
	at := a.header.Get("Location")
	require.Eventually(t, func() bool {
		s.as(s.Owner).get(t, at).into(t, 200, &start)
		return start.State == "open" && start.AccessRevoked
	}, 10*time.Second, 20*time.Millisecond)
	s.as(s.Owner).get(t, start.URL).into(t, 200, nil)

	a = async.post(t, "/v1/offboardings", body{"member_id": s.Owner}).into(t, 202, nil)
	require.Eventually(t, func() bool {
		s.as(s.Owner).get(t, a.header.Get("Location")).into(t, 200, &start)
		return start.State == "refused"
	}, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, offboarding.CodeNotAuthorized, start.Violations[0].Code)

	other := fixture.New(t, s.DB)
	s.as(other.Admin).get(t, at).want(t, 404, offboarding.CodeMemberNotFound)
	s.as(s.Admin).get(t, "/v1/members/"+s.Leaver+"/starts/"+uuid.NewString()).want(t, 404, offboarding.CodeCaseNotFound)
	// What can be seen in the request alone is not put off.
	async.post(t, "/v1/offboardings", body{"member_id": s.Manager, "effective_at": "soon"}).want(t, 400, offboarding.CodeInvalidArgument)
}

func TestRemovalFromAWorkspace(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.Workspace()
	s.Join(w, s.Leaver, offboarding.WorkspaceMember)
	s.Join(w, s.Manager, offboarding.WorkspaceAdmin)
	s.DocumentIn(w, s.Leaver)
	outsider := s.Maker()
	request := body{"member_id": s.Leaver, "workspace_id": w}
	s.as(outsider).post(t, "/v1/offboardings", request).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(outsider).post(t, "/v1/offboardings/preview", request).want(t, 403, offboarding.CodeNotAuthorized)
	for _, guess := range []body{ // they learn nothing from it, not even who is there
		{"member_id": "email:nobody@acme.example", "workspace_id": w},
		{"member_id": s.Leaver, "workspace_id": "external:none"},
		{"member_id": s.Owner, "workspace_id": w, "new_owner_id": "external:nobody"},
	} {
		s.as(outsider).post(t, "/v1/offboardings", guess).want(t, 403, offboarding.CodeNotAuthorized)
		s.as(outsider).post(t, "/v1/offboardings/preview", guess).want(t, 403, offboarding.CodeNotAuthorized)
	}
	refused := s.as(s.Manager).with("Prefer", "respond-async").post(t, "/v1/offboardings", body{"member_id": s.Admin, "workspace_id": w}).into(t, 202, nil)
	require.Eventually(t, func() bool { // who has asked hears what became of it, also of a refusal
		var state api.Start
		s.as(s.Manager).get(t, refused.header.Get("Location")).into(t, 200, &state)
		return state.State == "refused" && len(state.Violations) > 0
	}, 20*time.Second, 50*time.Millisecond)
	s.as(outsider).get(t, refused.header.Get("Location")).want(t, 404, offboarding.CodeCaseNotFound)
	var preview offboarding.Preview
	s.as(s.Manager).post(t, "/v1/offboardings/preview", request).into(t, 200, &preview)
	require.True(t, preview.Allowed)
	require.Equal(t, 1, preview.Documents.Total)
	var start api.Start
	s.as(s.Manager).post(t, "/v1/offboardings", request).into(t, 201, &start)
	require.Equal(t, w, start.WorkspaceID)
	require.True(t, start.AccessRevoked)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	s.as(s.Manager).get(t, start.URL).into(t, 200, nil)
	s.as(outsider).get(t, start.URL).want(t, 404, offboarding.CodeCaseNotFound)
	s.as(s.Manager).get(t, "/v1/offboardings").want(t, 403, offboarding.CodeNotAuthorized)
}
