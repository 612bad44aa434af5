package envelope

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	"github.com/toldonce/toldonce/evidence"
)

// Bounds of an escrow: at least two people must come together.
const (
	EscrowMinNeeded = 2
	EscrowMaxShares = 16
)

// escrowGroup is wide enough for a 256-bit key as a scalar. The library's Warning,
// that splitting is not constant in time, is of no matter here: it happens once,
// on the operator's command, where nobody measures.
var escrowGroup = group.P521

// EscrowShare is one of several shares of a recording's data key (Shamir). Fewer
// than Needed of them say nothing of the key. It is a secret.
type EscrowShare struct {
	Recording evidence.ID
	Recipient string // the recording's public recipient: by it a restored key is known to be right
	Number    int    // from 1
	Needed    int
	Total     int
	value     []byte
}

// SplitKey splits a data key into total shares of which needed open it.
func SplitKey(recording evidence.ID, key DataKey, needed, total int) ([]EscrowShare, error) {
	if needed < EscrowMinNeeded || total < needed || total > EscrowMaxShares {
		return nil, fmt.Errorf("%w: an escrow has %d to %d shares of which at least %d are needed", evidence.ErrInvalid, EscrowMinNeeded, EscrowMaxShares, EscrowMinNeeded)
	}
	recipient, err := key.Recipient()
	if err != nil {
		return nil, err
	}
	secret := escrowGroup.NewScalar().SetBigInt(new(big.Int).SetBytes(key[:]))
	var out []EscrowShare
	for i, s := range secretsharing.New(rand.Reader, uint(needed-1), secret).Share(uint(total)) {
		value, err := s.Value.MarshalBinary()
		if err != nil {
			return nil, err
		}
		out = append(out, EscrowShare{Recording: recording, Recipient: recipient, Number: i + 1, Needed: needed, Total: total, value: value})
	}
	return out, nil
}

// CombineKey returns the data key from as many shares as are needed. The error wraps
// [evidence.ErrInvalid] if there are too few, if they are of different escrows, or
// if what they yield is not the recording's key.
func CombineKey(shares []EscrowShare) (DataKey, error) {
	bad := func(what string) (DataKey, error) {
		return DataKey{}, fmt.Errorf("%w: %s", evidence.ErrInvalid, what)
	}
	if len(shares) == 0 {
		return bad("no shares")
	}
	first, seen := shares[0], map[int]bool{}
	var points []secretsharing.Share
	for _, s := range shares {
		if s.Recording != first.Recording || s.Recipient != first.Recipient || s.Needed != first.Needed || s.Total != first.Total {
			return bad("the shares are of different recordings or escrows")
		}
		if seen[s.Number] {
			continue
		}
		seen[s.Number] = true
		value := escrowGroup.NewScalar()
		if err := value.UnmarshalBinary(s.value); err != nil {
			return bad("a share's value is damaged")
		}
		points = append(points, secretsharing.Share{ID: escrowGroup.NewScalar().SetUint64(uint64(s.Number)), Value: value})
	}
	if len(points) < first.Needed {
		return bad(fmt.Sprintf("%d different shares; %d are needed", len(points), first.Needed))
	}
	secret, err := secretsharing.Recover(uint(first.Needed-1), points[:first.Needed])
	if err != nil {
		return bad(err.Error())
	}
	raw, err := secret.MarshalBinary()
	if err != nil {
		return DataKey{}, err
	}
	var key DataKey
	head := raw[:len(raw)-len(key)]
	if !bytes.Equal(head, make([]byte, len(head))) {
		return bad("the shares do not belong together")
	}
	copy(key[:], raw[len(head):])
	if recipient, err := key.Recipient(); err != nil || recipient != first.Recipient {
		return bad("the shares do not yield this recording's key: one of them is wrong")
	}
	return key, nil
}

const escrowTitle = "toldonce escrow share v1"

// Encode writes the share as text that can be printed and typed in again.
func (s EscrowShare) Encode() []byte {
	text := fmt.Sprintf("%s\nrecording %s\nshare %d of %d, %d needed\nrecipient %s\nvalue %x\n", escrowTitle, s.Recording, s.Number, s.Total, s.Needed, s.Recipient, s.value)
	return fmt.Appendf(nil, "%ssum %x\n", text, escrowSum(text))
}

func escrowSum(text string) []byte {
	sum := sha256.Sum256([]byte("toldonce/escrow-sum/v1\x00" + text))
	return sum[:8]
}

// ParseEscrowShare reads what [EscrowShare.Encode] wrote, exactly. The error wraps
// [evidence.ErrInvalid] and never repeats the share. Hostile bytes yield an error.
func ParseEscrowShare(data []byte) (EscrowShare, error) {
	bad := func(what string) (EscrowShare, error) {
		return EscrowShare{}, fmt.Errorf("%w: escrow share: %s", evidence.ErrInvalid, what)
	}
	lines := strings.Split(string(data), "\n")
	if len(data) > 16<<10 || len(lines) != 7 || lines[0] != escrowTitle {
		return bad("not a share that this program knows")
	}
	var s EscrowShare
	field := func(i int, name string) string {
		value, _ := strings.CutPrefix(lines[i], name+" ")
		return value
	}
	id, err := evidence.ParseID(field(1, "recording"))
	if err != nil {
		return bad("its recording is malformed")
	}
	s.Recording, s.Recipient = id, field(3, "recipient")
	parts := strings.FieldsFunc(field(2, "share"), func(r rune) bool { return r == ' ' || r == ',' })
	if len(parts) != 5 {
		return bad("its number is malformed")
	}
	for i, into := range map[int]*int{0: &s.Number, 2: &s.Total, 3: &s.Needed} {
		if *into, err = strconv.Atoi(parts[i]); err != nil {
			return bad("its number is malformed")
		}
	}
	if s.value, err = hex.DecodeString(field(4, "value")); err != nil || uint(len(s.value)) != escrowGroup.Params().ScalarLength {
		return bad("its value is malformed")
	}
	if s.Needed < EscrowMinNeeded || s.Total > EscrowMaxShares || s.Number < 1 || s.Number > s.Total || s.Needed > s.Total {
		return bad("its numbers are out of range")
	}
	if !bytes.Equal(s.Encode(), data) {
		return bad("its checksum does not fit: it was mistyped or changed")
	}
	return s, nil
}
