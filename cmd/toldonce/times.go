package main

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// parseSeconds reads interview time as a person says it: decimal seconds
// ("12.5") or minutes and seconds ("3:07.25"), to the microsecond.
func parseSeconds(s string) (evidence.Offset, error) {
	bad := fmt.Errorf("%q is not a time in the interview. Give seconds (12.5) or minutes and seconds (3:07)", s)
	minutes, seconds, split := strings.Cut(s, ":")
	if !split {
		minutes, seconds = "0", s
	}
	m, ok := decimal(minutes)
	if !ok || !m.IsInt() {
		return 0, bad
	}
	sec, ok := decimal(seconds)
	if !ok || split && sec.Cmp(big.NewRat(60, 1)) >= 0 {
		return 0, bad
	}
	us := m.Mul(m, big.NewRat(60, 1))
	us.Add(us, sec).Mul(us, big.NewRat(1_000_000, 1))
	if !us.IsInt() || us.Num().BitLen() > 52 {
		return 0, bad
	}
	return evidence.Offset(us.Num().Int64()), nil
}

// decimal reads digits with at most one point, exactly.
func decimal(s string) (*big.Rat, bool) {
	if s == "" || len(s) > 20 || strings.Trim(s, "0123456789.") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// parseInstant reads a point in time: RFC 3339, "now", or a distance from now
// such as "+2h" or "-30m".
func parseInstant(s string, now time.Time) (time.Time, error) {
	switch {
	case s == "now":
		return now, nil
	case strings.HasPrefix(s, "+"), strings.HasPrefix(s, "-"):
		if d, err := time.ParseDuration(s); err == nil {
			return now.Add(d), nil
		}
	default:
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time. Give RFC 3339 (%s), now, or a distance from now (+2h)", s, now.UTC().Format(time.RFC3339))
}

// clock shows interview time as h:mm:ss.
func clock(o evidence.Offset) string {
	d := o.Duration().Truncate(time.Second)
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}
