package hostclock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWhatTheKernelSays(t *testing.T) {
	for name, c := range map[string]struct {
		state int
		timex unix.Timex
		want  State
	}{
		"kept":          {unix.TIME_OK, unix.Timex{Maxerror: 1500}, State{true, true, 1500 * time.Microsecond}},
		"a leap second": {unix.TIME_INS, unix.Timex{Maxerror: 1}, State{true, true, time.Microsecond}},
		"never kept":    {unix.TIME_ERROR, unix.Timex{Status: unix.STA_UNSYNC, Maxerror: 16_000_000}, State{Known: true}},
		"not any more":  {unix.TIME_OK, unix.Timex{Status: unix.STA_UNSYNC}, State{Known: true}},
		"another error": {unix.TIME_ERROR, unix.Timex{}, State{Known: true}},
	} {
		if got := of(c.state, &c.timex); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if s := Read(); !s.Known && s != (State{}) {
		t.Errorf("%+v", s)
	}
}
