// Package hostclock tells what this machine knows of its own clock (P11): whether the
// kernel disciplines it by a time source, and how far it may be off.
package hostclock

import "time"

// State is what the kernel says of the clock.
type State struct {
	// Known is false where the kernel cannot be asked; then nothing else is set.
	Known bool
	// Synchronised: a daemon such as chrony or systemd-timesyncd keeps the clock by a
	// time source, and did so lately.
	Synchronised bool
	// MaxError bounds how far the clock is off against that source, while Synchronised.
	MaxError time.Duration
}
