package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// maxAnswer bounds a JSON answer of the API, in bytes. Packages are streamed
// and not bound by it.
const maxAnswer = 32 << 20

// client talks to the API of one server. Safe for concurrent use.
type client struct {
	base  *url.URL
	token string // bearer token; empty when the cookie jar holds a session
	http  *http.Client
}

// problem is an RFC 9457 answer of the API, as an error.
type problem struct {
	Status  int               `json:"status"`
	Title   string            `json:"title"`
	Detail  string            `json:"detail"`
	Code    string            `json:"code"`
	Reasons []evidence.Reason `json:"reasons"`
}

// Error gives the problem's own sentences, the detail first.
func (p *problem) Error() string {
	var b strings.Builder
	switch {
	case p.Detail != "":
		b.WriteString(p.Detail)
	case p.Title != "":
		b.WriteString(p.Title)
	default:
		b.WriteString(http.StatusText(p.Status))
	}
	for _, r := range p.Reasons {
		if strings.Contains(p.Detail, r.Text) {
			continue
		}
		b.WriteString("\n  " + r.Text)
		if r.Practice != "" {
			b.WriteString(" (" + r.Practice + ")")
		}
	}
	return b.String()
}

// dial makes the client that the environment describes.
func dial(con console) (*client, error) {
	address := con.getenv("TOLDONCE_URL")
	if address == "" {
		return nil, usagef("TOLDONCE_URL is not set. Set it to the server's address, such as http://localhost:8080")
	}
	token, err := secret(con, "TOLDONCE_TOKEN")
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, usagef("TOLDONCE_TOKEN is not set. Make a token in the browser (Account, Tokens) or with 'toldonce token create --login'")
	}
	c, err := newClient(address, con.getenv("TOLDONCE_CA"))
	if err != nil {
		return nil, err
	}
	c.token = token
	return c, nil
}

// secret reads NAME or the file that NAME_FILE names. Secrets are never flags:
// those stand in every process listing.
func secret(con console, name string) (string, error) {
	if v := con.getenv(name); v != "" {
		return v, nil
	}
	file := con.getenv(name + "_FILE")
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading %s_FILE: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// newClient makes a client without credentials. ca is a PEM file or empty.
func newClient(address, ca string) (*client, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, usagef("%q is not an address of a server. It should look like https://recorder.example.org", address)
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, usagef("%s is not on this machine, so plain HTTP would send the token in the clear. Use https", base.Host)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 5 * time.Minute // stop answers when sealed
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("reading TOLDONCE_CA: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usagef("%s holds no PEM certificate", ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &client{base: base, http: &http.Client{
		Transport: transport,
		Jar:       jar,
		// The API redirects nowhere; following one could carry the token away.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// call does one request of the API and decodes the answer into out, unless out
// is nil. path is relative to /api/v1. A problem answer is returned as an error
// of type *problem.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	res, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the server's answer is larger than %d MiB", maxAnswer>>20)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = body
		return nil
	default:
		if err := json.Unmarshal(body, out); err != nil {
			return fmt.Errorf("the server's answer to %s %s is not what this version understands: %w", method, path, err)
		}
		return nil
	}
}

// open does one request and returns the answer if it is a success. The caller
// closes its body.
func (c *client) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+"/api/v1"+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("the server at %s cannot be reached: %w", c.base, err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, readProblem(res)
}

// listOf reads one of the API's lists.
func listOf[T any](ctx context.Context, c *client, path string) ([]T, error) {
	var l struct {
		Items []T `json:"items"`
	}
	if err := c.call(ctx, http.MethodGet, path, nil, &l); err != nil {
		return nil, err
	}
	if l.Items == nil {
		l.Items = []T{} // an empty list prints as [], not as null
	}
	return l.Items, nil
}

func readProblem(res *http.Response) *problem {
	p := &problem{}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind == "application/problem+json" {
		// What cannot be decoded leaves the status, which says enough.
		_ = json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(p)
	}
	p.Status = res.StatusCode
	return p
}
