package custody

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
)

// recordingPart stands in the origin between the log's name and the recording's id.
const recordingPart = "/recording/"

// RecordingOrigin names the tree of one recording: a log of its own, whose key is
// that of the custody log under this name.
func RecordingOrigin(log string, recording evidence.ID) string {
	return log + recordingPart + string(recording)
}

// ParseRecordingOrigin takes an origin apart; ok is false if it is of no recording.
func ParseRecordingOrigin(origin string) (log string, recording evidence.ID, ok bool) {
	i := strings.LastIndex(origin, recordingPart)
	if i < 1 {
		return "", "", false
	}
	id, err := evidence.ParseID(origin[i+len(recordingPart):])
	return origin[:i], id, err == nil
}

// RecordingVerifier returns the verifier of a recording's checkpoints, made from the
// verifier key of the custody log: the same Ed25519 key under the recording's origin.
func RecordingVerifier(logKey string, recording evidence.ID) (note.Verifier, error) {
	parts := strings.SplitN(logKey, "+", 3) // base64 may hold a plus sign too
	if len(parts) != 3 {
		return nil, fmt.Errorf("log verifier key: %w", evidence.ErrInvalid)
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, fmt.Errorf("log verifier key: %w", evidence.ErrInvalid)
	}
	origin := RecordingOrigin(parts[0], recording)
	return NewVerifier(fmt.Sprintf("%s+%08x+%s", origin, keyHash(origin, raw), base64.StdEncoding.EncodeToString(raw)))
}

// keyHash is the key id of C2SP signed-note.
func keyHash(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(sum[:])
}

// RecordingCheckpoint is a signed statement of how far a recording's tree had grown
// while it was being recorded: a C2SP tlog-checkpoint with two extension lines.
type RecordingCheckpoint struct {
	Checkpoint
	Recording evidence.ID
	// At is when it was signed, by the recorder's clock.
	At evidence.Instant
	// AfterSize and AfterRoot are of the checkpoint before it; 0 and the root of
	// the empty tree for the first. They make two histories of one recording
	// contradict each other by their signed text alone.
	AfterSize int64
	AfterRoot Hash
}

func (c RecordingCheckpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\ntime %d\nafter %d %s\n", c.Origin, c.Size, c.Root, c.At, c.AfterSize, c.AfterRoot)
}

// OpenRecordingCheckpoint verifies a recording's checkpoint by the custody log's
// verifier key. It returns [evidence.ErrInvalid] if the bytes are not exactly one, of
// this log, with a good signature. Signatures by others are left unjudged.
func OpenRecordingCheckpoint(signed []byte, logKey string) (RecordingCheckpoint, error) {
	c, err := ReadRecordingCheckpoint(signed)
	if err != nil {
		return RecordingCheckpoint{}, err
	}
	v, err := RecordingVerifier(logKey, c.Recording)
	if err != nil {
		return RecordingCheckpoint{}, err
	}
	if v.Name() != c.Origin {
		return RecordingCheckpoint{}, fmt.Errorf("checkpoint: %w: it is of another log", evidence.ErrInvalid)
	}
	if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
		return RecordingCheckpoint{}, fmt.Errorf("checkpoint: %w: %v", evidence.ErrInvalid, err)
	}
	if _, err := note.Open(Bare(signed), note.VerifierList(v)); err != nil {
		return RecordingCheckpoint{}, fmt.Errorf("checkpoint: %w: its first signature is not the log's", evidence.ErrInvalid)
	}
	return c, nil
}

