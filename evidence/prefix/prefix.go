// Package prefix proves what was recorded of a recording that was never sealed, from
// what was pushed off its recorder: signed checkpoints of its tree with the leaves that
// each adds, and the encrypted objects. FORMAT.md of package evidence specifies both.
package prefix

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
)

const (
	// Folder holds a recording's checkpoints, beside its tracks.
	Folder = "checkpoints/"
	// Extension ends the name of a checkpoint's file.
	Extension = ".ckpt"
	// MaxFile bounds such a file, in bytes.
	MaxFile = 64 << 20
)

// Root is the folder of a recording in the object store.
func Root(recording evidence.ID) string { return "recordings/" + string(recording) + "/" }

// Key names a checkpoint's file in the object store. It holds the content's hash,
// because two may be written of one size, around a crash.
func Key(recording evidence.ID, from, size int64, file []byte) string {
	sum := sha256.Sum256(file)
	return fmt.Sprintf("%s%s%08d-%08d-%s%s", Root(recording), Folder, from, size, hex.EncodeToString(sum[:8]), Extension)
}

// Encode returns a checkpoint's file: the leaves that it adds, one a line, an empty
// line, and the signed note.
func Encode(lines, signed []byte) []byte {
	return append(append(slices.Clip(bytes.Clone(lines)), '\n'), signed...)
}

// Parse takes a checkpoint's file apart, in its exact form only. It returns an error
// wrapping [evidence.ErrInvalid] for anything else and judges no signature.
func Parse(file []byte) (leaves [][]byte, c custody.RecordingCheckpoint, err error) {
	bad := func(what string) ([][]byte, custody.RecordingCheckpoint, error) {
		return nil, custody.RecordingCheckpoint{}, fmt.Errorf("checkpoint file: %w: %s", evidence.ErrInvalid, what)
	}
	if len(file) > MaxFile {
		return bad("too long")
	}
	var signed []byte
	if len(file) > 0 && file[0] == '\n' {
		signed = file[1:]
	} else {
		lines, rest, ok := bytes.Cut(file, []byte("\n\n"))
		if !ok {
			return bad("no empty line behind the leaves")
		}
		leaves, signed = bytes.Split(lines, []byte("\n")), rest
	}
	if c, err = custody.ReadRecordingCheckpoint(signed); err != nil {
		return nil, c, err
	}
	if int64(len(leaves)) > c.Size {
		return bad("it adds more leaves than its tree has")
	}
	return leaves, c, nil
}

// File is a checkpoint's file as it was found.
type File struct {
	Name string
	Data []byte
}

// Input is what was found of one recording.
type Input struct {
	Files []File
	// Newest is the newest checkpoint that a witness holds, a signed note with its
	// cosignature; nil if nobody was asked. NewestName names it in findings.
	Newest     []byte
	NewestName string
	// Trust is what the verifier was given from outside; nil if nothing was.
	Trust *seal.Trust
}

// Prefix is what its checkpoints prove of a recording.
type Prefix struct {
	Recording evidence.ID
	Log       string // origin of the custody log whose key signed
	// Size leaves are covered by the newest checkpoint that holds; it was signed at
	// At, by the recorder's clock.
	Size   int64
	At     evidence.Instant
	Leaves []evidence.Leaf
	// Witnessed are the cosignatures, by trusted witnesses, under the newest
	// checkpoint that has any, and WitnessedSize how many leaves that one covers.
	Witnessed     []custody.Cosignature
	WitnessedSize int64
}

// Checks of [Check], in the order in which they are made.
const (
	checkForm     = "prefix.form"
	checkSigner   = "prefix.signer"
	checkHistory  = "prefix.history"
	checkTree     = "prefix.tree"
	checkLeaves   = "prefix.leaves"
	checkWitness  = "prefix.witness"
	checkRollback = "prefix.rollback"
)

type found struct {
	name   string
	leaves [][]byte
	custody.RecordingCheckpoint
}

