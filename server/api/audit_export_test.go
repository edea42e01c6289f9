package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// No text of a table is run by a spreadsheet, whichever separator it goes by.
func TestCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "",
		"Ada":                    "Ada",
		"a=b":                    "a=b",
		"2026-03-02T09:00:00Z":   "2026-03-02T09:00:00Z",
		`{"a":-1}`:               `{"a":-1}`,
		"=1+1":                   "'=1+1",
		"+1":                     "'+1",
		"-1":                     "'-1",
		"@SUM(A1)":               "'@SUM(A1)",
		" =1+1":                  "' =1+1",
		"\t=1+1":                 "\t'=1+1",
		"\r=1+1":                 "\r'=1+1",
		"＝1+1":                   "'＝1+1",
		"Ada;=cmd|' /C calc'!A0": "Ada;'=cmd|' /C calc'!A0",
		"Ada\t@SUM(A1)":          "Ada\t'@SUM(A1)",
		"Ada\n=1":                "Ada\n'=1",
		"Ada; -1":                "Ada;' -1",
		"Ada|=1":                 "Ada|'=1",
	} {
		require.Equal(t, want, cell(text), "%q", text)
	}
}
