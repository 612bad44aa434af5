package web

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder"
)

// Media types of WHIP.
const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// maxSDP caps an offer or a fragment, in bytes. A browser's offer has about 8 kB.
const maxSDP = 64 << 10

// Publishing takes what sources send, by the token of the source alone, or shows it
// to observers: a wrong token is evidence.ErrUnauthenticated. An entity tag that is not the session's is
// evidence.ErrConflict.
type Publishing interface {
	Publish(ctx context.Context, source evidence.ID, token, offer string) (recorder.Session, error)
	Trickle(ctx context.Context, source evidence.ID, token string, session evidence.ID, ifMatch, fragment string) (answer, etag string, err error)
	Unpublish(ctx context.Context, source evidence.ID, token string, session evidence.ID) error
}

// whip is the edge of WHIP (RFC 9725). It takes bearer tokens only and never
// looks at cookies, so that pages of other origins may use it.
type whip struct {
	*Server
	publishing Publishing
	base       string // "/whip/", or "/whep/" for observers
	whose      string // says whose token is wanted
}

func (w whip) route(e *gin.Engine) {
	endpoint, session := w.base+":source", w.base+":source/:session"
	e.POST(endpoint, w.cors, w.publish)
	e.OPTIONS(endpoint, w.cors, w.preflight("POST, OPTIONS"))
	e.PATCH(session, w.cors, w.trickle)
	e.DELETE(session, w.cors, w.unpublish)
	e.OPTIONS(session, w.cors, w.preflight("PATCH, DELETE, OPTIONS"))
	for _, method := range []string{get, head, http.MethodPut} {
		e.Handle(method, endpoint, w.cors, w.notHere("POST, OPTIONS"))
		e.Handle(method, session, w.cors, w.notHere("PATCH, DELETE, OPTIONS"))
	}
}

// cors lets any page call, with what it must send itself: credentials mode is
// not allowed, so no browser adds anything of its own.
func (w whip) cors(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Location, ETag, Accept-Patch, Link, Retry-After, WWW-Authenticate")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	c.Next()
}

func (w whip) preflight(methods string) gin.HandlerFunc {
	return func(c *gin.Context) {
		h := c.Writer.Header()
		h.Set("Allow", methods)
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, ETag")
		h.Set("Access-Control-Max-Age", "600")
		if strings.HasPrefix(methods, post) {
			h.Set("Accept-Post", typeSDP)
		} else {
			h.Set("Accept-Patch", typeFragment)
		}
		c.Status(http.StatusNoContent)
	}
}

func (w whip) notHere(methods string) gin.HandlerFunc {
	return func(c *gin.Context) { writeProblem(c.Writer, c.Request, methodNotAllowed(methods)) }
}

// publish takes an offer and answers 201 with the answer and the session's URL
// (RFC 9725 section 4.2).
func (w whip) publish(c *gin.Context) {
	token, err := w.token(c.Request)
	if err != nil {
		w.refuse(c, err)
		return
	}
	if err := wantType(c.Request, typeSDP); err != nil {
		w.refuse(c, err)
		return
	}
	if !accepts(c.GetHeader("Accept"), typeSDP) {
		w.refuse(c, newProblem(http.StatusNotAcceptable, "whip.accept", "The answer is application/sdp."))
		return
	}
	offer, err := readBody(c)
	if err != nil {
		w.refuse(c, err)
		return
	}
	source := evidence.ID(c.Param("source"))
	session, err := w.publishing.Publish(c.Request.Context(), source, token, offer)
	if err != nil {
		w.refuse(c, err)
		return
	}
	if relay, ok, err := w.recording.Relay(); err == nil && ok { // without one, or its credential, the way is direct
		for _, link := range relay.Links() { // RFC 9725 section 4.4
			c.Writer.Header().Add("Link", link)
		}
	}
	h := c.Writer.Header()
	h.Set("Location", w.base+string(source)+"/"+string(session.ID))
	h.Set("ETag", session.ETag)
	h.Set("Accept-Patch", typeFragment)
	c.Data(http.StatusCreated, typeSDP, []byte(session.Answer))
}