// ReadRecordingCheckpoint reads the text of a checkpoint in its exact form and
// judges no signature. It returns [evidence.ErrInvalid] for anything else.
func ReadRecordingCheckpoint(signed []byte) (RecordingCheckpoint, error) {
	bad := func(what string) (RecordingCheckpoint, error) {
		return RecordingCheckpoint{}, fmt.Errorf("checkpoint of a recording: %w: %s", evidence.ErrInvalid, what)
	}
	if len(signed) > MaxWitnessRequest {
		return bad("too long")
	}
	text, _, ok := strings.Cut(string(signed), "\n\n")
	lines := strings.Split(text, "\n")
	if !ok || len(lines) != 5 {
		return bad("not five lines and signatures")
	}
	c := RecordingCheckpoint{Checkpoint: Checkpoint{Origin: lines[0], Signed: signed}}
	if _, c.Recording, ok = ParseRecordingOrigin(lines[0]); !ok {
		return bad("its origin names no recording")
	}
	at, hasTime := strings.CutPrefix(lines[3], "time ")
	after, hasAfter := strings.CutPrefix(lines[4], "after ")
	size, root, _ := strings.Cut(after, " ")
	var errs [5]error
	var micros int64
	c.Size, errs[0] = strconv.ParseInt(lines[1], 10, 64)
	c.Root, errs[1] = tlog.ParseHash(lines[2])
	micros, errs[2] = strconv.ParseInt(at, 10, 64)
	c.AfterSize, errs[3] = strconv.ParseInt(size, 10, 64)
	c.AfterRoot, errs[4] = tlog.ParseHash(root)
	c.At = evidence.Instant(micros)
	switch {
	case errors.Join(errs[:]...) != nil, !hasTime, !hasAfter, c.text() != text+"\n":
		return bad("not the exact encoding")
	case c.Size < 1 || c.AfterSize < 0 || c.AfterSize > c.Size || micros < 1:
		return bad("a number is out of range")
	case c.AfterSize == 0 && c.AfterRoot != Frontier{}.Root(), c.AfterSize == c.Size && c.AfterRoot != c.Root:
		return bad("its roots contradict each other")
	}
	return c, nil
}

// RecordingSigner signs the checkpoints of recordings with the custody log's key.
// Safe for concurrent use.
type RecordingSigner struct {
	origin string
	key    []byte // algorithm byte and Ed25519 seed
	public []byte // algorithm byte and public key
}

// NewRecordingSigner returns one that signs with the custody log's signer key, as
// [GenerateKey] returns it with its verifier key.
func NewRecordingSigner(signer, verifier string) (*RecordingSigner, error) {
	secret, public := strings.SplitN(signer, "+", 5), strings.SplitN(verifier, "+", 3)
	if len(secret) != 5 || len(public) != 3 || secret[2] != public[0] {
		return nil, fmt.Errorf("checkpoint signer: %w: not a pair of keys", evidence.ErrInvalid)
	}
	s := &RecordingSigner{origin: public[0]}
	var errs [2]error
	s.key, errs[0] = base64.StdEncoding.DecodeString(secret[4])
	s.public, errs[1] = base64.StdEncoding.DecodeString(public[2])
	if errors.Join(errs[:]...) != nil {
		return nil, fmt.Errorf("checkpoint signer: %w: not a pair of keys", evidence.ErrInvalid)
	}
	probe := RecordingCheckpoint{Recording: evidence.NewID(), At: 1, AfterRoot: Frontier{}.Root(), Checkpoint: Checkpoint{Size: 1}}
	signed, err := s.SignRecording(probe)
	if err == nil {
		_, err = OpenRecordingCheckpoint(signed, verifier)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint signer: %w", err)
	}
	return s, nil
}

// SignRecording returns the signed note of a checkpoint: its Recording, Size, Root,
// At, AfterSize and AfterRoot. It takes constant time and touches no network.
func (s *RecordingSigner) SignRecording(c RecordingCheckpoint) ([]byte, error) {
	c.Origin = RecordingOrigin(s.origin, c.Recording)
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", c.Origin, keyHash(c.Origin, s.public), base64.StdEncoding.EncodeToString(s.key)))
	if err != nil {
		return nil, fmt.Errorf("checkpoint of recording %s: %w: %v", c.Recording, evidence.ErrInvalid, err)
	}
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

// CosignRecording asks a witness once to cosign a recording's checkpoint. old is the
// size that it cosigned last, as far as is known, and prove returns the proof that the
// tree of one size begins that of signed. If the witness knows of another size that is
// not larger, it is asked once more from there. It returns the cosignature's line, or
// an error as [Witness.Add] has them.
func CosignRecording(ctx context.Context, w Remote, signed []byte, size, old int64, prove func(old int64) ([]Hash, error)) (string, error) {
	for again := false; ; again = true {
		path, err := prove(old)
		if err != nil {
			return "", err
		}
		answer, err := w.Add(ctx, WitnessRequest{Old: old, Path: path, Checkpoint: Bare(signed)})
		var stale *StaleError
		switch {
		case err == nil:
			c, err := received(signed, answer, w.Cosigner())
			return c.Line, err
		case !again && errors.As(err, &stale) && stale.Size != old && stale.Size <= size:
			old = stale.Size
		default:
			return "", err
		}
	}
}
