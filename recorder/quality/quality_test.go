package quality

import (
	"slices"
	"testing"
	"time"
)

const second = time.Second

func level(dBov int) *int              { return &dBov }
func skew(ms int) *time.Duration       { d := time.Duration(ms) * time.Millisecond; return &d }
func sound(dBov int) Second            { return Second{Sound: true, Level: level(dBov)} }
func picture(rate int) Second          { return Second{Picture: true, Rate: rate} }
func apart(ms int) Second              { return Second{Picture: true, Sound: true, Skew: skew(ms)} }
func seen(causes ...Cause) Second      { return Second{Picture: true, Seen: causes} }
func times(n int, s Second) []Second   { return slices.Repeat([]Second{s}, n) }
func at(seconds float64) time.Duration { return time.Duration(seconds * float64(second)) }
func run(w *Watch, seconds []Second) (all []Change) {
	for i, s := range seconds {
		all = append(all, w.Second(at(float64(i)), s)...)
	}
	return all
}

// Each alarm comes only after it has lasted, names when it began, and ends.
func TestWhatHoldsIsSaidOnceFromWhenToWhen(t *testing.T) {
	for name, c := range map[string]struct {
		seconds []Second
		want    []Change
	}{
		"good sound":                  {times(60, sound(-30)), nil},
		"an empty room is not silent": {times(60, sound(-70)), nil},
		"a dead microphone": {slices.Concat(times(5, sound(-30)), times(20, sound(-127)), times(10, sound(-30))),
			[]Change{{Silent, true, at(5)}, {Silent, false, at(25)}}},
		"a pause of nine seconds": {slices.Concat(times(5, sound(-30)), times(9, sound(-127)), times(10, sound(-30))), nil},
		"no level is sent":        {times(60, Second{Sound: true}), nil},
		"cut off now and then":    {slices.Concat(times(1, sound(-1)), times(9, sound(-20)), times(1, sound(-1)), times(9, sound(-20))), nil},
		"cut off again and again": {slices.Concat(times(3, sound(-1)), times(20, sound(-20))), []Change{{Clipping, true, at(2)}, {Clipping, false, at(10)}}},
		"frames as before":        {times(30, picture(30)), nil},
		"a third fewer is enough": {slices.Concat(times(10, picture(30)), times(20, picture(20))), nil},
		"half as many": {slices.Concat(times(10, picture(30)), times(20, picture(14)), times(5, picture(30))),
			[]Change{{Slow, true, at(10)}, {Slow, false, at(30)}}},
		"a camera that was never fast": {times(30, picture(5)), nil},
		"in step":                      {times(30, apart(60)), nil},
		"sound late is borne longer":   {times(30, apart(-180)), nil},
		"sound early":                  {times(30, apart(120)), []Change{{Apart, true, at(0)}}},
		"sound very late":              {times(30, apart(-200)), []Change{{Apart, true, at(0)}}},
		"only the page sees black":     {slices.Concat(times(6, seen(Black)), times(4, seen())), []Change{{Black, true, at(0)}, {Black, false, at(6)}}},
		"away is not silent":           {slices.Concat(times(5, sound(-30)), times(30, Second{})), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(&Watch{}, c.seconds); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// frames feeds seconds of 30 frames with sizes by size, a key frame every two seconds.
func frames(w *Watch, from, until int, size func(i int) int) (all []Change) {
	for s := from; s < until; s++ {
		for f := range 30 {
			i := s*30 + f
			if i%60 == 0 {
				w.Frame(at(float64(s)), true, 40_000, 1280*720)
				continue
			}
			w.Frame(at(float64(s)+float64(f)/30), false, size(i), 1280*720)
		}
		all = append(all, w.Second(at(float64(s+1)), picture(30))...)
	}
	return all
}

func TestFrozen(t *testing.T) {
	camera := func(i int) int { return 4000 + (i*7919)%1500 }
	for name, c := range map[string]struct {
		size func(i int) int
		want bool
	}{
		"a camera":                    {camera, false},
		"a dark and quiet room":       {func(i int) int { return 400 + (i*31)%90 }, false},
		"skipped blocks":              {func(i int) int { return 20 + i%40 }, true},
		"the same frame again":        {func(int) int { return 5000 }, true},
		"the same but for the header": {func(i int) int { return 5000 + i%3 }, true},
		"it moves once a second": {func(i int) int {
			if i%30 == 1 {
				return 3000
			}
			return 20
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var w Watch
			if got := frames(&w, 0, 10, camera); got != nil {
				t.Fatalf("before: %v", got)
			}
			got := frames(&w, 10, 30, c.size)
			if !c.want {
				if got != nil {
					t.Errorf("%v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Cause != Frozen || !got[0].Began || got[0].At < at(10) || got[0].At > at(13) {
				t.Fatalf("%v", got)
			}
			if got = frames(&w, 30, 40, camera); len(got) != 1 || got[0].Began {
				t.Errorf("it moves again: %v", got)
			}
		})
	}
}

func TestEndOfRecordingEndsWhatHolds(t *testing.T) {
	var w Watch
	run(&w, times(20, sound(-127)))
	if got := w.End(at(20)); !slices.Equal(got, []Change{{Silent, false, at(20)}}) {
		t.Errorf("%v", got)
	}
	if got := w.End(at(21)); got != nil {
		t.Errorf("ended twice: %v", got)
	}
	if got := run(&w, times(9, sound(-127))); got != nil {
		t.Errorf("it remembers: %v", got)
	}
}

func TestMeter(t *testing.T) {
	var m Meter
	for i := range 4 {
		m.Count(at(float64(i)), int64(30*i))
	}
	if m.Rate() != 30 {
		t.Errorf("%d", m.Rate())
	}
	m.Count(at(4), 3) // another stream
	if m.Rate() != 0 {
		t.Errorf("%d frames a second of one second", m.Rate())
	}
	for i := range 20 {
		m.Count(at(5+1.02*float64(i)), int64(3+15*i))
	}
	if m.Rate() != 15 {
		t.Errorf("%d", m.Rate())
	}
}
