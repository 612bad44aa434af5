package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// TypeLedger names a page of a track's ledger: what became of every packet,
// what arrived of damaged frames, and what the sender said of its clock.
// FORMAT.md specifies it.
const TypeLedger = "toldonce/ledger"

// Bounds of a ledger page.
const (
	MaxLedgerPage = 8 << 20 // bytes
	maxFates      = 1 << 20 // bytes of one line's fates
)

// Kinds of lines of a ledger page, in JSON's field "kind".
const (
	LedgerHeader  = "page"    // LedgerPageLine, the first of every page and only there
	LedgerStream  = "stream"  // LedgerStreamLine
	LedgerPackets = "packets" // LedgerPacketsLine
	LedgerReport  = "report"  // LedgerReportLine
	LedgerDamaged = "damaged" // LedgerDamagedLine
)

// LedgerPageLine begins a page.
type LedgerPageLine struct {
	Kind      string `json:"kind"`    // LedgerHeader
	Type      string `json:"type"`    // TypeLedger
	Version   int    `json:"version"` // 1
	Recording ID     `json:"recording"`
	Track     ID     `json:"track"`
	Page      int    `json:"page"` // counts from 1
}

// LedgerStreamLine says that an RTP stream of the track begins: a session, or a
// codec that was changed inside one.
type LedgerStreamLine struct {
	Kind string `json:"kind"` // LedgerStream
	At   Offset `json:"at"`
	SSRC int64  `json:"ssrc"`
	MIME string `json:"mime"` // "video/H264"
	// Repairs: the sender repeats packets that it is asked for (generic NACK).
	Repairs bool `json:"repairs"`
}

// LedgerPacketsLine says what became of packets that follow one another by number.
type LedgerPacketsLine struct {
	Kind  string `json:"kind"`  // LedgerPackets
	At    Offset `json:"at"`    // when it was noted: they arrived before
	First int64  `json:"first"` // RTP sequence number of the first, unwrapped, plus 2³²
	// Fates are runs, each a count and a letter: r in order, o reordered, c
	// recovered (it was asked for again), R O C the same without media but
	// padding, l lost for good. "120r1l300r"
	Fates string `json:"fates"`
	// Duplicates and Late are numbers of packets that arrived again, and that
	// arrived after they were given up, since the line before. They stand in the
	// last line of those noted together, whose Fates may be empty.
	Duplicates []int64 `json:"duplicates,omitempty"`
	Late       []int64 `json:"late,omitempty"`
}

// LedgerReportLine is an RTCP sender report as it arrived.
type LedgerReportLine struct {
	Kind string `json:"kind"` // LedgerReport
	At   Offset `json:"at"`   // of its arrival
	RTCP []byte `json:"rtcp"` // the RTCP packet, verbatim; base64
	// Offset is what is to be added to the sender's clock (µs since 1970) to get
	// interview time, by the packets that took least long in the last 4 s; the time
	// on the way, which is not known, is in it. Absent until known.
	Offset *int64 `json:"offset,omitempty"`
}

// LedgerDamagedLine is a frame that was seen in part. It is in no segment.
type LedgerDamagedLine struct {
	Kind string `json:"kind"` // LedgerDamaged
	At   Offset `json:"at"`
	// Time is the frame's decode time as in a leaf: unwrapped RTP, hex.
	Time    string               `json:"time"`
	Packets []LedgerDamagedPiece `json:"packets"` // what arrived of it
	// Omitted is how many more arrived that are left out, of a frame over 1 MiB.
	Omitted int `json:"omitted,omitempty"`
}

// LedgerDamagedPiece is a packet of a damaged frame.
type LedgerDamagedPiece struct {
	Seq     int64  `json:"seq"` // as in LedgerPacketsLine
	Marker  bool   `json:"marker"`
	Payload []byte `json:"payload"` // of RTP, without padding; base64
}

// LedgerSum is what the lines of a ledger add up to.
type LedgerSum struct {
	Received, Recovered, Reordered, Lost, Padding int64 // packets
	Damaged                                       int64 // frames
	Reports                                       int64
}

