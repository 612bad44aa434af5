package objects

import (
	"context"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/toldonce/toldonce/evidence"
)

// lockProbe is how long the probe's object stays locked: longer than S3 lets the
// clocks of client and server be apart (15 minutes).
const lockProbe = 20 * time.Minute

// Probe proves the lock: a version under COMPLIANCE retention survives being
// deleted, and its retention being shortened or weakened, with every right that
// the credentials have (P21). What earlier probes left is removed once its
// retention is over.
func (s *S3) Probe(ctx context.Context) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("object store, bucket %s: %w: %s", s.bucket, evidence.ErrUnavailable, fmt.Sprintf(format, args...))
	}
	versioning, err := s.client.GetBucketVersioning(ctx, s.bucket)
	if err != nil {
		return refuse("%v", err)
	}
	if !versioning.Enabled() {
		return refuse("versioning is off. Make the bucket with Object Lock")
	}
	lock, _, _, _, err := s.client.GetObjectLockConfig(ctx, s.bucket)
	if err != nil || lock != "Enabled" {
		return refuse("Object Lock is off. It can only be asked for when a bucket is made (%v)", err)
	}
	key, body := probeKey(), []byte("toldonce probe\n")
	until := wholeSeconds(time.Now().Add(lockProbe))
	version, err := s.Put(ctx, key, body, digest(body), until)
	if err != nil {
		return refuse("an object could not be locked until %s; are the clocks of both machines right? %v", until.Format(time.RFC3339), err)
	}
	if there, err := s.retained(ctx, key, version); err != nil || there.Before(until) {
		return refuse("it did not keep the retention that it was asked for (%v)", err)
	}
	for _, attempt := range s.attacks(ctx, s.prefix+key, version, until) {
		err := attempt.try()
		if err == nil {
			return refuse("it %s. What is kept here is not protected", attempt.done)
		}
		if status := minio.ToErrorResponse(err).StatusCode; status < 400 || status > 499 {
			return refuse("whether it keeps locked versions could not be seen: %v", err)
		}
	}
	if err := probeKept(ctx, s, key, version, body); err != nil {
		return err
	}
	s.clearProbes(ctx)
	return nil
}

type attack struct {
	done string
	try  func() error
}

// attacks are what nobody may be able to do to a locked version.
func (s *S3) attacks(ctx context.Context, name, version string, until time.Time) []attack {
	retain := func(mode minio.RetentionMode, until time.Time) error {
		return s.client.PutObjectRetention(ctx, s.bucket, name, minio.PutObjectRetentionOptions{
			Mode: &mode, RetainUntilDate: &until, VersionID: version, GovernanceBypass: true})
	}
	return []attack{
		{"deleted a version that was locked", func() error {
			return s.client.RemoveObject(ctx, s.bucket, name, minio.RemoveObjectOptions{VersionID: version, GovernanceBypass: true})
		}},
		{"shortened a COMPLIANCE retention", func() error { return retain(minio.Compliance, until.Add(-lockProbe/2)) }},
		{"weakened a COMPLIANCE retention to GOVERNANCE", func() error { return retain(minio.Governance, until) }},
	}
}

// clearProbes removes probes whose retention is over. Credentials that cannot
// delete, as is best, leave them: that is no failure.
func (s *S3) clearProbes(ctx context.Context) {
	for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + probes, Recursive: true, WithVersions: true}) {
		if o.Err == nil && time.Since(o.LastModified) > lockProbe {
			_ = s.client.RemoveObject(ctx, s.bucket, o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID})
		}
	}
}
