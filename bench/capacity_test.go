package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlanIsArithmetic(t *testing.T) {
	t.Parallel()
	n := plan(price{worker: 0.01, temporal: 0.02, database: 0.005, history: 0.03, kept: 1000, log: 2000}, 36_000)
	require.Equal(t, need{perSecond: 2, worker: 0.04, temporal: 0.08, database: 0.02, history: 0.12, open: 252_000, keptPerDay: 36e6, logPerSecond: 4000}, n)
}

func TestProcessorCountsWhatIsUsed(t *testing.T) {
	t.Parallel()
	before, err := processor(os.Getpid())
	require.NoError(t, err)
	for used, n := before, 0; used <= before; n++ { // works until it shows
		used, err = processor(os.Getpid())
		require.NoError(t, err)
		require.Less(t, n, 10_000_000)
	}
	_, err = processor(1 << 30)
	require.ErrorIs(t, err, os.ErrNotExist)
}
