package main

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTableForPeopleAndForDocuments(t *testing.T) {
	t.Parallel()
	b := &bench{progress: io.Discard, rows: []row{{title: "One case"}}}
	b.row("start → revoked", "5 ms", "18 ms", "0.28", strings.Repeat("word ", 30))
	var out strings.Builder
	b.table(&out)
	require.Contains(t, out.String(), "One case\n  start → revoked  5 ms      18 ms        0.28")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len([]rune(line)), 130, "a note is wrapped")
	}
	b.markdown = true
	out.Reset()
	b.table(&out)
	require.Contains(t, out.String(), "| **One case** |")
	require.Contains(t, out.String(), "| start → revoked | 5 ms | 18 ms | 0.28 |")
}
