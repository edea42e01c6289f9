package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"handover/offboarding"
)

// told are the notices that the notifier has taken: "<who> <reason> <documents>",
// a name for each member, sorted.
func (s *scene) told(names map[string]string) []string {
	s.t.Helper()
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	keys := map[string]bool{}
	out := make([]string, 0, len(s.notices.handed))
	for _, n := range s.notices.handed {
		require.False(s.t, keys[n.Key], "handed over twice: %s", n.Key)
		keys[n.Key] = true
		require.Equal(s.t, s.Leaver, n.MemberID)
		require.Contains(s.t, names, n.RecipientID)
		out = append(out, fmt.Sprintf("%s %s %d", names[n.RecipientID], n.Reason, n.Documents))
	}
	slices.Sort(out)
	return out
}

func (s *scene) requireAllSent(n int) {
	s.t.Helper()
	require.Equal(s.t, n, s.Count(`SELECT count(*) FROM notices`))
	require.Equal(s.t, n, s.Count(`SELECT count(*) FROM notices WHERE sent_at IS NOT NULL`))
}

// A week: who claims is no longer reminded, who has left neither, and the numbers
// are those of the day.
func TestAWeekOfRemindersWithClaimsBetween(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	one, two, three := s.Document(s.Leaver, ""), s.Document(s.Leaver, ""), s.Document(s.Leaver, "")
	ann, bob, cat := s.Maker(), s.Maker(), s.Maker()
	for _, document := range []string{one, two} {
		s.Grant(document, ann, offboarding.GrantEdit)
	}
	s.Grant(two, bob, offboarding.GrantEdit)
	s.Grant(three, cat, offboarding.GrantEdit)
	names := map[string]string{s.Manager: "manager", ann: "ann", bob: "bob", cat: "cat"}
	s.lasting(9 * day)
	s.after(4*day+afterSpread, func() {
		require.Equal(t, []string{"ann editor 2", "bob editor 1", "cat editor 1", "manager manager 3"}, s.told(names))
	})
	s.after(5*day, func() {
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: two, MemberID: bob})
		s.deactivateOutside(cat)
	})
	s.run(nil)
	require.Equal(t, []string{
		"ann editor 1", "ann editor 2", "bob editor 1", "cat editor 1", "manager manager 2", "manager manager 3",
	}, s.told(names))
	s.requireAllSent(6)
	require.Equal(t, []string{"72h on 06 09:00", "24h on 08 09:00"}, s.reminded())
	require.Equal(t, 4, s.Count(`SELECT count(*) FROM notices WHERE sent_at BETWEEN $1 AND $2`, fixtureTime(4*day), fixtureTime(4*day+afterSpread)), "by the workflow's clock")
}

// The notifier is out of order for hours, then takes some and not others: all
// arrive in the end, each recorded once, and the case is not held up.
func TestEverythingArrivesWhenTheNotifierIsWellAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	names := map[string]string{s.Manager: "m"}
	for range 250 {
		editor := s.Maker()
		s.Grant(document, editor, offboarding.GrantEdit)
		names[editor] = "e"
	}
	s.notices.broken = true
	s.lasting(10 * day)
	s.after(4*day+9*time.Hour, func() {
		require.Equal(t, "notify", s.status().Trouble.Step)
		require.Equal(t, "the notifier did not take 10 of 10 notices", s.status().Trouble.LastError)
		require.Equal(t, 251, s.Count(`SELECT count(*) FROM notices WHERE sent_at IS NULL`))
		require.Empty(t, s.notices.handed)
		s.notices.refuse(func(n offboarding.Notice) bool { return strings.HasPrefix(n.RecipientID[len(n.RecipientID)-1:], "7") })
		s.notices.mend()
	})
	refused := 0
	s.after(4*day+10*time.Hour, func() {
		require.NotNil(t, s.status().Trouble)
		refused = s.Count(`SELECT count(*) FROM notices WHERE sent_at IS NULL`)
		require.Equal(t, refused, s.Count(`SELECT count(*) FROM notices WHERE recipient_id::text LIKE '%7'`), "one that is not taken holds up no other")
		s.notices.refuse(nil)
	})
	s.after(4*day+11*time.Hour, func() {
		require.Nil(t, s.status().Trouble)
		s.requireAllSent(251)
		require.Equal(t, refused, s.Count(`SELECT count(*) FROM notices WHERE sent_at > $1`, fixtureTime(4*day+9*time.Hour+30*time.Minute)),
			"a try that had begun before ten has that time")
	})
	s.run(nil)
	require.Positive(t, refused)
	require.Len(t, s.told(names), 502)
	s.requireAllSent(502)
}

// escalated are the audit's escalations: "<request> on <day and time>".
func (s *scene) escalated() []string {
	s.t.Helper()
	var out []string
	require.NoError(s.t, s.DB.Select(&out, `SELECT subject_id || ' on ' || to_char(at AT TIME ZONE 'UTC', 'DD HH24:MI')
		FROM audit_events WHERE event = 'EscalateRequest' ORDER BY id`))
	return out
}

