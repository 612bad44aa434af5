package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// The files of a local authority. The root's certificate is what a tablet
// installs; its key never leaves the directory.
const (
	LocalRootFile = "root.pem"
	localRootKey  = "root.key"
	localCertFile = "server.pem"
	localCertKey  = "server.key"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	// leafLife stays within what browsers and tablets accept of a server's
	// certificate from an installed root: Apple's limit is 825 days.
	leafLife = 800 * 24 * time.Hour
	// renewBefore is how long before its end a server certificate is made anew.
	renewBefore = 60 * 24 * time.Hour
)

// InitLocalAuthority makes, in the new directory dir, a certificate authority
// for this installation alone and a server certificate for hosts (DNS names and
// addresses; localhost is always among them). The root is constrained to those
// hosts, so that its key, if stolen, cannot speak for any other site. It returns
// an error wrapping evidence.ErrConflict if dir exists.
func InitLocalAuthority(dir string, hosts []string, clock evidence.Clock) error {
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("local authority: %w: %s exists", evidence.ErrConflict, dir)
	} else if err != nil {
		return fmt.Errorf("local authority: %w", err)
	}
	names, addresses := splitHosts(hosts)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("local authority: %w", err)
	}
	now := clock()
	root := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Told Once local authority", Organization: []string{"Told Once"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(rootLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names, PermittedIPRanges: single(addresses),
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return fmt.Errorf("local authority: %w", err)
	}
	if err := writeKey(dir, localRootKey, key); err != nil {
		return err
	}
	if err := writeFile(dir, LocalRootFile, pemOf("CERTIFICATE", der), 0o644); err != nil {
		return err
	}
	return issueLocal(dir, now)
}

// LocalTLS returns the TLS configuration of the local authority in dir, as
// [InitLocalAuthority] made it; it makes the server certificate anew when it
// nears its end. It returns an error wrapping evidence.ErrMissingState if the
// authority is not there.
func LocalTLS(dir string, clock evidence.Clock) (*tls.Config, error) {
	root, _, err := readPair(dir, LocalRootFile, localRootKey)
	if err != nil {
		return nil, err
	}
	now := clock()
	if now.After(root.NotAfter) {
		return nil, fmt.Errorf("local authority: it ended on %s; make a new one with toldonce init and install its root again", root.NotAfter.Format(time.DateOnly))
	}
	leaf, _, err := readPair(dir, localCertFile, localCertKey)
	if err != nil && !errors.Is(err, evidence.ErrMissingState) {
		return nil, err
	}
	if err != nil || now.After(leaf.NotAfter.Add(-renewBefore)) {
		if err := issueLocal(dir, now); err != nil {
			return nil, err
		}
	}
	return TLSFromFiles(filepath.Join(dir, localCertFile), filepath.Join(dir, localCertKey))
}

// TLSFromFiles returns the TLS configuration of a certificate chain and key in
// PEM files. A renewed pair is picked up by the next connection; one that cannot
// be read is passed over and the last good one kept. TLS 1.2 is the oldest
// version; HTTP/2 is offered.
func TLSFromFiles(cert, key string) (*tls.Config, error) {
	p := &pairFiles{cert: cert, key: key}
	if err := p.read(); err != nil {
		return nil, fmt.Errorf("reading the server's certificate: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current(), nil },
	}, nil
}

// pairFiles is a certificate and its key in two files that may be replaced.
type pairFiles struct {
	cert, key string

	mu   sync.Mutex
	pair *tls.Certificate
	seen [2]time.Time // when each file was last changed, as read
}

func (p *pairFiles) times() (out [2]time.Time, err error) {
	for i, name := range []string{p.cert, p.key} {
		info, err := os.Stat(name)
		if err != nil {
			return out, err
		}
		out[i] = info.ModTime()
	}
	return out, nil
}

func (p *pairFiles) read() error {
	seen, err := p.times()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return err
	}
	p.pair, p.seen = &pair, seen
	return nil
}

func (p *pairFiles) current() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seen, err := p.times(); err == nil && seen != p.seen {
		// Half of a new pair does not fit the other half: the next connection
		// tries again.
		_ = p.read()
	}
	return p.pair
}

// issueLocal makes the server's certificate. Its names are those that the root
// is constrained to.
func issueLocal(dir string, now time.Time) error {
	root, rootKey, err := readPair(dir, LocalRootFile, localRootKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("server certificate: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Told Once"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: root.PermittedDNSDomains,
	}
	for _, r := range root.PermittedIPRanges {
		leaf.IPAddresses = append(leaf.IPAddresses, r.IP)
	}
	if leaf.NotAfter.After(root.NotAfter) {
		leaf.NotAfter = root.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		return fmt.Errorf("server certificate: %w", err)
	}
	// Old files go first, the key before the certificate: whatever is cut short
	// here leaves a pair that is missing, and is made again, never a mixed one.
	for _, name := range []string{localCertKey, localCertFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("server certificate: %w", err)
		}
	}
	if err := writeFile(dir, localCertFile, pemOf("CERTIFICATE", der), 0o644); err != nil {
		return err
	}
	return writeKey(dir, localCertKey, key)
}

func splitHosts(hosts []string) (names []string, addresses []net.IP) {
	seen := make(map[string]bool)
	for _, h := range append([]string{"localhost", "127.0.0.1", "::1"}, hosts...) {
		if h == "" || seen[h] {
			continue
		}
		seen[h] = true
		if ip := net.ParseIP(h); ip != nil {
			addresses = append(addresses, ip)
		} else {
			names = append(names, h)
		}
	}
	return names, addresses
}

func single(addresses []net.IP) []*net.IPNet {
	var out []*net.IPNet
	for _, ip := range addresses {
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		out = append(out, &net.IPNet{IP: ip, Mask: net.CIDRMask(len(ip)*8, len(ip)*8)})
	}
	return out
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand ends the program before it fails
	}
	return n
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func writeKey(dir, name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	return writeFile(dir, name, pemOf("PRIVATE KEY", der), 0o600)
}

// writeFile makes a new file and waits until it is on the disk.
func writeFile(dir, name string, data []byte, mode os.FileMode) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func readPair(dir, cert, key string) (*x509.Certificate, any, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, cert), filepath.Join(dir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("local authority: %w: %v", evidence.ErrMissingState, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("local authority: %w", err)
	}
	return pair.Leaf, pair.PrivateKey, nil
}
