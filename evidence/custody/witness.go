package custody

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
)

// MaxWitnessRequest bounds the body of an add-checkpoint request, in bytes.
const MaxWitnessRequest = 64 << 10

// WitnessRequest asks a witness to cosign a checkpoint (C2SP tlog-witness,
// add-checkpoint).
type WitnessRequest struct {
	Old        int64  // size of the last checkpoint that the witness cosigned
	Path       []Hash // consistency proof from Old to the checkpoint
	Checkpoint []byte // signed
}

// Encode returns the body of the request.
func (r WitnessRequest) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", r.Old)
	for _, h := range r.Path {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseWitnessRequest reads the body of a request, in its exact form only. It
// returns [evidence.ErrInvalid] for anything else, never panics, and is fuzzed. The
// checkpoint itself is not judged.
func ParseWitnessRequest(body []byte) (WitnessRequest, error) {
	bad := func(what string) (WitnessRequest, error) {
		return WitnessRequest{}, fmt.Errorf("add-checkpoint: %w: %s", evidence.ErrInvalid, what)
	}
	if len(body) > MaxWitnessRequest {
		return bad("too long")
	}
	head, checkpoint, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return bad("no checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	if !ok || len(lines) > 64 {
		return bad("no old size, or too long a proof")
	}
	r := WitnessRequest{Checkpoint: checkpoint, Path: make([]Hash, len(lines)-1)}
	var err error
	if r.Old, err = strconv.ParseInt(size, 10, 64); err != nil || r.Old < 0 {
		return bad("old size")
	}
	for i, line := range lines[1:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || copy(r.Path[i][:], raw) != tlog.HashSize || len(raw) != tlog.HashSize {
			return bad("proof")
		}
	}
	if !bytes.Equal(r.Encode(), body) {
		return bad("not the exact encoding")
	}
	return r, nil
}

// StaleError says that a witness saw another size of the log than the one that a
// request begins with, or another log of the same size.
type StaleError struct {
	Size int64 // of the last checkpoint that the witness cosigned
}

// Error says what the witness knows.
func (e *StaleError) Error() string {
	return fmt.Sprintf("the witness last cosigned %d entries", e.Size)
}

// Errors of a witness beside [StaleError] and [evidence.ErrInvalid].
var (
	// ErrUnknownLog says that the witness does not watch this log.
	ErrUnknownLog = errors.New("the witness does not watch this log")
	// ErrNotSigned says that the log's own signature is missing or wrong.
	ErrNotSigned = errors.New("the checkpoint is not signed by the log")
	// ErrNoExtension says that the proof does not show that the log only grew.
	ErrNoExtension = errors.New("the checkpoint does not extend what the witness cosigned")
)

// WitnessState keeps the last cosigned checkpoint of each log.
type WitnessState interface {
	// Last returns the note that was saved last for the log named origin, or an
	// error wrapping [evidence.ErrNotFound] if none ever was.
	Last(origin string) ([]byte, error)
	// Save keeps a note of that size durably before it returns nil.
	Save(origin string, size int64, signed []byte) error
}

// Witness cosigns checkpoints of the logs that it watches, and of the recordings that
// are signed with such a log's key, each only if it extends the one before. It never cosigns a smaller tree or a fork: what it cosigned last
// is on disk before its signature leaves. Safe for concurrent use; one Witness
// alone uses its state.
type Witness struct {
	name   string
	logs   map[string]string // verifier keys by origin
	signer note.Signer
	self   Cosigner
	state  WitnessState
	mu     sync.Mutex // one at a time, so that comparing and saving are one step
}

// NewWitness returns a witness that signs with signer, as [GenerateCosigner] returns
// it, and watches the logs with the given verifier keys.
func NewWitness(signer string, logs []string, state WitnessState) (*Witness, error) {
	s, err := fnote.NewSignerForCosignatureV1(signer)
	if err != nil {
		return nil, fmt.Errorf("witness key: %w: %v", evidence.ErrInvalid, err)
	}
	public, err := publicOf(signer)
	if err != nil {
		return nil, err
	}
	self, err := ParseCosigner(public)
	if err != nil {
		return nil, err
	}
	w := &Witness{name: s.Name(), logs: map[string]string{}, signer: s, self: self, state: state}
	for _, key := range logs {
		v, err := NewVerifier(key)
		if err != nil {
			return nil, err
		}
		if _, twice := w.logs[v.Name()]; twice {
			return nil, fmt.Errorf("%w: the log %s is named twice", evidence.ErrInvalid, v.Name())
		}
		w.logs[v.Name()] = key
	}
	return w, nil
}

// Cosigner returns the witness's public half.
func (w *Witness) Cosigner() Cosigner { return w.self }

// Add judges a request and returns the lines of cosignatures. The errors are
// [ErrUnknownLog], [ErrNotSigned], [ErrNoExtension], a [StaleError],
// [evidence.ErrInvalid], or what keeping the state failed with.
func (w *Witness) Add(_ context.Context, r WitnessRequest) ([]byte, error) {
	origin, _, _ := strings.Cut(string(r.Checkpoint), "\n")
	open := w.opener(origin)
	if open == nil {
		return nil, ErrUnknownLog
	}
	cp, err := open(r.Checkpoint)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotSigned, err)
	}
	if r.Old > cp.Size {
		return nil, fmt.Errorf("%w: the old size is larger than the checkpoint", evidence.ErrInvalid)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, err := w.last(origin, open)
	if err != nil {
		return nil, err
	}
	if r.Old != last.Size || cp.Size == last.Size && cp.Root != last.Root {
		return nil, &StaleError{Size: last.Size}
	}
	if err := VerifyConsistency(last, cp, r.Path); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoExtension, err)
	}
	bare := Bare(cp.Signed)
	if _, err := open(bare); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotSigned, err) // its signature is not the first
	}
	text, _, _ := bytes.Cut(bare, []byte("\n\n"))
	alone, err := note.Sign(&note.Note{Text: string(text) + "\n"}, w.signer)
	if err != nil {
		return nil, fmt.Errorf("cosigning: %w", err)
	}
	line := alone[len(text)+2:]
	if err := w.state.Save(origin, cp.Size, append(bytes.Clone(bare), line...)); err != nil {
		return nil, fmt.Errorf("keeping what was cosigned: %w", err)
	}
	return line, nil
}

