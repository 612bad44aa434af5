package media

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

const ms = time.Millisecond

func packet(seq uint16, stamp uint32, marker bool, payload ...byte) []byte {
	b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: stamp, Marker: marker, SSRC: 7}, Payload: payload}).Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// popAll returns the sequence numbers that come out, with the gaps before them.
func popAll(l *Ledger, now time.Duration) (seqs []uint16, gaps []int64) {
	for {
		p, ok := l.Pop(now)
		if !ok {
			return seqs, gaps
		}
		seqs, gaps = append(seqs, uint16(p.Seq)), append(gaps, p.Gap)
	}
}

// settleLead lets the ledger find out that nothing came before the first packet.
func settleLead(l *Ledger) time.Duration {
	now := time.Duration(0)
	for ; now < Horizon; now += 5 * ms {
		l.Requests(now, nil)
		if s := l.slot(l.next); s.state == have || s.tries >= leadTries && now >= s.next {
			break
		}
	}
	return now
}

func TestOrderIsRestored(t *testing.T) {
	l := NewLedger(false)
	for _, seq := range []uint16{65534, 65535, 1, 0, 2, 2, 65535} { // around the wrap, reordered, doubled
		if err := l.Push(0, packet(seq, 0, true, 1)); err != nil {
			t.Fatal(err)
		}
	}
	seqs, gaps := popAll(l, 0)
	if want := []uint16{65534, 65535, 0, 1, 2}; !slices.Equal(seqs, want) {
		t.Errorf("got %v, want %v", seqs, want)
	}
	if !slices.Equal(gaps, make([]int64, 5)) {
		t.Errorf("gaps %v", gaps)
	}
	if c := l.Counts(); c.Received != 5 || c.Reordered != 1 || c.Duplicate != 2 || c.Lost != 0 {
		t.Errorf("%+v", c)
	}
}

func TestLossIsAskedForAndGivenUp(t *testing.T) {
	l := NewLedger(true)
	l.Push(0, packet(100, 0, true, 1))
	now := settleLead(l)
	if seqs, _ := popAll(l, now); !slices.Equal(seqs, []uint16{100}) {
		t.Fatalf("got %v", seqs)
	}
	l.SetRoundTrip(60 * ms)
	l.Push(now, packet(103, 0, true, 1))
	if asked := l.Requests(now+9*ms, nil); len(asked) != 0 {
		t.Errorf("asked for %v before reordering was ruled out", asked)
	}
	if asked := l.Requests(now+10*ms, nil); !slices.Equal(asked, []uint16{101, 102}) {
		t.Errorf("asked for %v", asked)
	}
	if asked := l.Requests(now+60*ms, nil); len(asked) != 0 {
		t.Errorf("asked for %v again within a round trip", asked)
	}
	l.Push(now+75*ms, packet(102, 0, true, 1))
	if asked := l.Requests(now+90*ms, nil); !slices.Equal(asked, []uint16{101}) {
		t.Errorf("asked for %v", asked)
	}
	if seqs, _ := popAll(l, now+90*ms); len(seqs) != 0 {
		t.Errorf("%v came before what is missing", seqs)
	}
	tries := 2
	for at := now + 90*ms; at < now+Horizon; at += ms {
		tries += len(slices.DeleteFunc(l.Requests(at, nil), func(s uint16) bool { return s != 101 }))
	}
	if tries < 10 || tries > maxTries {
		t.Errorf("asked %d times", tries)
	}
	seqs, gaps := popAll(l, now+Horizon)
	if !slices.Equal(seqs, []uint16{102, 103}) || !slices.Equal(gaps, []int64{1, 0}) {
		t.Errorf("got %v %v", seqs, gaps)
	}
	l.Push(now+Horizon, packet(101, 0, true, 1))
	if c := l.Counts(); c.Received != 3 || c.Recovered != 1 || c.Lost != 1 || c.Late != 1 {
		t.Errorf("%+v", c)
	}
}

func TestWhatWasLostBeforeTheFirstPacketIsFound(t *testing.T) {
	l := NewLedger(true)
	l.Push(0, packet(40, 0, true, 1))
	asked := l.Requests(10*ms, nil)
	if len(asked) != lead || asked[0] != 8 || asked[lead-1] != 39 {
		t.Fatalf("asked for %v", asked)
	}
	l.Push(20*ms, packet(37, 0, true, 1)) // it was sent after all, so 38 and 39 were too
	l.Push(21*ms, packet(39, 0, true, 1))
	if seqs, _ := popAll(l, 22*ms); len(seqs) != 0 {
		t.Errorf("%v came before it was known what comes first", seqs)
	}
	l.Push(60*ms, packet(38, 0, true, 1))
	now := 60 * ms
	for now < time.Second {
		now += 5 * ms
		l.Requests(now, nil)
	}
	seqs, gaps := popAll(l, now)
	if !slices.Equal(seqs, []uint16{37, 38, 39, 40}) || !slices.Equal(gaps, make([]int64, 4)) {
		t.Errorf("got %v %v", seqs, gaps)
	}
	if c := l.Counts(); c.Lost != 0 || c.Recovered != 3 {
		t.Errorf("%+v", c)
	}
}

