package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// Races of what changes the case itself, and of whole cases with each other.

// comesBack is the part of a reactivation in which documents and the member
// change; the rest settles what has found an owner.
func (l *leaving) comesBack() call {
	restore := offboarding.SweepInput{Step: l.step("restore"), ActorID: l.Admin}
	return inOrder(all(l.store.RestoreBatch, restore), called(l.store.ReactivateMember, reactivateInput(l)))
}

// settled does the rest of a reactivation and requires that the case has closed.
func (l *leaving) settled() {
	l.t.Helper()
	l.sweep(l.store.GrantBatch, offboarding.SweepInput{Step: l.step("grant"), ActorID: l.Admin})
	require.NoError(l.t, l.store.CloseReactivated(l.t.Context(), l.step("close")))
}

// moves is how often a document has changed hands.
func (l *leaving) moves(document string) int {
	return l.Count(`SELECT count(*) FROM audit_events WHERE document_id = $1 AND event IN ('TransferDocs', 'ClaimDocOwnership', 'ReturnDocs')`, document)
}

// The last document is claimed while the case looks whether it can complete: it
// completes then or the next time, never before.
func TestLastClaimAndCompletion(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.claimable()
		l.inGrace()
		settle := offboarding.SettleInput{Step: l.step("settle/2")}
		return called(l.store.Claim, l.claimInput(document, maker)), called(l.store.Settle, settle), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Equal(t, maker+" editable", l.DocumentState(document))
			s, err := l.store.Settle(t.Context(), settle)
			require.NoError(t, err)
			require.Equal(t, s.Phase == offboarding.PhaseCompleted, s.Unowned == 0)
			require.Equal(t, string(s.Phase), l.phase())
		}
	})
}

// A document is approved for one and transferred to another: it moves once.
func TestApprovalDuringATransfer(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.Document(l.member, ""), l.Maker()
		for range 4 {
			l.Document(l.member, "")
		}
		request := l.inGrace().requested(document, maker)
		transfer := offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager}
		return called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, "")), all(l.store.TransferBatch, transfer),
			func(a, b error) {
				require.NoError(t, b)
				owner := maker
				if a != nil {
					refused(t, offboarding.CodeRequestNotPending, a)
					owner = l.Manager
				}
				require.Equal(t, owner+" editable", l.DocumentState(document))
				require.Equal(t, 1, l.moves(document))
			}
	})
}

// An approval and the return of the leaver: the document has found an owner first, or
// is the leaver's and asked for no more.
func TestApprovalDuringAReactivation(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.Document(l.member, ""), l.Maker()
		request := l.inGrace().requested(document, maker)
		l.readOnly()
		return called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, "")), l.comesBack(), func(a, b error) {
			require.NoError(t, b)
			owner, status := maker, "approved"
			if a != nil {
				refused(t, offboarding.CodeRequestNotPending, a)
				owner, status = l.member, "withdrawn"
			}
			require.Equal(t, owner+" editable", l.DocumentState(document))
			require.Equal(t, status, l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, request))
			l.settled()
		}
	})
}

// A transfer of everything and the return of the leaver: each document is with one of
// the two, and the leaver can edit all of them.
func TestTransferDuringAReactivation(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		for range 7 {
			l.Schedule(l.Document(l.member, ""))
		}
		l.inGrace().readOnly()
		transfer := offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager}
		return all(l.store.TransferBatch, transfer), l.comesBack(), func(a, b error) {
			require.NoError(t, b)
			if a != nil {
				refused(t, offboarding.CodeMemberStillActive, a)
			}
			l.settled()
			require.Equal(t, 7, l.Count(`SELECT count(*) FROM documents d WHERE access = 'editable' AND (owner_id = $1 OR owner_id = $2
				AND EXISTS (SELECT 1 FROM grants g WHERE g.document_id = d.id AND g.member_id = $1 AND g.level = 'edit'))`, l.member, l.Manager))
			require.Equal(t, 7, l.Count(`SELECT count(*) FROM schedules s JOIN documents d ON d.id = s.document_id
				WHERE d.owner_id IN ($1, $2) AND s.status = 'active'`, l.member, l.Manager))
		}
	})
}

// A claim by somebody who leaves at that moment: it is refused, or the document is
// unowned in the claimant's own case.
func TestClaimBySomebodyWhoLeaves(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.claimable()
		l.inGrace()
		other := l.of(maker).revoked(offboarding.Request{MemberID: maker, RequestedBy: l.Owner})
		return called(l.store.Claim, l.claimInput(document, maker)), called(l.store.Deactivate, other.step("deactivate")), func(a, b error) {
			require.NoError(t, b)
			owner := maker
			if a != nil {
				refused(t, offboarding.CodeNoAccess, a)
				owner = l.member
			}
			require.Equal(t, owner+" editable", l.DocumentState(document))
		}
	})
}

