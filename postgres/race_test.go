package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// rounds is how often each race is run: enough to see every order of the two.
const rounds = 12

// race runs two calls at the same moment, round by round on an organization of its
// own. An error that is no refusal is tried again, as the workflow would: a
// deadlock must have left no trace.
func race(t *testing.T, round func(*leaving) (a, b call, check func(a, b error))) {
	t.Helper()
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db).WithBatchSize(3)
	for range rounds {
		l := newLeavingOn(t, fixture.New(t, db), store)
		a, b, check := round(l)
		var errA, errB error
		atOnce(func() { errA = persistent(t, a) }, func() { errB = persistent(t, b) })
		check(errA, errB)
		if t.Failed() {
			return
		}
	}
	invariantsHold(t, store)
}

// persistent tries a call until it is done or refused.
func persistent(t *testing.T, c call) error {
	for {
		_, err := c(t.Context())
		var failure *postgres.Error
		if !errors.As(err, &failure) {
			return err
		}
		t.Logf("tried again: %v: %v", failure, failure.Raw())
		if failure.State != "40P01" && failure.State != "40001" {
			return err
		}
		t.Errorf("locks are taken in different orders")
	}
}

// invariantsHold requires what must be true whatever happened.
func invariantsHold(t testing.TB, store *postgres.Store) {
	t.Helper()
	found, err := store.CheckInvariants(t.Context())
	require.NoError(t, err)
	for _, i := range found {
		require.True(t, i.Holds(), "%s (%s): %d, such as %s", i.Name, i.Says, i.Broken, i.Sample)
	}
	var left []string
	require.NoError(t, store.DB().Select(&left, `SELECT r.id FROM ownership_requests r JOIN documents d ON d.id = r.document_id
		JOIN cases c ON c.id = r.case_id WHERE r.status = 'pending' AND (d.owner_id <> c.member_id OR c.phase = 'reactivated')`))
	require.Empty(t, left, "requests that wait for a document that has an owner")
	require.NoError(t, store.DB().Select(&left, `SELECT d.id FROM documents d JOIN folders f ON f.id = d.folder_id WHERE f.owner_id <> d.owner_id`))
	require.Empty(t, left, "documents in somebody else's My Documents")
}

// all runs every batch of a sweep.
func all(do batch, in offboarding.SweepInput) call {
	return func(ctx context.Context) (any, error) {
		var total offboarding.Sweep
		for !total.Done {
			s, err := do(ctx, in, total.Cursor)
			if err != nil {
				return total, err
			}
			total.Cursor, total.Done = s.Cursor, s.Done
		}
		return total, nil
	}
}

// inOrder runs calls one after the other.
func inOrder(calls ...call) call {
	return func(ctx context.Context) (any, error) {
		for _, c := range calls {
			if _, err := c(ctx); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

// either requires that one was done and the other refused for this reason.
func either(t *testing.T, code offboarding.Code, a, b error) {
	t.Helper()
	if a == nil {
		a, b = b, a
	}
	require.NoError(t, b, "one of the two wins")
	refused(t, code, a)
}

// claimable is a document of the leaver and a maker who may claim it.
func (l *leaving) claimable() (document, maker string) {
	l.t.Helper()
	document, maker = l.Document(l.member, ""), l.Maker()
	l.Grant(document, maker, offboarding.GrantEdit)
	return document, maker
}

// Rule C1: the first wins, exactly one (invariant 4).
func TestTwoClaims(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, one := l.claimable()
		two := l.Maker()
		l.Grant(document, two, offboarding.GrantEdit)
		l.inGrace()
		return called(l.claimElsewhere, l.claimInput(document, one)), called(l.claimElsewhere, l.claimInput(document, two)),
			func(a, b error) { either(t, offboarding.CodeAlreadyOwned, a, b) }
	})
}

// Two claims of one maker make the maker's Archived Users once.
func TestTwoClaimsOfOneMaker(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		folder := l.Folder(l.member, "", "Drafts")
		one, two, maker := l.Document(l.member, folder), l.Document(l.member, ""), l.Maker()
		l.Grant(one, maker, offboarding.GrantEdit)
		l.Grant(two, maker, offboarding.GrantEdit)
		l.inGrace()
		return called(l.claimElsewhere, l.claimInput(one, maker)), called(l.claimElsewhere, l.claimInput(two, maker)), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Equal(t, 3, l.Count(`SELECT count(*) FROM folders WHERE owner_id = $1`, maker))
		}
	})
}