// Check judges the checkpoints that were found of one recording. The objects are the
// caller's to compare with the leaves. It returns nil with the findings if there is
// nothing to go on with. Hostile bytes yield findings, never a panic. Safe for
// concurrent use.
func Check(in Input) (*Prefix, seal.Findings) {
	var out seal.Findings
	list := read(in.Files, &out)
	if len(list) == 0 {
		if out.Of(checkForm) == "" {
			out.Add(checkForm, seal.Fails, "", "No checkpoint of the recording is here.")
		}
		return nil, out
	}
	first := list[0]
	log, _, _ := custody.ParseRecordingOrigin(first.Origin)
	p := &Prefix{Recording: first.Recording, Log: log}
	for _, c := range list {
		if c.Origin != first.Origin {
			out.Add(checkForm, seal.Fails, c.name, "The checkpoint is of another recording, or of another log.")
			return nil, out
		}
	}
	if out.Of(checkForm) == "" {
		out.Add(checkForm, seal.Holds, Folder, "%d checkpoints of one recording are in their exact form.", len(list))
	}
	list = p.signed(in.Trust, log, list, &out)
	if len(list) == 0 {
		return nil, out
	}
	history(list, &out)
	tree := p.grow(list, &out)
	if tree == nil {
		return p, out
	}
	p.read(&out, tree)
	p.witnesses(in, list, tree, &out)
	return p, out
}

// read parses the files, in order of size.
func read(files []File, out *seal.Findings) []found {
	var list []found
	bad := 0
	for _, f := range files {
		leaves, c, err := Parse(f.Data)
		if err != nil {
			if bad++; bad <= 20 {
				out.Add(checkForm, seal.Fails, f.Name, "The checkpoint cannot be read: %v.", err)
			}
			continue
		}
		list = append(list, found{f.Name, leaves, c})
	}
	slices.SortStableFunc(list, func(a, b found) int {
		if a.Size != b.Size {
			return int(max(-1, min(1, a.Size-b.Size)))
		}
		return len(b.leaves) - len(a.leaves) // those with leaves first
	})
	return list
}

// signed leaves out what is not signed by the log.
func (p *Prefix) signed(trust *seal.Trust, log string, list []found, out *seal.Findings) []found {
	if trust == nil {
		out.Add(checkSigner, seal.NotGiven, Folder, "No trust file was given: who signed the checkpoints cannot be said, and their signatures were not checked.")
		return list
	}
	known, ok := trust.Log(log)
	if !ok {
		out.Add(checkSigner, seal.NotTrusted, Folder, "The checkpoints name a log that the trust file does not: their signatures cannot be checked.")
		return list
	}
	bad := 0
	good := list[:0:0]
	for _, c := range list {
		if _, err := custody.OpenRecordingCheckpoint(c.Signed, known.Key); err != nil {
			if bad++; bad <= 20 {
				out.Add(checkSigner, seal.Fails, c.name, "The checkpoint is not signed with the log's key.")
			}
			continue
		}
		good = append(good, c)
	}
	if bad == 0 {
		out.Add(checkSigner, seal.Holds, Folder, "Every checkpoint is signed with the key of the log %q of %q, which the trust file names.", log, trust.Organisation)
	}
	return good
}

// history asks whether the signed texts tell one history: of one size there is one
// root, and each follows another that is here, or is the first.
func history(list []found, out *seal.Findings) {
	roots := map[int64]custody.Hash{0: sha256.Sum256(nil)}
	bad := 0
	for _, c := range list {
		for _, said := range []struct {
			size int64
			root custody.Hash
		}{{c.AfterSize, c.AfterRoot}, {c.Size, c.Root}} {
			if root, ok := roots[said.size]; ok && root != said.root {
				if bad++; bad <= 20 {
					out.Add(checkHistory, seal.Fails, c.name, "The log signed two histories of this recording: of its first %d pieces this checkpoint says something else than another one.", said.size)
				}
				continue
			}
			roots[said.size] = said.root
		}
	}
	for i := 1; i < len(list); i++ {
		if list[i].At < list[i-1].At {
			if bad++; bad <= 20 {
				out.Add(checkHistory, seal.Fails, list[i].name, "A larger checkpoint was signed before a smaller one.")
			}
		}
	}
	if bad == 0 {
		out.Add(checkHistory, seal.Holds, Folder, "The checkpoints tell one history, each an extension of those before.")
	}
}

