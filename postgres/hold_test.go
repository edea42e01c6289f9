package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

func (l *leaving) hold(h offboarding.Hold) string {
	l.t.Helper()
	h.Reason = "matter 12"
	id, err := l.store.PlaceHold(l.t.Context(), h, l.Admin, l.at)
	require.NoError(l.t, err)
	return id
}

func (l *leaving) lift(hold string) {
	l.t.Helper()
	require.NoError(l.t, l.store.LiftHold(l.t.Context(), hold, l.Owner, "", l.at))
}

func (l *leaving) transferInput(newOwner string, documents ...string) offboarding.AuthorizeTransferInput {
	return offboarding.AuthorizeTransferInput{Step: l.step("transfer/" + newID()), Message: offboarding.TransferDocuments{
		AdminID: l.Admin, NewOwnerID: newOwner, DocumentIDs: documents,
	}}
}

// Rule H1: what is held is not claimed, not approved, not transferred by name; all
// else of the leaver's moves, and the held document too once the hold is lifted.
func TestRuleH1HoldsADocument(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	held, maker := l.claimable()
	other := l.Document(l.Leaver, "")
	schedule := l.Schedule(held)
	l.inGrace()
	request := l.requested(held, l.Member(offboarding.RoleContributor, offboarding.AccountMaker))
	hold, second := l.hold(offboarding.Hold{DocumentID: held}), l.hold(offboarding.Hold{DocumentID: held})

	_, err := l.store.Claim(t.Context(), l.claimInput(held, maker))
	refused(t, offboarding.CodeLegalHold, err)
	_, err = l.store.Decide(t.Context(), l.decideInput(request, offboarding.DecisionApprove, ""))
	refused(t, offboarding.CodeLegalHold, err)
	_, err = l.store.AuthorizeTransfer(t.Context(), l.transferInput(l.Manager, held, other))
	refused(t, offboarding.CodeLegalHold, err)
	_, err = l.store.AuthorizeTransfer(t.Context(), l.transferInput(l.Manager))
	require.NoError(t, err, "all that is not held")
	require.Equal(t, 1, l.transfer(l.Manager).Documents)
	require.Equal(t, l.Manager+" editable", l.DocumentState(other))
	require.Equal(t, l.Leaver+" editable", l.DocumentState(held))
	_, err = l.store.DB().Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, held, maker)
	require.ErrorContains(t, err, "legal hold", "the database holds it too")

	l.readOnly()
	require.Equal(t, l.Leaver+" read_only", l.DocumentState(held), "a hold does not keep a document editable")
	require.Equal(t, "paused", l.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	l.lift(hold)
	_, err = l.store.Claim(t.Context(), l.claimInput(held, maker))
	refused(t, offboarding.CodeLegalHold, err)
	l.lift(second)
	require.Equal(t, offboarding.OutcomeClaimed, l.claim(held, maker).Outcome)
	require.Equal(t, "active", l.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
	require.Equal(t, 2, l.eventsOf(offboarding.EventPlaceLegalHold))
	require.Equal(t, 2, l.eventsOf(offboarding.EventLiftLegalHold))
	invariantsHold(t, l.store)
}

// A hold on the member is on all that the member owns, whatever the plan says.
func TestRuleH1HoldsAMember(t *testing.T) {
	t.Parallel()
	for _, disposition := range []offboarding.Disposition{offboarding.DispositionTransfer, offboarding.DispositionArchive} {
		t.Run(string(disposition), func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			document, maker := l.claimable()
			schedule := l.Schedule(document)
			hold := l.hold(offboarding.Hold{MemberID: l.Leaver})
			r := l.request()
			r.Disposition = disposition
			l.deactivated(r)
			require.Equal(t, "inactive", l.Text(`SELECT status FROM members WHERE id = $1`, l.Leaver), "a hold never keeps access open")
			l.advance(offboarding.PhaseTransferring)
			if disposition == offboarding.DispositionTransfer {
				require.Zero(t, l.transfer(l.Manager).Documents)
			} else {
				require.Zero(t, l.sweep(l.store.ArchiveBatch, offboarding.SweepInput{Step: l.step("archive")}).Documents)
			}
			require.Equal(t, l.Leaver+" editable", l.DocumentState(document))
			require.Equal(t, "active", l.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
			ends := l.at.Add(grace)
			s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("settle"), GraceEndsAt: &ends})
			require.NoError(t, err)
			require.Equal(t, offboarding.PhaseGrace, s.Phase, "what is held waits")
			_, err = l.store.AuthorizeTransfer(t.Context(), l.transferInput(l.Manager))
			refused(t, offboarding.CodeLegalHold, err)
			_, err = l.store.Claim(t.Context(), l.claimInput(document, maker))
			refused(t, offboarding.CodeLegalHold, err)
			l.lift(hold)
			require.Equal(t, 1, l.transfer(l.Admin).Documents)
			invariantsHold(t, l.store)
		})
	}
}

