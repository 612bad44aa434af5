package web

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
	"github.com/toldonce/toldonce/recorder"
	"github.com/toldonce/toldonce/recorder/quality"
)

// Capturing takes what a source says of its own frames, and frames that it hands
// over again, by the token of the source alone.
type Capturing interface {
	Admit(ctx context.Context, source evidence.ID, token string, key claims.KeyID, wrapped []byte) (recorder.CaptureKey, error)
	Claim(ctx context.Context, source evidence.ID, token string, batch []byte) (recorder.Capture, error)
	Backfill(ctx context.Context, source evidence.ID, token string, run []byte) (recorder.Capture, error)
	Standing(ctx context.Context, source evidence.ID, token string) (recorder.Standing, error)
	CheckToken(ctx context.Context, source evidence.ID, token string) error
	Challenge(source evidence.ID) []byte
	ReportHealth(ctx context.Context, source evidence.ID, token string, seen []quality.Cause) error
	DeviceToken(ctx context.Context, interview, source evidence.ID, key claims.KeyID, challenge, signature []byte) (string, error)
}

// capture is the edge of source manifests and back-fill: like WHIP it takes bearer
// tokens only and never looks at cookies, so that a login that ends or locks
// changes nothing. Its formats are in evidence/claims/FORMAT.md. No other origin may
// call it.
type capture struct {
	*Server
	capturing Capturing
}

func (c capture) route(e *gin.Engine) {
	e.POST("/capture/:source/admission", c.admit)
	e.POST("/capture/:source/manifest", c.take(claims.MaxBatch, c.capturing.Claim))
	e.POST(captureFrames, c.take(claims.MaxRun, c.capturing.Backfill))
	e.GET("/capture/:source/status", c.status)
	e.POST("/capture/:source/challenge", c.challenge)
	e.POST("/capture/:source/token", c.token)
	e.POST("/capture/:source/health", c.health)
}

// captureFrames is the route that takes the largest bodies, from those alone whose
// token was checked.
const captureFrames = "/capture/:source/frames"

// typeBinary is the media type of batches and runs.
const typeBinary = "application/octet-stream"

// uploadTimeout bounds how long a run may take to arrive and to be kept.
const uploadTimeout = 5 * time.Minute

// take returns a handler for a binary body of at most so many bytes.
func (c capture) take(most int64, do func(context.Context, evidence.ID, string, []byte) (recorder.Capture, error)) gin.HandlerFunc {
	return func(g *gin.Context) {
		g.Set(routine, true)
		token, err := captureToken(g.Request)
		if err == nil {
			err = wantType(g.Request, typeBinary)
		}
		if err == nil { // before anything of the body is read
			err = c.capturing.CheckToken(g.Request.Context(), evidence.ID(g.Param("source")), token)
		}
		if err != nil {
			c.refuse(g, err)
			return
		}
		control := http.NewResponseController(g.Writer)
		// The errors mean that the writer knows no deadlines, as in tests.
		_ = control.SetReadDeadline(time.Now().Add(uploadTimeout))
		_ = control.SetWriteDeadline(time.Now().Add(uploadTimeout))
		body, err := io.ReadAll(http.MaxBytesReader(g.Writer, g.Request.Body, most))
		if err != nil {
			var large *http.MaxBytesError
			if !errors.As(err, &large) {
				err = newProblem(http.StatusBadRequest, "bad_request", "The body could not be read.")
			}
			c.refuse(g, err)
			return
		}
		out, err := do(g.Request.Context(), evidence.ID(g.Param("source")), token, body)
		if err != nil {
			c.refuse(g, err)
			return
		}
		g.JSON(http.StatusOK, out)
	}
}

type admissionInput struct {
	KeyID   string `json:"key_id"`            // SHA-256 of the device's public key, lower-case hex
	Wrapped []byte `json:"wrapped,omitempty"` // of an earlier admission
}

type admissionOutput struct {
	State   evidence.State `json:"state"`
	Key     []byte         `json:"key"`
	Wrapped []byte         `json:"wrapped"`
	// Sessions say how far the device has accounted already.
	Sessions []recorder.Said `json:"sessions"`
}