// grow builds the tree from the leaves and compares it with each checkpoint. It
// returns the tree of the largest one that holds, nil if none does.
func (p *Prefix) grow(list []found, out *seal.Findings) *seal.Tree {
	tree := seal.NewTree()
	texts := [][]byte{}
	good := int64(0)
	bad := 0
	fail := func(name, format string, args ...any) {
		if bad++; bad <= 20 {
			out.Add(checkTree, seal.Fails, name, format, args...)
		}
	}
	for _, c := range list {
		from := c.Size - int64(len(c.leaves))
		if from > tree.Size() {
			fail(c.name, "The leaves before number %d are missing: a checkpoint was removed.", from)
			break
		}
		clash := false
		for i, leaf := range c.leaves {
			at := from + int64(i)
			if at < tree.Size() {
				clash = clash || !bytes.Equal(texts[at], leaf)
				continue
			}
			if _, err := tree.AppendText(leaf); err != nil {
				fail(c.name, "The tree cannot be built: %v.", err)
				return nil
			}
			texts = append(texts, leaf)
		}
		root, err := tree.RootAt(c.Size)
		switch {
		case clash:
			fail(c.name, "It holds another leaf than a checkpoint before it, at the same position.")
		case err != nil:
			fail(c.name, "The leaves up to number %d are missing.", c.Size)
		case root != c.Root:
			fail(c.name, "The leaves do not hash to the signed root: one was changed, swapped or replaced.")
		default:
			if bad == 0 {
				good, p.At = c.Size, c.At
			}
		}
	}
	if bad == 0 {
		out.Add(checkTree, seal.Holds, Folder, "The %d leaves hash to the root that was signed last.", good)
	}
	if good == 0 {
		return nil
	}
	p.Size = good
	whole := seal.NewTree()
	for _, text := range texts[:good] {
		if _, err := whole.AppendText(text); err != nil {
			return nil
		}
	}
	return whole
}

// read decodes the leaves that hold.
func (p *Prefix) read(out *seal.Findings, tree *seal.Tree) {
	bad := 0
	for i, text := range bytes.Split(bytes.TrimSuffix(tree.Lines(0), []byte("\n")), []byte("\n")) {
		leaf, err := seal.ParseLeaf(text)
		if err == nil && leaf.Recording != p.Recording {
			err = fmt.Errorf("%w: it is of another recording", evidence.ErrInvalid)
		}
		if err != nil {
			status := seal.Fails
			if errors.Is(err, evidence.ErrUnknownFormat) {
				status = seal.CannotJudge
			}
			leaf = evidence.Leaf{}
			if bad++; bad <= 20 {
				out.Add(checkLeaves, status, Folder, "Leaf %d cannot be accepted: %v.", i, err)
			}
		}
		p.Leaves = append(p.Leaves, leaf)
	}
	if bad == 0 {
		out.Add(checkLeaves, seal.Holds, Folder, "All %d leaves can be read and are of this recording.", len(p.Leaves))
	}
}

