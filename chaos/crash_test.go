package chaos_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/temporalserver"
)

var errNotYet = errors.New("not yet")

// How many workers live and die side by side: those that hear everybody, and those that
// hear only what is signed.
const (
	slots       = 6
	signedSlots = 2
)

// crash is a scenario with the points at which the worker dies, one life after the other.
type crash struct {
	scenario int
	points   []string
}

func (c crash) String() string {
	return scenarios[c.scenario].name + ": " + strings.Join(c.points, ", then ")
}

// TestEveryCrashPoint runs every step of every workflow with the worker dying before it
// commits, and after it has committed but before Temporal hears of it: each alone, then
// in pairs. Afterwards all is as if nobody had died.
//
// HANDOVER_CRASH_PAIRS says how many pairs, or "all". Without it there are a few pairs, and
// a share of the points alone. Which, goes by a seed: CHAOS_SEED repeats both choices.
func TestEveryCrashPoint(t *testing.T) {
	began := time.Now()
	server, err := temporalserver.Start(t.Context(), temporalserver.Options{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	free := make(chan *slot, slots)
	for range slots {
		free <- newSlot(t, server, false)
	}
	signed := make(chan *slot, signedSlots)
	for range signedSlots {
		signed <- newSlot(t, server, true)
	}
	slotsFor := func(scenario int) chan *slot {
		if scenarios[scenario].signed {
			return signed
		}
		return free
	}

	// Each scenario as it goes when nobody dies.
	points, states := make([][]string, len(scenarios)), make([][]string, len(scenarios))
	sideBySide(t, len(scenarios), slotsFor, func(i int) string { return scenarios[i].name }, func(t *testing.T, s *slot, i int) {
		p := newPlay(t, s)
		p.play(scenarios[i])
		points[i], states[i] = committing(s.seen()), p.state()
		require.NotEmpty(t, points[i])
		requireInvariants(t, p.store)
	})
	if t.Failed() {
		return
	}
	if !slices.ContainsFunc(points, func(p []string) bool { return p == nil }) { // unless -run has left some out
		requireEveryStep(t, slices.Concat(points...))
	}
	t.Logf("%d scenarios after %s", len(scenarios), time.Since(began).Round(time.Second))

	var singles []crash
	known := map[string]bool{}
	for i := range scenarios {
		for _, point := range points[i] {
			is := point
			if scenarios[i].first != nil || scenarios[i].signed { // another step of the same name
				is = scenarios[i].name + ": " + point
			}
			if !known[is] {
				known[is] = true
				singles = append(singles, crash{i, []string{point}})
			}
		}
	}
	total, seed := len(singles), chaosSeed(t)
	if os.Getenv("HANDOVER_CRASH_PAIRS") == "" {
		singles = drawn(rand.New(rand.NewPCG(seed, 0)), singles, 24)
	}
	pairs := pairsOf(t, rand.New(rand.NewPCG(seed, 1)), points)
	crashes := slices.Concat(singles, pairs)
	var died atomic.Int32 // where there are workflows side by side, the second point may come before the first
	of := func(i int) chan *slot { return slotsFor(crashes[i].scenario) }
	sideBySide(t, len(crashes), of, func(i int) string { return crashes[i].String() }, func(t *testing.T, s *slot, i int) {
		c := crashes[i]
		p := newPlay(t, s)
		p.play(scenarios[c.scenario], c.points...)
		require.NoError(t, s.trouble())
		if s.deaths() == len(c.points) { // a slow machine sweeps in more batches, or in fewer
			died.Add(1)
		}
		require.Empty(t, differ(states[c.scenario], p.state()), "it is not as if nobody had died")
		requireInvariants(t, p.store)
	})
	t.Logf("%d of %d points, each alone, and %d pairs; the worker died everywhere in %d of %d runs; after %s",
		len(singles), total, len(pairs), died.Load(), len(crashes), time.Since(began).Round(time.Second))
	require.Greater(t, int(died.Load()), len(crashes)*3/4, "the worker died where it was to")
}

// committing leaves out where a step was answered from its record: it was tried again,
// because the machine was slow.
func committing(points []string) []string {
	return slices.DeleteFunc(points, func(point string) bool {
		step, none := strings.CutSuffix(point, "/0"+after)
		return none && slices.Contains(points, step+"/1"+before)
	})
}

// pairsOf chooses pairs: a point, and in the next life the same or a later one.
func pairsOf(t *testing.T, by *rand.Rand, points [][]string) []crash {
	t.Helper()
	var all []crash
	for i := range scenarios {
		for first := range points[i] {
			for _, second := range points[i][first:] {
				all = append(all, crash{i, []string{points[i][first], second}})
			}
		}
	}
	wanted := os.Getenv("HANDOVER_CRASH_PAIRS")
	if wanted == "all" {
		return all
	}
	n := 8
	if wanted != "" {
		var err error
		n, err = strconv.Atoi(wanted)
		require.NoError(t, err, "HANDOVER_CRASH_PAIRS is a number, or all")
	}
	return drawn(by, all, n)
}

// drawn are n of all.
func drawn(by *rand.Rand, all []crash, n int) []crash {
	by.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}

// chaosSeed is CHAOS_SEED, or drawn; a test asks once, and says which it was.
func chaosSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "CHAOS_SEED is a number")
	}
	t.Logf("CHAOS_SEED=%d", seed)
	return seed
}

// sideBySide runs n subtests, one at a time in each of the slots that are free for it.
func sideBySide(t *testing.T, n int, free func(int) chan *slot, name func(int) string, run func(*testing.T, *slot, int)) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s := <-free(i)
			t.Run(name(i), func(t *testing.T) { run(t, s, i) })
			free(i) <- s
		})
	}
	all.Wait()
}
