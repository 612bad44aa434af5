package signalling

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
)

// Exchange answers the offer of one session and what follows it. It is safe for
// concurrent use; restarts wait for one another.
type Exchange struct {
	pc     *webrtc.PeerConnection
	finish func(answer string) string // last word on every answer

	turn sync.Mutex // held while an offer is answered

	mu     sync.Mutex
	etag   string
	remote string // the offer in force
}

// NewExchange begins one. finish may change an answer before it is sent; nil leaves it.
func NewExchange(pc *webrtc.PeerConnection, finish func(answer string) string) *Exchange {
	e := &Exchange{pc: pc, finish: finish}
	e.newTag()
	return e
}

func (e *Exchange) newTag() { e.etag = `"` + rand.Text() + `"` }

// ETag names the present ICE session, with its quotes (RFC 9725 section 4.3.1).
func (e *Exchange) ETag() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.etag
}

// Answer answers an offer, with every candidate of ours in the answer. The error
// is a refusal of kind [ErrMalformed], wraps [evidence.ErrUnavailable], or is that
// of ctx.
func (e *Exchange) Answer(ctx context.Context, offer string) (string, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	return e.answer(ctx, offer)
}

func (e *Exchange) answer(ctx context.Context, offer string) (string, error) {
	if err := e.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", Malformed("The offer cannot be used: " + plain(err) + ".")
	}
	answer, err := e.pc.CreateAnswer(nil)
	if err != nil {
		return "", Malformed("The offer cannot be answered: " + plain(err) + ".")
	}
	gathered := webrtc.GatheringCompletePromise(e.pc)
	if err := e.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("%w: answering: %v", evidence.ErrUnavailable, err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	e.mu.Lock()
	e.remote = offer
	e.mu.Unlock()
	text := e.pc.LocalDescription().SDP
	if e.finish != nil {
		text = e.finish(text)
	}
	return text, nil
}

// plain shortens an error of the SDP parser for the one who sent the offer.
func plain(err error) string {
	text := []rune(err.Error())
	return string(text[:min(len(text), 200)])
}

// Trickle takes an SDP fragment. With the entity tag of the present ICE session
// its candidates are added and nothing is returned; with * the credentials are
// new and ICE is restarted (RFC 9725 section 4.3.3): what is returned is the
// server's fragment and the new entity tag. The error is a refusal of kind
// [ErrMalformed], [ErrStale] or [ErrUnconditional].
func (e *Exchange) Trickle(ctx context.Context, ifMatch, text string) (answer, etag string, err error) {
	f, err := parseFragment(text)
	if err != nil {
		return "", "", err
	}
	switch tag := strings.TrimSpace(ifMatch); tag {
	case "":
		return "", "", evidence.Refuse(ErrUnconditional, "whip.etag.missing", "The request must say with If-Match which ICE session it is about.", "")
	case "*", `"*"`:
		return e.restart(ctx, f)
	case e.ETag():
	default:
		return "", "", evidence.Refuse(ErrStale, "whip.etag.stale", "The ICE session was restarted since; begin again from its new entity tag.", "")
	}
	ufrag, pwd := credentials(e.pc.RemoteDescription().SDP)
	if f.ufrag != ufrag || f.pwd != pwd {
		return "", "", Malformed("The fragment's credentials are not those of this ICE session. Restart it with If-Match: *.")
	}
	return "", "", e.add(f)
}

// add makes the other end's candidates known.
func (e *Exchange) add(f fragment) error {
	for _, c := range f.candidates {
		if strings.Contains(c.Candidate, ".local ") {
			continue // a name that only its own network resolves; the other end reaches us, not we it
		}
		if err := e.pc.AddICECandidate(c); err != nil {
			return Malformed("A candidate cannot be read.")
		}
	}
	return nil
}

// restart answers the offer once more with new credentials.
func (e *Exchange) restart(ctx context.Context, f fragment) (string, string, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	offer := e.remote
	e.mu.Unlock()
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
	full, err := e.answer(ctx, strings.Join(lines, "\r\n"))
	if err != nil {
		return "", "", err
	}
	if err := e.add(f); err != nil {
		return "", "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.newTag()
	return answerFragment(full), e.etag, nil
}
