package offboarding_test

import (
	"strings"
	"testing"
	"time"

	"handover/offboarding"
)

// A grace period is read or refused, is never negative, and is the same when it is
// written and read again.
func FuzzParseGrace(f *testing.F) {
	for _, text := range []string{"7d", "168h", "0d", "-1d", "1.5d", "36h0m0s", "9999999999999999999d", "d", " 7d ", "1e3d", "106751d", "NaNd"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := offboarding.ParseGrace(text, time.Hour)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q is %v", text, d)
		}
		again, err := offboarding.ParseGrace(offboarding.FormatGrace(d), time.Hour)
		if err != nil || again != d {
			t.Fatalf("%q is %v, written %q, and again %v %v", text, d, offboarding.FormatGrace(d), again, err)
		}
	})
}

// An effective time is read or refused, whatever the zone, and never before the year 1.
func FuzzEffectiveTime(f *testing.F) {
	for _, text := range []string{"", "2026-03-31", "2026-03-29", "2026-10-25", "2026-03-02T09:00:00Z", "2026-02-30", "0000-01-01", "9999-12-31", "2026-03-02 09:00"} {
		for _, zone := range []string{"UTC", "Europe/Vienna", "Pacific/Apia", "America/Sao_Paulo"} {
			f.Add(text, zone)
		}
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, zone string) {
		if strings.HasPrefix(zone, "/") || strings.Contains(zone, "..") {
			return
		}
		at, err := offboarding.EffectiveTime(text, zone, now)
		if err == nil && at.Year() < 1 {
			t.Fatalf("%q in %q is %v", text, zone, at)
		}
	})
}

// An origin is taken or refused; one that is taken has its three parts and a type.
func FuzzOrigin(f *testing.F) {
	for _, text := range []string{"", "AI,SampleOrg,My-AI-Connector-v2", "SCRIPT,a,b", "APPLICATION,,x", "ai,a,b", "AI,a,b,c", "AI, a , b", "AI,a\x00,b", ",,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" || len(offboarding.CheckOrigin(text)) > 0 {
			return
		}
		kind, rest, _ := strings.Cut(text, ",")
		if kind != "AI" && kind != "SCRIPT" && kind != "APPLICATION" || strings.Count(rest, ",") != 1 {
			t.Fatalf("%q was taken", text)
		}
	})
}
