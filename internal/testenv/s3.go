package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// S3 is an S3 server over TLS and a bucket of its own on it.
type S3 struct {
	Endpoint  string // https://127.0.0.1:PORT
	Region    string
	Bucket    string // empty, versioned, Object Lock enabled without a default retention
	CAFile    string // PEM file of the authority that signed the server's certificate
	AccessKey string
	SecretKey string
}

type gateway struct {
	*server
	s3     S3
	client *http.Client
}

// versitygw starts the one S3 server of this process. Its folder goes with it,
// whatever is locked inside.
var versitygw = sync.OnceValues(func() (*gateway, error) {
	program, err := find("versitygw")
	if err != nil {
		return nil, err
	}
	var last error
	for range 5 { // the chosen port may be taken before the server binds it
		g, err := startGateway(program)
		if err == nil {
			return g, nil
		}
		last = err
	}
	return nil, last
})

func startGateway(program string) (*gateway, error) {
	dir, err := os.MkdirTemp("", "toldonce-s3-")
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"objects", "versions"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	pool, err := certify(dir)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	s3 := S3{Endpoint: "https://" + address, Region: "us-east-1", CAFile: filepath.Join(dir, "ca.pem"), AccessKey: "test", SecretKey: rand.Text()}
	s, err := start(dir, nil, program, "--port", address, "--cert", filepath.Join(dir, "cert.pem"), "--key", filepath.Join(dir, "key.pem"),
		"--access", s3.AccessKey, "--secret", s3.SecretKey, "--region", s3.Region, "--quiet", "--keep-alive",
		"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "objects"))
	if err != nil {
		return nil, err
	}
	g := &gateway{server: s, s3: s3, client: &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	}}
	err = s.ready(func() error {
		resp, err := g.client.Get(s3.Endpoint)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
	if err != nil {
		s.pipe.Close()
		return nil, err
	}
	return g, nil
}

// VersityGW returns a private S3 server that this process started and a fresh
// bucket on it with Object Lock enabled. Credentials are the server's root.
func VersityGW(t testing.TB) S3 {
	t.Helper()
	g, err := versitygw()
	if err != nil {
		t.Fatalf("starting versitygw: %v", err)
	}
	s3 := g.s3
	s3.Bucket = "test-" + strings.ToLower(rand.Text())
	if err := g.createBucket(s3.Bucket, true); err != nil {
		t.Fatalf("creating a bucket: %v: %s", err, g.log())
	}
	return s3
}

// VersityGWUnlocked is [VersityGW] with a bucket on which Object Lock is not
// enabled, for tests that such a bucket is refused.
func VersityGWUnlocked(t testing.TB) S3 {
	t.Helper()
	g, err := versitygw()
	if err != nil {
		t.Fatalf("starting versitygw: %v", err)
	}
	s3 := g.s3
	s3.Bucket = "test-" + strings.ToLower(rand.Text())
	if err := g.createBucket(s3.Bucket, false); err != nil {
		t.Fatalf("creating a bucket: %v: %s", err, g.log())
	}
	return s3
}

// createBucket sends one CreateBucket request signed with AWS Signature
// Version 4, so that this package needs no S3 client.
func (g *gateway) createBucket(name string, lock bool) error {
	req, err := http.NewRequest(http.MethodPut, g.s3.Endpoint+"/"+name, nil)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	empty := sha256.Sum256(nil)
	headers := [][2]string{{"host", req.Host}}
	if lock {
		headers = append(headers, [2]string{"x-amz-bucket-object-lock-enabled", "true"})
	}
	headers = append(headers, [2]string{"x-amz-content-sha256", hex.EncodeToString(empty[:])}, [2]string{"x-amz-date", stamp})
	var lines, names []string
	for _, h := range headers {
		lines = append(lines, h[0]+":"+h[1]+"\n")
		names = append(names, h[0])
		if h[0] != "host" {
			req.Header.Set(h[0], h[1])
		}
	}
	signed := strings.Join(names, ";")
	canonical := sha256.Sum256([]byte("PUT\n/" + name + "\n\n" + strings.Join(lines, "") + "\n" + signed + "\n" + hex.EncodeToString(empty[:])))
	scope := day + "/" + g.s3.Region + "/s3/aws4_request"
	key := []byte("AWS4" + g.s3.SecretKey)
	for _, part := range []string{day, g.s3.Region, "s3", "aws4_request", "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(canonical[:])} {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, part)
		key = mac.Sum(nil)
	}
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%x", g.s3.AccessKey, scope, signed, key))
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

// certify writes ca.pem, cert.pem and key.pem, valid for a day for 127.0.0.1
// and localhost, to dir and returns a pool that holds the authority.
func certify(dir string) (*x509.CertPool, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	from, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	pool.AppendCertsFromPEM(caPEM)
	for name, data := range map[string][]byte{
		"ca.pem":   caPEM,
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return pool, nil
}
