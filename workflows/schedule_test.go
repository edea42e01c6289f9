package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestCaseWaitsForItsEffectiveTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, zone string
		want       time.Time
	}{
		"time with a zone":            {"2026-03-05T18:00:00+01:00", "", time.Date(2026, 3, 5, 17, 0, 0, 0, time.UTC)},
		"date in the organization's":  {"2026-03-05", "", time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC)},
		"date in the member's":        {"2026-03-05", "America/New_York", time.Date(2026, 3, 6, 5, 0, 0, 0, time.UTC)},
		"date when the clocks change": {"2026-03-29", "Europe/Berlin", time.Date(2026, 3, 29, 22, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Exec(`UPDATE members SET time_zone = $2 WHERE id = $1`, s.Leaver, c.zone)
			credential := s.Credential(s.Leaver)
			ahead := c.want.Sub(fixtureTime(0))
			s.after(ahead-time.Second, func() {
				require.Equal(t, offboarding.PhaseScheduled, s.status().Phase)
				require.Equal(t, c.want, *s.status().EffectiveAt)
				require.Equal(t, "active", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
			})
			s.run(func(r *offboarding.Request) { r.EffectiveAt = c.text })
			require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
			require.Equal(t, c.want, s.env.Now().UTC())
			require.Equal(t, "revoked", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
		})
	}
}

func TestEffectiveTimeInThePastIsNow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run(func(r *offboarding.Request) { r.EffectiveAt = at(-5 * day) })
	require.Equal(t, fixtureTime(0), s.env.Now().UTC())
	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
}

func TestReschedule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ to, takesEffect time.Duration }{
		"later":         {9 * day, 9 * day},
		"earlier":       {2 * day, 2 * day},
		"into the past": {-3 * day, day},
	} {
		for _, by := range []string{"signal", "update"} {
			t.Run(name+" by "+by, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				message := offboarding.Reschedule{AdminID: s.Admin, EffectiveAt: at(c.to)}
				var a *answer
				s.after(day, func() {
					if by == "signal" {
						s.signal(offboarding.MessageReschedule, message)
					} else {
						a = s.ask(offboarding.MessageReschedule, message)
					}
				})
				s.run(func(r *offboarding.Request) { r.EffectiveAt = at(4 * day) })
				require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
				require.Equal(t, fixtureTime(c.takesEffect), s.env.Now().UTC())
				require.Equal(t, 1, s.count(offboarding.EventRescheduleOffboarding))
				if a != nil {
					require.Equal(t, fixtureTime(c.to), *a.outcome.At)
				}
			})
		}
	}
}

func TestCancelLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document, credential, session := s.Document(s.Leaver, ""), s.Credential(s.Leaver), s.Session(s.Leaver)
	s.after(day, func() { s.signal(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Admin, Reason: "stays"}) })
	s.run(func(r *offboarding.Request) { r.EffectiveAt = at(4 * day) })

	require.Equal(t, offboarding.PhaseCanceled, s.result().Phase)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	require.Equal(t, "active", s.Text(`SELECT status FROM credentials WHERE id = $1`, credential))
	require.Equal(t, "active", s.Text(`SELECT status FROM sessions WHERE id = $1`, session))
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
	require.Equal(t, []string{"ScheduleOffboarding", "CancelOffboarding"}, s.Events())
}

// reminded are the hours before the end that the audit's reminders name, and
// when they were given.
// afterSpread is when every case has acted on the end of its grace, or on a reminder.
const afterSpread = 5 * time.Minute

// reminded are the reminders and their times, without the minutes by which they are spread.
func (s *scene) reminded() []string {
	var reminders []string
	require.NoError(s.t, s.DB.Select(&reminders, `SELECT (after->>'hours_before') || 'h on ' || to_char(date_bin('5 minutes', at, '2000-01-01Z') AT TIME ZONE 'UTC', 'DD HH24:MI')
		FROM audit_events WHERE event = 'RemindGraceEnding' ORDER BY id`))
	return reminders
}

func TestColleaguesAreRemindedBeforeTheGraceEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		grace  string
		extend time.Duration // at day 5
		want   []string
	}{
		"three days and one":        {"7d", 0, []string{"72h on 06 09:00", "24h on 08 09:00"}},
		"again after an extension":  {"7d", 10 * day, []string{"72h on 06 09:00", "72h on 09 09:00", "24h on 11 09:00"}},
		"once in a short grace":     {"2d", 0, []string{"24h on 03 09:00"}},
		"once in three days":        {"3d", 0, []string{"24h on 04 09:00"}},
		"not in a very short grace": {"12h", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Document(s.Leaver, "")
			s.lasting(12 * day)
			if c.extend > 0 {
				s.after(5*day, func() {
					s.signal(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: at(c.extend)})
				})
				s.after(5*day+time.Minute, func() { require.Equal(t, fixtureTime(7*day), *s.status().NextReminderAt) })
			}
			s.run(func(r *offboarding.Request) { r.GracePeriod = c.grace })

			require.Equal(t, c.want, s.reminded())
			require.Equal(t, offboarding.PhaseReadOnly, s.status().Phase)
			handed := s.notices.handed
			require.Len(t, handed, len(c.want))
			for i, notice := range handed {
				require.Equal(t, s.Leaver, notice.MemberID)
				require.Equal(t, s.Manager, notice.RecipientID)
				require.Equal(t, 1, notice.Documents)
				require.NotContains(t, handed[:i], notice)
			}
		})
	}
}

func TestNotifierThatFailsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	document := s.Document(s.Leaver, "")
	s.notices.broken = true
	s.lasting(10 * day)
	shown := false
	s.after(4*day+time.Hour, func() {
		trouble := s.status().Trouble
		require.NotNil(t, trouble)
		require.Equal(t, "notify", trouble.Step)
		shown = true
	})
	s.after(7*day+time.Hour, func() {
		require.Equal(t, s.Leaver+" read_only", s.DocumentState(document))
		s.notices.mend()
	})
	s.run(nil)
	require.True(t, shown)
	require.Len(t, s.notices.handed, 2)
	require.Nil(t, s.status().Trouble)
	require.Equal(t, "0", s.Text(`SELECT trouble_attempt FROM cases`))
}