// A request that nobody decides goes to the owners after two days, in grace and in
// read-only alike, once; one that is decided in time does not.
func TestRequestsThatNobodyDecidesGoToTheOwners(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Exec(`UPDATE organizations SET claim_policy = 'admin_approval'`)
	second := s.Member(offboarding.RoleOwner, offboarding.AccountMaker)
	document, asker, other := s.Document(s.Leaver, ""), s.Maker(), s.Maker()
	s.Document(s.Leaver, "")
	s.Grant(document, asker, offboarding.GrantEdit)
	s.Grant(document, other, offboarding.GrantEdit)
	claim := offboarding.ClaimRequest{DocumentID: document, MemberID: asker}
	var first, rejected, quick, late *answer
	s.lasting(12 * day)
	s.after(time.Hour, func() { first = s.ask(offboarding.MessageClaim, claim) })
	s.after(2*time.Hour, func() {
		require.Equal(t, fixtureTime(2*day+time.Hour), *first.outcome.EscalateAt)
		require.Equal(t, first.outcome.EscalateAt, s.status().NextEscalation)
		rejected = s.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: other})
	})
	s.after(3*time.Hour, func() {
		s.ask(offboarding.MessageDecision, offboarding.AdminApproval{RequestID: rejected.outcome.RequestID, AdminID: s.Admin, Decision: "reject"})
	})
	s.after(2*day+time.Hour-time.Minute, func() { require.Empty(t, s.escalated()) })
	s.after(2*day+2*time.Hour, func() {
		require.Equal(t, []string{first.outcome.RequestID + " on 04 10:00"}, s.escalated())
		require.Nil(t, s.status().NextEscalation)
		require.Equal(t, 1, s.status().PendingCount)
		s.ask(offboarding.MessageDecision, offboarding.AdminApproval{RequestID: first.outcome.RequestID, AdminID: s.Admin, Decision: "reject"})
		quick = s.ask(offboarding.MessageClaim, claim)
	})
	s.after(3*day, func() {
		s.ask(offboarding.MessageDecision, offboarding.AdminApproval{RequestID: quick.outcome.RequestID, AdminID: s.Admin, Decision: "reject"})
	})
	s.after(6*day, func() { late = s.ask(offboarding.MessageClaim, claim) })
	s.after(7*day+time.Hour, func() { require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase) })
	s.run(nil)

	require.Equal(t, []string{first.outcome.RequestID + " on 04 10:00", late.outcome.RequestID + " on 10 09:00"}, s.escalated())
	names := map[string]string{s.Owner: "owner", second: "second", s.Manager: "manager", asker: "asker", other: "other"}
	var owners []string
	for _, n := range s.told(names) {
		if strings.Contains(n, " owner ") {
			owners = append(owners, n)
		}
	}
	require.Equal(t, []string{"owner owner 1", "owner owner 1", "second owner 1", "second owner 1"}, owners)
	require.Contains(t, s.status().StepsDone, "escalate")
}

// What is due is known to the next run too, and what was recorded before.
func TestEscalationAfterContinuingAsNew(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document, asker := s.Document(s.Leaver, ""), s.Maker()
	s.Grant(document, asker, offboarding.GrantView)
	second := s.Document(s.Leaver, "")
	s.Grant(second, asker, offboarding.GrantView)
	s.notices.broken = true
	s.after(time.Hour, func() {
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: asker})
	})
	s.after(day, func() {
		s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: second, MemberID: asker})
	})
	s.after(2*day+2*time.Hour, func() { s.env.SetCurrentHistoryLength(5000) })
	s.run(nil)
	require.Len(t, s.escalated(), 1)
	require.Empty(t, s.notices.handed)
	s.notices.mend()
	s.goOn(func() { s.lasting(2 * day) })
	require.Len(t, s.escalated(), 2)
	require.Contains(t, s.escalated()[1], " on 05 09:00")
	require.Len(t, s.told(map[string]string{s.Owner: "owner", s.Manager: "manager"}), 3)
	s.requireAllSent(3)
}

// On a server: a reminder to thousands leaves a history of a few events, and a
// case that was terminated still hands over and escalates when it is taken over.
func TestRemindersToThousandsAndACaseThatIsTakenOver(t *testing.T) {
	t.Parallel()
	const editors = 5000
	s := newStand(t)
	document, asker := s.Document(s.Leaver, ""), s.Maker()
	s.Grant(document, asker, offboarding.GrantView)
	s.Exec(`INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at)
		SELECT gen_random_uuid(), $1, 'e' || i, 'e' || i || '@acme.example', 'Editor', 'contributor', 'editor', 'active', '', '', $2
		FROM generate_series(1, $3) i`, s.ID, fixtureTime(0), editors)
	s.Exec(`INSERT INTO grants (organization_id, document_id, member_id, level) SELECT organization_id, $1, id, 'edit' FROM members WHERE display_name = 'Editor'`, document)
	c := s.start(s.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	c.forward(4*day + time.Hour)
	require.Eventually(t, func() bool { return s.Count(`SELECT count(*) FROM notices WHERE sent_at IS NOT NULL`) == editors+1 }, time.Minute, 50*time.Millisecond)
	c.reaches(func(st offboarding.Status) bool { return st.NextReminderAt != nil })
	h := c.histories()[0]
	t.Logf("%d events, %d bytes", len(h.Events), proto.Size(h))
	require.Less(t, len(h.Events), 40)
	require.Less(t, proto.Size(h), 20_000)

	out, err := c.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: asker})
	require.NoError(t, err)
	require.NoError(t, s.client.TerminateWorkflow(t.Context(), c.id, "", "a mistake"))
	s.Exec(`UPDATE notices SET sent_at = NULL WHERE recipient_id = $1`, s.Manager) // as if it had ended before the mark
	c = s.start(s.Leaver, nil)
	status := c.reaches(func(st offboarding.Status) bool { return st.PendingCount == 1 })
	require.Equal(t, out.EscalateAt, status.NextEscalation)
	c.forward(6*day + 2*time.Hour) // the new workflow's clock is not ahead
	require.Eventually(t, func() bool {
		return s.Count(`SELECT count(*) FROM audit_events WHERE event = 'EscalateRequest'`) == 1 &&
			s.Count(`SELECT count(*) FROM notices WHERE sent_at IS NULL`) == 0
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM notices WHERE kind = 'EscalateRequest' AND recipient_id = $1`, s.Owner))
}