// What is held with its new owner does not return to a reactivated member.
func TestRuleH1KeepsAReactivatedMemberFromTakingBack(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	held, free := l.Document(l.Leaver, ""), l.Document(l.Leaver, "")
	r := l.request()
	r.NewOwnerID = l.Manager
	l.deactivated(r)
	l.advance(offboarding.PhaseTransferring)
	l.transfer(l.Manager)
	l.hold(offboarding.Hold{DocumentID: held})
	l.reactivate(true)
	require.Equal(t, l.Manager+" editable", l.DocumentState(held))
	require.Equal(t, l.Leaver+" editable", l.DocumentState(free))
	require.Equal(t, "edit", l.Text(`SELECT level FROM grants WHERE document_id = $1 AND member_id = $2`, held, l.Leaver))
	invariantsHold(t, l.store)
}

func TestRuleH1WhoMay(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document := l.Document(l.Leaver, "")
	stranger := fixture.New(t, l.DB)
	hold := l.hold(offboarding.Hold{DocumentID: document})
	for _, c := range []struct {
		name string
		hold offboarding.Hold
		by   string
		code offboarding.Code
	}{
		{"a member", offboarding.Hold{DocumentID: document, Reason: "x"}, l.Manager, offboarding.CodeNotAuthorized},
		{"another tenant", offboarding.Hold{MemberID: l.Leaver, Reason: "x"}, stranger.Owner, offboarding.CodeNotAuthorized},
		{"both", offboarding.Hold{MemberID: l.Leaver, DocumentID: document, Reason: "x"}, l.Admin, offboarding.CodeInvalidArgument},
		{"neither", offboarding.Hold{Reason: "x"}, l.Admin, offboarding.CodeInvalidArgument},
		{"no reason", offboarding.Hold{MemberID: l.Leaver}, l.Admin, offboarding.CodeInvalidArgument},
		{"no such document", offboarding.Hold{DocumentID: newID(), Reason: "x"}, l.Admin, offboarding.CodeNoAccess},
		{"no ID", offboarding.Hold{MemberID: "nobody", Reason: "x"}, l.Admin, offboarding.CodeMemberNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := dump(t, l.DB)
			_, err := l.store.PlaceHold(t.Context(), c.hold, c.by, l.at)
			refused(t, c.code, err)
			require.Equal(t, before, dump(t, l.DB))
		})
	}
	refused(t, offboarding.CodeNotAuthorized, l.store.LiftHold(t.Context(), hold, l.Manager, "", l.at))
	refused(t, offboarding.CodeNotAuthorized, l.store.LiftHold(t.Context(), hold, stranger.Owner, "", l.at))
	refused(t, offboarding.CodeHoldNotFound, l.store.LiftHold(t.Context(), newID(), l.Admin, "", l.at))
	l.lift(hold)
	refused(t, offboarding.CodeHoldNotFound, l.store.LiftHold(t.Context(), hold, l.Admin, "", l.at))
	page, err := l.store.Holds(t.Context(), offboarding.HoldFilter{OrganizationID: l.ID, Lifted: true})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Equal(t, []string{"Member 2", "Member 1"}, []string{page.Items[0].PlacedByName, page.Items[0].LiftedByName})
	page, err = l.store.Holds(t.Context(), offboarding.HoldFilter{OrganizationID: l.ID})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}

// A claim and a hold at the same moment: the document is claimed and then held, or
// held and not claimed.
func TestHoldAndClaim(t *testing.T) {
	for name, of := range map[string]func(l *leaving, document string) offboarding.Hold{
		"document": func(_ *leaving, document string) offboarding.Hold {
			return offboarding.Hold{DocumentID: document, Reason: "x"}
		},
		"member": func(l *leaving, _ string) offboarding.Hold { return offboarding.Hold{MemberID: l.Leaver, Reason: "x"} },
	} {
		t.Run(name, func(t *testing.T) {
			race(t, func(l *leaving) (call, call, func(a, b error)) {
				document, maker := l.claimable()
				l.inGrace()
				place := func(ctx context.Context) (any, error) { return l.store.PlaceHold(ctx, of(l, document), l.Admin, l.at) }
				return place, called(l.store.Claim, l.claimInput(document, maker)), func(a, b error) {
					require.NoError(t, a)
					if b != nil {
						refused(t, offboarding.CodeLegalHold, b)
						require.Equal(t, l.Leaver+" editable", l.DocumentState(document))
					}
				}
			})
		})
	}
}

