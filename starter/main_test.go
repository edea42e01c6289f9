package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"handover/internal/testdb"
)

// The scripts run the command line as a process of its own: this test binary
// under another name.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"starter": main})
}

type tests struct{ *testing.M }

// Run runs the tests and stops the database that they made start.
func (t tests) Run() int { return testdb.Main(t.M) }
