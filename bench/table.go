package main

import (
	"fmt"
	"io"
	"math"

	"github.com/jedib0t/go-pretty/v6/table"

	"handover/internal/terminal"
)

// row is a line of the table: what is measured, Handover's figure, the other's, and
// how many times ours it is.
type row struct {
	title             string // of a section; the rest is empty
	what, ours, other string
	ratio, note       string
}

// row adds to the table; an empty text leaves its column empty.
func (b *bench) row(what, ours, other, ratio, note string) {
	b.rows = append(b.rows, row{what: what, ours: ours, other: other, ratio: ratio, note: note})
	b.say("  %s: %s | %s | %s", what, ours, other, ratio)
}

func (b *bench) table(out io.Writer) {
	t := terminal.NewTable(out, "", "Handover", "compared to", "ratio", "")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 5, WidthMax: noteWidth}})
	for _, r := range b.rows {
		if r.title != "" {
			what := r.title
			if b.markdown {
				what = "**" + what + "**"
			}
			t.AppendRow(table.Row{what})
			continue
		}
		what := "  " + r.what
		if b.markdown {
			what = r.what
		}
		t.AppendRow(table.Row{what, r.ours, r.other, r.ratio, r.note})
	}
	if b.markdown {
		t.RenderMarkdown()
		return
	}
	t.Render()
}

// noteWidth is where a note goes on in the next line.
const noteWidth = 70

// round keeps three digits that count.
func round(f float64) float64 {
	if f == 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return f
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(f))))
	if scale < 1 {
		scale = 1
	}
	return math.Round(f*scale) / scale
}

// number is a figure for people.
func number(f float64) string { return fmt.Sprint(round(f)) }
