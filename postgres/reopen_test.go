package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// beginInput asks for the reactivation of the case's leaver by a workflow of its own.
func (l *leaving) beginInput(change func(*offboarding.ReactivationRequest)) offboarding.BeginReactivationInput {
	r := offboarding.ReactivationRequest{MemberID: l.member, RequestedBy: l.Admin, Origin: "SCRIPT,Acme,rehire"}
	if change != nil {
		change(&r)
	}
	workflow := newID()
	l.at = l.at.Add(1)
	return offboarding.BeginReactivationInput{
		Step: offboarding.Step{CaseID: workflow, Name: "begin", At: l.at}, ID: "reactivation/" + workflow,
		MemberID: l.member, Request: r, WorkflowID: offboarding.ReactivationWorkflowID(l.member), Messages: "update/" + workflow + "/",
	}
}

// settleReopened does what is left after the beginning.
func (l *leaving) settleReopened(b offboarding.ReactivationBegun) {
	l.t.Helper()
	require.NotNil(l.t, b.Reactivation)
	r := b.Reactivation
	step := func(name string) offboarding.Step {
		return offboarding.Step{CaseID: b.CaseID, Name: r.ID + "/" + name, At: l.at}
	}
	l.sweep(l.store.RestoreBatch, offboarding.SweepInput{Step: step("restore"), ActorID: r.AdminID, Origin: r.Origin})
	if r.Message.ReturnDocuments {
		l.sweep(l.store.ReturnBatch, offboarding.SweepInput{Step: step("return"), ActorID: r.AdminID, Origin: r.Origin})
	}
	l.sweep(l.store.GrantBatch, offboarding.SweepInput{Step: step("grant"), ActorID: r.AdminID, Origin: r.Origin})
	require.NoError(l.t, l.store.CloseReactivated(l.t.Context(), step("close")))
}

// reopened reactivates the leaver of a case that has closed.
func (l *leaving) reopened(change func(*offboarding.ReactivationRequest)) offboarding.ReactivationBegun {
	l.t.Helper()
	b, err := l.store.BeginReactivation(l.t.Context(), l.beginInput(change))
	require.NoError(l.t, err)
	if b.Reactivation != nil {
		l.settleReopened(b)
	}
	return b
}

func returning(r *offboarding.ReactivationRequest) { r.ReturnDocuments = true }

// completed is a case that gives everything to the manager and completes.
func (l *leaving) completed() *leaving {
	l.t.Helper()
	r := l.request()
	r.NewOwnerID = l.Manager
	l.deactivated(r)
	l.transfer(l.Manager)
	s, err := l.store.Settle(l.t.Context(), offboarding.SettleInput{Step: l.step("settle")})
	require.NoError(l.t, err)
	require.Equal(l.t, offboarding.PhaseCompleted, s.Phase)
	return l
}

// memberState is "<status> <deactivated or not>".
func (l *leaving) memberState() string {
	return l.Text(`SELECT status || ' ' || (deactivated_at IS NOT NULL) FROM members WHERE id = $1`, l.member)
}

