package objects

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/toldonce/toldonce/evidence"
)

// S3 is a store in a bucket with versioning and Object Lock. Objects are read by
// version, so a newer version or a delete marker on top of one hides nothing.
type S3 struct {
	client *minio.Client
	bucket string
	prefix string // empty, or ends with a slash
}

// OpenS3 opens the bucket that spec names, s3://BUCKET?endpoint=…, with
// optional region (default us-east-1), ca (a PEM file of the authority that signed
// the server's certificate) and prefix (put before every key). The endpoint must be https: checksums and
// content would travel unprotected otherwise. Credentials come from
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the files that
// AWS_ACCESS_KEY_ID_FILE and AWS_SECRET_ACCESS_KEY_FILE name. It does not
// contact the server.
func OpenS3(_ context.Context, spec string) (*S3, error) {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("object store: %w: %s", evidence.ErrInvalid, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(spec)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.Path != "" || u.User != nil {
		return nil, invalid("say s3://BUCKET?endpoint=https://HOST:PORT&region=REGION")
	}
	query := u.Query()
	for name := range query {
		switch name {
		case "endpoint", "region", "ca", "prefix":
		default:
			return nil, invalid("unknown option %q", name)
		}
	}
	endpoint, err := url.Parse(query.Get("endpoint"))
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" || strings.Trim(endpoint.Path, "/") != "" {
		return nil, invalid("endpoint must be https://HOST or https://HOST:PORT")
	}
	prefix := query.Get("prefix")
	if prefix != "" {
		if prefix = strings.TrimSuffix(prefix, "/"); checkKey(prefix) != nil {
			return nil, invalid("prefix is not of the form of a key")
		}
		prefix += "/"
	}
	access, err := secret("AWS_ACCESS_KEY_ID")
	if err != nil {
		return nil, err
	}
	key, err := secret("AWS_SECRET_ACCESS_KEY")
	if err != nil {
		return nil, err
	}
	transport, err := minio.DefaultTransport(true)
	if err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	if file := query.Get("ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("object store: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, invalid("%s holds no certificate", path.Base(file))
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	region := query.Get("region")
	if region == "" {
		region = "us-east-1"
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:           credentials.NewStaticV4(access, key, ""),
		Secure:          true,
		Region:          region,
		Transport:       transport,
		TrailingHeaders: true,
		// Whoever puts repeats with back-off; the client's own ten tries would
		// only hide an outage.
		MaxRetries: 1,
	})
	if err != nil {
		return nil, invalid("%v", err)
	}
	return &S3{client: client, bucket: u.Host, prefix: prefix}, nil
}

func secret(name string) (string, error) {
	if value := os.Getenv(name); value != "" {
		return value, nil
	}
	file := os.Getenv(name + "_FILE")
	if file == "" {
		return "", fmt.Errorf("object store: %w: set %s or %s_FILE", evidence.ErrInvalid, name, name)
	}
	value, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("object store: %s_FILE: %w", name, err)
	}
	return strings.TrimSpace(string(value)), nil
}

// Put is as [Store] says.
func (s *S3) Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if err := checkDigest(key, body, sum); err != nil {
		return "", err
	}
	raw, err := hex.DecodeString(sum.SHA256)
	if err != nil {
		return "", fmt.Errorf("object %s: %w", key, evidence.ErrInvalid)
	}
	options := minio.PutObjectOptions{
		ContentType:      "application/octet-stream",
		DisableMultipart: true, // a multipart object has no SHA-256 of the whole
		UserMetadata:     map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(raw)},
	}
	options.SetMatchETagExcept("*")
	retainUntil = wholeSeconds(retainUntil)
	if !retainUntil.IsZero() {
		options.Mode, options.RetainUntilDate = minio.Compliance, retainUntil
	}
	info, err := s.client.PutObject(ctx, s.bucket, s.prefix+key, bytes.NewReader(body), int64(len(body)), options)
	if err == nil {
		if info.VersionID == "" {
			return "", fmt.Errorf("object %s: %w: the bucket keeps no versions", key, evidence.ErrUnavailable)
		}
		return info.VersionID, nil
	}
	// Most likely the object is there: If-None-Match was answered with 412, or the
	// connection was reset by a server that answered so before it had read the
	// body, or an earlier answer was lost.
	version, there := s.same(ctx, key, body, retainUntil)
	if errors.Is(there, evidence.ErrNotFound) || errors.Is(there, evidence.ErrUnavailable) {
		return "", s.failed(key, err)
	}
	return version, there
}

// wholeSeconds is what S3 counts in. Rounding down would promise less than asked.
func wholeSeconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Add(time.Second - 1).Truncate(time.Second)
}

