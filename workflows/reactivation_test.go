package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestReactivationGivesBackWhatNobodyHasTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		when time.Duration
		back bool
	}{
		"in the grace": {5 * day, false}, "after it": {9 * day, false},
		"in the grace, with return": {5 * day, true}, "after it, with return": {9 * day, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			colleague, credential := s.Maker(), s.Credential(s.Leaver)
			own := s.Folder(s.Leaver, "", "Own")
			taken, passedOn, left := s.Document(s.Leaver, own), s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
			for _, document := range []string{taken, passedOn, left} {
				s.Grant(document, colleague, offboarding.GrantEdit)
				s.Grant(document, s.Admin, offboarding.GrantView)
			}
			s.after(day, func() {
				s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: taken, MemberID: colleague})
				s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: passedOn, MemberID: colleague})
				s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: left, MemberID: s.Admin})
			})
			s.after(2*day, func() {
				require.Equal(t, 1, s.status().PendingCount)
				s.Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, passedOn, s.Manager)
			})
			var a *answer
			s.after(c.when, func() {
				a = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: c.back})
			})
			s.run(nil)

			require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
			require.NoError(t, a.err)
			require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
			require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential), "what was revoked stays revoked")
			require.Equal(t, s.Leaver+" editable", s.DocumentState(left))
			require.Equal(t, s.Manager+" editable", s.DocumentState(passedOn))
			require.Equal(t, "withdrawn", s.Text(`SELECT status FROM ownership_requests`))
			granted := `SELECT level FROM grants WHERE document_id = $1 AND member_id = $2`
			require.Equal(t, "edit", s.Text(granted, passedOn, s.Leaver))
			require.NotEmpty(t, s.Text(`SELECT closed_at FROM cases`))
			if c.back {
				require.Equal(t, s.Leaver+" editable", s.DocumentState(taken))
				require.Equal(t, own, s.Text(`SELECT folder_id FROM documents WHERE id = $1`, taken))
				require.Equal(t, 1, a.outcome.Documents)
				return
			}
			require.Equal(t, colleague+" editable", s.DocumentState(taken))
			require.Equal(t, "edit", s.Text(granted, taken, s.Leaver))
		})
	}
}

// fillSeats leaves no seat free.
func (s *scene) fillSeats() { s.Exec(`UPDATE organizations SET seat_limit = 1`) }

func TestReactivationRefusedAtTheLastMomentLocksAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	s.lasting(20 * day)
	s.onStart("ReactivateMember", s.fillSeats)
	var refused, again *answer
	message := offboarding.Reactivate{AdminID: s.Admin}
	s.after(9*day, func() { refused = s.ask(offboarding.MessageReactivate, message) })
	s.after(10*day, func() {
		require.Equal(t, offboarding.CodeSeatLimitExceeded, refused.code())
		require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase)
		require.Equal(t, offboarding.Counts{Total: 1, Unowned: 1, ReadOnly: 1}, s.status().Documents)
		require.Equal(t, s.Leaver+" read_only", s.DocumentState(document))
		s.Exec(`UPDATE organizations SET seat_limit = 0`)
		again = s.ask(offboarding.MessageReactivate, message)
	})
	s.run(nil)
	require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
	require.NoError(t, again.err)
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
}

func TestReactivationRefusedAtTheLastMomentArchivesAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	schedule := s.Schedule(document)
	var a *answer
	s.onStarts(map[string]func(){
		"ArchiveDocuments": func() {
			a = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
		},
		"ReactivateMember": s.fillSeats,
	})
	s.run(func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive })
	require.Equal(t, offboarding.CodeSeatLimitExceeded, a.code())
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.Equal(t, offboarding.Counts{Total: 1, Archived: 1}, s.result().Documents)
	require.Equal(t, s.Leaver+" archived", s.DocumentState(document))
	require.Equal(t, "archived", s.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
}

// What a legal hold is on keeps the case open after the plan has been done: what was
// archived is archived again there too.
func TestReactivationRefusedAfterThePlanArchivesAgain(t *testing.T) {
	t.Parallel()
	for phase, at := range map[offboarding.Phase]time.Duration{offboarding.PhaseGrace: day, offboarding.PhaseReadOnly: 9 * day} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			document, held := s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
			schedule := s.Schedule(document)
			_, err := s.store().PlaceHold(t.Context(), offboarding.Hold{DocumentID: held, Reason: "matter 12"}, s.Owner, s.now)
			require.NoError(t, err)
			heldState := func() string { return s.DocumentState(held) }
			s.onStart("ReactivateMember", s.fillSeats)
			var before string
			var a *answer
			s.after(at, func() {
				require.Equal(t, phase, s.status().Phase)
				before = heldState()
				a = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
			})
			s.after(at+time.Hour, func() {
				require.Equal(t, offboarding.CodeSeatLimitExceeded, a.code())
				require.Equal(t, phase, s.status().Phase)
				want := offboarding.Counts{Total: 2, Unowned: 1, Archived: 1}
				if phase == offboarding.PhaseReadOnly {
					want.ReadOnly = 1
				}
				require.Equal(t, want, s.status().Documents)
				require.Equal(t, s.Leaver+" archived", s.DocumentState(document))
				require.Equal(t, "archived", s.Text(`SELECT status FROM schedules WHERE id = $1`, schedule))
				require.Equal(t, before, heldState())
			})
			s.lasting(at + 2*time.Hour)
			s.run(func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive })
			s.invariantsHold()
		})
	}
}

func TestReactivationDuringTheTransfer(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"keeping the new owner": false, "with return": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			document := s.Document(s.Leaver, "")
			var a *answer
			s.onStart("TransferDocuments", func() {
				a = s.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: back})
			})
			s.run(func(r *offboarding.Request) { r.NewOwnerID = s.Manager })
			require.NoError(t, a.err)
			require.Equal(t, offboarding.PhaseReactivated, s.result().Phase)
			want := s.Manager
			if back {
				want = s.Leaver
			}
			require.Equal(t, want+" editable", s.DocumentState(document))
			require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
		})
	}
}
