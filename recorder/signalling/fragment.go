package signalling

import (
	"strings"

	"github.com/pion/webrtc/v4"
)

// maxFragment bounds an SDP fragment, in bytes.
const maxFragment = 16 << 10

// fragment is an SDP fragment of trickle ICE (RFC 8840 section 9).
type fragment struct {
	ufrag, pwd string
	candidates []webrtc.ICECandidateInit
}

func parseFragment(text string) (fragment, error) {
	if len(text) > maxFragment {
		return fragment{}, Malformed("The fragment is longer than any needs to be.")
	}
	var f fragment
	var mid *string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		line = strings.TrimSpace(line)
		switch key, value, _ := strings.Cut(line, ":"); {
		case line == "":
		case key == "a=ice-ufrag":
			f.ufrag = value
		case key == "a=ice-pwd":
			f.pwd = value
		case key == "a=mid":
			mid = &value
		case key == "a=candidate":
			f.candidates = append(f.candidates, webrtc.ICECandidateInit{Candidate: "candidate:" + value, SDPMid: mid})
		case len(line) < 2 || line[1] != '=':
			return fragment{}, Malformed("The fragment is not an SDP fragment.")
		}
	}
	if f.ufrag == "" || f.pwd == "" {
		return fragment{}, Malformed("The fragment names no ICE credentials.")
	}
	return f, nil
}

func credentials(text string) (ufrag, pwd string) {
	for line := range strings.SplitSeq(text, "\r\n") {
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok && ufrag == "" {
			ufrag = v
		}
		if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok && pwd == "" {
			pwd = v
		}
	}
	return ufrag, pwd
}

// answerFragment cuts an answer down to what ICE needs: credentials, and the
// first media section with its candidates, which carries the bundle.
func answerFragment(answer string) string {
	ufrag, pwd := credentials(answer)
	out := []string{"a=ice-ufrag:" + ufrag, "a=ice-pwd:" + pwd}
	sections := 0
	for line := range strings.SplitSeq(answer, "\r\n") {
		switch {
		case strings.HasPrefix(line, "a=ice-lite"), strings.HasPrefix(line, "a=ice-options:"), strings.HasPrefix(line, "a=group:BUNDLE"):
			if sections == 0 {
				out = append(out, line)
			}
		case strings.HasPrefix(line, "m="):
			if sections++; sections == 1 {
				out = append(out, line)
			}
		case sections == 1 && (strings.HasPrefix(line, "a=mid:") || strings.HasPrefix(line, "a=candidate:") || line == "a=end-of-candidates"):
			out = append(out, line)
		}
	}
	return strings.Join(out, "\r\n") + "\r\n"
}