// After completion, what the case moved stays with an edit grant, or returns where
// asked, and the case ends as reactivated.
func TestReactivationOfAClosedCase(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"kept": false, "returned": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			credential, own := l.Credential(l.member), l.Folder(l.member, "", "Own")
			document, passedOn := l.Document(l.member, own), l.Document(l.member, "")
			l.completed()
			l.Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, passedOn, l.Admin)
			b := l.reopened(func(r *offboarding.ReactivationRequest) { r.ReturnDocuments = back })
			require.Equal(t, l.id, b.CaseID)
			require.Equal(t, l.member, b.MemberID)
			require.Equal(t, "active false", l.memberState())
			require.Equal(t, "reactivated", l.phase())
			require.NotEmpty(t, l.Text(`SELECT closed_at FROM cases WHERE id = $1`, l.id))
			require.Equal(t, "revoked", l.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
			granted := `SELECT level FROM grants WHERE document_id = $1 AND member_id = $2`
			require.Equal(t, l.Admin+" editable", l.DocumentState(passedOn))
			require.Equal(t, "edit", l.Text(granted, passedOn, l.member))
			if back {
				require.Equal(t, l.member+" editable", l.DocumentState(document))
				require.Equal(t, "Own", l.path(document))
			} else {
				require.Equal(t, l.Manager+" editable", l.DocumentState(document))
				require.Equal(t, "edit", l.Text(granted, document, l.member))
			}
			require.Equal(t, l.eventsOf(offboarding.EventReturnDocs)+l.eventsOf(offboarding.EventGrantEdit)+1,
				l.Count(`SELECT count(*) FROM audit_events WHERE origin = 'SCRIPT,Acme,rehire' AND actor_id = $1`, l.Admin))
			l.Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, passedOn, l.Manager) // as the audit has it
			invariantsHold(t, l.store)
		})
	}
}

// What a case archived comes back editable with its schedules, also of a member
// whom the identity provider has archived since.
func TestReactivationAfterACompletedArchive(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, before := l.Document(l.member, ""), l.Document(l.member, "")
	schedule := l.Schedule(document)
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, before) // not by the case
	r := l.request()
	r.Disposition = offboarding.DispositionArchive
	l.deactivated(r).advance(offboarding.PhaseTransferring)
	l.sweep(l.store.ArchiveBatch, offboarding.SweepInput{Step: l.step("archive")})
	_, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("settle")})
	require.NoError(t, err)
	require.Equal(t, "completed", l.phase())
	l.Exec(`UPDATE members SET status = 'archived' WHERE id = $1`, l.member)

	l.reopened(nil)
	require.Equal(t, "active false", l.memberState())
	require.Equal(t, l.member+" editable", l.DocumentState(document))
	require.Equal(t, l.member+" archived", l.DocumentState(before))
	require.Equal(t, "active", l.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	invariantsHold(t, l.store)
}

// An offboarding, a rehire and a second offboarding never mix: each case returns
// what it moved itself, and the steps of the first do nothing to the second.
func TestTwoOffboardingsOfOneMember(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	first, both := l.Document(l.member, ""), l.Document(l.member, "")
	l.completed()
	l.reopened(nil) // nothing returns
	require.Equal(t, l.Manager+" editable", l.DocumentState(first))
	l.Exec(`UPDATE documents SET owner_id = $2, folder_id = NULL, moved_by_case_id = NULL, moved_to_id = NULL WHERE id = $1`, both, l.member)
	l.Exec(`INSERT INTO audit_events (organization_id, event, origin, member_id, document_id, subject_kind, subject_id, before, after, at)
		SELECT organization_id, 'ReturnDocs', '', $2::uuid, id, 'document', id, jsonb_build_object('owner_id', $3::text), jsonb_build_object('owner_id', $2::uuid), $4
		FROM documents WHERE id = $1`, both, l.member, l.Manager, l.at)

	second := l.of(l.member)
	second.at = l.at
	second.completed()
	require.Equal(t, l.Manager+" editable", l.DocumentState(both))
	before := dump(t, l.DB)
	ctx := t.Context()
	_, err := l.store.ReactivateMember(ctx, reactivateInput(l))
	refused(t, offboarding.CodeWrongPhase, err)
	_, err = l.store.Deactivate(ctx, l.step("late"))
	refused(t, offboarding.CodeWrongPhase, err)
	_, err = l.store.LockBatch(ctx, offboarding.SweepInput{Step: l.step("late lock")}, "")
	refused(t, offboarding.CodeWrongPhase, err)
	settled, err := l.store.Settle(ctx, offboarding.SettleInput{Step: l.step("late settle")})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseReactivated, settled.Phase)
	require.Equal(t, withoutSteps(before), withoutSteps(dump(t, l.DB)), "the first case changed something")

	b := second.reopened(returning)
	require.Equal(t, second.id, b.CaseID)
	require.Equal(t, l.member+" editable", l.DocumentState(both))
	require.Equal(t, l.Manager+" editable", l.DocumentState(first), "the first case moved it")
	require.Equal(t, "reactivated", l.phase())
	invariantsHold(t, l.store)
}

