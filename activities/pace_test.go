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
		"as it should be":        {500, batchTime, 500},
		"too long":               {500, batchTime * 5 / 4, 400},
		"far too long":           {500, 100 * batchTime, 250},
		"short":                  {500, batchTime * 5 / 8, 800},
		"very short":             {500, batchTime / 100, 1000},
		"in no time":             {500, 0, 1000},
		"never larger than that": {1500, batchTime / 4, largestBatch},
		"never smaller":          {smallestBatch, time.Hour, smallestBatch},
	} {
		require.Equal(t, test.want, nextBatch(test.size, test.took), name)
	}
}
