package recorder

import (
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// watchEvery is how often a watcher is told at most.
const watchEvery = 250 * time.Millisecond

// watchers are those who want to know when a status changes.
type watchers struct {
	r *Recorder

	mu    sync.Mutex
	chans map[evidence.ID]map[chan struct{}]bool
	dirty map[evidence.ID]bool
	wake  chan struct{}
}

func newWatchers(r *Recorder) *watchers {
	return &watchers{r: r, chans: map[evidence.ID]map[chan struct{}]bool{}, dirty: map[evidence.ID]bool{}, wake: make(chan struct{}, 1)}
}

func (w *watchers) touch(interview evidence.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.chans[interview]) == 0 {
		return
	}
	w.dirty[interview] = true
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watchers) touchAll() {
	w.mu.Lock()
	ids := make([]evidence.ID, 0, len(w.chans))
	for id := range w.chans {
		ids = append(ids, id)
	}
	w.mu.Unlock()
	for _, id := range ids {
		w.touch(id)
	}
}

func (w *watchers) run() {
	for {
		select {
		case <-w.wake:
		case <-w.r.closing:
			return
		}
		w.mu.Lock()
		for id := range w.dirty {
			for c := range w.chans[id] {
				select {
				case c <- struct{}{}:
				default:
				}
			}
		}
		clear(w.dirty)
		w.mu.Unlock()
		select {
		case <-time.After(watchEvery):
		case <-w.r.closing:
			return
		}
	}
}

// Watch returns a channel that receives whenever the status changed in a way
// that a person would see, at most four times a second. cancel ends it.
func (r *Recorder) Watch(interview evidence.ID) (changed <-chan struct{}, cancel func()) {
	w := r.watchers
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.chans[interview] == nil {
		w.chans[interview] = map[chan struct{}]bool{}
	}
	w.chans[interview][c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.chans[interview], c)
		if len(w.chans[interview]) == 0 {
			delete(w.chans, interview)
			delete(w.dirty, interview)
		}
	}
}