// Whatever cannot come back changes nothing.
func TestWhoCannotComeBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*leaving)
		change  func(*leaving, *offboarding.ReactivationRequest)
		codes   []offboarding.Code
	}{
		"active": {
			prepare: func(l *leaving) { l.member = l.Maker() },
			change:  func(l *leaving, r *offboarding.ReactivationRequest) { r.MemberID = l.member },
			codes:   []offboarding.Code{offboarding.CodeAlreadyActive},
		},
		"nobody": {
			prepare: func(l *leaving) { l.member = newID() },
			codes:   []offboarding.Code{offboarding.CodeMemberNotFound},
		},
		"not by an admin": {
			change: func(l *leaving, r *offboarding.ReactivationRequest) { r.RequestedBy = l.Manager },
			codes:  []offboarding.Code{offboarding.CodeNotAuthorized},
		},
		"everything at once": {
			prepare: func(l *leaving) {
				l.Exec(`UPDATE organizations SET seat_limit = 3`)
				l.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, l.member)
			},
			change: func(l *leaving, r *offboarding.ReactivationRequest) { r.RequestedBy, r.Origin = l.Manager, "HR" },
			codes: []offboarding.Code{
				offboarding.CodeInvalidArgument, offboarding.CodeNotAuthorized, offboarding.CodeSeatLimitExceeded, offboarding.CodeExternallyManaged,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			l.Document(l.member, "")
			l.completed()
			if test.prepare != nil {
				test.prepare(l)
			}
			before := dump(t, l.DB)
			in := l.beginInput(func(r *offboarding.ReactivationRequest) {
				if test.change != nil {
					test.change(l, r)
				}
			})
			_, err := l.store.BeginReactivation(t.Context(), in)
			require.Error(t, err)
			var refusal *offboarding.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, test.codes, refusal.Codes())
			require.Equal(t, withoutSteps(before), withoutSteps(dump(t, l.DB)))
		})
	}
}

// One whom no case has made inactive comes back without work on documents.
func TestReactivationWithoutACase(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*leaving){
		"never offboarded": func(*leaving) {},
		"offboarded, rehired and then deactivated elsewhere": func(l *leaving) { l.completed().reopened(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			prepare(l)
			document := l.Document(l.member, "")
			l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, l.member, l.at.AddDate(0, 0, 1))
			before := l.eventsOf(offboarding.EventReactivateMember)
			b := l.reopened(nil)
			require.Equal(t, offboarding.ReactivationBegun{MemberID: l.member, Message: offboarding.Reactivate{AdminID: l.Admin, Origin: "SCRIPT,Acme,rehire"}}, b)
			require.Equal(t, "active false", l.memberState())
			require.Equal(t, l.member+" editable", l.DocumentState(document))
			require.Equal(t, before+1, l.eventsOf(offboarding.EventReactivateMember))
			require.Equal(t, `ReactivateMember {"status": "inactive"} -> {"status": "active"}`, l.lastEvent())
		})
	}
}