func TestSilenceAsksForTheTail(t *testing.T) {
	l := NewLedger(true)
	for i := range uint16(20) {
		l.Push(time.Duration(i)*20*ms, packet(i, 0, true, 1))
		l.Requests(time.Duration(i)*20*ms, nil)
		l.Pop(time.Duration(i) * 20 * ms)
	}
	now := 19 * 20 * ms
	for now < 800*ms && !slices.Contains(l.Requests(now, nil), 20) {
		now += 5 * ms
	}
	if now > 500*ms {
		t.Fatalf("the packets after the last were first asked for at %v", now)
	}
	l.Push(now+5*ms, packet(20, 0, true, 1))
	popAll(l, now+3*time.Second)
	if c := l.Counts(); c.Received != 21 || c.Lost != 0 {
		t.Errorf("%+v", c)
	}
	total := 0
	for at := now + 10*ms; at < now+10*time.Second; at += 10 * ms {
		total += len(l.Requests(at, nil))
	}
	if total > tail*tailTries {
		t.Errorf("%d requests into the silence", total)
	}
}

func TestANewNumberingIsBelievedFromTheSecondPacket(t *testing.T) {
	l := NewLedger(false)
	for i := range uint16(5) {
		l.Push(0, packet(i, 0, true, 1))
	}
	l.Push(ms, packet(30000, 0, true, 1)) // a stray one
	l.Push(ms, packet(5, 0, true, 1))
	if seqs, _ := popAll(l, ms); len(seqs) != 6 {
		t.Errorf("got %v", seqs)
	}
	for i := range uint16(4) {
		l.Push(2*ms, packet(30000+i, 0, true, 1))
	}
	p, ok := l.Pop(2 * ms)
	if !ok || uint16(p.Seq) != 30000 || !p.Break {
		t.Fatalf("%+v %v", p, ok)
	}
	if seqs, _ := popAll(l, 2*ms); !slices.Equal(seqs, []uint16{30001, 30002, 30003}) {
		t.Errorf("got %v", seqs)
	}
}

func TestPaddingIsReceivedAndIsNoMedia(t *testing.T) {
	l := NewLedger(false)
	raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1, Padding: true, PaddingSize: 200}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Push(0, raw); err != nil {
		t.Fatal(err)
	}
	p, ok := l.Pop(0)
	if !ok || len(p.Payload) != 0 || l.Counts().Padding != 1 {
		t.Errorf("%+v %v %+v", p, ok, l.Counts())
	}
	for _, bad := range [][]byte{nil, {0x80}, raw[:11], append([]byte{0xa0}, make([]byte, 11)...)} {
		if err := l.Push(0, bad); err == nil {
			t.Errorf("%x is taken for RTP", bad)
		}
	}
}

// Whatever the network does, each packet comes out once and in order, or is
// counted lost.
func TestEveryPacketIsAccountedFor(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := NewLedger(true)
		l.SetRoundTrip(20 * ms)
		type event struct {
			at  time.Duration
			seq uint16
		}
		var coming []event
		const n = 3000
		first := uint16(r.IntN(1 << 16))
		for i := range n {
			if r.Float64() > 0.1 || i == 0 || i == n-1 {
				coming = append(coming, event{time.Duration(i)*4*ms + time.Duration(r.IntN(15))*ms, first + uint16(i)})
			}
		}
		var out []Packet
		now := time.Duration(0)
		for len(coming) > 0 || now < n*4*ms+4*time.Second {
			slices.SortStableFunc(coming, func(a, b event) int { return int(a.at - b.at) })
			for len(coming) > 0 && coming[0].at <= now {
				l.Push(now, packet(coming[0].seq, 0, true, 1))
				coming = coming[1:]
			}
			for _, seq := range l.Requests(now, nil) {
				if i := seq - first; i < n && r.Float64() > 0.2 {
					coming = append(coming, event{now + 20*ms, seq})
				}
			}
			for {
				p, ok := l.Pop(now)
				if !ok {
					break
				}
				out = append(out, p)
			}
			now += ms
		}
		c := l.Counts()
		if c.Received != int64(len(out)) || c.Received+c.Lost != n || c.Lost != 0 {
			t.Fatalf("seed %d: %+v, %d came out", seed, c, len(out))
		}
		for i := 1; i < len(out); i++ {
			if out[i].Seq != out[i-1].Seq+1+out[i].Gap {
				t.Fatalf("seed %d: %d follows %d with gap %d", seed, out[i].Seq, out[i-1].Seq, out[i].Gap)
			}
		}
	}
}

func FuzzLedger(f *testing.F) {
	f.Add(packet(1, 2, true, 3), uint16(0), true)
	f.Fuzz(func(t *testing.T, raw []byte, step uint16, repairs bool) {
		l := NewLedger(repairs)
		now := time.Duration(0)
		for i := range 40 {
			b := slices.Clone(raw)
			if len(b) > 4 {
				b[2], b[3] = byte(int(b[2])+i*int(step>>8)), b[3]+byte(i)*byte(step)
			}
			_ = l.Push(now, b) // an error is an answer
			l.Requests(now, nil)
			for {
				if _, ok := l.Pop(now); !ok {
					break
				}
			}
			now += 50 * ms
		}
		l.GiveUp()
		for {
			if _, ok := l.Pop(now); !ok {
				break
			}
		}
		if l.next != l.high+1 && l.started && !l.believed {
			t.Errorf("something is left: next %d, high %d", l.next, l.high)
		}
	})
}
