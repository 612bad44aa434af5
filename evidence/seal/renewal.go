//go:build !js

package seal

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// EntryTimestamped is the custody action of a timestamp that was added to a seal.
const EntryTimestamped = "seal.timestamp"

// renewBefore is how long before a timestamp's certificate expires the seal is
// timestamped anew (P22).
const renewBefore = 365 * 24 * time.Hour

// Stamper asks an authority for a timestamp. It may fail for days. Safe for
// concurrent use.
type Stamper interface {
	// Stamp returns an RFC 3161 TimeStampResp over the SHA-256 of data.
	Stamp(ctx context.Context, data []byte) ([]byte, error)
}

// Stamped is a sealed recording and what was added to its seal.
type Stamped struct {
	Agency    evidence.ID
	Case      evidence.ID
	Interview evidence.ID
	Recording evidence.ID
	Bundle    []byte
	Renewals  []Renewal // by number
}

// RenewalStore keeps renewals. Safe for concurrent use by many processes.
type RenewalStore interface {
	// Now is the server time.
	Now(ctx context.Context) (evidence.Instant, error)
	// Unstamped returns up to limit sealed recordings, the oldest first, that lack a
	// renewal by a third party, if outside is set, or whose newest timestamp expires
	// before a time; that of a seal without renewals expires at builtIn.
	Unstamped(ctx context.Context, outside bool, expires, builtIn evidence.Instant, limit int) ([]Stamped, error)
	// SaveRenewal commits a renewal with its entry; [evidence.ErrConflict] if there
	// is one of this number.
	SaveRenewal(ctx context.Context, r Renewal, entry custody.Entry) error
	// Renewals returns a recording's renewals by number.
	Renewals(ctx context.Context, recording evidence.ID) ([]Renewal, error)
}

// Timekeeper adds timestamps to seals after they were made: a seal never waits
// for an outside authority. Safe for concurrent use.
type Timekeeper struct {
	Store   RenewalStore
	Own     *Authority
	Outside Stamper // nil if no outside authority is asked
	Logger  *slog.Logger
}

// Retry is how long Run waits between two looks at what is missing.
const Retry = time.Minute

// Run adds what is missing until ctx ends. A failure is logged and tried again.
func (k *Timekeeper) Run(ctx context.Context) error {
	tick := time.NewTicker(Retry)
	defer tick.Stop()
	for {
		if err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			k.Logger.WarnContext(ctx, "seals wait for a timestamp; it is asked for again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep adds one timestamp to each seal that lacks one.
func (k *Timekeeper) Sweep(ctx context.Context) error {
	now, err := k.Store.Now(ctx)
	if err != nil {
		return err
	}
	builtIn := evidence.At(k.Own.trust.Authorities[0].Chain[0].NotAfter)
	if ages(k.Own.trust.Authorities[0].Chain[0]) {
		builtIn = now
	}
	list, err := k.Store.Unstamped(ctx, k.Outside != nil, now+evidence.Instant(renewBefore.Microseconds()), builtIn, 100)
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range list {
		if err := k.add(ctx, s); err != nil {
			failed = append(failed, fmt.Errorf("recording %s: %w", s.Recording, err))
			if errors.Is(err, evidence.ErrUnavailable) {
				break // the authority does not answer: the others would wait in vain too
			}
		}
	}
	return errors.Join(failed...)
}

func (k *Timekeeper) add(ctx context.Context, s Stamped) error {
	data := Covered(s.Bundle, s.Renewals)
	var token []byte
	var err error
	if k.Outside != nil {
		token, err = k.Outside.Stamp(ctx, data)
	} else {
		token, err = k.Own.Stamp(data)
	}
	if err != nil {
		return err
	}
	r, err := CheckRenewal(k.Own.trust, data, token)
	if err != nil {
		return err
	}
	if k.Outside != nil && r.Assertion != AssertedByThirdParty {
		return fmt.Errorf("%w: the outside authority answered with a timestamp of the operator's own", evidence.ErrInvalid)
	}
	r.Recording, r.Number = s.Recording, len(s.Renewals)+1
	sum := sha256.Sum256(data)
	return k.Store.SaveRenewal(ctx, r, custody.Entry{Actor: evidence.System(s.Agency), Action: EntryTimestamped, Agency: s.Agency, Case: s.Case, Interview: s.Interview, Subject: s.Recording,
		Details: map[string]string{"number": strconv.Itoa(r.Number), "assertion": r.Assertion, "covers": hex.EncodeToString(sum[:])}})
}

// ages reports whether what a certificate signs should be timestamped anew because
// its algorithm is no longer relied on (NIST SP 800-131A rev. 2).
func ages(c *x509.Certificate) bool {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
		return true
	}
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return true
	}
	return false
}