// A case that has not closed reactivates its leaver itself.
func TestReactivationOfAnOpenCaseIsTheCases(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Document(l.member, "")
	l.inGrace()
	in := l.beginInput(returning)
	b, err := l.store.BeginReactivation(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, offboarding.WorkflowID(l.member), b.OpenCase)
	require.Equal(t, offboarding.Reactivate{AdminID: l.Admin, ReturnDocuments: true, Origin: in.Request.Origin}, b.Message)
	require.Equal(t, "inactive true", l.memberState())

	// Its answer may be lost: the reactivation knows its own message again.
	message := reactivateInput(l)
	message.ID = in.Messages + "1"
	_, err = l.store.ReactivateMember(t.Context(), message)
	require.NoError(t, err)
	l.sweep(l.store.GrantBatch, offboarding.SweepInput{Step: l.step("grant"), ActorID: l.Admin})
	require.NoError(t, l.store.CloseReactivated(t.Context(), l.step("close")))
	in.Name = "begin again"
	b, err = l.store.BeginReactivation(t.Context(), in)
	require.NoError(t, err)
	require.Empty(t, b.OpenCase)
	require.Nil(t, b.Reactivation)
	_, err = l.store.BeginReactivation(t.Context(), l.beginInput(nil))
	refused(t, offboarding.CodeAlreadyActive, err)
}

// A start waits while a reactivation settles the documents; another reactivation
// settles them too, and nothing is done twice.
func TestStartWhileAReactivationSettles(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document := l.Document(l.member, "")
	l.completed()
	b, err := l.store.BeginReactivation(t.Context(), l.beginInput(returning))
	require.NoError(t, err)
	next := l.of(l.member)
	_, err = l.store.Admit(t.Context(), next.admitInput(next.request()))
	require.ErrorContains(t, err, "still being settled")
	require.Empty(t, offboarding.CodeOf(err), "a start that waits is tried again")

	other, err := l.store.BeginReactivation(t.Context(), l.beginInput(nil)) // the first one's workflow is gone, say
	require.NoError(t, err)
	require.Equal(t, b.Reactivation, other.Reactivation)
	var both sync.WaitGroup
	for _, begun := range []offboarding.ReactivationBegun{b, other} {
		both.Go(func() { l.settleReopened(begun) })
	}
	both.Wait()
	require.Equal(t, l.member+" editable", l.DocumentState(document))
	require.Equal(t, 1, l.eventsOf(offboarding.EventReturnDocs))
	next.admit(next.request())
	invariantsHold(t, l.store)
}

// begin is a call of BeginReactivation.
func (l *leaving) begin(in offboarding.BeginReactivationInput) call {
	return func(ctx context.Context) (any, error) { return l.store.BeginReactivation(ctx, in) }
}

func TestReactivationAndOffboarding(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.completed()
		next := l.of(l.member)
		next.at = l.at
		start := next.admitInput(next.request())
		return l.begin(l.beginInput(nil)), func(ctx context.Context) (any, error) {
				a, err := l.store.Admit(ctx, start)
				if offboarding.CodeOf(err) == "" && err != nil {
					return a, nil // it waits
				}
				return a, err
			}, func(a, b error) {
				require.NoError(t, a)
				if b != nil {
					refused(t, offboarding.CodeAlreadyInactive, b)
				}
				require.Equal(t, 1, l.Count(`SELECT count(*) FROM cases WHERE member_id = $1`, l.member))
				require.Equal(t, "active false", l.memberState())
			}
	})
}

