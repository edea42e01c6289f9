package postgres_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// documentsOf are the documents that a member owns.
func (l *leaving) documentsOf(member string) []string {
	l.t.Helper()
	var ids []string
	require.NoError(l.t, l.DB.Select(&ids, `SELECT id FROM documents WHERE owner_id = $1 ORDER BY id`, member))
	return ids
}

// unsent are the case's notices that are not marked, by their recipients.
func (l *leaving) unsent() map[string]offboarding.Notice {
	l.t.Helper()
	list, err := l.store.UnsentNotices(l.t.Context(), l.id, "", 1000)
	require.NoError(l.t, err)
	require.True(l.t, slices.IsSortedFunc(list, func(a, b offboarding.Notice) int { return strings.Compare(a.Key, b.Key) }))
	out := map[string]offboarding.Notice{}
	for _, n := range list {
		out[n.RecipientID] = n
	}
	require.Len(l.t, out, len(list), "one for each recipient")
	return out
}

func (l *leaving) remindInput(name string) offboarding.ReminderInput {
	return offboarding.ReminderInput{Step: l.step(name), Lead: 24 * time.Hour, GraceEndsAt: l.at.Add(24 * time.Hour)}
}

// Told are the manager and who has an edit grant on what waits: not who has left,
// the leaver, or who has only claimed, archived, viewed or other people's documents.
func TestWhoIsReminded(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	one, two, three := l.Document(l.member, ""), l.Document(l.member, ""), l.Document(l.member, "")
	claimed, archived, others := l.Document(l.member, ""), l.Document(l.member, ""), l.Document(l.Admin, "")
	of := func(documents ...string) string {
		member := l.Maker()
		for _, d := range documents {
			l.Grant(d, member, offboarding.GrantEdit)
		}
		return member
	}
	both, single, viewer := of(one, two), of(three), l.Maker()
	l.Grant(one, viewer, offboarding.GrantView)
	l.Grant(one, l.member, offboarding.GrantEdit)
	gone, noMaker := of(one), l.Member(offboarding.RoleReader, offboarding.AccountViewer)
	l.Grant(two, noMaker, offboarding.GrantEdit)
	claimer := of(claimed)
	for _, d := range []string{archived, others} {
		of(d)
	}
	l.inGrace()
	l.claim(claimed, claimer)
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived)
	l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, gone, l.at)

	in := l.remindInput("remind/1")
	r, err := l.store.Remind(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, offboarding.Reminded{Unowned: 3, Notices: 4}, r)
	notice := func(recipient string, reason offboarding.NoticeReason, documents int) offboarding.Notice {
		return offboarding.Notice{
			Key: l.id + "/remind/1/" + recipient, Kind: offboarding.EventRemindGraceEnding, OrganizationID: l.ID, CaseID: l.id,
			MemberID: l.member, RecipientID: recipient, Reason: reason, Documents: documents, GraceEndsAt: in.GraceEndsAt,
		}
	}
	require.Equal(t, map[string]offboarding.Notice{
		l.Manager: notice(l.Manager, offboarding.NoticeManager, 3),
		both:      notice(both, offboarding.NoticeEditor, 2),
		single:    notice(single, offboarding.NoticeEditor, 1),
		noMaker:   notice(noMaker, offboarding.NoticeEditor, 1),
	}, l.unsent())
	require.Equal(t, `RemindGraceEnding {} -> {"notices": 4, "unowned": 3, "hours_before": 24, "grace_ends_at": "`+
		in.GraceEndsAt.Format(time.RFC3339)+`"}`, l.lastEvent())

	again, err := l.store.Remind(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, r, again)
	require.Len(t, l.unsent(), 4)
	l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, single, l.at)
	require.Len(t, l.unsent(), 3, "who has left meanwhile is not told any more")
	require.NotContains(t, l.unsent(), single)
}

// Nothing waits, or nobody is there: nobody is told, and the reminder is recorded.
func TestNobodyIsReminded(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(*leaving){
		"nothing waits":     func(l *leaving) { l.Exec(`UPDATE documents SET access = 'archived'`) },
		"no manager":        func(l *leaving) { l.Exec(`UPDATE members SET manager_id = NULL`) },
		"manager who left":  func(l *leaving) { l.Exec(`UPDATE members SET status = 'archived' WHERE id = $1`, l.Manager) },
		"manager of others": func(l *leaving) { l.Exec(`UPDATE members SET manager_id = NULL WHERE id = $1`, l.member) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			l.Document(l.member, "")
			l.inGrace()
			arrange(l)
			r, err := l.store.Remind(t.Context(), l.remindInput("remind/1"))
			require.NoError(t, err)
			require.Zero(t, r.Notices)
			require.Empty(t, l.unsent())
			require.Equal(t, 1, l.eventsOf(offboarding.EventRemindGraceEnding))
		})
	}
}

