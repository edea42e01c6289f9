package doctor_test

import (
	"os"
	"testing"

	"handover/internal/testengine"
)

func TestMain(m *testing.M) { os.Exit(testengine.Main(m)) }