func TestClaimDuringATransfer(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.claimable()
		for range 4 {
			l.Document(l.member, "")
		}
		l.inGrace().requested(document, l.Maker())
		transfer := offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager}
		return called(l.store.Claim, l.claimInput(document, maker)), all(l.store.TransferBatch, transfer), func(a, b error) {
			require.NoError(t, b)
			if a != nil {
				refused(t, offboarding.CodeAlreadyOwned, a)
			}
			require.Zero(t, l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, l.member))
		}
	})
}

// A request filed while the document finds an owner does not survive.
func TestRequestDuringATransfer(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, reader := l.Document(l.member, ""), l.Member(offboarding.RoleReader, offboarding.AccountViewer)
		l.Grant(document, reader, offboarding.GrantView)
		l.inGrace()
		transfer := offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager}
		return called(l.store.Claim, l.claimInput(document, reader)), all(l.store.TransferBatch, transfer), func(a, b error) {
			require.NoError(t, b)
			if a != nil {
				refused(t, offboarding.CodeAlreadyOwned, a)
			}
			require.Zero(t, l.Count(`SELECT count(*) FROM ownership_requests WHERE case_id = $1 AND status = 'pending'`, l.id))
		}
	})
}

func TestTwoTransfers(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		for _, name := range []string{"A", "B", "C"} {
			inner := l.Folder(l.member, l.Folder(l.member, "", name), "inner")
			for range 2 {
				l.Schedule(l.Document(l.member, inner))
			}
		}
		l.inGrace()
		one := offboarding.SweepInput{Step: l.step("one"), NewOwnerID: l.Manager, ArchiveSchedules: true}
		two := offboarding.SweepInput{Step: l.step("two"), NewOwnerID: l.Manager, ArchiveSchedules: true}
		return all(l.store.TransferBatch, one), all(l.store.WithBatchSize(4).TransferBatch, two), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Equal(t, 6, l.Count(`SELECT count(*) FROM audit_events WHERE case_id = $1 AND event = 'TransferDocs'`, l.id))
		}
	})
}

func TestClaimDuringTheLock(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.claimable()
		l.Document(l.member, "")
		l.inGrace()
		l.at = l.at.Add(grace)
		l.advance(offboarding.PhaseReadOnly)
		lock := offboarding.SweepInput{Step: l.step("lock")}
		return called(l.store.Claim, l.claimInput(document, maker)), all(l.store.LockBatch, lock), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Equal(t, maker+" editable", l.DocumentState(document))
		}
	})
}

func TestClaimAtTheEndOfTheGrace(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.claimable()
		other := l.Document(l.member, "")
		l.inGrace()
		l.at = l.at.Add(grace)
		return called(l.store.Claim, l.claimInput(document, maker)), called(l.store.Advance, l.endGrace()), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Equal(t, maker+" editable", l.DocumentState(document))
			require.Equal(t, l.member+" read_only", l.DocumentState(other))
		}
	})
}

func TestClaimDuringAReactivation(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.claimable()
		l.inGrace().readOnly()
		restore := offboarding.SweepInput{Step: l.step("restore"), ActorID: l.Admin}
		reactivate := inOrder(all(l.store.RestoreBatch, restore), called(l.store.ReactivateMember, reactivateInput(l)))
		return called(l.store.Claim, l.claimInput(document, maker)), reactivate, func(a, b error) {
			require.NoError(t, b)
			owner := maker
			if a != nil {
				refused(t, offboarding.CodeAlreadyOwned, a)
				owner = l.member
			}
			require.Equal(t, owner+" editable", l.DocumentState(document))
			l.sweep(l.store.GrantBatch, offboarding.SweepInput{Step: l.step("grant"), ActorID: l.Admin})
			require.NoError(t, l.store.CloseReactivated(t.Context(), l.step("close")))
		}
	})
}

func TestTwoApprovals(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document := l.Document(l.member, "")
		l.inGrace()
		one, two := l.requested(document, l.Maker()), l.requested(document, l.Maker())
		return called(l.store.Decide, l.decideInput(one, offboarding.DecisionApprove, "")),
			called(l.store.Decide, l.decideInput(two, offboarding.DecisionApprove, "")),
			func(a, b error) { either(t, offboarding.CodeRequestNotPending, a, b) }
	})
}

func TestApproveAndRejectOfOneRequest(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document := l.Document(l.member, "")
		request := l.inGrace().requested(document, l.Maker())
		return called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, "")),
			called(l.store.Decide, l.decideInput(request, offboarding.DecisionReject, "")),
			func(a, b error) { either(t, offboarding.CodeRequestNotPending, a, b) }
	})
}

func TestApprovalAndClaim(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.claimable()
		request := l.inGrace().requested(document, l.Maker())
		return called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, "")),
			called(l.store.Claim, l.claimInput(document, maker)),
			func(a, b error) {
				if a == nil {
					refused(t, offboarding.CodeAlreadyOwned, b)
				} else {
					refused(t, offboarding.CodeRequestNotPending, a)
					require.NoError(t, b)
				}
			}
	})
}

// Nobody is given a document at the moment at which they leave (rule N1), or it is
// unowned in their own case.
func TestApprovalForSomebodyWhoLeaves(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		document, maker := l.Document(l.member, ""), l.Maker()
		l.Document(maker, "")
		request := l.inGrace().requested(document, maker)
		other := l.of(maker).revoked(offboarding.Request{MemberID: maker, RequestedBy: l.Owner})
		return called(l.store.Decide, l.decideInput(request, offboarding.DecisionApprove, "")),
			called(l.store.Deactivate, other.step("deactivate")),
			func(a, b error) {
				require.NoError(t, b)
				want := maker
				if a != nil {
					refused(t, offboarding.CodeRequestNotPending, a)
					want = l.member
				}
				require.Equal(t, want+" editable", l.DocumentState(document))
			}
	})
}

func TestTransferToSomebodyWhoLeaves(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		for range 7 {
			l.Document(l.member, "")
		}
		maker := l.Maker()
		l.inGrace()
		other := l.of(maker).revoked(offboarding.Request{MemberID: maker, RequestedBy: l.Owner})
		transfer := offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: maker}
		return all(l.store.TransferBatch, transfer), called(l.store.Deactivate, other.step("deactivate")), func(a, b error) {
			require.NoError(t, b)
			if a != nil {
				refused(t, offboarding.CodeNewOwnerNotEligible, a)
			}
			require.Zero(t, l.Count(`SELECT count(*) FROM audit_events e JOIN audit_events d ON d.event = 'DeactivateMember' AND d.member_id = $1
				WHERE e.case_id = $2 AND e.event = 'TransferDocs' AND e.id > d.id`, maker, l.id), "given to somebody who had left")
		}
	})
}

// Two leavers ask for documents of a third: each withdraws what the other's
// documents wait for.
func TestTwoRequestersWhoLeave(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		one, two := l.Maker(), l.Maker()
		var documents []string
		for range 6 {
			documents = append(documents, l.Document(l.member, ""))
		}
		l.inGrace()
		for i, document := range documents {
			if i%2 == 0 {
				l.requested(document, one)
				l.requested(document, two)
			} else {
				l.requested(document, two)
				l.requested(document, one)
			}
		}
		a := l.of(one).revoked(offboarding.Request{MemberID: one, RequestedBy: l.Owner})
		transfer := offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: l.Manager}
		return called(l.store.Deactivate, a.step("deactivate")), all(l.store.TransferBatch, transfer), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Equal(t, 12, l.Count(`SELECT count(*) FROM ownership_requests WHERE case_id = $1 AND status IN ('withdrawn', 'superseded')`, l.id))
		}
	})
}

// Rule A3, in the rules and, for cases admitted long before, in the database.
func TestTwoLastOwnersLeave(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		second := l.Member(offboarding.RoleOwner, offboarding.AccountMaker)
		one, two := l.of(l.Owner), l.of(second)
		return called(l.store.Admit, one.admitInput(offboarding.Request{MemberID: l.Owner, RequestedBy: second})),
			called(l.store.Admit, two.admitInput(offboarding.Request{MemberID: second, RequestedBy: l.Owner})),
			func(a, b error) { either(t, offboarding.CodeLastOwner, a, b) }
	})
}

func TestTwoLastOwnersAreDeactivated(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		second := l.Member(offboarding.RoleOwner, offboarding.AccountMaker)
		one, two := l.of(l.Owner), l.of(second)
		ahead := l.at.Add(time.Hour).Format(time.RFC3339)
		one.admit(offboarding.Request{MemberID: l.Owner, RequestedBy: second, EffectiveAt: ahead})
		two.admit(offboarding.Request{MemberID: second, RequestedBy: l.Owner, EffectiveAt: ahead})
		for _, c := range []*leaving{one, two} {
			_, err := c.store.Revoke(t.Context(), offboarding.RevokeInput{Step: c.step("revoke")})
			require.NoError(t, err)
		}
		return called(l.store.Deactivate, one.step("deactivate")), called(l.store.Deactivate, two.step("deactivate")),
			func(a, b error) { either(t, offboarding.CodeLastOwner, a, b) }
	})
}

