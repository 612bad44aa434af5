package db_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	rfc3161 "github.com/digitorus/timestamp"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/internal/world"
	"github.com/toldonce/toldonce/storage/timestamp"
)

// authority is an outside RFC 3161 authority over HTTP that can be out of order.
type authority struct {
	*httptest.Server
	chain []byte // PEM
	mode  atomic.Value
}

func newOutside(t *testing.T, years int) *authority {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	issue := func(name string, ca bool, parent *x509.Certificate, by *ecdsa.PrivateKey, years int) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().AddDate(0, 0, -1), NotAfter: time.Now().AddDate(years, 0, 0),
			IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}
		if ca {
			c.KeyUsage = x509.KeyUsageCertSign
		} else {
			usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
			must(err)
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}
		}
		if parent == nil {
			parent, by = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		must(err)
		cert, err := x509.ParseCertificate(der)
		must(err)
		return cert, key
	}
	root, rootKey := issue("Outside Root", true, nil, nil, 30)
	leaf, leafKey := issue("Outside Time", false, root, rootKey, years)
	a := &authority{}
	a.mode.Store("works")
	for _, c := range []*x509.Certificate{leaf, root} {
		a.chain = append(a.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		query, err := rfc3161.ParseRequest(body)
		if err != nil || a.mode.Load() == "down" {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		ts := rfc3161.Timestamp{HashAlgorithm: query.HashAlgorithm, HashedMessage: query.HashedMessage, Nonce: query.Nonce, Time: time.Now(), Policy: asn1.ObjectIdentifier{2, 999, 2}, AddTSACertificate: true}
		switch a.mode.Load() {
		case "another nonce":
			ts.Nonce = big.NewInt(1)
		case "another hash":
			ts.HashedMessage = bytes.Repeat([]byte{1}, 32)
		}
		out, err := ts.CreateResponseWithOpts(leaf, leafKey, crypto.SHA256)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		w.Write(out)
	}))
	t.Cleanup(a.Close)
	return a
}

// TestOutsideTimestamps: a seal does not wait for the outside authority; it is asked
// until it answers truly, and again before its certificate expires (P22). Stock
// openssl confirms each of them.
func TestOutsideTimestamps(t *testing.T) {
	openssl := testenv.Tool(t, "openssl")
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			ctx := context.Background()
			w, s := openWorld(t, database)
			w.OpenCase()
			iv, _ := w.Sealed(w.Victim.ID, 4)
			dir := filepath.Join(t.TempDir(), "seal")
			w.Must(seal.Init(ctx, dir, seal.Config{Organisation: "Policia e Kosovës", Keys: world.Keys{}, Clock: time.Now}))
			outside, late, stranger := newOutside(t, 2), newOutside(t, 10), newOutside(t, 10)
			w.Must(seal.AddAuthority(dir, "National Time", outside.chain))
			if err := seal.AddAuthority(dir, "Again", outside.chain); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("named twice: %v", err)
			}
			w.Must(seal.AddAuthority(dir, "Later Time", late.chain))
			own, err := seal.Open(ctx, dir, world.Keys{}, time.Now)
			w.Must(err)
			ask := func(a *authority) *seal.Timekeeper {
				client, err := timestamp.New(a.URL)
				w.Must(err)
				return &seal.Timekeeper{Store: s, Own: own, Outside: client, Logger: slog.New(slog.DiscardHandler)}
			}
			for _, mode := range []string{"down", "another nonce", "another hash"} {
				outside.mode.Store(mode)
				if err := ask(outside).Sweep(ctx); !errors.Is(err, evidence.ErrUnavailable) {
					t.Errorf("%s: %v", mode, err)
				}
			}
			if err := ask(stranger).Sweep(ctx); !errors.Is(err, evidence.ErrInvalid) {
				t.Errorf("an authority that the trust file does not name: %v", err)
			}
			sealed, err := s.Sealed(ctx, iv.Recording)
			w.Must(err)
			renewals, err := s.Renewals(ctx, iv.Recording)
			w.Must(err)
			if f := seal.CheckRenewals("t", own.Trust(), sealed.Bundle, renewals, true); len(renewals) != 0 || f.Of("t") != seal.CannotJudge {
				t.Errorf("while it is awaited: %+v, %+v", renewals, f)
			}
			outside.mode.Store("works")
			w.Must(ask(outside).Sweep(ctx))
			w.Must(ask(outside).Sweep(ctx)) // nothing is missing any more
			if got := len(w.Log(seal.EntryTimestamped)); got != 1 {
				t.Fatalf("%d timestamps were added", got)
			}
			w.Advance(400 * 24 * time.Hour) // less than a year is left of two
			w.Must(ask(late).Sweep(ctx))
			w.Must(ask(late).Sweep(ctx))
			renewals, err = s.Renewals(ctx, iv.Recording)
			w.Must(err)
			if len(renewals) != 2 || renewals[0].Authority != "National Time" || renewals[1].Authority != "Later Time" {
				t.Fatalf("%+v", renewals)
			}
			if f := seal.CheckRenewals("t", own.Trust(), sealed.Bundle, renewals, false); f.Of("t") != seal.Holds || len(f) != 2 {
				t.Errorf("%+v", f)
			}
			if f := seal.CheckRenewals("t", own.Trust(), append([]byte("x"), sealed.Bundle...), renewals, false); f.Of("t") != seal.Fails {
				t.Error("the timestamps hold over another seal")
			}
			if f := seal.CheckRenewals("t", own.Trust(), sealed.Bundle, renewals[1:], false); f.Of("t") != seal.Fails {
				t.Error("a renewal holds without the one before it")
			}
			for i, a := range []*authority{outside, late} {
				folder := t.TempDir()
				for name, data := range map[string][]byte{"data": seal.Covered(sealed.Bundle, renewals[:i]), "token.tsr": renewals[i].Token, "chain.pem": a.chain} {
					w.Must(os.WriteFile(filepath.Join(folder, name), data, 0o600))
				}
				cmd := exec.Command(openssl, "ts", "-verify", "-data", "data", "-in", "token.tsr", "-CAfile", "chain.pem")
				cmd.Dir = folder
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("openssl on timestamp %d: %v: %s", i+1, err, out)
				}
			}
			// Without an outside authority the operator's own renews what ages.
			w.Advance(8 * 365 * 24 * time.Hour)
			w.Must((&seal.Timekeeper{Store: s, Own: own, Logger: slog.New(slog.DiscardHandler)}).Sweep(ctx))
			renewals, err = s.Renewals(ctx, iv.Recording)
			w.Must(err)
			if len(renewals) != 3 || renewals[2].Assertion != seal.AssertedByOperator {
				t.Errorf("%d renewals, %+v", len(renewals), renewals)
			}
		})
	}
}
