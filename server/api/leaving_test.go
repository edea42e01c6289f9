package api_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
)

func (s *stand) status(member string) string {
	return s.Text(`SELECT status FROM members WHERE id = $1`, member)
}

func TestDeactivateAsSeed003(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	document := s.Document(s.Leaver, "")
	a := s.as(s.Admin).with("smartsheet-integration-source", "AI,SampleOrg,My-AI-Connector-v2").
		post(t, "/v1/members/external:m4/deactivate", nil).into(t, 200, nil)
	require.JSONEq(t, `{"message":"SUCCESS","resultCode":0}`, string(a.body))
	require.Equal(t, "inactive", s.status(s.Leaver))
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document), "the organization retains")
	require.Equal(t, "AI,SampleOrg,My-AI-Connector-v2", s.Text(`SELECT origin FROM audit_events WHERE event = 'DeactivateMember'`))
	var row api.CaseDetail
	s.as(s.Admin).get(t, a.header.Get("Location")).into(t, 200, &row)
	require.Equal(t, offboarding.PhaseGrace, row.Phase)
	// It is so already: the open case answers (rule E2).
	s.as(s.Admin).post(t, "/v1/members/"+s.Leaver+"/deactivate", nil).into(t, 200, nil)

	s.Exec(`UPDATE members SET email = 'm@gmail.com' WHERE id = $1`, s.Manager)
	s.as(s.Admin).post(t, "/v1/members/"+s.Manager+"/deactivate", nil).want(t, 409, offboarding.CodeISPDomain)
	s.as(s.Manager).post(t, "/v1/members/"+s.Leaver+"/deactivate", nil).want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).with("smartsheet-integration-source", "BOT,a,b").post(t, "/v1/members/"+s.Leaver+"/deactivate", nil).
		want(t, 400, offboarding.CodeInvalidArgument)

	s.as(s.Admin).post(t, "/v1/members/"+s.Leaver+"/reactivate", nil).into(t, 200, nil)
	require.Equal(t, "active", s.status(s.Leaver))
	s.as(s.Admin).post(t, "/v1/members/"+s.Leaver+"/reactivate", nil).want(t, 409, offboarding.CodeAlreadyActive)
}

func TestDeactivateIsNotSaidOfWhoWaits(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver, "effective_at": time.Now().AddDate(0, 0, 3).Format(time.RFC3339)}).into(t, 201, nil)
	s.as(s.Admin).post(t, "/v1/members/"+s.Leaver+"/deactivate", nil).want(t, 409, offboarding.CodeWrongPhase)
	require.Equal(t, "active", s.status(s.Leaver))
}

