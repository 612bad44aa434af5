// Package witness speaks C2SP tlog-witness over HTTP: the server of `toldonce
// witness`, and the client with which an installation asks witnesses.
package witness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// sizeType is what a witness says the last size in (C2SP tlog-witness).
const sizeType = "text/x.tlog.size"

// Handler serves a witness: POST /add-checkpoint as C2SP tlog-witness says, and
// GET /checkpoint?origin=NAME with the checkpoint that it cosigned last. There is no
// other authentication than the log's signature.
func Handler(w *custody.Witness, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", func(out http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(out, in.Body, custody.MaxWitnessRequest))
		if err != nil {
			http.Error(out, "the request is too long or was cut off", http.StatusBadRequest)
			return
		}
		r, err := custody.ParseWitnessRequest(body)
		var lines []byte
		if err == nil {
			lines, err = w.Add(in.Context(), r)
		}
		var stale *custody.StaleError
		switch {
		case err == nil:
			log.InfoContext(in.Context(), "cosigned", "checkpoint", firstLines(r.Checkpoint))
			out.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = out.Write(lines)
		case errors.As(err, &stale):
			out.Header().Set("Content-Type", sizeType)
			out.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprintf(out, "%d\n", stale.Size)
		default:
			status, found := http.StatusInternalServerError, "the witness cannot keep its state"
			for _, c := range answers {
				if errors.Is(err, c.is) {
					status, found = c.status, c.is.Error()
				}
			}
			log.WarnContext(in.Context(), "not cosigned", "status", status, "error", err, "checkpoint", firstLines(r.Checkpoint))
			http.Error(out, found, status)
		}
	})
	mux.HandleFunc("GET /checkpoint", func(out http.ResponseWriter, in *http.Request) {
		newest, err := w.Newest(in.URL.Query().Get("origin"))
		switch {
		case errors.Is(err, custody.ErrUnknownLog), errors.Is(err, evidence.ErrNotFound):
			http.Error(out, "nothing was cosigned of this log", http.StatusNotFound)
		case err != nil:
			log.ErrorContext(in.Context(), "reading what was cosigned", "error", err)
			http.Error(out, "the witness cannot read its state", http.StatusInternalServerError)
		default:
			out.Header().Set("Content-Type", "text/plain; charset=utf-8")
			out.Header().Set("Cache-Control", "no-store")
			_, _ = out.Write(newest)
		}
	})
	return mux
}

// answers are the statuses of C2SP tlog-witness.
var answers = []struct {
	is     error
	status int
}{
	{evidence.ErrInvalid, http.StatusBadRequest},
	{custody.ErrNotSigned, http.StatusForbidden},
	{custody.ErrUnknownLog, http.StatusNotFound},
	{custody.ErrNoExtension, http.StatusUnprocessableEntity},
}

// firstLines is the part of a checkpoint that a log line shows: name and size.
func firstLines(checkpoint []byte) string {
	lines := strings.SplitN(string(checkpoint[:min(len(checkpoint), 200)]), "\n", 3)
	return strings.Join(lines[:min(2, len(lines))], " ")
}

// Client asks one witness. It is a [custody.Remote]. Safe for concurrent use.
type Client struct {
	add      string
	cosigner custody.Cosigner
	http     *http.Client
}

// NewClient returns a client of the witness with the verifier key at the submission
// prefix address, such as "https://witness.court.example/". ca is PEM with the
// authority that signed its certificate, or nil for the public ones. Plain HTTP is
// refused beyond this machine.
func NewClient(address, key string, ca []byte) (*Client, error) {
	cosigner, err := custody.ParseCosigner(key)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("witness %s: %w: %q is not an address such as https://witness.court.example/", cosigner.Name, evidence.ErrInvalid, address)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, fmt.Errorf("witness %s: %w: plain HTTP is for this machine only", cosigner.Name, evidence.ErrInvalid)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if ca != nil {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("witness %s: %w: no PEM certificate of an authority", cosigner.Name, evidence.ErrInvalid)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Client{add: strings.TrimRight(address, "/") + "/add-checkpoint", cosigner: cosigner, http: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Cosigner is the witness's public half.
func (c *Client) Cosigner() custody.Cosigner { return c.cosigner }

// Add implements [custody.Remote].
func (c *Client) Add(ctx context.Context, r custody.WitnessRequest) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.add, bytes.NewReader(r.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("witness %s: %w: %v", c.cosigner.Name, evidence.ErrUnavailable, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, custody.MaxWitnessRequest))
	if err != nil {
		return nil, fmt.Errorf("witness %s: %w: %v", c.cosigner.Name, evidence.ErrUnavailable, err)
	}
	if answer.StatusCode == http.StatusOK {
		return body, nil
	}
	if answer.StatusCode == http.StatusConflict {
		size, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
		if err == nil && size >= 0 && answer.Header.Get("Content-Type") == sizeType {
			return nil, &custody.StaleError{Size: size}
		}
	}
	for _, a := range answers {
		if a.status == answer.StatusCode && a.is != evidence.ErrInvalid {
			return nil, fmt.Errorf("witness %s: %w", c.cosigner.Name, a.is)
		}
	}
	return nil, fmt.Errorf("witness %s: %w: it answers %s", c.cosigner.Name, evidence.ErrUnavailable, answer.Status)
}
