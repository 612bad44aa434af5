// Package web is the edge: one gin engine that carries the REST API (huma, OpenAPI
// 3.1), playback over HLS, recording over WHIP, server-sent events, health, metrics
// and the embedded interface.
//
// The list of routes is in routes.go; each group of handlers has a file of its
// own. A handler decodes, calls one domain service with the actor as an
// argument, and encodes. Domain errors become RFC 9457 problem documents in one
// place ([ProblemOf]). What a person may not know of answers with exactly the
// bytes of what does not exist.
package web

//go:generate go run ./internal/writeopenapi ui/openapi.json
