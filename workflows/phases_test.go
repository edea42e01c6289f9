package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

func TestRetainGoesThroughGraceToReadOnlyAndCompletesWithTheLastClaim(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	colleague := s.Maker()
	credential, session := s.Credential(s.Leaver), s.Session(s.Leaver)
	early, late := s.Document(s.Leaver, ""), s.Document(s.Leaver, s.Folder("", "", "Shared"))
	s.Grant(early, colleague, offboarding.GrantEdit)
	s.Grant(late, colleague, offboarding.GrantEdit)

	var first, second *answer
	s.after(time.Hour, func() {
		require.Equal(t, offboarding.PhaseGrace, s.status().Phase)
		require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
		require.Equal(t, "revoked", s.Text(`SELECT status FROM sessions WHERE id = $1`, session))
		require.Equal(t, "inactive", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	})
	s.after(2*day, func() {
		first = s.update("1", offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: early, MemberID: colleague})
	})
	s.after(7*day-time.Minute, func() { require.Equal(t, s.Leaver+" editable", s.DocumentState(late)) })
	s.after(7*day+afterSpread, func() {
		require.Equal(t, s.Leaver+" read_only", s.DocumentState(late))
		require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase)
		require.Equal(t, 1, s.status().Documents.ReadOnly)
	})
	s.after(9*day, func() {
		second = s.update("2", offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: late, MemberID: colleague})
	})
	s.run(nil)

	require.NoError(t, s.env.GetWorkflowError())
	var result offboarding.Result
	require.NoError(t, s.env.GetWorkflowResult(&result))
	require.Equal(t, offboarding.PhaseCompleted, result.Phase)
	require.Equal(t, offboarding.Counts{Total: 2, Claimed: 2}, result.Documents)
	require.Equal(t, offboarding.OutcomeClaimed, first.outcome.Outcome)
	require.Equal(t, offboarding.OutcomeClaimed, second.outcome.Outcome)
	require.Equal(t, colleague+" editable", s.DocumentState(early))
	require.Equal(t, colleague+" editable", s.DocumentState(late))
	require.Equal(t, []string{
		"ScheduleOffboarding", "AdvanceOffboarding", "RevokeCredentials", "RevokeSessions", "DeactivateMember", "AdvanceOffboarding",
		"CreateFolder", "CreateFolder", "ClaimDocOwnership", "RemindGraceEnding", "RemindGraceEnding", "AdvanceOffboarding", "MarkDocsReadOnly", "ClaimDocOwnership",
		"CompleteOffboarding",
	}, s.Events())
}

func TestTransferMovesEverythingAndCompletes(t *testing.T) {
	t.Parallel()
	for name, archive := range map[string]bool{"schedules with the documents": false, "schedules archived": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Exec(`UPDATE members SET display_name = 'Lee Ver' WHERE id = $1`, s.Leaver)
			shared := s.Folder("", "", "Shared")
			own := s.Folder(s.Leaver, s.Folder(s.Leaver, "", "Projects"), "Old")
			loose, nested, common := s.Document(s.Leaver, ""), s.Document(s.Leaver, own), s.Document(s.Leaver, shared)
			schedule := s.Schedule(common)
			s.run(func(r *offboarding.Request) {
				r.Disposition, r.NewOwnerID, r.ArchiveSchedules = offboarding.DispositionTransfer, offboarding.NewOwnerManager, archive
			})

			require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
			require.Equal(t, offboarding.Counts{Total: 3, Transferred: 3}, s.result().Documents)
			for document, path := range map[string]string{
				loose: "Archived Users/Lee Ver", nested: "Archived Users/Lee Ver/Projects/Old", common: "Shared",
			} {
				require.Equal(t, s.Manager+" editable", s.DocumentState(document))
				require.Equal(t, path, s.path(document))
			}
			want := "active"
			if archive {
				want = "archived"
			}
			require.Equal(t, want, s.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
			require.Equal(t, 3, s.count(offboarding.EventTransferDocs))
		})
	}
}

// path is the folder of a document, from the top.
func (s *scene) path(document string) string {
	s.t.Helper()
	return s.Text(`WITH RECURSIVE up AS (
		SELECT f.parent_id, f.name AS path FROM folders f JOIN documents d ON d.folder_id = f.id WHERE d.id = $1
		UNION ALL SELECT f.parent_id, f.name || '/' || up.path FROM folders f JOIN up ON f.id = up.parent_id)
		SELECT path FROM up WHERE parent_id IS NULL`, document)
}

func TestArchiveArchivesDocumentsWithTheirSchedulesAndCompletes(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	schedule := s.Schedule(document)
	s.run(func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive })

	require.Equal(t, offboarding.Counts{Total: 1, Archived: 1}, s.result().Documents)
	require.Equal(t, s.Leaver+" archived", s.DocumentState(document))
	require.Equal(t, "archived", s.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	require.Equal(t, []string{
		"ScheduleOffboarding", "AdvanceOffboarding", "DeactivateMember", "AdvanceOffboarding", "ArchiveDocs", "ArchiveSchedules",
		"CompleteOffboarding",
	}, s.Events())
}

func TestLeaverWithoutDocumentsIsDoneAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run(nil)
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, fixtureTime(0), s.env.Now().UTC())
}

func TestGraceLastsAsLongAsAsked(t *testing.T) {
	t.Parallel()
	for period, length := range map[string]time.Duration{"0s": 0, "36h": 36 * time.Hour, "12d": 12 * day, "": 7 * day} {
		t.Run(period, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			document := s.Document(s.Leaver, "")
			s.lasting(length + day)
			if length > 0 {
				s.after(length-time.Second, func() {
					require.Equal(t, offboarding.PhaseGrace, s.status().Phase)
					require.Equal(t, fixtureTime(length), *s.status().GraceEndsAt)
					require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
				})
			}
			locked := false
			s.after(length+afterSpread, func() {
				require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase)
				require.Equal(t, s.Leaver+" read_only", s.DocumentState(document))
				locked = true
			})
			s.run(func(r *offboarding.Request) { r.GracePeriod = period })
			require.True(t, locked)
		})
	}
}

func TestRefusedStartWritesNothing(t *testing.T) {
	t.Parallel()
	change := func(column, value string) func(*scene, *offboarding.Request) {
		return func(s *scene, _ *offboarding.Request) {
			s.Exec(`UPDATE members SET `+column+` = $2 WHERE id = $1`, s.Leaver, value)
		}
	}
	request := func(change func(*scene, *offboarding.Request)) func(*scene, *offboarding.Request) { return change }
	for name, c := range map[string]struct {
		code    offboarding.Code
		arrange func(*scene, *offboarding.Request)
	}{
		"A1 contributor":       {offboarding.CodeNotAuthorized, request(func(s *scene, r *offboarding.Request) { r.RequestedBy = s.Manager })},
		"A1 nobody":            {offboarding.CodeNotAuthorized, request(func(_ *scene, r *offboarding.Request) { r.RequestedBy = "external:nobody" })},
		"A2 admin on an owner": {offboarding.CodeNotAuthorized, request(func(s *scene, r *offboarding.Request) { r.MemberID = s.Owner })},
		"A3 last owner": {offboarding.CodeLastOwner, request(func(s *scene, r *offboarding.Request) {
			parent := fixture.New(s.t, s.DB)
			s.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, parent.ID)
			s.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, s.ID, parent.ID)
			r.MemberID, r.RequestedBy = s.Owner, parent.Owner
		})},
		"A4 oneself":       {offboarding.CodeSelfOffboarding, request(func(s *scene, r *offboarding.Request) { r.RequestedBy, r.MemberID = s.Owner, s.Owner })},
		"E1 nobody":        {offboarding.CodeMemberNotFound, request(func(_ *scene, r *offboarding.Request) { r.MemberID = "no-such-member" })},
		"E1 other tenant":  {offboarding.CodeMemberNotFound, request(func(s *scene, r *offboarding.Request) { r.MemberID = fixture.New(s.t, s.DB).Leaver })},
		"E2 inactive":      {offboarding.CodeAlreadyInactive, func(s *scene, _ *offboarding.Request) { s.deactivateOutside(s.Leaver) }},
		"E3 ISP domain":    {offboarding.CodeISPDomain, change("email", "lee@gmail.com")},
		"E4 other domain":  {offboarding.CodeDomainNotAssociated, change("email", "lee@elsewhere.example")},
		"E5 managed":       {offboarding.CodeExternallyManaged, change("managed_by", "entra")},
		"N1 viewer":        {offboarding.CodeNewOwnerNotEligible, request(func(s *scene, r *offboarding.Request) { r.NewOwnerID = s.Member("contributor", "viewer") })},
		"N1 the leaver":    {offboarding.CodeNewOwnerNotEligible, request(func(s *scene, r *offboarding.Request) { r.NewOwnerID = s.Leaver })},
		"L1 no date":       {offboarding.CodeInvalidArgument, request(func(_ *scene, r *offboarding.Request) { r.EffectiveAt = "tomorrow" })},
		"D3 with retain":   {offboarding.CodeInvalidArgument, request(func(_ *scene, r *offboarding.Request) { r.Disposition, r.ArchiveSchedules = "retain", true })},
		"O1 origin":        {offboarding.CodeInvalidArgument, request(func(_ *scene, r *offboarding.Request) { r.Origin = "ROBOT,Acme,hr" })},
		"grace not a time": {offboarding.CodeInvalidArgument, request(func(_ *scene, r *offboarding.Request) { r.GracePeriod = "soon" })},
		"no member":        {offboarding.CodeInvalidArgument, request(func(_ *scene, r *offboarding.Request) { r.MemberID = "" })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.after(0, func() { s.signal(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Admin}) })
			s.run(func(r *offboarding.Request) { c.arrange(s, r) })

			require.True(t, s.refusal().Has(c.code), "want %s: %v", c.code, s.refusal())
			for _, table := range []string{"cases", "case_steps", "audit_events"} {
				require.Zero(t, s.Count(`SELECT count(*) FROM `+table), table)
			}
			require.Nil(t, s.status().Trouble)
		})
	}
}

