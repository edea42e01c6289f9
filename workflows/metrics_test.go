package workflows_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"handover/offboarding"
)

// timers are the durations that workflows have recorded, by the metric's name.
type timers struct {
	mu       sync.Mutex
	recorded map[string][]time.Duration
}

func (m *timers) WithTags(map[string]string) client.MetricsHandler { return m }

func (m *timers) Counter(name string) client.MetricsCounter {
	return client.MetricsNopHandler.Counter(name)
}

func (m *timers) Gauge(name string) client.MetricsGauge { return client.MetricsNopHandler.Gauge(name) }

func (m *timers) Timer(name string) client.MetricsTimer { return timer{m, name} }

type timer struct {
	*timers
	name string
}

func (m timer) Record(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recorded == nil {
		m.recorded = map[string][]time.Duration{}
	}
	m.recorded[m.name] = append(m.recorded[m.name], d)
}

// revoked is how long it took until nobody got in, each time that it was measured.
func (s *scene) revoked() []time.Duration {
	s.timers.mu.Lock()
	defer s.timers.mu.Unlock()
	return slices.Clone(s.timers.recorded["handover_start_to_revoked"])
}

// took requires one measurement, of at least so long and of little more than that.
func (s *scene) took(least, little time.Duration) {
	s.t.Helper()
	measured := s.revoked()
	require.Len(s.t, measured, 1)
	require.GreaterOrEqual(s.t, measured[0], least)
	require.LessOrEqual(s.t, measured[0], least+little)
}

// It is measured once, from the start, or from the effective time where that came
// later, and a time in which the database was away is in it.
func TestTimeUntilRevokedIsMeasured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effective    time.Duration
		broken, long time.Duration // from when the database is away, and how long
		least        time.Duration
	}{
		"at once":                               {},
		"in two days":                           {effective: 2 * day},
		"effective in the past":                 {effective: -5 * day},
		"at once, the database away":            {long: 2 * time.Hour, least: 2 * time.Hour},
		"in two days, the database away":        {effective: 2 * day, broken: 2*day - time.Hour, long: 3 * time.Hour, least: 2 * time.Hour},
		"in two days, the database away before": {effective: 2 * day, broken: day, long: 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Document(s.Leaver, "")
			var little time.Duration
			if c.long > 0 {
				if c.broken == 0 {
					s.breakTable("credentials")
				} else {
					s.after(c.broken, func() { s.breakTable("credentials") })
				}
				s.after(c.broken+c.long, func() { s.repairTable("credentials") })
				little = c.least / 2 // until it is tried again
			}
			s.lasting(5 * day)
			s.run(func(r *offboarding.Request) {
				if c.effective != 0 {
					r.EffectiveAt = at(c.effective)
				}
			})
			require.Equal(t, 1, s.count(offboarding.EventDeactivateMember))
			s.took(c.least, little)
		})
	}
}

func TestWhatIsNotRevokedIsNotMeasured(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.after(day, func() { s.ask(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Admin}) })
	s.run(func(r *offboarding.Request) { r.EffectiveAt = at(2 * day) })
	require.Equal(t, offboarding.PhaseCanceled, s.result().Phase)
	require.Empty(t, s.revoked())
}

// Of a list it is measured once too, when the last of it has lost access.
func TestTimeUntilAListIsRevokedIsMeasured(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{0, 2 * time.Hour} {
		t.Run(away.String(), func(t *testing.T) {
			t.Parallel()
			s := newBulkScene(t, 5, 2)
			s.Document(s.members[0], "")
			if away > 0 {
				s.breakTable("credentials")
				s.after(away, func() { s.repairTable("credentials") })
			}
			s.bulk(nil)
			require.Equal(t, offboarding.BulkSuccess, s.bulkResult().Message)
			s.took(away, away/2)
		})
	}
}
