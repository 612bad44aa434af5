package recorder

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math/big"
	"time"

	"crypto/ecdsa"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
)

// challengeFor is how long a device may take to answer a challenge.
const challengeFor = time.Minute

// deviceChallenge separates what a device signs to prove who it is from the
// batches that it signs.
const deviceChallenge = "toldonce/device/v1\n"

// challengeKey authenticates challenges of this process, so that none is stored.
var challengeKey = func() (key [32]byte) {
	rand.Read(key[:]) // never fails: crypto/rand.Read ends the program instead
	return key
}()

// Challenge returns bytes that a device signs, within a minute, to get a token for
// a source: [Recorder.DeviceToken]. It tells nothing about anything.
func (r *Recorder) Challenge(source evidence.ID) []byte {
	out := make([]byte, 24, 56)
	rand.Read(out[:16])
	binary.BigEndian.PutUint64(out[16:], uint64(r.cfg.Clock().Add(challengeFor).UnixMicro()))
	return append(out, challengeMAC(source, out)...)
}

func challengeMAC(source evidence.ID, head []byte) []byte {
	mac := hmac.New(sha256.New, challengeKey[:])
	mac.Write([]byte(source))
	mac.Write(head)
	return mac.Sum(nil)
}

// DeviceToken gives a device of an interview's room a new token for one of its
// sources, without anybody being signed in: what was recorded goes on over a
// reload of the page when the login has ended. signature is over
// "toldonce/device/v1", a line feed and the challenge, ECDSA P-256 with SHA-256, as
// r and s of 32 bytes each. Anything that does not fit is refused as
// unauthenticated, without saying why. Only a recording that was begun is gone on
// with.
func (r *Recorder) DeviceToken(ctx context.Context, interview, source evidence.ID, key claims.KeyID, challenge, signature []byte) (string, error) {
	refused := evidence.Refuse(evidence.ErrUnauthenticated, "device.refused", "This device cannot go on with this recording by itself. Sign in.", "")
	if len(challenge) != 56 || len(signature) != 64 {
		return "", refused
	}
	until := time.UnixMicro(int64(binary.BigEndian.Uint64(challenge[16:])))
	if subtle.ConstantTimeCompare(challengeMAC(source, challenge[:24]), challenge[24:]) != 1 || r.cfg.Clock().After(until) {
		return "", refused
	}
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return "", refused
	}
	switch iv.State {
	case evidence.StateRecording, evidence.StatePaused, evidence.StateStopping:
	default:
		return "", refused
	}
	d, err := r.cfg.Store.Device(ctx, iv.Room, key.String())
	if err != nil || d.RevokedAt != 0 {
		return "", refused
	}
	public, err := claims.PublicKey(d.PublicKey)
	if err != nil {
		return "", refused
	}
	sum := sha256.Sum256(append([]byte(deviceChallenge), challenge...))
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return "", refused
	}
	sources, err := r.cfg.Store.Sources(ctx, interview)
	if err != nil {
		return "", err
	}
	for _, src := range sources {
		if src.ID == source {
			token, err := r.renewSource(ctx, deviceActor(iv.Agency, d.ID), src, d.ID)
			if errors.Is(err, evidence.ErrConflict) {
				return "", refused
			}
			return token, err
		}
	}
	return "", refused
}
