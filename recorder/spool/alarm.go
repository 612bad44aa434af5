package spool

import (
	"slices"
	"strings"
	"sync"
)

// Codes of alarms. They are stable; pages translate by them.
const (
	// AlarmReserve: the disk is full and the reserve is being used up.
	AlarmReserve = "spool.reserve"
	// AlarmWrite: the spool's disk takes nothing. What comes is kept in memory.
	AlarmWrite = "spool.write"
	// AlarmBacklog: memory is full as well. Records were refused.
	AlarmBacklog = "spool.backlog"
	// AlarmStore: the object store does not take objects. They wait on disk.
	AlarmStore = "spool.store"
	// AlarmConflict: the object store holds something else under an object's key,
	// or refuses the object for good. It waits on disk for somebody to look.
	AlarmConflict = "spool.conflict"
	// AlarmConfirm: what was stored cannot be written to the database.
	AlarmConfirm = "spool.confirm"
)

var alarmTexts = map[string]string{
	AlarmReserve:  "The recording disk is full. Recording goes on into the reserve: free space now.",
	AlarmWrite:    "The recording disk cannot be written. Recording goes on in memory for a short time.",
	AlarmBacklog:  "The recording disk cannot be written and memory is full: parts of the recording are being lost.",
	AlarmStore:    "The object store does not answer. The recording is kept on this machine and uploaded later.",
	AlarmConflict: "The object store refuses a part of the recording. It is kept on this machine: tell the administrator.",
	AlarmConfirm:  "The database does not answer. The recording goes on and is entered later.",
}

// Alarm is a state that somebody should look at. It names no person.
type Alarm struct {
	Code   string // one of the Alarm constants
	Text   string // English
	Raised bool   // false: it is over
}

// alarms knows which alarms are raised, by where they were raised.
type alarms struct {
	notify func(Alarm, error) // called outside of mu, when the first is raised or the last is over

	mu     sync.Mutex
	raised map[string]map[string]error // code → place → cause
}

func newAlarms(notify func(Alarm, error)) *alarms {
	return &alarms{notify: notify, raised: map[string]map[string]error{}}
}

// set raises code at a place, or says that it is over there if err is nil.
func (a *alarms) set(code, place string, err error) {
	a.mu.Lock()
	places := a.raised[code]
	before := len(places)
	if err != nil {
		if places == nil {
			places = map[string]error{}
			a.raised[code] = places
		}
		places[place] = err
	} else {
		delete(places, place)
	}
	after := len(places)
	a.mu.Unlock()
	if (before == 0) != (after == 0) && a.notify != nil {
		a.notify(Alarm{Code: code, Text: alarmTexts[code], Raised: after > 0}, err)
	}
}

// forget ends every alarm of a place.
func (a *alarms) forget(place string) {
	for code := range alarmTexts {
		a.set(code, place, nil)
	}
}

// list returns the alarms that are raised at one of places or for the whole
// node; all of them if none is named.
func (a *alarms) list(places ...string) []Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Alarm
	for code, at := range a.raised {
		here := len(places) == 0 && len(at) > 0
		for p := range at {
			here = here || p == "" || slices.Contains(places, p)
		}
		if here {
			out = append(out, Alarm{Code: code, Text: alarmTexts[code], Raised: true})
		}
	}
	slices.SortFunc(out, func(x, y Alarm) int { return strings.Compare(x.Code, y.Code) })
	return out
}
