package disclosure

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Excerpt is the part of the custody log that a package carries: entries with
// proofs that they stand in the log of a signed checkpoint.
type Excerpt struct {
	Checkpoint []byte // signed note
	Entries    []ExcerptEntry
}

// ExcerptEntry is one entry of the log.
type ExcerptEntry struct {
	Position int64
	Leaf     []byte // canonical
	Path     []custody.Hash
	// Openings holds what the recipient may see; the others stay commitments.
	Openings []evidence.Opening
}

// EntryProof is a line of the proofs file: where the entry of the same line
// stands, and its audit path (RFC 6962 section 2.1.1).
type EntryProof struct {
	Position int64    `json:"position"`
	Path     []string `json:"path"` // lower-case hex
}

// EntryOpening is a line of the openings file.
type EntryOpening struct {
	Position int64  `json:"position"`
	Field    string `json:"field"`
	Salt     string `json:"salt"`
	Value    string `json:"value"`
}

// Log reads the custody log.
type Log interface {
	Entries(ctx context.Context, f custody.Filter) ([]custody.Record, error)
	ProveInclusion(ctx context.Context, position, size int64) ([]custody.Hash, error)
}

// Checkpointer signs the log as it stands. [custody.Checkpointer] is one.
type Checkpointer interface {
	Checkpoint(ctx context.Context) ([]byte, error)
	Verifier() note.Verifier
}

// maxEntries bounds an excerpt; a case that had more acts on one interview is
// cut out by hand.
const maxEntries = 100_000

// NewExcerpt collects those of an interview's entries that tells says yes to, under
// a fresh checkpoint; nil says yes to all. Texts behind commitments go along only
// for the fields named, and a network address never.
func NewExcerpt(ctx context.Context, log Log, checkpoints Checkpointer, interview evidence.ID, fields []string, tells func(custody.Leaf) bool) (Excerpt, error) {
	signed, err := checkpoints.Checkpoint(ctx)
	if err != nil {
		return Excerpt{}, err
	}
	cp, err := custody.OpenCheckpoint(signed, checkpoints.Verifier())
	if err != nil {
		return Excerpt{}, err
	}
	out := Excerpt{Checkpoint: signed}
	var after *int64
	for {
		records, err := log.Entries(ctx, custody.Filter{Interview: interview, After: after, Before: &cp.Size, Limit: 1000})
		if err != nil {
			return Excerpt{}, err
		}
		if len(records) == 0 {
			return out, nil
		}
		for _, r := range records {
			if tells != nil && !tells(r.Leaf) {
				continue
			}
			path, err := log.ProveInclusion(ctx, r.Position, cp.Size)
			if err != nil {
				return Excerpt{}, err
			}
			e := ExcerptEntry{Position: r.Position, Leaf: r.Raw, Path: path}
			for _, o := range r.Openings {
				if o.Field != custody.FieldWhere && slices.Contains(fields, o.Field) {
					e.Openings = append(e.Openings, o)
				}
			}
			out.Entries = append(out.Entries, e)
		}
		if len(out.Entries) > maxEntries {
			return Excerpt{}, fmt.Errorf("%w: more than %d custody entries", evidence.ErrInvalid, maxEntries)
		}
		last := records[len(records)-1].Position
		after = &last
	}
}

// files returns the excerpt as it lies in a package.
func (e Excerpt) files() (map[string][]byte, error) {
	var entries, proofs, openings bytes.Buffer
	for _, x := range e.Entries {
		entries.Write(x.Leaf)
		entries.WriteByte('\n')
		p := EntryProof{Position: x.Position, Path: make([]string, len(x.Path))}
		for i, h := range x.Path {
			p.Path[i] = hex.EncodeToString(h[:])
		}
		if err := writeLine(&proofs, p); err != nil {
			return nil, err
		}
		slices.SortFunc(x.Openings, func(a, b evidence.Opening) int { return bytes.Compare([]byte(a.Field), []byte(b.Field)) })
		for _, o := range x.Openings {
			if err := writeLine(&openings, EntryOpening{Position: x.Position, Field: o.Field, Salt: o.Salt, Value: o.Value}); err != nil {
				return nil, err
			}
		}
	}
	return map[string][]byte{
		EntriesFile: entries.Bytes(), ProofsFile: proofs.Bytes(), OpeningsFile: openings.Bytes(), CheckpointFile: e.Checkpoint,
	}, nil
}

func writeLine(out *bytes.Buffer, v any) error {
	line, err := evidence.Canonical(v)
	if err != nil {
		return err
	}
	out.Write(line)
	out.WriteByte('\n')
	return nil
}