// A manager who also edits is told once, about everything.
func TestManagerWhoEditsIsRemindedOnce(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Document(l.member, "")
	l.Grant(l.Document(l.member, ""), l.Manager, offboarding.GrantEdit)
	l.inGrace()
	_, err := l.store.Remind(t.Context(), l.remindInput("remind/1"))
	require.NoError(t, err)
	require.Len(t, l.unsent(), 1)
	require.Equal(t, 2, l.unsent()[l.Manager].Documents)
}

// A notice is listed until it is marked, in pages, and keeps the time of its mark.
func TestNoticesAreMarkedOnce(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document := l.Document(l.member, "")
	for range 4 {
		l.Grant(document, l.Maker(), offboarding.GrantEdit)
	}
	l.inGrace()
	_, err := l.store.Remind(t.Context(), l.remindInput("remind/1"))
	require.NoError(t, err)
	first, err := l.store.UnsentNotices(t.Context(), l.id, "", 2)
	require.NoError(t, err)
	rest, err := l.store.UnsentNotices(t.Context(), l.id, first[1].Key, 10)
	require.NoError(t, err)
	require.Len(t, append(first, rest...), 5)
	require.Less(t, first[1].Key, rest[0].Key)

	sent := l.at.Add(time.Hour)
	require.NoError(t, l.store.MarkSent(t.Context(), []string{first[0].Key, rest[0].Key}, sent))
	require.NoError(t, l.store.MarkSent(t.Context(), []string{first[0].Key, first[1].Key}, sent.Add(time.Hour)))
	require.NoError(t, l.store.MarkSent(t.Context(), nil, sent))
	require.Len(t, l.unsent(), 2)
	require.Equal(t, 2, l.Count(`SELECT count(*) FROM notices WHERE sent_at = $1`, sent))
	other := l.of(l.Admin)
	require.Empty(t, other.unsent())
}

// A request goes to every active owner two days after it was made, once, and not
// where it has been decided.
func TestEscalate(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	owner := l.Member(offboarding.RoleOwner, offboarding.AccountViewer)
	gone := l.Member(offboarding.RoleOwner, offboarding.AccountMaker)
	document, other, asker := l.Document(l.member, ""), l.Document(l.member, ""), l.Maker()
	l.inGrace()
	request := l.requested(document, asker)
	made := l.at
	rejected, withdrawn := l.requested(document, l.Maker()), l.requested(other, gone)
	late := l.requested(other, l.Maker())
	lateMade := l.at
	_, err := l.store.Decide(t.Context(), l.decideInput(rejected, offboarding.DecisionReject, ""))
	require.NoError(t, err)
	l.of(gone).deactivated(offboarding.Request{MemberID: gone, RequestedBy: l.Owner})
	require.Equal(t, "withdrawn", l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, withdrawn))

	s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("look")})
	require.NoError(t, err)
	require.Equal(t, made.Add(48*time.Hour), *s.EscalateAt)
	step := func(name string, at time.Time) offboarding.Step {
		return offboarding.Step{CaseID: l.id, Name: name, At: at}
	}
	e, err := l.store.Escalate(t.Context(), step("escalate/1", made.Add(48*time.Hour-time.Microsecond)))
	require.NoError(t, err)
	require.Equal(t, offboarding.Escalated{NextAt: s.EscalateAt}, e, "not yet")

	e, err = l.store.Escalate(t.Context(), step("escalate/2", made.Add(48*time.Hour)))
	require.NoError(t, err)
	next := lateMade.Add(48 * time.Hour)
	require.Equal(t, offboarding.Escalated{Requests: 1, Notices: 2, NextAt: &next}, e)
	require.Equal(t, `EscalateRequest {"escalated": false} -> {"notices": 2, "escalated": true}`, l.lastEvent())
	var grace time.Time
	require.NoError(t, l.DB.Get(&grace, `SELECT grace_ends_at FROM cases WHERE id = $1`, l.id))
	notice := func(recipient string) offboarding.Notice {
		return offboarding.Notice{
			Key: l.id + "/escalate/" + request + "/" + recipient, Kind: offboarding.EventEscalateRequest, OrganizationID: l.ID, CaseID: l.id,
			MemberID: l.member, RecipientID: recipient, Reason: offboarding.NoticeOwner, Documents: 1, GraceEndsAt: grace.UTC(),
			RequestID: request, DocumentID: document, RequesterID: asker, RequestedAt: &made,
		}
	}
	require.Equal(t, map[string]offboarding.Notice{l.Owner: notice(l.Owner), owner: notice(owner)}, l.unsent())
	s, err = l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("look again")})
	require.NoError(t, err)
	require.Equal(t, 2, s.PendingCount)
	require.Equal(t, next, *s.EscalateAt)

	l.at = next
	_, err = l.store.Decide(t.Context(), l.decideInput(late, offboarding.DecisionApprove, ""))
	require.NoError(t, err)
	e, err = l.store.Escalate(t.Context(), l.step("escalate/3"))
	require.NoError(t, err)
	require.Equal(t, offboarding.Escalated{}, e, "what has been escalated or decided is not escalated")
	require.Equal(t, 1, l.eventsOf(offboarding.EventEscalateRequest))
	page, err := l.store.Requests(t.Context(), offboarding.RequestFilter{OrganizationID: l.ID})
	require.NoError(t, err)
	require.Equal(t, made.Add(48*time.Hour), *page.Items[0].EscalatedAt)
}