// Plus adds another.
func (s LedgerSum) Plus(o LedgerSum) LedgerSum {
	return LedgerSum{s.Received + o.Received, s.Recovered + o.Recovered, s.Reordered + o.Reordered, s.Lost + o.Lost, s.Padding + o.Padding, s.Damaged + o.Damaged, s.Reports + o.Reports}
}

// ParseLedgerPage reads a page strictly and adds it up. lines counts those behind
// the first. The error wraps [ErrInvalid], or [ErrUnknownFormat] for another
// version or an unknown kind of line. It never panics, and is fuzzed.
func ParseLedgerPage(page []byte) (head LedgerPageLine, sum LedgerSum, lines int, err error) {
	if len(page) > MaxLedgerPage {
		return head, sum, 0, fmt.Errorf("%w: ledger page of %d bytes", ErrInvalid, len(page))
	}
	text, rest, ok := bytes.Cut(page, []byte{'\n'})
	if !ok {
		return head, sum, 0, fmt.Errorf("%w: an empty ledger page", ErrInvalid)
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return head, sum, 0, fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	if head.Kind != LedgerHeader || head.Type != TypeLedger || head.Version != 1 {
		return head, sum, 0, fmt.Errorf("%w: ledger page of version %d", ErrUnknownFormat, head.Version)
	}
	if err := DecodeCanonical(text, &head); err != nil {
		return head, sum, 0, err
	}
	for len(rest) > 0 {
		if text, rest, ok = bytes.Cut(rest, []byte{'\n'}); !ok {
			return head, sum, lines, fmt.Errorf("%w: the ledger page ends within a line", ErrInvalid)
		}
		lines++
		one, err := ParseLedgerLine(text)
		if err != nil {
			return head, sum, lines, fmt.Errorf("line %d: %w", lines, err)
		}
		sum = sum.Plus(one)
	}
	return head, sum, lines, nil
}

// ParseLedgerLine reads a line that is not a page's first and says what it adds.
// Errors are as of [ParseLedgerPage].
func ParseLedgerLine(text []byte) (LedgerSum, error) {
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return LedgerSum{}, fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	switch kind.Kind {
	case LedgerStream:
		var l LedgerStreamLine
		return LedgerSum{}, DecodeCanonical(text, &l)
	case LedgerReport:
		var l LedgerReportLine
		return LedgerSum{Reports: 1}, DecodeCanonical(text, &l)
	case LedgerDamaged:
		var l LedgerDamagedLine
		return LedgerSum{Damaged: 1}, DecodeCanonical(text, &l)
	case LedgerPackets:
		var l LedgerPacketsLine
		if err := DecodeCanonical(text, &l); err != nil {
			return LedgerSum{}, err
		}
		return addFates(l.Fates)
	}
	return LedgerSum{}, fmt.Errorf("%w: a line of an unknown kind", ErrUnknownFormat)
}

// addFates adds up runs of fates.
func addFates(text string) (s LedgerSum, err error) {
	if len(text) > maxFates {
		return s, fmt.Errorf("%w: fates of %d bytes", ErrInvalid, len(text))
	}
	for text != "" {
		i := strings.IndexAny(text, "rocROCl")
		if i < 1 || text[0] == '0' || text[0] == '+' {
			return LedgerSum{}, fmt.Errorf("%w: malformed fates", ErrInvalid)
		}
		n, err := strconv.ParseUint(text[:i], 10, 40)
		if err != nil {
			return LedgerSum{}, fmt.Errorf("%w: malformed fates", ErrInvalid)
		}
		count := int64(n)
		switch text[i] {
		case 'c', 'C':
			s.Recovered += count
		case 'o', 'O':
			s.Reordered += count
		}
		switch c := text[i]; {
		case c == 'l':
			s.Lost += count
		case c < 'a':
			s.Padding += count
			s.Received += count
		default:
			s.Received += count
		}
		text = text[i+1:]
	}
	return s, nil
}

// LedgerLine returns the canonical bytes of a line with its line end.
func LedgerLine(line any) ([]byte, error) {
	text, err := Canonical(line)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}