func TestPatchAsSeed000(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	to := func(b body) *answer { return s.as(s.Admin).patch(t, "/v1/members/"+s.Leaver, b) }
	p := to(body{"isArchived": false, "newOwnerId": s.Manager, "archiveDocuments": true, "archiveScheduledExports": true})
	p.want(t, 400, offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument, offboarding.CodeInvalidArgument)
	to(body{"newOwnerId": s.Manager}).want(t, 400, offboarding.CodeInvalidArgument)
	to(body{"isArchived": true, "newOwnerId": s.Manager, "archiveDocuments": true}).want(t, 400, offboarding.CodeInvalidArgument)
	missing := to(body{"isArchived": true, "newOwnerId": "external:nobody"}).want(t, 409, offboarding.CodeNewOwnerNotEligible)
	require.Equal(t, "newOwnerId", missing.Errors[0].Field)
	require.Empty(t, s.Events())

	document := s.Document(s.Leaver, "")
	schedule := s.Schedule(document)
	var out struct {
		MemberID   string
		IsArchived bool
		ResultCode int
	}
	to(body{"isArchived": true, "newOwnerId": s.Manager, "archiveScheduledExports": true}).into(t, 200, &out)
	require.Equal(t, s.Leaver, out.MemberID)
	require.True(t, out.IsArchived)
	require.Eventually(t, func() bool { return s.DocumentState(document) == s.Manager+" editable" }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, "archived", s.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	to(body{"isArchived": true}).into(t, 200, nil)
	to(body{"isArchived": false}).into(t, 200, &out)
	require.False(t, out.IsArchived)
	require.Equal(t, "active", s.status(s.Leaver))
	to(body{"isArchived": false}).into(t, 200, nil)

	mine := s.Document(s.Leaver, "")
	to(body{"isArchived": true}).into(t, 200, nil)
	require.Eventually(t, func() bool { return s.DocumentState(mine) == s.Admin+" editable" }, 10*time.Second, 10*time.Millisecond, "nobody is named: the caller")
	other := s.Maker()
	archived := s.Document(other, "")
	s.as(s.Admin).patch(t, "/v1/members/"+other, body{"isArchived": true, "archiveDocuments": true}).into(t, 200, nil)
	require.Eventually(t, func() bool { return s.DocumentState(archived) == other+" archived" }, 10*time.Second, 10*time.Millisecond)
}

func TestDeactivateMany(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	one, two := s.Maker(), s.Maker()
	s.Document(one, "")
	var many api.ManyAnswer
	s.as(s.Admin).post(t, "/v1/members/deactivate", body{"memberIds": []string{one, "email:m5@acme.example", s.Owner, "external:nobody", "email:nobody@acme.example"}}).into(t, 200, &many)
	require.Equal(t, "PARTIAL_SUCCESS", many.Message)
	require.Equal(t, 3, many.ResultCode)
	require.Equal(t, []int{5, 1, 4}, []int{many.Total, many.Done, many.Refused}, "%+v", many)
	require.Equal(t, "inactive", s.status(one))
	require.Equal(t, []offboarding.Code{offboarding.CodeInvalidArgument}, many.Members[1].Codes, "named twice")
	require.Contains(t, many.Members[2].Codes, offboarding.CodeNotAuthorized)
	require.Equal(t, []offboarding.Code{offboarding.CodeMemberNotFound}, many.Members[3].Codes)
	require.Equal(t, []offboarding.Code{offboarding.CodeMemberNotFound}, many.Members[4].Codes)

	s.as(s.Admin).post(t, "/v1/members/deactivate", body{"memberIds": []string{two, s.Manager}}).into(t, 200, &many)
	require.Equal(t, "SUCCESS", many.Message)
	require.Zero(t, many.ResultCode)
	p := s.as(s.Admin).post(t, "/v1/members/deactivate", body{"memberIds": []string{s.Owner, s.Admin}})
	require.Equal(t, 403, p.status, "%s", p.body)

	s.as(s.Admin).post(t, "/v1/members/reactivate", body{"member_ids": []string{one, two, "external:nobody", s.Owner}}).into(t, 200, &many)
	require.Equal(t, []int{4, 2, 2}, []int{many.Total, many.Done, many.Refused}, "%+v", many)
	require.Equal(t, 3, many.ResultCode)
	require.Equal(t, "active", s.status(two))
	s.as(s.Admin).post(t, "/v1/members/reactivate", body{"member_ids": []string{"external:nobody"}}).want(t, 404, offboarding.CodeMemberNotFound)
	s.Exec(`UPDATE organizations SET identity_provider = 'saml' WHERE id = $1`, s.ID)
	s.as(s.Admin).post(t, "/v1/members/reactivate", body{"member_ids": []string{s.Manager}}).want(t, 409, offboarding.CodeIDPAuthentication)
}

func TestDeletionNeedsTheAddress(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	document := s.Document(s.Leaver, "")
	at := "/v1/members/" + s.Leaver
	s.as(s.Admin).with("Handover-Confirm-Email", "somebody@acme.example").del(t, at, nil).want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Manager).with("Handover-Confirm-Email", "m4@acme.example").del(t, at, nil).want(t, 403, offboarding.CodeNotAuthorized)
	require.Equal(t, "active", s.status(s.Leaver))

	// Without it the endpoint of seed 000 deactivates, and the caller gets the documents.
	var out api.Deletion
	s.as(s.Admin).del(t, at, nil).into(t, 200, &out)
	require.Equal(t, "deactivated", out.Outcome)
	require.Equal(t, "inactive", s.status(s.Leaver))
	require.Eventually(t, func() bool { return s.DocumentState(document) == s.Admin+" editable" }, 10*time.Second, 10*time.Millisecond)

	c := s.as(s.Admin).with(api.HeaderKey, "gone").with("Handover-Confirm-Email", "M4@acme.example")
	c.del(t, at, nil).into(t, 200, &out)
	require.Equal(t, "deleted", out.Outcome)
	require.Equal(t, "deleted", s.status(s.Leaver))
	// Who has died before the answer was kept is taken over from.
	events := len(s.Events())
	s.died(-time.Second)
	c.del(t, at, nil).into(t, 200, &out)
	require.Equal(t, "deleted", out.Outcome)
	require.Len(t, s.Events(), events)

	active := s.Maker()
	s.Document(active, "")
	a := s.as(s.Admin).with("Prefer", "respond-async").with("Handover-Confirm-Email", "m6@acme.example").del(t, "/v1/members/"+active, nil).into(t, 202, &out)
	require.Equal(t, "pending", out.Outcome)
	require.Eventually(t, func() bool {
		s.as(s.Admin).get(t, a.header.Get("Location")).into(t, 200, &out)
		return out.Outcome == "deleted"
	}, 20*time.Second, 50*time.Millisecond)
}

