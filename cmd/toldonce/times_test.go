package main

import (
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

func TestParseSeconds(t *testing.T) {
	for in, want := range map[string]evidence.Offset{
		"0": 0, "12.5": 12_500_000, "0.000001": 1, "3:07.25": 187_250_000, "90:00": 5_400_000_000, "4.1": 4_100_000, ".5": 500_000,
	} {
		if got, err := parseSeconds(in); err != nil || got != want {
			t.Errorf("parseSeconds(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "1e3", "0.0000001", "1:60", "1.5:00", ":", "1:2:3", "1.2.3", "NaN", "0x10", "1/3", "99999999999999999999", "9999999999999"} {
		if got, err := parseSeconds(in); err == nil {
			t.Errorf("parseSeconds(%q) = %d, want an error", in, got)
		}
	}
}

func TestParseInstant(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"now": now, "+2h": now.Add(2 * time.Hour), "-30m": now.Add(-30 * time.Minute),
		"2026-03-02T08:00:00+01:00": now.Add(19 * time.Hour),
	} {
		if got, err := parseInstant(in, now); err != nil || !got.Equal(want) {
			t.Errorf("parseInstant(%q) = %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "tomorrow", "+2", "2026-03-02", "2h"} {
		if got, err := parseInstant(in, now); err == nil {
			t.Errorf("parseInstant(%q) = %s, want an error", in, got)
		}
	}
}

func TestClock(t *testing.T) {
	for o, want := range map[evidence.Offset]string{0: "0:00:00", 3_725_999_999: "1:02:05", 360_000_000_000: "100:00:00"} {
		if got := clock(o); got != want {
			t.Errorf("clock(%d) = %s, want %s", o, got, want)
		}
	}
}
