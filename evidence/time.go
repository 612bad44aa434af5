package evidence

import "time"

// Instant is a point in wall time: microseconds since the Unix epoch, UTC.
// It is stored as BIGINT in both databases and as an integer in signed documents.
type Instant int64

// At converts a time.Time, dropping what is below a microsecond.
func At(t time.Time) Instant { return Instant(t.UnixMicro()) }

// Time returns the instant in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// Offset is interview time: microseconds from the first start of the interview
// on the recorder's monotonic clock. All parts of an interview lie on it.
type Offset int64

// Duration returns the offset as a duration since the first start.
func (o Offset) Duration() time.Duration { return time.Duration(o) * time.Microsecond }

// OffsetOf converts a duration since the first start, dropping what is below a
// microsecond.
func OffsetOf(d time.Duration) Offset { return Offset(d.Microseconds()) }

// Range is a half-open span of interview time: From is inside, Until is not.
type Range struct {
	From  Offset `json:"from"`  // microseconds, inclusive, >= 0
	Until Offset `json:"until"` // microseconds, exclusive, > From
}

// Valid reports whether the range is non-empty and not negative.
func (r Range) Valid() bool { return r.From >= 0 && r.Until > r.From }

// Contains reports whether s lies wholly inside r.
func (r Range) Contains(s Range) bool { return s.From >= r.From && s.Until <= r.Until }

// Overlaps reports whether r and s share a moment.
func (r Range) Overlaps(s Range) bool { return r.From < s.Until && s.From < r.Until }

// Clock tells wall time. Tests inject their own; nil is never passed.
type Clock func() time.Time
