// Package timestamp asks an outside RFC 3161 authority for timestamps over HTTP
// (RFC 3161 section 3.4).
package timestamp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/toldonce/toldonce/evidence"
)

const (
	maxAnswer = 64 << 10
	patience  = 20 * time.Second
)

// Client asks one authority. Safe for concurrent use.
type Client struct {
	url  string
	http *http.Client
}

// New returns a client for an authority's http or https address.
func New(address string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("timestamp authority: %w: not an http or https address", evidence.ErrInvalid)
	}
	return &Client{url: u.String(), http: &http.Client{Timeout: patience}}, nil
}

// Stamp implements seal.Stamper. Nothing but a hash leaves. The error wraps
// [evidence.ErrUnavailable] if the authority does not answer, or answers with
// anything but a timestamp over this hash and nonce. Whose timestamp it is, the
// caller checks.
func (c *Client) Stamp(ctx context.Context, data []byte) ([]byte, error) {
	token, err := c.stamp(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("timestamp authority: %w: %v", evidence.ErrUnavailable, err)
	}
	return token, nil
}

func (c *Client) stamp(ctx context.Context, data []byte) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	h := crypto.SHA256.New()
	h.Write(data)
	query := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: h.Sum(nil), Certificates: true, Nonce: nonce}
	body, err := query.Marshal()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode/100 != 2 || kind != "application/timestamp-reply" {
		return nil, fmt.Errorf("it answered %d, %q", res.StatusCode, kind)
	}
	token, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(token) > maxAnswer {
		return nil, fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	ts, err := timestamp.ParseResponse(token)
	if err != nil {
		return nil, err
	}
	if ts.Nonce == nil || ts.Nonce.Cmp(nonce) != 0 || !bytes.Equal(ts.HashedMessage, query.HashedMessage) {
		return nil, fmt.Errorf("its answer is to another question")
	}
	return token, nil
}
