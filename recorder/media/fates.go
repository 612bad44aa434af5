package media

// Fate is what became of one packet.
type Fate byte

// Fates, by the letters that a ledger is written with. Capitals carried no media
// but padding.
const (
	FateReceived         Fate = 'r' // in order
	FateReordered        Fate = 'o' // after a later one, without having been asked for
	FateRecovered        Fate = 'c' // after it was asked for again
	FateReceivedPadding  Fate = 'R'
	FateReorderedPadding Fate = 'O'
	FateRecoveredPadding Fate = 'C'
	FateLost             Fate = 'l' // for good: given up
)

func fateOf(p Packet) Fate {
	f := FateReceived
	switch {
	case p.Again:
		f = FateRecovered
	case p.Late:
		f = FateReordered
	}
	if len(p.Payload) == 0 {
		f -= 'a' - 'A'
	}
	return f
}

// Run is a number of packets of one fate in a row.
type Run struct {
	Fate  Fate
	Count int64
}

// Stretch is what became of packets that follow one another by number.
type Stretch struct {
	First int64 // unwrapped sequence number
	Runs  []Run
}

// Fates is what became of the packets of a stream, in order of their numbers.
type Fates struct {
	Stretches []Stretch
	// Duplicate lists the numbers of packets that arrived again, Late of those
	// that arrived after they were given up, in order of arrival. They hold
	// [maxOddities] at most; Counts knows all of them.
	Duplicate, Late []int64

	next int64 // the number that would continue the last stretch
}

// maxOddities bounds the lists of duplicates and of late packets.
const maxOddities = 1024

// Empty reports whether there is nothing in it.
func (f *Fates) Empty() bool {
	return len(f.Stretches) == 0 && len(f.Duplicate) == 0 && len(f.Late) == 0
}

// add notes n packets from seq on.
func (f *Fates) add(seq int64, fate Fate, n int64) {
	if n <= 0 {
		return
	}
	if len(f.Stretches) == 0 || seq != f.next {
		if n := len(f.Stretches); n < cap(f.Stretches) {
			f.Stretches = f.Stretches[:n+1]
			f.Stretches[n] = Stretch{First: seq, Runs: f.Stretches[n].Runs[:0]}
		} else {
			f.Stretches = append(f.Stretches, Stretch{First: seq})
		}
	}
	s := &f.Stretches[len(f.Stretches)-1]
	if last := len(s.Runs) - 1; last >= 0 && s.Runs[last].Fate == fate {
		s.Runs[last].Count += n
	} else {
		s.Runs = append(s.Runs, Run{Fate: fate, Count: n})
	}
	f.next = seq + n
}

// reset empties it and keeps its memory and where it would continue.
func (f *Fates) reset() { f.Stretches, f.Duplicate, f.Late = f.Stretches[:0], nil, nil }

// packet notes a packet that was released, and those given up before it.
func (f *Fates) packet(p Packet) {
	f.add(p.Seq-p.Gap, FateLost, p.Gap)
	f.add(p.Seq, fateOf(p), 1)
}

// append notes what stands in other.
func (f *Fates) append(other Fates) {
	for _, s := range other.Stretches {
		at := s.First
		for _, r := range s.Runs {
			f.add(at, r.Fate, r.Count)
			at += r.Count
		}
	}
}

// since returns what stands in it of the packets from seq on.
func (f *Fates) since(seq int64) Fates {
	var out Fates
	for _, s := range f.Stretches {
		at := s.First
		for _, r := range s.Runs {
			skip := min(max(seq-at, 0), r.Count)
			out.add(at+skip, r.Fate, r.Count-skip)
			at += r.Count
		}
	}
	return out
}

// counts adds it up. Duplicate and Late stay 0.
func (f *Fates) counts() Counts {
	var c Counts
	for _, s := range f.Stretches {
		for _, r := range s.Runs {
			switch r.Fate {
			case FateLost:
				c.Lost += r.Count
				continue
			case FateRecovered, FateRecoveredPadding:
				c.Recovered += r.Count
			case FateReordered, FateReorderedPadding:
				c.Reordered += r.Count
			}
			c.Received += r.Count
			if r.Fate < 'a' {
				c.Padding += r.Count
			}
		}
	}
	return c
}