// A hold and a transfer of everything: what the hold found with the leaver stays.
func TestHoldAndTransfer(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.Documents(l.Leaver, 7)
		r := l.request()
		r.NewOwnerID = l.Manager
		l.deactivated(r)
		l.advance(offboarding.PhaseTransferring)
		place := func(ctx context.Context) (any, error) {
			return l.store.PlaceHold(ctx, offboarding.Hold{MemberID: l.Leaver, Reason: "x"}, l.Admin, l.at)
		}
		move := all(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager})
		return place, move, func(a, b error) {
			require.NoError(t, a)
			require.NoError(t, b)
		}
	})
}

// Rule H1: a hold that is placed while the member is deleted comes before, and keeps
// the member, or after, and finds nobody.
func TestHoldAndDeletion(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.completed()
		return l.places(offboarding.Hold{MemberID: l.member, Reason: "x"}), called(l.store.EraseMember, l.deletionInput(nil)), func(a, b error) {
			held := l.Count(`SELECT count(*) FROM legal_holds WHERE member_id = $1`, l.member)
			if a == nil {
				refused(t, offboarding.CodeLegalHold, b)
				require.Equal(t, "inactive true", l.memberState())
				require.Equal(t, 1, held)
				return
			}
			refused(t, offboarding.CodeMemberNotFound, a)
			require.NoError(t, b)
			require.Equal(t, 0, held)
		}
	})
}

// Two changes of the holds on one document at the same moment: it is held as long
// as one of them is in force.
func TestTwoHoldsOnADocument(t *testing.T) {
	for name, held := range map[string]bool{"lifted and lifted": false, "lifted and placed": true} {
		t.Run(name, func(t *testing.T) {
			race(t, func(l *leaving) (call, call, func(a, b error)) {
				document := l.Document(l.Leaver, "")
				first, second := l.hold(offboarding.Hold{DocumentID: document}), l.hold(offboarding.Hold{DocumentID: document})
				lift := func(hold string) call {
					return func(ctx context.Context) (any, error) { return nil, l.store.LiftHold(ctx, hold, l.Admin, "", l.at) }
				}
				other := lift(second)
				if held {
					l.lift(second)
					other = func(ctx context.Context) (any, error) {
						return l.store.PlaceHold(ctx, offboarding.Hold{DocumentID: document, Reason: "x"}, l.Admin, l.at)
					}
				}
				return lift(first), other, func(a, b error) {
					require.NoError(t, a)
					require.NoError(t, b)
					require.Equal(t, map[bool]int{true: 1}[held], l.Count(`SELECT count(*) FROM documents WHERE id = $1 AND held`, document))
				}
			})
		})
	}
}

// A hold on the new owner and a return of what they were given: what the hold found
// with them stays. The invariant looks at the order of the events.
func TestHoldAndReturn(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.Documents(l.Leaver, 7)
		r := l.request()
		r.NewOwnerID = l.Manager
		l.deactivated(r)
		l.advance(offboarding.PhaseTransferring)
		l.transfer(l.Manager)
		_, err := l.store.ReactivateMember(t.Context(), offboarding.ReactivateInput{
			Step: l.step("reactivate"), Message: offboarding.Reactivate{AdminID: l.Admin, ReturnDocuments: true},
		})
		require.NoError(t, err)
		place := func(ctx context.Context) (any, error) {
			return l.store.PlaceHold(ctx, offboarding.Hold{MemberID: l.Manager, Reason: "x"}, l.Admin, l.at)
		}
		back := all(l.store.ReturnBatch, offboarding.SweepInput{Step: l.step("return"), ActorID: l.Admin})
		return place, back, func(a, b error) {
			require.NoError(t, a)
			require.NoError(t, b)
		}
	})
}

// A case that is opened while a hold waits for the account is locked by the hold too, and
// another version for a claim that has read it before.
func TestAHoldLocksACaseThatIsOpenedMeanwhile(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	blocker, err := l.DB.Beginx()
	require.NoError(t, err)
	defer func() { _ = blocker.Rollback() }()
	_, err = blocker.Exec(`SELECT FROM members WHERE id = $1 FOR NO KEY UPDATE`, l.member)
	require.NoError(t, err)

	placed := make(chan error)
	go func() {
		_, err := l.store.PlaceHold(t.Context(), offboarding.Hold{MemberID: l.member, Reason: "matter 12"}, l.Admin, l.at)
		placed <- err
	}()
	l.waiting(1)
	l.admit(l.request())
	const version = `SELECT xmin FROM cases WHERE id = $1`
	opened := l.Text(version, l.id)
	require.NoError(t, blocker.Rollback())
	require.NoError(t, <-placed)
	require.NotEqual(t, opened, l.Text(version, l.id))
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM legal_holds`))
	invariantsHold(t, l.store)
}
