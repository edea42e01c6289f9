package app_test

import (
	"os"
	"testing"

	"handover/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }
