package objects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// probes is the folder of what Probe writes.
const probes = "probes/"

// probeKey is a key that no other probe takes.
func probeKey() string { return probes + string(evidence.NewID()) }

func digest(body []byte) evidence.Digest {
	sum := sha256.Sum256(body)
	return evidence.Digest{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(body))}
}

func probeKept(ctx context.Context, s Store, key, version string, body []byte) error {
	got, err := s.Get(ctx, key, version)
	if err != nil {
		return fmt.Errorf("object store probe: %w", err)
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("object store probe: %w: it returns other bytes than were written", evidence.ErrUnavailable)
	}
	other := []byte("toldonce probe, replaced\n")
	if _, err := s.Put(ctx, key, other, digest(other), time.Time{}); !errors.Is(err, evidence.ErrConflict) {
		return fmt.Errorf("object store probe: %w: it let other bytes replace an object (%v)", evidence.ErrUnavailable, err)
	}
	return nil
}
