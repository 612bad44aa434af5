package ingest

import (
	"context"
	"strings"

	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
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
		return fragment{}, malformed("The fragment is longer than any needs to be.")
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
			return fragment{}, malformed("The fragment is not an SDP fragment.")
		}
	}
	if f.ufrag == "" || f.pwd == "" {
		return fragment{}, malformed("The fragment names no ICE credentials.")
	}
	return f, nil
}

// Trickle takes an SDP fragment. With the entity tag of the present ICE session
// its candidates are added and nothing is returned; with * the credentials are
// new and ICE is restarted (RFC 9725 section 4.3.3): what is returned is the
// server's fragment and the new entity tag. The error is a refusal of kind
// [ErrMalformed], [ErrStale] or [ErrUnconditional].
func (s *Session) Trickle(ctx context.Context, ifMatch, text string) (answer, etag string, err error) {
	f, err := parseFragment(text)
	if err != nil {
		return "", "", err
	}
	switch tag := strings.TrimSpace(ifMatch); tag {
	case "":
		return "", "", evidence.Refuse(ErrUnconditional, "whip.etag.missing", "The request must say with If-Match which ICE session it is about.", "")
	case "*", `"*"`:
		return s.restart(ctx, f)
	case s.ETag():
	default:
		return "", "", evidence.Refuse(ErrStale, "whip.etag.stale", "The ICE session was restarted since; begin again from its new entity tag.", "")
	}
	ufrag, pwd := credentials(s.pc.RemoteDescription().SDP)
	if f.ufrag != ufrag || f.pwd != pwd {
		return "", "", malformed("The fragment's credentials are not those of this ICE session. Restart it with If-Match: *.")
	}
	for _, c := range f.candidates {
		if strings.Contains(c.Candidate, ".local ") {
			continue // a name that only its own network resolves; the source reaches us, not we it
		}
		if err := s.pc.AddICECandidate(c); err != nil {
			return "", "", malformed("A candidate cannot be read.")
		}
	}
	return "", "", nil
}

// restart answers the offer once more with new credentials.
func (s *Session) restart(ctx context.Context, f fragment) (string, string, error) {
	s.mu.Lock()
	offer := s.remote
	s.mu.Unlock()
	var lines []string
	for line := range strings.SplitSeq(offer, "\r\n") {
		switch key, _, _ := strings.Cut(line, ":"); key {
		case "a=ice-ufrag":
			line = "a=ice-ufrag:" + f.ufrag
		case "a=ice-pwd":
			line = "a=ice-pwd:" + f.pwd
		case "a=candidate", "a=end-of-candidates":
			continue
		}
		lines = append(lines, line)
	}
	full, err := s.answer(ctx, strings.Join(lines, "\r\n"))
	if err != nil {
		return "", "", err
	}
	for _, c := range f.candidates {
		if !strings.Contains(c.Candidate, ".local ") {
			if err := s.pc.AddICECandidate(c); err != nil {
				return "", "", malformed("A candidate cannot be read.")
			}
		}
	}
	s.mu.Lock()
	s.newTag()
	tag := s.etag
	s.mu.Unlock()
	return answerFragment(full), tag, nil
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
