package monitor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/signalling"
)

// queueSize bounds what waits for one observer's network, in packets: about a second
// of a camera. Beyond it everything that waits is dropped, and the picture goes on
// with the next key frame.
const queueSize = 512

// connectWithin is how long an observer may take to connect.
const connectWithin = 30 * time.Second

// Session is one observer's view of one channel. It is safe for concurrent use.
type Session struct {
	ID evidence.ID

	channel  *Channel
	pc       *webrtc.PeerConnection
	exchange *signalling.Exchange
	outlets  []*outlet
	held     atomic.Bool
	dropped  atomic.Int64

	mu     sync.Mutex // guards what follows
	queue  []item
	gap    bool // something was dropped since the last look
	wake   chan struct{}
	done   chan struct{}
	closed bool
	heard  bool // it was connected
}

// item is one thing to do for an observer, in order.
type item struct {
	feed   *Feed
	packet packet
	report *report
	missed []uint16 // numbers of ours that the observer asks for again
	by     *outlet  // of what
}

// ETag names the present ICE session, with its quotes.
func (s *Session) ETag() string { return s.exchange.ETag() }

// Trickle takes an SDP fragment: see [signalling.Exchange.Trickle].
func (s *Session) Trickle(ctx context.Context, ifMatch, fragment string) (answer, etag string, err error) {
	return s.exchange.Trickle(ctx, ifMatch, fragment)
}

// Hold withholds everything until it is called with false. What arrives meanwhile is
// not sent later.
func (s *Session) Hold(on bool) { s.held.Store(on) }

// Dropped is how many packets the bounded queue had no room for.
func (s *Session) Dropped() int64 { return s.dropped.Load() }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Close ends the session.
func (s *Session) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.done)
	s.mu.Unlock()
	s.channel.leave(s)
	_ = s.pc.Close() // it says only that it was closed before
}

func newSession(pc *webrtc.PeerConnection, c *Channel) *Session {
	s := &Session{
		ID: evidence.NewID(), channel: c, pc: pc, exchange: signalling.NewExchange(pc, nil),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			s.mu.Lock()
			s.heard = true
			s.mu.Unlock()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			go s.Close()
		}
	})
	time.AfterFunc(connectWithin, func() {
		s.mu.Lock()
		heard := s.heard
		s.mu.Unlock()
		if !heard {
			s.Close()
		}
	})
	return s
}

// add makes an outlet and listens to what the observer says about it.
func (s *Session) add(o *outlet) error {
	t, err := s.pc.AddTransceiverFromTrack(o, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	s.outlets = append(s.outlets, o)
	go func() {
		for {
			packets, _, err := t.Sender().ReadRTCP()
			if err != nil {
				return
			}
			s.feedback(o, packets)
		}
	}()
	return nil
}

func (s *Session) feedback(o *outlet, packets []rtcp.Packet) {
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.TransportLayerNack:
			var missed []uint16
			for _, pair := range p.Nacks {
				missed = append(missed, pair.PacketList()...)
			}
			s.put(item{by: o, missed: missed})
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			if s.channel.on.Load() && !s.held.Load() {
				s.channel.want()
			}
		}
	}
}

// put queues an item. It never blocks.
func (s *Session) put(i item) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	if len(s.queue) >= queueSize {
		s.dropped.Add(int64(len(s.queue)))
		clear(s.queue)
		s.queue, s.gap = s.queue[:0], true
	}
	s.queue = append(s.queue, i)
	first := len(s.queue) == 1
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// skip says that something was left out before what comes next.
func (s *Session) skip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gap = true
}

// run writes to the observer until the session ends. It alone waits for its network.
func (s *Session) run() {
	var spare []item
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
		s.mu.Lock()
		items, gap := s.queue, s.gap
		s.queue, s.gap = spare, false
		s.mu.Unlock()
		if gap || s.held.Load() {
			for _, o := range s.outlets {
				o.restart()
			}
		}
		for _, i := range items {
			if !s.held.Load() {
				s.do(i)
			}
		}
		clear(items)
		spare = items[:0]
	}
}

func (s *Session) do(i item) {
	now := time.Now()
	if i.missed != nil {
		i.by.again(i.missed, now)
		return
	}
	for _, o := range s.outlets {
		if o.video != i.feed.Video {
			continue
		}
		if i.report != nil {
			s.tell(o, i.feed, i.report)
			continue
		}
		switch o.write(i.feed, i.packet, now) {
		case waits:
			s.channel.want()
		case begun:
			if r := i.feed.lastReport.Load(); r != nil {
				s.tell(o, i.feed, r)
			}
		}
	}
}

// tell sends a sender report. An error means that the session is ending, which it
// says itself.
func (s *Session) tell(o *outlet, f *Feed, r *report) {
	if p := o.report(f, r); p != nil {
		_ = s.pc.WriteRTCP([]rtcp.Packet{p})
	}
}
