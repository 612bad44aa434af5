package monitor

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// waiting bounds the packets between a source's reader and the fan-out.
	waiting = 2048
	// wantEvery is how often observers together may ask for a key frame.
	wantEvery = 500 * time.Millisecond
)

// Channel is what one source sends live, over all its connections. It is safe for
// concurrent use.
type Channel struct {
	keyFrame func() // asks the source; must not block

	on       atomic.Bool  // whether anything is forwarded
	audience atomic.Int32 // how many sessions there are

	mu       sync.Mutex // guards what follows
	sessions []*Session
	queue    []parcel
	full     bool // something was dropped since the last look
	closed   bool
	wanted   time.Time
	wake     chan struct{}
	done     chan struct{}
	started  bool
}

// parcel is one thing on its way to every observer.
type parcel struct {
	feed   *Feed
	raw    []byte
	report *report
}

// NewChannel makes a channel that is off. keyFrame is called when an observer needs
// a key frame, at most twice a second, and must not block. Close ends it.
func NewChannel(keyFrame func()) *Channel {
	return &Channel{keyFrame: keyFrame, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// SetOn begins or ends forwarding. What arrives while it is off is seen by nobody.
func (c *Channel) SetOn(on bool) { c.on.Store(on) }

// Audience is how many sessions there are.
func (c *Channel) Audience() int { return int(c.audience.Load()) }

// Close ends the channel and every session of it.
func (c *Channel) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	sessions := slices.Clone(c.sessions)
	close(c.done)
	c.mu.Unlock()
	for _, s := range sessions {
		s.Close()
	}
}

// join returns false if the channel is closed.
func (c *Channel) join(s *Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.sessions = append(slices.Clone(c.sessions), s) // the fan-out may hold the old list
	c.audience.Store(int32(len(c.sessions)))
	if !c.started {
		c.started = true
		go c.spread()
	}
	return true
}

func (c *Channel) leave(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = slices.DeleteFunc(slices.Clone(c.sessions), func(x *Session) bool { return x == s })
	c.audience.Store(int32(len(c.sessions)))
}

// want asks for a key frame, unless that was just done.
func (c *Channel) want() {
	c.mu.Lock()
	now := time.Now()
	if now.Sub(c.wanted) < wantEvery {
		c.mu.Unlock()
		return
	}
	c.wanted = now
	c.mu.Unlock()
	c.keyFrame()
}

// post takes what the source's reader hands over. It never blocks.
func (c *Channel) post(p parcel) {
	if !c.on.Load() || c.audience.Load() == 0 {
		return
	}
	c.mu.Lock()
	if len(c.queue) >= waiting {
		clear(c.queue)
		c.queue, c.full = c.queue[:0], true
	}
	c.queue = append(c.queue, p)
	first := len(c.queue) == 1
	c.mu.Unlock()
	if first {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// spread copies to each session's queue what was posted.
func (c *Channel) spread() {
	var spare []parcel
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		c.mu.Lock()
		parcels, sessions, full := c.queue, c.sessions, c.full
		c.queue, c.full = spare, false
		c.mu.Unlock()
		if full {
			for _, s := range sessions {
				s.skip()
			}
		}
		for _, p := range parcels {
			if p.report != nil {
				p.feed.lastReport.Store(p.report)
				for _, s := range sessions {
					s.put(item{feed: p.feed, report: p.report})
				}
				continue
			}
			pkt, ok := parse(p.raw, p.feed.MIME, p.feed.Video)
			if !ok {
				continue
			}
			p.feed.keep(pkt)
			for _, s := range sessions {
				s.put(item{feed: p.feed, packet: pkt})
			}
		}
		clear(parcels)
		spare = parcels[:0]
	}
}

// Feed is one RTP stream of a channel: a source has a new one after each reconnection.
type Feed struct {
	// Video tells picture from sound; MIME is the codec as RTP names it.
	Video bool
	MIME  string

	channel    *Channel
	lastReport atomic.Pointer[report]

	mu   sync.Mutex
	ring *ring // nil until somebody watches
}

// Feed begins a stream.
func (c *Channel) Feed(mime string, video bool) *Feed {
	return &Feed{Video: video, MIME: mime, channel: c}
}

// Push takes an RTP packet as it arrived, decrypted. It only notes it; raw must not
// be changed afterwards.
func (f *Feed) Push(raw []byte) { f.channel.post(parcel{feed: f, raw: raw}) }

// Report takes a sender report, by which observers' pictures and sound stay together.
func (f *Feed) Report(r report) { f.channel.post(parcel{feed: f, report: &r}) }

func (f *Feed) keep(p packet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ring == nil {
		f.ring = newRing()
	}
	f.ring.put(p)
}

func (f *Feed) find(seq uint16) (packet, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ring == nil {
		return packet{}, false
	}
	return f.ring.get(seq)
}