// opener returns how checkpoints of an origin are opened: that of a log which is
// watched, or of a recording's tree, which is signed with such a log's key. nil: the
// witness watches no such log.
func (w *Witness) opener(origin string) func([]byte) (Checkpoint, error) {
	if key, known := w.logs[origin]; known {
		v, err := NewVerifier(key)
		if err != nil {
			return nil
		}
		return func(signed []byte) (Checkpoint, error) { return OpenCheckpoint(signed, v) }
	}
	log, _, ok := ParseRecordingOrigin(origin)
	key, known := w.logs[log]
	if !ok || !known {
		return nil
	}
	return func(signed []byte) (Checkpoint, error) {
		c, err := OpenRecordingCheckpoint(signed, key)
		return c.Checkpoint, err
	}
}

// last is what was cosigned last of a log; the empty log if nothing was.
func (w *Witness) last(origin string, open func([]byte) (Checkpoint, error)) (Checkpoint, error) {
	signed, err := w.state.Last(origin)
	if errors.Is(err, evidence.ErrNotFound) {
		return Checkpoint{Origin: origin, Root: Frontier{}.Root()}, nil
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("reading what was cosigned: %w", err)
	}
	cp, err := open(signed)
	if err == nil {
		var own []Cosignature
		if own, err = Cosignatures(signed, w.self); err == nil && len(own) != 1 {
			err = errors.New("it is not cosigned by this witness")
		}
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the state of the log %s is damaged: %v", evidence.ErrMissingState, origin, err)
	}
	return cp, nil
}

// Newest returns the checkpoint that was cosigned last for the log named origin,
// with the cosignature. The errors are [ErrUnknownLog] and, if there is none yet,
// [evidence.ErrNotFound].
func (w *Witness) Newest(origin string) ([]byte, error) {
	if w.opener(origin) == nil {
		return nil, ErrUnknownLog
	}
	return w.state.Last(origin)
}

// publicOf makes the verifier's key of a signer's key.
func publicOf(signer string) (string, error) {
	s, err := fnote.NewSignerForCosignatureV1(signer)
	if err != nil {
		return "", fmt.Errorf("witness key: %w: %v", evidence.ErrInvalid, err)
	}
	parts := strings.SplitN(signer, "+", 5) // base64 may hold a plus sign too
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 33 || seed[0] != cosignatureV1 {
		return "", fmt.Errorf("witness key: %w", evidence.ErrInvalid)
	}
	return verifierKey(s.Name(), seed[1:]), nil
}
