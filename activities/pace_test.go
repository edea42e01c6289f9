package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A batch is as large as fits into batchTime, and comes there in steps.
func TestABatchIsAsLargeAsFits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size int
		took time.Duration
		want int
	}{
		"as it should be":        {1000, batchTime, 1000},
		"too long":               {1000, batchTime * 5 / 4, 800},
		"far too long":           {2000, 100 * batchTime, 1000},
		"short":                  {500, batchTime * 5 / 8, 800},
		"very short":             {500, batchTime / 100, 1000},
		"in no time":             {500, 0, 1000},
		"never larger than that": {1500, batchTime / 4, largestBatch},
		"never smaller":          {700, time.Hour, smallestBatch},
	} {
		require.Equal(t, test.want, nextBatch(test.size, test.took), name)
	}
}
