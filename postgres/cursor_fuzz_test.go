package postgres

import (
	"testing"
	"time"

	"handover/offboarding"
)

// Whatever a caller sends as a cursor is read or refused, and one that a list has given
// out is read as what it was.
func FuzzTimeCursor(f *testing.F) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 123456000, time.UTC)
	f.Add(timeCursor(at, "01a1ffde-c038-72a2-abd3-2ee046c7cc2d"))
	f.Add(timeCursor(at, "2026-03-layoff"))
	for _, text := range []string{"", "x", "IA", "MjAyNi0wMy0wMlQwOTowMDowMFogAA", "////", "OTk5OS0xMi0zMVQyMzo1OTo1OVog"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, id, err := readTimeCursor(text)
		if err != nil {
			if offboarding.CodeOf(err) != offboarding.CodeInvalidArgument {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if !isID(id) {
			t.Fatalf("%q has the ID %q", text, id)
		}
		again, same, err := readTimeCursor(timeCursor(at, id))
		if err != nil || !again.Equal(at) || same != id {
			t.Fatalf("%q: %v %q, again %v %q %v", text, at, id, again, same, err)
		}
	})
}