func TestTwoReactivationsOfOneMember(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.completed()
		return l.begin(l.beginInput(nil)), l.begin(l.beginInput(returning)), func(a, b error) {
			require.NoError(t, a)
			require.NoError(t, b, "the second settles with the first")
			require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'ReactivateMember' AND member_id = $1`, l.member))
		}
	})
}

func TestTwoReopenedForOneSeat(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		other := l.of(l.Maker())
		l.completed()
		other.at = l.at
		other.completed()
		l.Exec(`UPDATE organizations SET seat_limit = (SELECT count(*) + 1 FROM members WHERE status = 'active' AND organization_id = $1) WHERE id = $1`, l.ID)
		return l.begin(l.beginInput(nil)), other.begin(other.beginInput(nil)), func(a, b error) {
			either(t, offboarding.CodeSeatLimitExceeded, a, b)
		}
	})
}

// Rule R2.
func TestBulkReactivationNeedsNoIdentityProvider(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	check := func(members ...string) error {
		in := l.beginInput(func(r *offboarding.ReactivationRequest) { r.MemberID, r.MemberIDs = "", members })
		return l.store.CheckReactivation(t.Context(), in)
	}
	require.NoError(t, check(l.member, "external:m3", "external:nobody", "no ID"))
	refused(t, offboarding.CodeInvalidArgument, check())
	refused(t, offboarding.CodeInvalidArgument, check(l.member, l.member))
	for _, provider := range []string{"saml", "okta", "entra"} {
		l.Exec(`UPDATE organizations SET identity_provider = $1`, provider)
		refused(t, offboarding.CodeIDPAuthentication, check(l.member, l.Manager))
		refused(t, offboarding.CodeIDPAuthentication, check("external:m4", "external:m3"))
	}
	// The actor's ID is an ID however it is written, and another tenant's members are nobody.
	in := l.beginInput(func(r *offboarding.ReactivationRequest) {
		r.MemberID, r.MemberIDs, r.RequestedBy = "", []string{"external:m4"}, strings.ToUpper(l.Admin)
	})
	refused(t, offboarding.CodeIDPAuthentication, l.store.CheckReactivation(t.Context(), in))
	stranger := fixture.New(t, l.DB) // has no identity provider
	byStranger := l.beginInput(func(r *offboarding.ReactivationRequest) {
		r.MemberID, r.MemberIDs, r.RequestedBy = "", []string{l.member, stranger.Leaver, "external:m4"}, stranger.Admin
	})
	require.NoError(t, l.store.CheckReactivation(t.Context(), byStranger))
	below := func(manager bool) error {
		l.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, l.ID, stranger.ID)
		l.Exec(`UPDATE organizations SET enterprise_plan_manager = $2 WHERE id = $1`, stranger.ID, manager)
		byStranger.Name += "/again"
		return l.store.CheckReactivation(t.Context(), byStranger)
	}
	require.NoError(t, below(false))
	refused(t, offboarding.CodeIDPAuthentication, below(true))
	// Who asks for the provider need not name anybody, who would say whose external IDs are meant.
	for _, member := range []string{l.member, "external:m4"} {
		in := l.beginInput(func(r *offboarding.ReactivationRequest) {
			r.MemberID, r.MemberIDs, r.RequestedBy, r.Provider = "", []string{member}, "", "okta"
		})
		refused(t, offboarding.CodeIDPAuthentication, l.store.CheckReactivation(t.Context(), in))
	}
}

// A list does not take a member for offboarded whose case is open only because the
// documents of their return are being settled: the member is active.
func TestBulkWhileAReactivationSettles(t *testing.T) {
	t.Parallel()
	for name, reactivate := range map[string]func(*leaving){
		"after the case": func(l *leaving) {
			l.completed()
			_, err := l.store.BeginReactivation(t.Context(), l.beginInput(nil))
			require.NoError(t, err)
		},
		"in the case": func(l *leaving) {
			l.inGrace()
			_, err := l.store.ReactivateMember(t.Context(), reactivateInput(l))
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			l.Document(l.member, "")
			reactivate(l)
			require.Equal(t, "active false", l.memberState())
			list := &listed{
				Organization: l.Organization, store: l.store, actor: l.Owner, at: l.at,
				request: offboarding.BulkRequest{RequestedBy: l.Owner, Confirmed: true},
			}
			list.add(l.member, offboarding.BulkPlan{})
			rows := list.bulk(t)
			require.Equal(t, offboarding.BulkMemberRefused, rows[0].Outcome)
			require.Equal(t, offboarding.CodeTryAgain, code(rows[0]))

			single := l.of(l.member)
			in := single.admitInput(single.request())
			in.WorkflowID = "hr/" + single.id
			_, err := l.store.Admit(t.Context(), in)
			require.ErrorContains(t, err, "still being settled")
		})
	}
}