// trickle takes candidates or an ICE restart (RFC 9725 section 4.3). If-Match
// names the ICE session that they are for, or * for a restart.
func (w whip) trickle(c *gin.Context) {
	token, err := w.token(c.Request)
	if err != nil {
		w.refuse(c, err)
		return
	}
	if err := wantType(c.Request, typeFragment); err != nil {
		w.refuse(c, err)
		return
	}
	match := c.GetHeader("If-Match")
	if match == "" {
		match = c.GetHeader("ETag") // as clients that were made for the drafts of RFC 9725 send it
	}
	if match == "" {
		w.refuse(c, newProblem(http.StatusPreconditionRequired, "whip.if_match", "Send If-Match with the session's entity tag, or * to restart ICE."))
		return
	}
	if !validMatch(match) {
		w.refuse(c, newProblem(http.StatusPreconditionFailed, "whip.etag", "If-Match takes one strong entity tag, or *."))
		return
	}
	fragment, err := readBody(c)
	if err != nil {
		w.refuse(c, err)
		return
	}
	answer, etag, err := w.publishing.Trickle(c.Request.Context(), evidence.ID(c.Param("source")), token, evidence.ID(c.Param("session")), match, fragment)
	if errors.Is(err, evidence.ErrConflict) {
		err = newProblem(http.StatusPreconditionFailed, "whip.etag", "This is not the session's entity tag: ICE was restarted since.")
	}
	if err != nil {
		w.refuse(c, err)
		return
	}
	if answer == "" {
		c.Status(http.StatusNoContent)
		return
	}
	c.Header("ETag", etag)
	c.Data(http.StatusOK, typeFragment, []byte(answer))
}

func (w whip) unpublish(c *gin.Context) {
	token, err := w.token(c.Request)
	if err == nil {
		err = w.publishing.Unpublish(c.Request.Context(), evidence.ID(c.Param("source")), token, evidence.ID(c.Param("session")))
	}
	if err != nil {
		w.refuse(c, err)
		return
	}
	c.Status(http.StatusOK)
}

// refuse answers with a problem. What is wrong with an offer or a fragment is a
// bad request to WHIP, where the API says unprocessable.
func (w whip) refuse(c *gin.Context, err error) {
	p := w.fail(c.Request.Context(), err)
	switch {
	case errors.Is(err, evidence.ErrUnauthenticated):
		p = unauthenticated("whip.token", "The token is not that of "+w.whose+", or no longer valid.")
	case p.Status == http.StatusUnprocessableEntity:
		bad := *p
		bad.Status = http.StatusBadRequest
		if errors.Is(err, recorder.ErrNotAcceptable) { // sound, but nothing in it can be recorded
			bad.Status = http.StatusNotAcceptable
		}
		bad.Title = http.StatusText(bad.Status)
		p = &bad
	}
	writeProblem(c.Writer, c.Request, p)
}

func (w whip) token(r *http.Request) (string, error) {
	token, ok := bearer(r.Header.Get("Authorization"))
	if !ok {
		return "", unauthenticated("whip.token", "Send Authorization: Bearer and the token of "+w.whose+".")
	}
	return token, nil
}

func wantType(r *http.Request, want string) error {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != want {
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type must be "+want+".")
		if r.Method == post {
			return p.with("Accept-Post", want)
		}
		return p.with("Accept-Patch", want)
	}
	return nil
}

// accepts reports whether an Accept header lets an answer of a media type
// through (RFC 9110 section 12.5.1). None at all accepts everything.
func accepts(header, want string) bool {
	if strings.TrimSpace(header) == "" {
		return true
	}
	kind, _, _ := strings.Cut(want, "/")
	best, found := -1, false
	for part := range strings.SplitSeq(header, ",") {
		got, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		rank := map[string]int{"*/*": 0, kind + "/*": 1, want: 2}
		n, fits := rank[got]
		if !fits || n < best {
			continue
		}
		best, found = n, strings.Trim(params["q"], "0.") != "" || params["q"] == ""
	}
	return found
}

// validMatch accepts one strong entity tag or *; If-Match never matches a weak
// one (RFC 9110 section 13.1.1), and a list makes no sense here.
func validMatch(s string) bool {
	if s == "*" || s == `"*"` {
		return true
	}
	if len(s) < 3 || len(s) > 200 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for _, b := range []byte(s[1 : len(s)-1]) {
		if b == '"' || b <= ' ' || b >= 0x7f {
			return false
		}
	}
	return true
}

func readBody(c *gin.Context) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxSDP))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", err
	}
	if err != nil {
		return "", newProblem(http.StatusBadRequest, "bad_request", "The body could not be read.")
	}
	if len(body) == 0 {
		return "", newProblem(http.StatusBadRequest, "bad_request", "The body is empty.")
	}
	return string(body), nil
}