// witnesses judges cosignatures, and whether a witness saw more than is here.
func (p *Prefix) witnesses(in Input, list []found, tree *seal.Tree, out *seal.Findings) {
	var trusted []custody.Cosigner
	if in.Trust != nil {
		trusted = in.Trust.Witnesses
	}
	notes := make([]found, 0, len(list)+1)
	notes = append(notes, list...)
	if in.Newest != nil {
		c, err := custody.ReadRecordingCheckpoint(in.Newest)
		if log, known := trustedLog(in.Trust, p.Log); err == nil && known {
			c, err = custody.OpenRecordingCheckpoint(in.Newest, log)
		}
		if err != nil || c.Recording != p.Recording {
			out.Add(checkRollback, seal.Fails, in.NewestName, "What was given as the witness's checkpoint is none of this recording and log.")
			return
		}
		notes = append(notes, found{name: in.NewestName, RecordingCheckpoint: c})
	}
	for _, c := range notes {
		good, err := custody.Cosignatures(c.Signed, trusted...)
		named := custody.SignedBy(c.Signed)
		named = named[min(1, len(named)):] // the first is the log's own
		foreign := slices.ContainsFunc(trusted, func(w custody.Cosigner) bool {
			return slices.Contains(named, w.Name) && !slices.ContainsFunc(good, func(s custody.Cosignature) bool { return s.Witness == w.Name })
		})
		switch {
		case err != nil || foreign:
			out.Add(checkWitness, seal.Fails, c.name, "A witness that the trust file names did not sign this checkpoint, though it says so.")
		case len(good) > 0 && c.Size >= p.WitnessedSize && c.Size <= p.Size:
			p.Witnessed, p.WitnessedSize = good, c.Size
		}
	}
	for _, c := range p.Witnessed {
		out.Add(checkWitness, seal.Holds, Folder, "The witness %s saw the first %d pieces at %s, and that the recording only grew until then.", c.Witness, p.WitnessedSize, c.At.Format(time.RFC3339))
	}
	if len(trusted) > 0 && len(p.Witnessed) == 0 && out.Of(checkWitness) == "" {
		out.Add(checkWitness, seal.NotGiven, Folder, "None of the witnesses that the trust file names has cosigned a checkpoint that is here.")
	}
	if in.Newest == nil {
		out.Add(checkRollback, seal.NotGiven, Folder, "No witness's newest checkpoint was given: whether a later one was removed cannot be said.")
		return
	}
	newest := notes[len(notes)-1]
	root, err := tree.RootAt(newest.Size)
	switch {
	case err != nil:
		out.Add(checkRollback, seal.Fails, in.NewestName, "A checkpoint of %d pieces was signed; only %d are covered here: what came later was removed.", newest.Size, p.Size)
	case root != newest.Root:
		out.Add(checkRollback, seal.Fails, in.NewestName, "What the witness saw of the first %d pieces is another history than the one here.", newest.Size)
	default:
		out.Add(checkRollback, seal.Holds, in.NewestName, "The newest checkpoint that was given, of %d pieces, is part of what is here.", newest.Size)
	}
}

func trustedLog(trust *seal.Trust, origin string) (string, bool) {
	if trust == nil {
		return "", false
	}
	log, ok := trust.Log(origin)
	return log.Key, ok
}

// Agrees compares the checkpoints that were signed while a recording was made with
// its sealed tree. logKey is the verifier key of the log that signed them. It
// returns how many agree, or an error that names the first that does not.
func Agrees(tree *seal.Tree, recording evidence.ID, logKey string, notes [][]byte) (int, error) {
	for i, signed := range notes {
		c, err := custody.OpenRecordingCheckpoint(signed, logKey)
		if err != nil {
			return i, err
		}
		if c.Recording != recording {
			return i, fmt.Errorf("checkpoint %d: %w: it is of another recording", i, evidence.ErrInvalid)
		}
		for size, root := range map[int64]tlog.Hash{c.Size: c.Root, c.AfterSize: c.AfterRoot} {
			if got, err := tree.RootAt(size); err != nil || got != root {
				return i, fmt.Errorf("checkpoint %d: %w: of the first %d pieces it says something else than the seal", i, evidence.ErrInvalid, size)
			}
		}
	}
	return len(notes), nil
}

// Is reports whether a folder's file names are those of a recording in the object
// store, and not of a package.
func Is(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, Folder) && strings.HasSuffix(n, Extension) })
}
