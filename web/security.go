package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"
)

// contentSecurityPolicy lets pages load from this origin alone. Trusted Types
// leave two ways to make markup or a script: Svelte's templates and the
// interface's own policy.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob:; " +
	"media-src blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html toldonce"

// apiSecurityPolicy is for what is never a page.
const apiSecurityPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// securityHeaders sets, before anything else, what every answer carries. Nothing
// but hashed assets of the interface may be kept by a cache.
func (s *Server) securityHeaders(c *gin.Context) {
	h := c.Writer.Header()
	policy := contentSecurityPolicy
	if isMachinePath(c.Request.URL.Path) {
		policy = apiSecurityPolicy
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), fullscreen=(self), geolocation=(), display-capture=(), usb=(), payment=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Origin-Agent-Cluster", "?1")
	h.Set("X-Permitted-Cross-Domain-Policies", "none")
	h.Set("Cache-Control", "no-store")
	if s.secure(c) && !isLocalName(c.Request.Host) {
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
	c.Next()
}

// isMachinePath reports whether a path is an interface for programs.
func isMachinePath(path string) bool {
	for _, prefix := range []string{"/api/", "/whip/", "/capture/", "/whep/", "/healthz", "/readyz", "/metrics"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// secure reports whether the client reached us over TLS, by itself or by a proxy
// that was configured as trusted.
func (s *Server) secure(c *gin.Context) bool {
	if c.Request.TLS != nil {
		return true
	}
	return s.fromTrustedProxy(c.Request) && c.GetHeader("X-Forwarded-Proto") == "https"
}

// requireTLS refuses plain HTTP from any other host: what is spoken about here
// must not cross a network in the clear. Loopback is this very machine.
//
// On plain HTTP nothing but the name vouches for who is meant: a page of another
// site whose name was made to point here (DNS rebinding) is told nothing.
func (s *Server) requireTLS(c *gin.Context) {
	switch {
	case s.secure(c):
		c.Next()
		return
	case isLoopback(c.Request.RemoteAddr) && isLocalName(c.Request.Host):
		c.Next()
		return
	case isLoopback(c.Request.RemoteAddr):
		c.Abort()
		writeProblem(c.Writer, c.Request, newProblem(http.StatusMisdirectedRequest, "host.other",
			"Plain HTTP is answered under the name localhost or an address of this machine alone. Open the address that the server printed."))
		return
	}
	c.Abort()
	writeProblem(c.Writer, c.Request, newProblem(http.StatusForbidden, "tls.required",
		"This server answers plain HTTP to its own machine alone. From anywhere else use https; the operator sets it up with certificate files, or with the local authority that toldonce init makes."))
}

// isLocalName reports whether host, with or without a port, is an address or
// localhost: promising TLS for ever there would bind every other program too.
func isLocalName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host) != nil
}

// isLoopback reports whether a peer is this machine.
func isLoopback(peer string) bool {
	ap, err := netip.ParseAddrPort(peer)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// isForwarded reports whether a proxy says that it passes a request on. Such a
// request is not from this machine even when the proxy is.
func isForwarded(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-Proto") != ""
}
