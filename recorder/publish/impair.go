package publish

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Impairment spoils RTP packets on their way out, retransmissions included. RTCP,
// DTLS and STUN pass untouched. The zero value spoils nothing.
type Impairment struct {
	// Loss is the chance that a packet is lost, 0 to 1.
	Loss float64
	// Burst is how many packets are lost in a row once one is; at least 1. Loss
	// stays the share of all packets.
	Burst int
	// Delay holds each packet back.
	Delay time.Duration
	// Jitter adds up to this much at random, which reorders packets.
	Jitter time.Duration
	// Link holds everything back, on the way out and in, also RTCP, DTLS and STUN.
	Link time.Duration
	// Duplicate is the chance that a packet is sent twice, 0 to 1.
	Duplicate float64
	// Seed makes the choices repeatable.
	Seed uint64
	// Cut loses each packet for which it returns true, as it goes on the wire, for
	// example all of them for a while; nil: none. It is called from many goroutines.
	Cut func(packet []byte) bool
}

func (i Impairment) none() bool {
	return i.Loss == 0 && i.Delay == 0 && i.Jitter == 0 && i.Duplicate == 0 && i.Link == 0 && i.Cut == nil
}

// impaired is a packet connection with an Impairment on its writes.
type impaired struct {
	net.PacketConn
	rules   Impairment
	dropped atomic.Int64

	mu     sync.Mutex // guards what follows
	random *rand.Rand
	burst  int // packets still to lose
	closed bool
	timers sync.WaitGroup

	arriving chan arrival // nil without a Link
}

// arrival is what came in over a slow link.
type arrival struct {
	at   time.Time // when it may be read
	data []byte
	from net.Addr
	err  error
}

func impair(conn net.PacketConn, rules Impairment) *impaired {
	rules.Burst = max(rules.Burst, 1)
	c := &impaired{PacketConn: conn, rules: rules, random: rand.New(rand.NewPCG(rules.Seed, 0x746f6c64))}
	if rules.Link > 0 {
		c.arriving = make(chan arrival, 1<<12)
		go c.receive()
	}
	return c
}

// receive takes what arrives at once, to be read when the link would have brought it.
func (c *impaired) receive() {
	defer close(c.arriving)
	for {
		buf := make([]byte, 1<<11)
		n, from, err := c.PacketConn.ReadFrom(buf)
		c.arriving <- arrival{at: time.Now().Add(c.rules.Link), data: buf[:n], from: from, err: err}
		if err != nil {
			return
		}
	}
}

// ReadFrom implements [net.PacketConn].
func (c *impaired) ReadFrom(b []byte) (int, net.Addr, error) {
	if c.arriving == nil {
		return c.PacketConn.ReadFrom(b)
	}
	a, ok := <-c.arriving
	if !ok {
		return 0, nil, net.ErrClosed
	}
	if a.err != nil {
		return 0, nil, a.err
	}
	time.Sleep(time.Until(a.at))
	return copy(b, a.data), a.from, nil
}

// isRTP tells RTP from everything else on a multiplexed port (RFC 7983, RFC 5761).
func isRTP(b []byte) bool {
	return len(b) > 12 && b[0] >= 128 && b[0] < 192 && (b[1] < 192 || b[1] > 223)
}

func (c *impaired) WriteTo(b []byte, to net.Addr) (int, error) {
	if !isRTP(b) {
		if c.rules.Link > 0 {
			c.later(append([]byte(nil), b...), to, c.rules.Link)
			return len(b), nil
		}
		return c.PacketConn.WriteTo(b, to)
	}
	lose, copies, waits := c.fate()
	if lose || c.rules.Cut != nil && c.rules.Cut(b) {
		c.dropped.Add(1)
		return len(b), nil
	}
	for _, wait := range waits[:copies] {
		if wait == 0 {
			if _, err := c.PacketConn.WriteTo(b, to); err != nil {
				return 0, err
			}
			continue
		}
		c.later(append([]byte(nil), b...), to, wait)
	}
	return len(b), nil
}

func (c *impaired) fate() (lose bool, copies int, waits [2]time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.burst > 0 {
		c.burst--
		return true, 0, waits
	}
	if c.random.Float64() < c.rules.Loss/float64(c.rules.Burst) {
		c.burst = c.rules.Burst - 1
		return true, 0, waits
	}
	copies = 1
	if c.random.Float64() < c.rules.Duplicate {
		copies = 2
	}
	for i := range waits {
		waits[i] = c.rules.Delay + c.rules.Link
		if c.rules.Jitter > 0 {
			waits[i] += time.Duration(c.random.Int64N(int64(c.rules.Jitter)))
		}
	}
	return false, copies, waits
}

func (c *impaired) later(b []byte, to net.Addr, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.timers.Add(1)
	time.AfterFunc(wait, func() {
		defer c.timers.Done()
		// An error here is a packet lost on the way, which is what this is for.
		_, _ = c.PacketConn.WriteTo(b, to)
	})
}

// Close lets delayed packets leave before the connection goes.
func (c *impaired) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.timers.Wait()
	return c.PacketConn.Close()
}
