package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// admission says who may call an operation at all. What they may do there is
// decided by the one policy, in the services.
type admission int

const (
	// signedIn: a session cookie or a bearer token, and the call counts as
	// something that a person did (it puts off the 30-minute lock, P38).
	signedIn admission = iota
	// background: as signedIn, for calls that a page makes by itself. They never
	// put off the lock.
	background
	// anyone: before a login.
	anyone
)

// operation is one row of the list of routes.
type operation struct {
	method, path string
	id           string // operationId
	tag          string
	admission    admission
	summary      string
	description  string
	bind         binding
}

// binding registers a typed handler.
type binding func(s *Server, api huma.API, op huma.Operation)

func created(b binding) binding {
	return func(s *Server, api huma.API, op huma.Operation) {
		op.DefaultStatus = http.StatusCreated
		b(s, api, op)
	}
}

func noContent(b binding) binding {
	return func(s *Server, api huma.API, op huma.Operation) {
		op.DefaultStatus = http.StatusNoContent
		b(s, api, op)
	}
}

// patient lets an answer take long to come: a stop answers once sealed, and a
// verification reads everything.
func patient(b binding) binding {
	return func(s *Server, api huma.API, op huma.Operation) {
		op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
			// The error means that the writer knows no deadlines, as in tests.
			_ = http.NewResponseController(humagin.Unwrap(ctx).Writer).SetWriteDeadline(time.Now().Add(patience))
			next(ctx)
		})
		b(s, api, op)
	}
}

// patience bounds the longest answers.
const patience = time.Hour

// large lets a request carry a document.
func large(b binding) binding {
	return func(s *Server, api huma.API, op huma.Operation) {
		op.MaxBodyBytes = casefile.MaxDocument*4/3 + defaultBody
		b(s, api, op)
	}
}

func hidden(b binding) binding {
	return func(s *Server, api huma.API, op huma.Operation) {
		op.Hidden = true
		b(s, api, op)
	}
}

// stream adapts a handler that writes its own body; what names the body in the
// OpenAPI document.
func stream[I any](what map[string]*huma.Response, fn func(*Server, context.Context, evidence.Actor, *I) (*huma.StreamResponse, error)) binding {
	return func(s *Server, api huma.API, op huma.Operation) {
		op.Responses = maps.Clone(what) // huma adds the errors to it
		handle(fn)(s, api, op)
	}
}

func body(description string, types ...string) map[string]*huma.Response {
	r := &huma.Response{Description: description, Content: make(map[string]*huma.MediaType)}
	for _, t := range types {
		r.Content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return map[string]*huma.Response{"200": r}
}

var (
	tileBody       = body("Hashes of 32 bytes each, or entries with a length of two bytes, big-endian, before each.", "application/octet-stream")
	eventStream    = body("Server-sent events (WHATWG HTML section 9.2); a comment every 15 seconds keeps the connection alive.", "text/event-stream")
	hlsPlaylist    = body("Playlist (RFC 8216).", typePlaylist)
	hlsMedia       = body("Playlist, initialisation segment or media segment (CMAF).", typePlaylist, "video/mp4", "audio/mp4")
	copyBody       = body("The copy: H.264 and AAC in MP4.", "video/mp4")
	copyPackage    = body("A tar in an age file: the copy, its signed derivation, its transcripts.", "application/age")
	documentBody   = body("The document.", "application/octet-stream")
	packageBody    = body("The package: a tar file in the clear, or the same in an age file.", "application/x-tar", "application/age")
	checkpointText = body("Signed note.", "text/plain")
)

// defaultBody caps a request body of the API, in bytes.
const defaultBody = 64 << 10

// handle adapts a handler that takes the actor as an argument. Errors become
// problems, and those that tell of a fault are logged here and nowhere else.
func handle[I, O any](fn func(*Server, context.Context, evidence.Actor, *I) (*O, error)) binding {
	return func(s *Server, api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := fn(s, ctx, callerOf(ctx).actor, in)
			if err != nil {
				return nil, s.fail(ctx, err)
			}
			return out, nil
		})
	}
}

// fail logs what is a fault of the server's and returns what the client sees.
func (s *Server) fail(ctx context.Context, err error) *Problem {
	p := ProblemOf(err)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		s.log.InfoContext(ctx, "whoever asked hung up", "request", requestID(ctx))
		return p
	}
	if p.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(ctx, "request failed", "request", requestID(ctx), "status", p.Status, "error", err)
	}
	return p
}

func (s *Server) register(api huma.API) {
	for _, o := range routes {
		op := huma.Operation{
			Method: o.method, Path: o.path, OperationID: o.id, Tags: []string{o.tag},
			Summary: o.summary, Description: o.description, MaxBodyBytes: defaultBody,
			Middlewares: huma.Middlewares{s.admit(api, o.admission)},
			Errors:      []int{http.StatusNotFound, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		}
		if o.admission == anyone {
			op.Security = []map[string][]string{}
		} else {
			op.Errors = append(op.Errors, http.StatusUnauthorized)
		}
		o.bind(s, api, op)
	}
}