// More requests than one step takes are escalated by the next ones, the oldest first.
func TestEscalateInBatches(t *testing.T) {
	t.Parallel()
	l := newLeaving(t) // which does three at once
	l.Documents(l.member, 7)
	l.inGrace()
	l.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
		SELECT gen_random_uuid(), organization_id, $1, id, $2, '', 'pending', $3::timestamptz + row_number() OVER (ORDER BY id) * interval '1 hour'
		FROM documents`, l.id, l.Manager, l.at)
	at := l.at.Add(100 * time.Hour)
	for i, want := range []int{3, 3, 1} {
		e, err := l.store.Escalate(t.Context(), offboarding.Step{CaseID: l.id, Name: "escalate/" + string(rune('1'+i)), At: at})
		require.NoError(t, err)
		require.Equal(t, want, e.Requests)
		require.Equal(t, i < 2, e.NextAt != nil)
		if e.NextAt != nil {
			require.Less(t, *e.NextAt, at)
		}
	}
	require.Equal(t, 7, l.eventsOf(offboarding.EventEscalateRequest))
	require.Equal(t, 7, l.Count(`SELECT count(DISTINCT subject_id) FROM audit_events WHERE event = 'EscalateRequest'`))
}

// An escalation and a decision, or two escalations, meet: each request is
// escalated at most once, and none that is no longer pending.
func TestEscalationAndDecision(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db)
	for range 10 {
		l := newLeavingOn(t, fixture.New(t, db), store)
		document := l.Document(l.member, "")
		l.Document(l.member, "")
		l.inGrace()
		request := l.requested(document, l.Maker())
		l.at = l.at.Add(offboarding.EscalateAfter)
		decide, first, second := l.decideInput(request, offboarding.DecisionApprove, ""), l.step("escalate/1"), l.step("escalate/2")
		errs := make([]error, 3)
		atOnce(
			func() { _, errs[0] = l.store.Decide(t.Context(), decide) },
			func() { _, errs[1] = l.store.Escalate(t.Context(), first) },
			func() { _, errs[2] = l.store.Escalate(t.Context(), second) },
		)
		require.Equal(t, make([]error, 3), errs)
		var events []string
		require.NoError(t, db.Select(&events, `SELECT event FROM audit_events WHERE subject_id = $1 ORDER BY id`, request))
		require.Contains(t, []string{
			"RequestDocOwnership ApproveDocOwnership", "RequestDocOwnership EscalateRequest ApproveDocOwnership",
		}, strings.Join(events, " "))
	}
	invariants, err := store.CheckInvariants(t.Context())
	require.NoError(t, err)
	for _, i := range invariants {
		require.True(t, i.Holds(), "%s: %s", i.Name, i.Sample)
	}
}
