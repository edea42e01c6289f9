package doctor_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"handover/internal/doctor"
	"handover/internal/testengine"
	"handover/offboarding"
)

func TestMain(m *testing.M) {
	code := testengine.Main(m)
	if code == 0 && all() {
		code = produced.missing()
	}
	os.Exit(code)
}

// all says whether every test of the package was to run.
func all() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return true
}

// produced are the drifts that the tests have wanted and found, and those that were mended.
var produced = drifts{found: map[offboarding.Drift]bool{}, mended: map[offboarding.Drift]bool{}}

type drifts struct {
	mu            sync.Mutex
	found, mended map[offboarding.Drift]bool
	skipped       bool // a test that this machine cannot run
}

func (d *drifts) wanted(found []offboarding.Drift) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, drift := range found {
		d.found[drift] = true
	}
}

func (d *drifts) repaired(r doctor.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range r.Checks {
		d.mended[c.Drift] = d.mended[c.Drift] || c.Mended > 0
	}
}

func (d *drifts) skip() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.skipped = true
}

// missing names the drifts that no test has made, or seen mended, and returns the exit code.
func (d *drifts) missing() (code int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.skipped {
		return 0
	}
	for _, c := range offboarding.Checks {
		if d.found[c.Drift] && (c.Human || d.mended[c.Drift]) {
			continue
		}
		fmt.Fprintf(os.Stderr, "no test finds, and mends what is not a person's of: %s\n", c.Drift)
		code = 1
	}
	return code
}
