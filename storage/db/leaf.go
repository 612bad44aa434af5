package db

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// parseLeaf reads a leaf. Almost all are canonical leaves of version 1, in which
// each thing has its place: those are read in one pass, ten times as fast as by
// encoding/json, which reads whatever is not exactly that.
func parseLeaf(text []byte) (evidence.Leaf, error) {
	c := leafCursor{rest: string(text)}
	var l evidence.Leaf
	l.Cipher.SHA256, l.Cipher.Size = c.text(`{"cipher":{"sha256":"`, `"`), c.number(`,"size":`)
	l.DecodeTime = c.text(`},"decodeTime":"`, `"`)
	l.Duration, l.End, l.Frames = c.number(`,"duration":`), evidence.Offset(c.number(`,"end":`)), int(c.number(`,"frames":`))
	independent := c.text(`,"independent":`, `,`)
	l.Independent = independent == "true"
	l.Index, l.Init = int(c.number(`"index":`)), int(c.number(`,"init":`))
	l.Kind = evidence.LeafKind(c.text(`,"kind":"`, `"`))
	l.Part = int(c.number(`,"part":`))
	l.Plain.SHA256, l.Plain.Size = c.text(`,"plain":{"sha256":"`, `"`), c.number(`,"size":`)
	l.Recording = evidence.ID(c.text(`},"recording":"`, `"`))
	l.Salt = c.text(`,"salt":"`, `"`)
	l.Start = evidence.Offset(c.number(`,"start":`))
	l.Track = evidence.ID(c.text(`,"track":"`, `"`))
	l.Type = c.text(`,"type":"`, `"`)
	l.Version = int(c.number(`,"version":`))
	if c.failed || c.rest != "}" || independent != "true" && independent != "false" || l.Type != evidence.TypeLeaf || l.Version != 1 {
		l = evidence.Leaf{}
		return l, json.Unmarshal(text, &l)
	}
	return l, nil
}

type leafCursor struct {
	rest   string
	failed bool
}

func (c *leafCursor) skip(literal string) {
	var ok bool
	if c.rest, ok = strings.CutPrefix(c.rest, literal); !ok {
		c.failed = true
	}
}

// text returns what stands between two literals, without escapes.
func (c *leafCursor) text(before, after string) string {
	c.skip(before)
	value, rest, ok := strings.Cut(c.rest, after)
	if !ok || strings.IndexByte(value, '\\') >= 0 {
		c.failed = true
	}
	c.rest = rest
	return value
}

func (c *leafCursor) number(before string) int64 {
	c.skip(before)
	n := 0
	for n < len(c.rest) && (c.rest[n] == '-' || c.rest[n] >= '0' && c.rest[n] <= '9') {
		n++
	}
	value, err := strconv.ParseInt(c.rest[:n], 10, 64)
	if err != nil {
		c.failed = true
	}
	c.rest = c.rest[n:]
	return value
}