// same returns the version that is kept under key if it holds body, once it is
// retained until at least until. It reads the bytes: not every server tells a
// checksum, and repeating a Put is rare.
func (s *S3) same(ctx context.Context, key string, body []byte, until time.Time) (string, error) {
	info, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return "", s.failed(key, err)
	}
	there, err := s.Get(ctx, key, info.VersionID)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(there, body) {
		return "", conflict(key)
	}
	if err := s.retain(ctx, key, info.VersionID, until); err != nil {
		return "", err
	}
	return info.VersionID, nil
}

// List is as [Store] says.
func (s *S3) List(ctx context.Context, prefix string) ([]Listed, error) {
	dir, ok := strings.CutSuffix(prefix, "/")
	if !ok || checkKey(dir) != nil {
		return nil, fmt.Errorf("listing objects: %w: %q", evidence.ErrInvalid, prefix)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing, if it is left early
	var out []Listed
	for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			return nil, s.failed(prefix, o.Err)
		}
		if !o.IsDeleteMarker {
			out = append(out, Listed{Key: strings.TrimPrefix(o.Key, s.prefix), Version: o.VersionID, Size: o.Size})
		}
	}
	slices.Reverse(out) // of one key S3 names the newest version first
	slices.SortStableFunc(out, func(a, b Listed) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// Retain is as [Store] says.
func (s *S3) Retain(ctx context.Context, key, version string, until time.Time) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return s.retain(ctx, key, version, wholeSeconds(until))
}

// Hold is as [Store] says.
func (s *S3) Hold(ctx context.Context, key, version string, on bool) error {
	if err := checkKey(key); err != nil {
		return err
	}
	status := minio.LegalHoldDisabled
	if on {
		status = minio.LegalHoldEnabled
	}
	if err := s.client.PutObjectLegalHold(ctx, s.bucket, s.prefix+key, minio.PutObjectLegalHoldOptions{VersionID: version, Status: &status}); err != nil {
		return s.failed(key, err)
	}
	return nil
}

// retain extends a version's retention to until, if it is not that long already.
func (s *S3) retain(ctx context.Context, key, version string, until time.Time) error {
	if until.IsZero() {
		return nil
	}
	there, err := s.retained(ctx, key, version)
	if err != nil {
		return s.failed(key, err)
	}
	if !there.Before(until) {
		return nil
	}
	compliance := minio.Compliance
	err = s.client.PutObjectRetention(ctx, s.bucket, s.prefix+key, minio.PutObjectRetentionOptions{
		Mode: &compliance, RetainUntilDate: &until, VersionID: version})
	if err != nil {
		return s.failed(key, err)
	}
	return nil
}

// retained returns until when a version is under COMPLIANCE retention; the zero
// time if it is not. It asks for the headers of the object, because servers
// differ in the document that GetObjectRetention returns.
func (s *S3) retained(ctx context.Context, key, version string) (time.Time, error) {
	info, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{VersionID: version})
	if err != nil {
		return time.Time{}, err
	}
	if info.Metadata.Get("X-Amz-Object-Lock-Mode") != minio.Compliance.String() {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
}

// Get is as [Store] says.
func (s *S3) Get(ctx context.Context, key, version string) ([]byte, error) {
	return readAll(s.Reader(ctx, key, version))
}

// Reader is as [Store] says. version must not be empty. An object that is not
// there shows with the first Read at the latest.
func (s *S3) Reader(ctx context.Context, key, version string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if version == "" {
		return nil, notFound(key)
	}
	object, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{VersionID: version})
	if err != nil {
		return nil, s.failed(key, err)
	}
	return &s3Reader{object: object, store: s, key: key}, nil
}

type s3Reader struct {
	object *minio.Object
	store  *S3
	key    string
}

func (r *s3Reader) Read(p []byte) (int, error) {
	n, err := r.object.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if code := minio.ToErrorResponse(err).Code; code == "InvalidArgument" || code == "InvalidVersionId" {
		return n, notFound(r.key) // a version id of another form than the server's
	}
	return n, r.store.failed(r.key, err)
}

func (r *s3Reader) Close() error { return r.object.Close() }

// Health is as [Store] says.
func (s *S3) Health(ctx context.Context) error {
	there, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("object store: %w: %v", evidence.ErrUnavailable, err)
	}
	if !there {
		return fmt.Errorf("object store: %w: there is no bucket %s", evidence.ErrMissingState, s.bucket)
	}
	return nil
}

// Close is as [Store] says.
func (s *S3) Close() error { return nil }

// failed maps what S3 says to the kinds of failure that the domain knows.
func (s *S3) failed(key string, err error) error {
	if errors.Is(err, evidence.ErrNotFound) || errors.Is(err, evidence.ErrUnavailable) {
		return err
	}
	switch minio.ToErrorResponse(err).Code {
	case "NoSuchKey", "NoSuchVersion", "MethodNotAllowed":
		return notFound(key)
	}
	return fmt.Errorf("object %s: %w: %w", key, evidence.ErrUnavailable, err)
}
