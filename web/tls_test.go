package web

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// handshake connects as a tablet that installed the root in dir.
func handshake(t *testing.T, dir string, cfg *tls.Config, host string) (tls.ConnectionState, error) {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(dir, LocalRootFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no root")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = tls.Server(conn, cfg).Handshake() // the client's view is what is tested
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host, NextProtos: []string{"h2"}})
	err = c.Handshake()
	return c.ConnectionState(), err
}

func TestLocalAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	clock := func() time.Time { return time.Now() }
	if _, err := LocalTLS(dir, clock); !errors.Is(err, evidence.ErrMissingState) {
		t.Fatalf("without an authority: %v", err)
	}
	if err := InitLocalAuthority(dir, []string{"room1.police.example", "192.0.2.7"}, clock); err != nil {
		t.Fatal(err)
	}
	if err := InitLocalAuthority(dir, nil, clock); !errors.Is(err, evidence.ErrConflict) {
		t.Fatalf("a second authority: %v", err)
	}
	for _, name := range []string{localRootKey, localCertKey} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	cfg, err := LocalTLS(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	for host, good := range map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, "room1.police.example": true, "192.0.2.7": true, "bank.example": false, "192.0.2.8": false} {
		state, err := handshake(t, dir, cfg, host)
		if (err == nil) != good {
			t.Errorf("%s: %v", host, err)
		}
		if good && err == nil && state.NegotiatedProtocol != "h2" {
			t.Errorf("%s: no HTTP/2", host)
		}
	}
}

// The root's own constraint is what makes it safe to install.
func TestLocalRootIsConstrained(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	if err := InitLocalAuthority(dir, []string{"room1.police.example"}, time.Now); err != nil {
		t.Fatal(err)
	}
	root, _, err := readPair(dir, LocalRootFile, localRootKey)
	if err != nil {
		t.Fatal(err)
	}
	if !root.PermittedDNSDomainsCritical || len(root.PermittedDNSDomains) != 2 || len(root.PermittedIPRanges) != 2 || !root.MaxPathLenZero {
		t.Errorf("constraints: %v %v critical %v", root.PermittedDNSDomains, root.PermittedIPRanges, root.PermittedDNSDomainsCritical)
	}
}

func TestLocalCertificateIsRenewed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	made := time.Now().Add(-leafLife + 30*24*time.Hour)
	if err := InitLocalAuthority(dir, nil, func() time.Time { return made }); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, localCertFile))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := LocalTLS(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, localCertFile))
	if err != nil || bytes.Equal(before, after) {
		t.Fatalf("not renewed: %v", err)
	}
	if _, err := handshake(t, dir, cfg, "localhost"); err != nil {
		t.Error(err)
	}
	// Cut short between removing and writing: made again.
	if err := os.Remove(filepath.Join(dir, localCertKey)); err != nil {
		t.Fatal(err)
	}
	if _, err := LocalTLS(dir, time.Now); err != nil {
		t.Error(err)
	}
	if _, err := LocalTLS(dir, func() time.Time { return made.Add(rootLife + time.Hour) }); err == nil {
		t.Error("an authority that ended was used")
	}
}

func TestRenewedFilesArePickedUp(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	for _, dir := range []string{one, two} {
		if err := InitLocalAuthority(dir, nil, time.Now); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := filepath.Join(one, localCertFile), filepath.Join(one, localCertKey)
	cfg, err := TLSFromFiles(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(name string, data []byte, at time.Time) {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	newCert, err1 := os.ReadFile(filepath.Join(two, localCertFile))
	newKey, err2 := os.ReadFile(filepath.Join(two, localCertKey))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	// Half of the new pair: the old one goes on.
	replace(cert, newCert, time.Now().Add(time.Minute))
	if _, err := handshake(t, one, cfg, "localhost"); err != nil {
		t.Fatalf("with half a pair: %v", err)
	}
	replace(key, newKey, time.Now().Add(time.Minute))
	if _, err := handshake(t, two, cfg, "localhost"); err != nil {
		t.Fatalf("with the new pair: %v", err)
	}
	if _, err := TLSFromFiles(cert, filepath.Join(two, "absent")); err == nil {
		t.Error("a missing key was accepted")
	}
}
