// Package terminal shows tables and progress to people.
package terminal

import (
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/term"
)

// Watched reports whether somebody watches the writer: whether it is a terminal.
func Watched(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Typed reports whether somebody types what the reader reads: whether it is a terminal.
func Typed(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Clear makes a text from outside harmless to a terminal: one line, no control
// characters.
func Clear(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
}

// Lines is Clear for a text that is ready to be shown: its lines stay. What was forgotten
// to be cleared on the way does not reach the terminal.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = Clear(lines[i])
	}
	return strings.Join(lines, "\n")
}

// Bar shows how far something is, where somebody watches; elsewhere it is silent.
type Bar struct {
	writer  progress.Writer
	tracker *progress.Tracker
}

// NewBar starts a bar on the writer.
func NewBar(w io.Writer, what string) *Bar {
	if !Watched(w) {
		return &Bar{}
	}
	p := progress.NewWriter()
	p.SetOutputWriter(w)
	p.SetUpdateFrequency(100 * time.Millisecond)
	p.SetTrackerLength(30)
	p.SetStyle(progress.StyleBlocks)
	p.Style().Visibility.ETA = true
	tracker := &progress.Tracker{Message: what}
	p.AppendTracker(tracker)
	go p.Render()
	return &Bar{writer: p, tracker: tracker}
}

// Set says how much of how much is done.
func (b *Bar) Set(done, total int) {
	if b.tracker != nil {
		b.tracker.UpdateTotal(int64(total))
		b.tracker.SetValue(int64(done))
	}
}

// Done stops the bar and waits until its last line is written.
func (b *Bar) Done() {
	if b.writer == nil {
		return
	}
	b.tracker.MarkAsDone()
	b.writer.Stop()
	for b.writer.IsRenderInProgress() {
		time.Sleep(10 * time.Millisecond)
	}
}

// NewTable is a table in the plain style of every command; call Render at the end.
func NewTable(w io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	if len(header) > 0 {
		t.AppendHeader(header)
	}
	return t
}