func (c capture) admit(g *gin.Context) {
	token, err := captureToken(g.Request)
	if err != nil {
		c.refuse(g, err)
		return
	}
	var in admissionInput
	var key claims.KeyID
	if err := readJSON(g, &in); err != nil || !keyID(in.KeyID, &key) {
		c.refuse(g, newProblem(http.StatusBadRequest, "bad_request", "Send key_id, and wrapped if there is one."))
		return
	}
	out, err := c.capturing.Admit(g.Request.Context(), evidence.ID(g.Param("source")), token, key, in.Wrapped)
	if err != nil {
		c.refuse(g, err)
		return
	}
	if out.Sessions == nil {
		out.Sessions = []recorder.Said{}
	}
	g.JSON(http.StatusOK, admissionOutput(out))
}

// status tells whoever has a source's token whether it is recorded, and nothing
// about anybody.
func (c capture) status(g *gin.Context) {
	g.Set(routine, true)
	token, err := captureToken(g.Request)
	if err != nil {
		c.refuse(g, err)
		return
	}
	out, err := c.capturing.Standing(g.Request.Context(), evidence.ID(g.Param("source")), token)
	if err != nil {
		c.refuse(g, err)
		return
	}
	g.JSON(http.StatusOK, out)
}

func (c capture) challenge(g *gin.Context) {
	g.JSON(http.StatusOK, struct {
		Challenge []byte `json:"challenge"`
	}{c.capturing.Challenge(evidence.ID(g.Param("source")))})
}

// token gives a device of the room a new token of a source, by its signature.
func (c capture) token(g *gin.Context) {
	var in struct {
		Interview evidence.ID `json:"interview"`
		KeyID     string      `json:"key_id"`
		Challenge []byte      `json:"challenge"`
		Signature []byte      `json:"signature"`
	}
	var key claims.KeyID
	if err := readJSON(g, &in); err != nil || !keyID(in.KeyID, &key) {
		c.refuse(g, newProblem(http.StatusBadRequest, "bad_request", "Send interview, key_id, challenge and signature."))
		return
	}
	source := evidence.ID(g.Param("source"))
	token, err := c.capturing.DeviceToken(g.Request.Context(), in.Interview, source, key, in.Challenge, in.Signature)
	if err != nil {
		c.refuse(g, err)
		return
	}
	relays, err := c.iceServers()
	if err != nil {
		c.refuse(g, err)
		return
	}
	g.JSON(http.StatusOK, struct {
		WHIP       string      `json:"whip"`
		Token      string      `json:"token"`
		ICEServers []ICEServer `json:"ice_servers"`
	}{c.baseURL + "/whip/" + string(source), token, relays})
}

// health takes what the page at a source sees of it now.
func (c capture) health(g *gin.Context) {
	g.Set(routine, true)
	token, err := captureToken(g.Request)
	if err != nil {
		c.refuse(g, err)
		return
	}
	var in struct {
		Seen []quality.Cause `json:"seen"`
	}
	if err := readJSON(g, &in); err != nil {
		c.refuse(g, newProblem(http.StatusBadRequest, "bad_request", "Send seen, a list of causes."))
		return
	}
	if err := c.capturing.ReportHealth(g.Request.Context(), evidence.ID(g.Param("source")), token, in.Seen); err != nil {
		c.refuse(g, err)
		return
	}
	g.Status(http.StatusNoContent)
}

func captureToken(r *http.Request) (string, error) {
	token, ok := bearer(r.Header.Get("Authorization"))
	if !ok {
		return "", unauthenticated("capture.token", "Send Authorization: Bearer and the source's token.")
	}
	return token, nil
}

// readJSON reads a small body strictly.
func readJSON(g *gin.Context, to any) error {
	dec := json.NewDecoder(http.MaxBytesReader(g.Writer, g.Request.Body, 16<<10))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

func keyID(text string, to *claims.KeyID) bool {
	n, err := hex.Decode(to[:min(len(to), len(text)/2)], []byte(text))
	return err == nil && n == len(to) && len(text) == 2*len(to)
}

func (c capture) refuse(g *gin.Context, err error) {
	p := c.fail(g.Request.Context(), err)
	if errors.Is(err, evidence.ErrUnauthenticated) {
		p = unauthenticated("capture.token", "The token is not that of this source, or this device may not go on by itself.")
	}
	writeProblem(g.Writer, g.Request, p)
}
