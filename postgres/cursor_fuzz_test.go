package postgres

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
		if timeCursor(at, id) != text {
			t.Fatalf("%q: %v %q is given out as %q", text, at, id, timeCursor(at, id))
		}
	})
}

// The cursor of bulk runs, whose IDs are any text: what is read is what was given out,
// and PostgreSQL takes it.
func FuzzRunCursor(f *testing.F) {
	for _, written := range []string{
		"2026-03-02T09:00:00.123456Z 2026-03-layoff", "2026-03-02T09:00:00Z ", "2026-03-02T09:00:00Z a b", "2026-03-02T09:00:00Z a\x00b",
		"2026-03-02T09:00:00Z \xff", "2026-03-02T09:00:00+23:00 a", "2026-03-02T09:00:00.000Z a", "0000-01-01T00:00:00+23:59 a",
		"9999-12-31T23:59:59.999999999Z a", "2026-03-02T09:00:00Z", " a",
	} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(written)))
	}
	f.Add("MjAyNi0wMy0wMlQwOTowMDowMFogYR\n")
	f.Fuzz(func(t *testing.T, text string) {
		at, id, err := splitTimeCursor(text)
		if err != nil {
			if offboarding.CodeOf(err) != offboarding.CodeInvalidArgument {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		_, offset := at.Zone()
		if offset != 0 || at.Year() < 0 || at.Year() > 9999 || !utf8.ValidString(id) || strings.Contains(id, "\x00") || timeCursor(at, id) != text {
			t.Fatalf("%q: %v %q", text, at, id)
		}
	})
}

// The cursors of the members of a run and of the audit: a number of the column's
// type from 1 on, as it is written.
func FuzzNumberCursor(f *testing.F) {
	for _, text := range []string{"1", "0", "-1", "+1", "01", "1_000", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "1.0", " 1", "\u0661"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, short bool) {
		bits, most := 64, int64(math.MaxInt64)
		if short {
			bits, most = 32, math.MaxInt32
		}
		n, err := readNumberCursor(text, bits)
		if err != nil {
			if offboarding.CodeOf(err) != offboarding.CodeInvalidArgument {
				t.Fatalf("%q: %v", text, err)
			}
			// Nothing that a list gives out is refused.
			var given int64
			if _, err := fmt.Sscanf(text, "%d", &given); err == nil && given > 0 && given <= most && fmt.Sprint(given) == text {
				t.Fatalf("%q was refused", text)
			}
			return
		}
		if n < 1 || n > most || strconv.FormatInt(n, 10) != text {
			t.Fatalf("%q is %d", text, n)
		}
	})
}
