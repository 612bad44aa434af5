package web

import (
	"strconv"
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// gapFile is what a gap's entry names. A client that does not know EXT-X-GAP
// fetches it and gets gapBody.
const gapFile = "gap.m4s"

// gapBody is an empty free-space box (ISO/IEC 14496-12 section 8.1.2): valid
// where a segment is expected, and without content.
var gapBody = []byte{0, 0, 0, 8, 'f', 'r', 'e', 'e'}

// hlsName is the last part of a path below a track.
type hlsName struct {
	playlist bool
	gap      bool
	kind     evidence.LeafKind
	index    int
}

// parseHLSName reads index.m3u8, gap.m4s, init-N.mp4 and N.m4s, N in plain decimal
// without leading zeros. Anything else is not there.
func parseHLSName(name string) (hlsName, bool) {
	switch name {
	case "index.m3u8":
		return hlsName{playlist: true}, true
	case gapFile:
		return hlsName{gap: true}, true
	}
	kind := evidence.LeafMedia
	digits, ok := strings.CutSuffix(name, ".m4s")
	if !ok {
		kind = evidence.LeafInit
		if digits, ok = strings.CutSuffix(name, ".mp4"); !ok {
			return hlsName{}, false
		}
		if digits, ok = strings.CutPrefix(digits, "init-"); !ok {
			return hlsName{}, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits {
		return hlsName{}, false
	}
	return hlsName{kind: kind, index: int(n)}, true
}
