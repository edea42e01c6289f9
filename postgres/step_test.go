package postgres_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// atOnce runs the functions at the same moment and waits for all.
func atOnce(fns ...func()) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for _, fn := range fns {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			ready.Done()
			<-start
			fn()
		}()
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// call is one step, ready to be run as often as one likes.
type call func(context.Context) (any, error)

// called makes a call of a store's method and its input.
func called[In, Out any](method func(context.Context, In) (Out, error), in In) call {
	return func(ctx context.Context) (any, error) { return method(ctx, in) }
}

// done is called for a method that answers with an error alone.
func done[In any](method func(context.Context, In) error, in In) call {
	return func(ctx context.Context) (any, error) { return nil, method(ctx, in) }
}

// swept is called for one batch of a sweep.
func swept(method batch, in offboarding.SweepInput) call {
	return func(ctx context.Context) (any, error) { return method(ctx, in, "") }
}

// steps is every step of a case, allowed and refused, each with what leads to it.
var steps = map[string]struct {
	events []string // that the step writes, in any order, besides those of the folders that it makes
	code   offboarding.Code
	make   func(*leaving) call
}{
	"admit": {events: []string{"ScheduleOffboarding"}, make: func(l *leaving) call {
		return called(l.admits, l.admitInput(l.request()))
	}},
	"admit, at once": {
		events: []string{"ScheduleOffboarding", "AdvanceOffboarding", "RevokeCredentials", "RevokeSessions", "WithdrawDocOwnership", "DeactivateMember"},
		make: func(l *leaving) call {
			other := l.of(l.Maker())
			document := l.Document(other.member, "")
			other.inGrace().requested(document, l.member)
			l.Credential(l.member)
			l.Session(l.member)
			return called(l.admits, l.atOnce(l.request()))
		},
	},
	"admit, refused": {code: offboarding.CodeSelfOffboarding, make: func(l *leaving) call {
		r := l.request()
		r.MemberID = r.RequestedBy
		return called(l.store.Admit, l.admitInput(r))
	}},
	"revoke": {events: []string{"AdvanceOffboarding", "RevokeCredentials", "RevokeSessions"}, make: func(l *leaving) call {
		l.Credential(l.member)
		l.Session(l.member)
		l.admit(l.request())
		return called(l.store.Revoke, offboarding.RevokeInput{Step: l.step("revoke")})
	}},
	"revoke, second look refused": {code: offboarding.CodeAlreadyInactive, make: func(l *leaving) call {
		l.admit(l.request())
		l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, l.member, l.at)
		return called(l.store.Revoke, offboarding.RevokeInput{Step: l.step("revoke"), SecondLook: true})
	}},
	"revoke, second look falls back": {events: []string{"AdvanceOffboarding", "ChangeNewOwner"}, make: func(l *leaving) call {
		r := l.request()
		r.NewOwnerID = l.Maker()
		l.admit(r)
		l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, r.NewOwnerID, l.at)
		return called(l.store.Revoke, offboarding.RevokeInput{Step: l.step("revoke"), SecondLook: true})
	}},
	"deactivate": {events: []string{"DeactivateMember", "RevokeCredentials", "WithdrawDocOwnership"}, make: func(l *leaving) call {
		other := l.of(l.Maker())
		document := l.Document(other.member, "")
		other.inGrace().requested(document, l.member)
		l.revoked(l.request())
		l.Credential(l.member)
		return called(l.store.Deactivate, l.step("deactivate"))
	}},
	"deactivate, refused": {code: offboarding.CodeAlreadyInactive, make: func(l *leaving) call {
		l.revoked(l.request())
		l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, l.member, l.at)
		return called(l.store.Deactivate, l.step("deactivate"))
	}},
	"fall back": {events: []string{"ChangeNewOwner"}, make: func(l *leaving) call {
		r := l.request()
		r.NewOwnerID = l.Maker()
		l.deactivated(r)
		return called(l.store.FallBack, l.step("fall-back"))
	}},
	"advance": {events: []string{"AdvanceOffboarding"}, make: func(l *leaving) call {
		r := l.request()
		r.NewOwnerID = l.Manager
		l.deactivated(r)
		return called(l.store.Advance, offboarding.AdvanceInput{Step: l.step("transferring"), Phase: offboarding.PhaseTransferring})
	}},
	"advance, a grace ends at once": {events: []string{"AdvanceOffboarding", "MarkDocsReadOnly", "PauseSchedules"}, make: func(l *leaving) call {
		l.Schedule(l.Document(l.member, ""))
		l.inGrace()
		l.at = l.at.Add(grace)
		return called(l.store.Advance, l.endGrace())
	}},
	"advance, a grace ends and nothing is unowned": {events: []string{"AdvanceOffboarding", "CompleteOffboarding"}, make: func(l *leaving) call {
		document := l.Document(l.member, "")
		l.inGrace()
		l.Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, document, l.Manager) // outside of the case
		l.at = l.at.Add(grace)
		return called(l.store.Advance, l.endGrace())
	}},
	"settle, grace begins": {events: []string{"AdvanceOffboarding"}, make: func(l *leaving) call {
		l.Document(l.member, "")
		l.deactivated(l.request())
		ends := l.at.Add(grace)
		return called(l.store.Settle, offboarding.SettleInput{Step: l.step("settle"), GraceEndsAt: &ends})
	}},
	"settle, completed": {events: []string{"CompleteOffboarding"}, make: func(l *leaving) call {
		l.deactivated(l.request())
		return called(l.store.Settle, offboarding.SettleInput{Step: l.step("settle")})
	}},
	"fail": {events: []string{"FailOffboarding"}, make: func(l *leaving) call {
		l.admit(l.request())
		refusal := offboarding.Refuse("E2", offboarding.CodeAlreadyInactive, "member_id", "gone")
		return done(l.store.Fail, offboarding.FailInput{Step: l.step("fail"), Refusal: *refusal})
	}},
	"fail, refused": {code: offboarding.CodeWrongPhase, make: func(l *leaving) call {
		l.deactivated(l.request())
		return done(l.store.Fail, offboarding.FailInput{Step: l.step("fail")})
	}},
	"claim": {events: []string{"ClaimDocOwnership", "SupersedeDocOwnership"}, make: func(l *leaving) call {
		document, maker := l.Document(l.member, ""), l.Maker()
		l.Grant(document, maker, offboarding.GrantEdit)
		l.inGrace().requested(document, l.Maker())
		return called(l.claimElsewhere, l.claimInput(document, maker))
	}},
	"claim, filed as a request": {events: []string{"RequestDocOwnership"}, make: func(l *leaving) call {
		document, reader := l.Document(l.member, ""), l.Member(offboarding.RoleReader, offboarding.AccountViewer)
		l.Grant(document, reader, offboarding.GrantView)
		l.inGrace()
		return called(l.claimElsewhere, l.claimInput(document, reader))
	}},
	"claim, refused": {code: offboarding.CodeNoAccess, make: func(l *leaving) call {
		document := l.Document(l.member, "")
		l.inGrace()
		return called(l.claimElsewhere, l.claimInput(document, l.Maker()))
	}},
	"approve": {
		events: []string{"ApproveDocOwnership", "TransferDocs", "SupersedeDocOwnership"},
		make: func(l *leaving) call {
			document := l.Document(l.member, "")
			request := l.inGrace().requested(document, l.Maker())
			l.requested(document, l.Maker())
			return called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, ""))
		},
	},
	"reject": {events: []string{"RejectDocOwnership"}, make: func(l *leaving) call {
		document := l.Document(l.member, "")
		request := l.inGrace().requested(document, l.Maker())
		return called(l.store.Decide, l.decideInput(request, offboarding.DecisionReject, ""))
	}},
	"approve, refused": {code: offboarding.CodeNewOwnerNotEligible, make: func(l *leaving) call {
		document := l.Document(l.member, "")
		request := l.inGrace().requested(document, l.Member(offboarding.RoleReader, offboarding.AccountViewer))
		return called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, ""))
	}},
	"authorize a transfer": {make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace()
		return called(l.store.AuthorizeTransfer, offboarding.AuthorizeTransferInput{
			Step: l.step("authorize"), Message: offboarding.TransferDocuments{AdminID: l.Admin},
		})
	}},
	"extend the grace": {events: []string{"ExtendGrace"}, make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace()
		return called(l.store.ExtendGrace, offboarding.ExtendGraceInput{
			Step: l.step("extend"), Message: offboarding.ExtendGrace{AdminID: l.Admin, Until: "2026-04-01"},
		})
	}},
	"reschedule": {events: []string{"RescheduleOffboarding"}, make: func(l *leaving) call {
		l.admit(l.request())
		return called(l.store.Reschedule, offboarding.RescheduleInput{
			Step: l.step("reschedule"), Message: offboarding.Reschedule{AdminID: l.Admin, EffectiveAt: "2026-04-01"},
		})
	}},
	"cancel": {events: []string{"CancelOffboarding"}, make: func(l *leaving) call {
		l.admit(l.request())
		return called(l.store.Cancel, offboarding.CancelInput{
			Step: l.step("cancel"), Message: offboarding.Cancel{AdminID: l.Admin, Reason: "stays"},
		})
	}},
	"authorize a reactivation": {make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace()
		return called(l.store.AuthorizeReactivation, reactivateInput(l))
	}},
	"reactivate": {events: []string{"ReactivateMember", "WithdrawDocOwnership"}, make: func(l *leaving) call {
		document := l.Document(l.member, "")
		l.inGrace().requested(document, l.Maker())
		return called(l.store.ReactivateMember, reactivateInput(l))
	}},
	"reactivate, refused": {code: offboarding.CodeSeatLimitExceeded, make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace()
		l.Exec(`UPDATE organizations SET seat_limit = 3 WHERE id = $1`, l.ID)
		return called(l.store.ReactivateMember, reactivateInput(l))
	}},
	"close a reactivated case": {events: []string{"CompleteOffboarding"}, make: func(l *leaving) call {
		return done(reactivating(l).store.CloseReactivated, l.step("close"))
	}},
	"transfer": {
		events: []string{"TransferDocs", "ArchiveSchedules", "SupersedeDocOwnership"},
		make: func(l *leaving) call {
			document := l.Document(l.member, l.Folder(l.member, "", "Drafts"))
			l.Schedule(document)
			l.inGrace().requested(document, l.Maker())
			return swept(l.store.TransferBatch, offboarding.SweepInput{
				Step: l.step("transfer"), NewOwnerID: l.Manager, ArchiveSchedules: true,
			})
		},
	},
	"transfer, refused": {code: offboarding.CodeNewOwnerNotEligible, make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace()
		return swept(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.member})
	}},
	"archive": {events: []string{"ArchiveDocs", "ArchiveSchedules"}, make: func(l *leaving) call {
		l.Schedule(l.Document(l.member, ""))
		r := l.request()
		r.Disposition = offboarding.DispositionArchive
		l.deactivated(r).advance(offboarding.PhaseTransferring)
		return swept(l.store.ArchiveBatch, offboarding.SweepInput{Step: l.step("archive")})
	}},
	"lock": {events: []string{"MarkDocsReadOnly"}, make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace()
		l.at = l.at.Add(grace)
		l.advance(offboarding.PhaseReadOnly)
		return swept(l.store.LockBatch, offboarding.SweepInput{Step: l.step("lock")})
	}},
	"lock, refused": {code: offboarding.CodeWrongPhase, make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace()
		return swept(l.store.LockBatch, offboarding.SweepInput{Step: l.step("lock")})
	}},
	"restore": {events: []string{"MarkDocsEditable"}, make: func(l *leaving) call {
		l.Document(l.member, "")
		l.inGrace().readOnly()
		return swept(l.store.RestoreBatch, offboarding.SweepInput{Step: l.step("restore"), ActorID: l.Admin})
	}},
	"return": {events: []string{"ReturnDocs"}, make: func(l *leaving) call {
		return swept(reactivating(l).store.ReturnBatch, offboarding.SweepInput{Step: l.step("return"), ActorID: l.Admin})
	}},
	"grant": {events: []string{"GrantEdit"}, make: func(l *leaving) call {
		reactivating(l)
		l.store = l.store.WithBatchSize(100)
		return swept(l.store.GrantBatch, offboarding.SweepInput{Step: l.step("grant"), ActorID: l.Admin})
	}},
	"remind": {events: []string{"RemindGraceEnding"}, make: func(l *leaving) call {
		l.Grant(l.Document(l.member, ""), l.Maker(), offboarding.GrantEdit)
		l.inGrace()
		return called(l.store.Remind, offboarding.ReminderInput{Step: l.step("remind"), Lead: grace / 7, GraceEndsAt: l.at})
	}},
	"escalate": {events: []string{"EscalateRequest", "EscalateRequest"}, make: func(l *leaving) call {
		for range 2 {
			l.Document(l.member, "")
		}
		l.inGrace()
		for _, document := range l.documentsOf(l.member) {
			l.requested(document, l.Maker())
		}
		l.at = l.at.Add(offboarding.EscalateAfter)
		return called(l.store.Escalate, l.step("escalate/1"))
	}},
	"escalate, refused": {code: offboarding.CodeWrongPhase, make: func(l *leaving) call {
		l.deactivated(l.request())
		return called(l.store.Escalate, l.step("escalate/1"))
	}},
	"record trouble": {make: func(l *leaving) call {
		l.admit(l.request())
		trouble := offboarding.Trouble{Step: "revoke", Attempt: 3, LastError: "no answer", Since: l.at}
		return done(l.store.RecordTrouble, offboarding.TroubleInput{CaseID: l.id, Trouble: &trouble})
	}},
}

