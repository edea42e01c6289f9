package main

import (
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// bar shows how far something is, where somebody watches; elsewhere it is silent.
type bar struct {
	writer  progress.Writer
	tracker *progress.Tracker
}

func (f *factory) newProgress(what string) *bar {
	if !f.terminal {
		return &bar{}
	}
	w := progress.NewWriter()
	w.SetOutputWriter(f.err)
	w.SetUpdateFrequency(100 * time.Millisecond)
	w.SetTrackerLength(30)
	w.SetStyle(progress.StyleBlocks)
	w.Style().Visibility.ETA = true
	tracker := &progress.Tracker{Message: what}
	w.AppendTracker(tracker)
	go w.Render()
	return &bar{writer: w, tracker: tracker}
}

// set says how much of how much is done.
func (b *bar) set(done, total int) {
	if b.tracker != nil {
		b.tracker.UpdateTotal(int64(total))
		b.tracker.SetValue(int64(done))
	}
}

// done stops the bar and waits until its last line is written.
func (b *bar) done() {
	if b.writer == nil {
		return
	}
	b.tracker.MarkAsDone()
	b.writer.Stop()
	for b.writer.IsRenderInProgress() {
		time.Sleep(10 * time.Millisecond)
	}
}