func TestSecondLookFailsACaseThatTheRulesNoLongerAllow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code offboarding.Code
		then func(*scene)
	}{
		"became the last owner": {offboarding.CodeLastOwner, func(s *scene) {
			s.Exec(`UPDATE members SET role = 'owner' WHERE id = $1`, s.Leaver)
			s.Exec(`UPDATE members SET role = 'contributor' WHERE id = $1`, s.Owner)
		}},
		"is inactive already": {offboarding.CodeAlreadyInactive, func(s *scene) { s.deactivateOutside(s.Leaver) }},
		"domain was removed":  {offboarding.CodeDomainNotAssociated, func(s *scene) { s.Exec(`UPDATE organizations SET domains = '{}'`) }},
		"moved to an ISP":     {offboarding.CodeISPDomain, func(s *scene) { s.Exec(`UPDATE members SET email = 'lee@aol.com' WHERE id = $1`, s.Leaver) }},
		"is managed now":      {offboarding.CodeExternallyManaged, func(s *scene) { s.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, s.Leaver) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Document(s.Leaver, "")
			s.after(day, func() { c.then(s) })
			s.run(func(r *offboarding.Request) { r.EffectiveAt = at(3 * day) })

			require.Equal(t, c.code, s.refusal().Code())
			require.Equal(t, "failed "+string(c.code), s.Text(`SELECT phase || ' ' || failure FROM cases WHERE closed_at IS NOT NULL`))
			require.Equal(t, []string{"ScheduleOffboarding", "FailOffboarding"}, s.Events())
			require.Equal(t, offboarding.PhaseFailed, s.status().Phase)
		})
	}
}

func TestAdminWhoHasLeftSinceDoesNotStopTheCase(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.after(day, func() { s.deactivateOutside(s.Admin) })
	s.run(func(r *offboarding.Request) { r.EffectiveAt = at(2 * day) })
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
}

func TestNewOwnerWhoHasLeftIsReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		managerLeaves bool
		want          offboarding.Phase
	}{
		"by the manager": {false, offboarding.PhaseCompleted},
		"by nobody":      {true, offboarding.PhaseGrace},
	} {
		leave := func(s *scene, owner string) {
			s.deactivateOutside(owner)
			if c.managerLeaves {
				s.deactivateOutside(s.Manager)
			}
		}
		check := func(t *testing.T, s *scene, document string) {
			t.Helper()
			status := s.status()
			require.Equal(t, c.want, status.Phase)
			require.NotEmpty(t, status.FallbackReason)
			require.Equal(t, status.FallbackReason, s.Text(`SELECT fallback_reason FROM cases`))
			require.NotZero(t, s.count(offboarding.EventChangeNewOwner))
			if c.managerLeaves {
				require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
				require.Equal(t, offboarding.DispositionRetain, status.Disposition)
				return
			}
			require.Equal(t, s.Manager+" editable", s.DocumentState(document))
			require.Equal(t, s.Manager, status.NewOwnerID)
			require.Equal(t, 1, status.Documents.Transferred)
		}
		t.Run(name+" at the second look", func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			owner, document := s.Maker(), s.Document(s.Leaver, "")
			s.lasting(4 * day)
			s.after(day, func() { leave(s, owner) })
			s.run(func(r *offboarding.Request) { r.EffectiveAt, r.NewOwnerID = at(2*day), owner })
			check(t, s, document)
		})
		t.Run(name+" between plan and transfer", func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			owner, document := s.Maker(), s.Document(s.Leaver, "")
			s.lasting(2 * day)
			s.onStart("TransferDocuments", func() { leave(s, owner) })
			s.run(func(r *offboarding.Request) { r.NewOwnerID = owner })
			check(t, s, document)
		})
	}
}

func TestStartBesideAnOpenCaseAnswersWithThatCase(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	s.lasting(day)
	s.run(nil)
	open := s.status()
	events := s.Events()

	s.now = s.env.Now()
	s.stage("hr/4711")
	s.after(0, func() { s.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin}) })
	s.run(func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive })

	result := s.result()
	require.True(t, result.Existing)
	require.Equal(t, open.CaseID, result.CaseID)
	require.Equal(t, offboarding.WorkflowID(s.Leaver), result.WorkflowID)
	require.Equal(t, offboarding.PhaseGrace, result.Phase)
	require.Equal(t, events, s.Events())
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
	require.Len(t, s.status().RefusedMessages, 1, "messages go to the workflow that the case records")
}