func reactivateInput(l *leaving) offboarding.ReactivateInput {
	return offboarding.ReactivateInput{Step: l.step("reactivate"), Message: offboarding.Reactivate{AdminID: l.Admin}}
}

// reactivating is a case whose member has claimed-away documents and is active again.
func reactivating(l *leaving) *leaving {
	document, maker := l.Document(l.member, ""), l.Maker()
	l.Document(l.member, "")
	l.Grant(document, maker, offboarding.GrantEdit)
	l.inGrace().claim(document, maker)
	_, err := l.store.ReactivateMember(l.t.Context(), reactivateInput(l))
	require.NoError(l.t, err)
	return l
}

// admits is Admit without what it says of itself: whether it has been here before.
func (l *leaving) admits(ctx context.Context, in offboarding.AdmitInput) (offboarding.Admission, error) {
	a, err := l.store.Admit(ctx, in)
	a.Again, a.Steps = false, 0
	return a, err
}

// A step does what it does once, however often it runs and whoever runs it at the
// same moment; a refused one is refused again, for the same reason (invariant 5).
func TestAStepIsDoneOnce(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db).WithBatchSize(3)
	for name, test := range steps {
		t.Run(name, func(t *testing.T) { // one after the other: each looks at the whole database
			l := newLeavingOn(t, fixture.New(t, db), store)
			run := test.make(l)
			last := l.Count(`SELECT coalesce(max(id), 0) FROM audit_events`)

			answers := make([]string, 4)
			runs := make([]func(), len(answers))
			for i := range runs {
				runs[i] = func() {
					result, err := run(t.Context())
					if err == nil || offboarding.CodeOf(err) != "" {
						answers[i] = answer(t, result, err)
					} else {
						answers[i] = "error: " + err.Error()
					}
				}
			}
			atOnce(runs...)
			for _, again := range answers {
				require.Equal(t, answers[0], again, "the answers of runs at the same moment")
			}
			var events []string
			require.NoError(t, l.DB.Select(&events, `SELECT event FROM audit_events WHERE id > $1 AND event <> 'CreateFolder'`, last))
			require.ElementsMatch(t, test.events, events)

			before := dump(t, l.DB)
			result, err := run(t.Context())
			require.Equal(t, answers[0], answer(t, result, err), "the answer of a later run")
			require.Equal(t, test.code, offboarding.CodeOf(err))
			require.Equal(t, before, dump(t, l.DB), "a later run changes nothing")
		})
	}
}