func TestMembersAreListed(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	other := fixture.New(t, s.DB)
	s.Exec(`UPDATE members SET status = 'inactive', deactivated_at = now() WHERE id = $1`, s.Leaver)
	document := s.Document(s.Leaver, "")
	list := func(c caller, query string) (ids []string) {
		var page offboarding.Page[offboarding.MemberRow]
		c.get(t, "/v1/members"+query).into(t, 200, &page)
		for _, m := range page.Items {
			ids = append(ids, m.ID)
		}
		return ids
	}
	require.Equal(t, []string{s.Owner, s.Admin, s.Manager}, list(s.as(s.Admin), ""))
	require.Equal(t, []string{s.Leaver}, list(s.as(s.Admin), "?status=inactive"))
	require.Equal(t, []string{s.Owner, s.Admin, s.Manager, s.Leaver}, list(s.as(s.Admin), "?status=all"))
	var page offboarding.Page[offboarding.MemberRow]
	s.as(s.Admin).get(t, "/v1/members?limit=2").into(t, 200, &page)
	require.Equal(t, 3, *page.Total)
	require.Equal(t, []string{s.Manager}, list(s.as(s.Admin), "?cursor="+page.Next))
	s.as(s.Manager).get(t, "/v1/members").want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Admin).get(t, "/v1/members?status=none").want(t, 400, offboarding.CodeInvalidArgument)
	s.as(s.Admin).get(t, "/v1/members?organization="+other.ID).want(t, 400, offboarding.CodeInvalidArgument)

	var documents offboarding.Page[offboarding.DocumentRow]
	s.as(s.Admin).get(t, "/v1/members/"+s.Leaver+"/documents").into(t, 200, &documents)
	require.Equal(t, document, documents.Items[0].ID)
	s.as(s.Manager).get(t, "/v1/members/"+s.Leaver+"/documents").want(t, 403, offboarding.CodeNotAuthorized)
	s.as(s.Manager).get(t, "/v1/members/me/documents").into(t, 200, &documents)
	require.Empty(t, documents.Items)
	s.as(other.Admin).get(t, "/v1/members/"+s.Leaver+"/documents").want(t, 404, offboarding.CodeMemberNotFound)

	// An ancestor with enterprise plan manager reaches down.
	s.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, other.ID)
	s.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, s.ID, other.ID)
	require.Len(t, list(s.as(other.Admin), "?status=all"), 8)
	require.Len(t, list(s.as(other.Admin), "?status=all&organization="+s.ID), 4)
	require.Len(t, list(s.as(s.Admin), "?status=all"), 4)
}