// At its effective time a case is canceled or begins, not both; one that is
// rescheduled at that moment has begun, or waits for the new time.
func TestMessagesAtTheEffectiveTime(t *testing.T) {
	for name, message := range map[string]func(*leaving) call{
		"canceled": func(l *leaving) call {
			return called(l.store.Cancel, offboarding.CancelInput{Step: l.step("cancel"), Message: offboarding.Cancel{AdminID: l.Admin}})
		},
		"rescheduled": func(l *leaving) call {
			return called(l.store.Reschedule, offboarding.RescheduleInput{
				Step: l.step("reschedule"), Message: offboarding.Reschedule{AdminID: l.Admin, EffectiveAt: "2026-04-01"},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			race(t, func(l *leaving) (call, call, func(a, b error)) {
				r := l.request()
				r.EffectiveAt = l.at.Add(time.Hour).Format(time.RFC3339)
				l.admit(r)
				l.at = l.at.Add(time.Hour)
				revoke := offboarding.RevokeInput{Step: l.step("revoke"), SecondLook: true}
				return message(l), called(l.store.Revoke, revoke), func(a, b error) {
					if name == "canceled" {
						either(t, offboarding.CodeWrongPhase, a, b)
						return
					}
					require.NoError(t, b)
					if a != nil {
						refused(t, offboarding.CodeWrongPhase, a)
					}
				}
			})
		})
	}
}

// Rule H1: approved and then held, or held and not approved.
func TestHoldAndApproval(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.Document(l.member, ""), l.Maker()
		request := l.inGrace().requested(document, maker)
		return l.places(offboarding.Hold{DocumentID: document, Reason: "x"}),
			called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, "")), func(a, b error) {
				require.NoError(t, a)
				owner := maker
				if b != nil {
					refused(t, offboarding.CodeLegalHold, b)
					owner = l.member
				}
				require.Equal(t, owner+" editable", l.DocumentState(document))
			}
	})
}

// Rule H1: what is archived when the hold comes stays archived, the rest is not.
func TestHoldAndArchive(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.Documents(l.member, 7)
		r := l.request()
		r.Disposition = offboarding.DispositionArchive
		l.deactivated(r).advance(offboarding.PhaseTransferring)
		archive := all(l.store.ArchiveBatch, offboarding.SweepInput{Step: l.step("archive")})
		return l.places(offboarding.Hold{MemberID: l.member, Reason: "x"}), archive, func(a, b error) {
			require.NoError(t, errors.Join(a, b))
		}
	})
}

func (l *leaving) places(h offboarding.Hold) call {
	return func(ctx context.Context) (any, error) { return l.store.PlaceHold(ctx, h, l.Admin, l.at) }
}

// Rule B1: a member is offboarded from a list and alone at the same moment: one case,
// whoever opened it.
func TestBulkAndSingleStart(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.Document(l.member, "")
		bulk := newID()
		_, err := l.store.AdmitBulk(t.Context(), offboarding.BulkAdmitInput{
			BulkID: bulk, WorkflowID: offboarding.BulkWorkflowID(bulk), At: l.at,
			Request: offboarding.BulkRequest{RequestedBy: l.Owner, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: l.member}, {MemberID: l.Manager}}},
		})
		require.NoError(t, err)
		single := l.admitInput(l.request())
		single.WorkflowID = "hr/" + l.id
		return called(func(ctx context.Context, in offboarding.BulkStep) (int, error) {
				return l.store.OffboardBatch(ctx, in, 0)
			}, offboarding.BulkStep{BulkID: bulk, At: l.at}), called(l.store.Admit, single), func(a, b error) {
				require.NoError(t, a)
				if b != nil { // the list was done with the member before the start was judged
					refused(t, offboarding.CodeAlreadyInactive, b)
				}
				require.Equal(t, 1, l.Count(`SELECT count(*) FROM cases WHERE member_id = $1`, l.member))
				require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE member_id = $1 AND event = 'ScheduleOffboarding'`, l.member))
				require.Equal(t, "inactive", l.Text(`SELECT status FROM members WHERE id = $1`, l.Manager))
			}
	})
}

// Rule W1: a member is removed from a workspace and leaves the organization at the
// same moment; nothing is left without a case.
func TestRemovalAndDeactivation(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		r := newRemovingOn(l)
		r.revoked(r.request())
		whole := l.of(l.member).revoked(l.request())
		return called(r.store.Deactivate, r.step("deactivate")), called(whole.store.Deactivate, whole.step("deactivate")), func(a, b error) {
			require.NoError(t, b)
			if a != nil {
				refused(t, offboarding.CodeAlreadyInactive, a)
			}
			require.Equal(t, "inactive", l.Text(`SELECT status FROM members WHERE id = $1`, l.member))
			for _, c := range []*leaving{r.leaving, whole} {
				if c == r.leaving && a != nil {
					require.NoError(t, c.store.Fail(t.Context(), offboarding.FailInput{Step: c.step("fail")}))
					continue
				}
				ends := c.at.Add(grace)
				s, err := c.store.Settle(t.Context(), offboarding.SettleInput{Step: c.step("settle"), GraceEndsAt: &ends})
				require.NoError(t, err)
				require.Equal(t, offboarding.PhaseGrace, s.Phase)
			}
			require.Zero(t, r.moves(r.inside)+r.moves(r.outside))
		}
	})
}
