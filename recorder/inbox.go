package recorder

import (
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ingest"
	"github.com/toldonce/toldonce/recorder/monitor"
)

// maxInbox bounds the packets of one source that wait to be looked at: some 20 s
// of a camera. Beyond it they are dropped, counted, and asked for again.
const maxInbox = 1 << 13

// letter is one thing that a source's goroutine has to do, in order.
type letter struct {
	feed   *feed
	at     time.Duration
	raw    []byte               // a packet
	report *ingest.SenderReport // or a sender report
	act    func()               // or anything else
}

// inbox hands letters to a source's goroutine. Posting never blocks.
type inbox struct {
	mu      sync.Mutex
	letters []letter
	spare   []letter
	packets int
	dropped int64
	wake    chan struct{}
	closed  bool
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// post returns false if the letter was not taken.
func (b *inbox) post(l letter) bool {
	b.mu.Lock()
	if b.closed || l.raw != nil && b.packets >= maxInbox {
		if l.raw != nil {
			b.dropped++
		}
		b.mu.Unlock()
		return false
	}
	if l.raw != nil {
		b.packets++
	}
	b.letters = append(b.letters, l)
	first := len(b.letters) == 1
	b.mu.Unlock()
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take returns what was posted. The caller returns the slice with give.
func (b *inbox) take() []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.letters
	b.letters, b.spare = b.spare[:0], nil
	b.packets = 0
	return out
}

func (b *inbox) give(used []letter) {
	clear(used)
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(used) <= 4*maxInbox {
		b.spare = used[:0]
	}
}

// close refuses further letters.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) lost() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// feed is one RTP stream on its way into the inbox: an [ingest.Receiver].
type feed struct {
	source *source
	stream *ingest.Track
	track  *track // set and used on the source's goroutine
	live   *monitor.Feed
}

// Packet implements [ingest.Receiver].
func (f *feed) Packet(raw []byte) {
	f.source.in.post(letter{feed: f, at: f.source.sitting.r.now(), raw: raw})
	f.live.Push(raw)
}

// Report implements [ingest.Receiver].
func (f *feed) Report(r ingest.SenderReport) {
	f.source.in.post(letter{feed: f, at: f.source.sitting.r.now(), report: &r})
	f.live.Report(r)
}

// End implements [ingest.Receiver].
func (f *feed) End() {
	f.source.in.post(letter{act: func() { f.source.streamEnded(f) }})
}

// sink connects an ingest session with its source.
type sink struct{ source *source }

// Track implements [ingest.Sink].
func (k *sink) Track(t *ingest.Track) ingest.Receiver {
	f := &feed{source: k.source, stream: t, live: k.source.live.Feed(t.Format.MIME, t.Kind == evidence.Video)}
	k.source.in.post(letter{act: func() { k.source.streamBegan(f) }})
	return f
}

// Ended implements [ingest.Sink].
func (k *sink) Ended() {
	k.source.in.post(letter{act: k.source.sessionEnded})
}
