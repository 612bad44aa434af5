package hostclock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Read asks the kernel (adjtimex(2), which changes nothing when asked so). Safe for
// concurrent use.
func Read() State {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return State{}
	}
	return of(state, &t)
}

func of(state int, t *unix.Timex) State {
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return State{Known: true}
	}
	return State{Known: true, Synchronised: true, MaxError: time.Duration(t.Maxerror) * time.Microsecond}
}