// Rule R1: one free seat, one of the two.
func TestTwoReactivationsForOneSeat(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		other := l.of(l.Maker())
		l.Document(l.member, "")
		l.Document(other.member, "")
		l.inGrace()
		other.inGrace()
		l.Exec(`UPDATE organizations SET seat_limit = 4 WHERE id = $1`, l.ID)
		return called(l.store.ReactivateMember, reactivateInput(l)), called(l.store.ReactivateMember, reactivateInput(other)),
			func(a, b error) {
				either(t, offboarding.CodeSeatLimitExceeded, a, b)
				require.Equal(t, 4, l.Count(`SELECT count(*) FROM members WHERE organization_id = $1 AND status = 'active'`, l.ID))
			}
	})
}

// Rule E2: two starts open one case; both are answered with it.
func TestTwoStarts(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		other := l.of(l.member)
		other.id = newID()
		return called(l.store.Admit, l.admitInput(l.request())), called(l.store.Admit, other.admitInput(l.request())), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Equal(t, 1, l.Count(`SELECT count(*) FROM cases WHERE organization_id = $1`, l.ID))
			require.Equal(t, []string{"ScheduleOffboarding"}, l.Events())
		}
	})
}

// Invariant 2: a credential made at the last moment is revoked or never made.
func TestCredentialMadeDuringTheDeactivation(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.revoked(l.request())
		create := func(ctx context.Context) (any, error) {
			_, err := l.DB.ExecContext(ctx, `INSERT INTO credentials (id, organization_id, member_id, kind, name, status, created_at)
				VALUES ($1, $2, $3, 'embed', 'late', 'active', $4)`, newID(), l.ID, l.member, l.at)
			return nil, err
		}
		return create, called(l.store.Deactivate, l.step("deactivate")), func(a, b error) {
			require.NoError(t, b)
			if a != nil {
				require.ErrorContains(t, a, "only an active member")
			}
			require.Zero(t, l.Count(`SELECT count(*) FROM credentials WHERE member_id = $1 AND status = 'active'`, l.member))
		}
	})
}

// A return and a transfer of the same documents, which are unowned again because
// their new owner leaves.
func TestReturnDuringTheNextTransfer(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		maker := l.Maker()
		for range 5 {
			l.Schedule(l.Document(l.member, ""))
		}
		l.Document(l.member, "")
		l.inGrace()
		in := offboarding.SweepInput{Step: l.step("transfer"), NewOwnerID: maker, ArchiveSchedules: true}
		l.sweep(l.store.TransferBatch, in)
		_, err := l.store.ReactivateMember(t.Context(), reactivateInput(l))
		require.NoError(t, err)
		next := l.of(maker)
		next.inGrace()
		back := offboarding.SweepInput{Step: l.step("return"), ActorID: l.Admin}
		on := offboarding.SweepInput{Step: next.step("transfer"), NewOwnerID: l.Manager, ArchiveSchedules: true}
		return all(l.store.ReturnBatch, back), all(next.store.WithBatchSize(4).TransferBatch, on), func(a, b error) {
			require.NoError(t, errors.Join(a, b))
			require.Zero(t, l.Count(`SELECT count(*) FROM documents WHERE owner_id = $1`, maker))
			require.NoError(t, l.store.CloseReactivated(t.Context(), l.step("close")))
		}
	})
}

// Rule A3 at the second look: owners whose last day is the same leave, but for
// the last one.
func TestOwnersWhoLeaveAtOneMoment(t *testing.T) {
	for name, owners := range map[string]int{"one stays": 3, "both would go": 2} {
		t.Run(name, func(t *testing.T) {
			race(t, func(l *leaving) (call, call, func(a, b error)) {
				second := l.Member(offboarding.RoleOwner, offboarding.AccountMaker)
				if owners == 3 {
					l.Member(offboarding.RoleOwner, offboarding.AccountMaker)
				}
				one, two := l.of(l.Owner), l.of(second)
				ahead := l.at.Add(time.Hour)
				one.admit(offboarding.Request{MemberID: l.Owner, RequestedBy: second, EffectiveAt: ahead.Format(time.RFC3339)})
				two.admit(offboarding.Request{MemberID: second, RequestedBy: l.Owner, EffectiveAt: ahead.Format(time.RFC3339)})
				look := func(c *leaving) call {
					in := offboarding.RevokeInput{Step: c.step("revoke"), SecondLook: true}
					in.At = ahead
					return called(l.store.Revoke, in)
				}
				return look(one), look(two), func(a, b error) {
					if owners == 3 {
						require.NoError(t, errors.Join(a, b))
						return
					}
					either(t, offboarding.CodeLastOwner, a, b)
				}
			})
		})
	}
}
