package verify

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/seal"
)

// custody judges the excerpt of the log: the checkpoint's signature, each
// entry, its proof, and the texts that were opened.
func (e *examination) custody() {
	files := map[string][]byte{}
	missing := false
	for _, f := range []struct{ check, name string }{
		{"custody.checkpoint", disclosure.CheckpointFile}, {"custody.entries", disclosure.EntriesFile},
		{"custody.inclusion", disclosure.ProofsFile}, {"custody.openings", disclosure.OpeningsFile},
	} {
		data, ok := e.small(f.check, f.name)
		missing = missing || !ok
		files[f.name] = data
	}
	if missing {
		return
	}
	cp, ok := e.checkpoint(files[disclosure.CheckpointFile])
	leaves := e.entries(files[disclosure.EntriesFile])
	positions := e.inclusion(files[disclosure.ProofsFile], leaves, cp, ok)
	e.openings(files[disclosure.OpeningsFile], leaves, positions)
	e.sealEntry(leaves)
	e.transcriptEntries(leaves)
}

// sealEntry asks whether the log says that this manifest was sealed. Without it,
// the key that seals would be enough to put another recording in the place of
// the one that was made; the log is signed with a key of its own.
func (e *examination) sealEntry(entries []*entry) {
	const check, file = "custody.seal", disclosure.EntriesFile
	if e.manifest == "" {
		return // reported with the recording
	}
	found := 0
	for i, x := range entries {
		if x == nil || !x.readable || x.leaf.Action != disclosure.EntrySealed {
			continue
		}
		if x.leaf.Details["manifest"] != e.manifest {
			e.add(check, seal.Fails, file, "Entry %d says that another manifest was sealed than the one in this package.", i)
			return
		}
		found++
	}
	if found == 0 {
		e.add(check, seal.Fails, file, "No entry of the log says that this recording was sealed.")
		return
	}
	e.add(check, seal.Holds, file, "The log says that exactly this manifest was sealed.")
}

func (e *examination) checkpoint(signed []byte) (custody.Checkpoint, bool) {
	const check, file = "custody.checkpoint", disclosure.CheckpointFile
	origin, _, _ := bytes.Cut(signed, []byte{'\n'})
	// Whose log is it: one that the trust file names, or only one that came along?
	var candidates []seal.Log
	if e.trust != nil {
		if log, ok := e.trust.Log(string(origin)); ok {
			candidates = append(candidates, log)
		}
	}
	trusted := len(candidates)
	if e.claimed != nil {
		if log, ok := e.claimed.Log(string(origin)); ok {
			candidates = append(candidates, log)
		}
	}
	err := errors.New("its log's key is neither trusted nor among the files")
	var cp custody.Checkpoint
	var log seal.Log
	status := seal.Holds
	for i, candidate := range candidates {
		if cp, err = custody.OpenCheckpoint(signed, candidate.Verifier); err != nil {
			continue
		}
		log = candidate
		switch {
		case i < trusted:
		case e.trust == nil:
			status = seal.NotGiven
		case e.report.Findings.Of("package.signer") == seal.Holds:
			// A trusted package with another log inside.
			status = seal.Fails
		default:
			status = seal.NotTrusted
		}
		break
	}
	if err == nil {
		if _, first := custody.OpenCheckpoint(custody.Bare(signed), log.Verifier); first != nil || bytes.Count(signed, []byte("\n")) > 4+1+custody.MaxCosignatures {
			err = errors.New("its first signature is not the log's, or it carries too many")
		}
	}
	if err != nil {
		e.add(check, seal.Fails, file, "The log's signed checkpoint does not verify: %v.", err)
		return custody.Checkpoint{}, false
	}
	switch status {
	case seal.Holds:
		e.add(check, status, file, "The log %s signed its state with %d entries.", shown(log.Origin), cp.Size)
	case seal.Fails:
		e.add(check, status, file, "The checkpoint is signed by a log key that the trust file does not name.")
	case seal.NotTrusted:
		e.add(check, status, file, "The log's key is not in the trust file.")
	default:
		e.add(check, status, file, "The checkpoint is signed by a log that nobody vouches for, as no trust file was given.")
	}
	e.witnesses(signed)
	return cp, true
}

// witnesses judges the cosignatures under a checkpoint by the witnesses that the
// trust file names.
func (e *examination) witnesses(signed []byte) {
	const check, file = "custody.witness", disclosure.CheckpointFile
	var trusted []custody.Cosigner
	if e.trust != nil {
		trusted = e.trust.Witnesses
	}
	good, err := custody.Cosignatures(signed, trusted...)
	if err != nil {
		e.add(check, seal.Fails, file, "A witness that the trust file names did not sign this checkpoint, though it says so.")
		return
	}
	for _, c := range good {
		e.add(check, seal.Holds, file, "The witness %s saw the log with these entries at %s, and that it only grew until then.", shown(c.Witness), c.At.Format(time.RFC3339))
	}
	cosigned := len(good) > 0
	for _, name := range custody.SignedBy(signed)[1:] {
		own := slices.IndexFunc(good, func(c custody.Cosignature) bool { return c.Witness == name })
		switch {
		case own >= 0:
			good = slices.Delete(good, own, own+1) // a second one in its name is none of its
		case slices.ContainsFunc(trusted, func(w custody.Cosigner) bool { return w.Name == name }):
			e.add(check, seal.Fails, file, "The cosignature in the name of %s is by another key than the one that the trust file names.", shown(name))
		default:
			e.add(check, seal.NotGiven, file, "%s cosigned it, whom the trust file does not name as a witness.", shown(name))
		}
	}
	if len(trusted) > 0 && !cosigned {
		e.add(check, seal.NotGiven, file, "None of the witnesses that the trust file names has cosigned this checkpoint: it rests on the log's key alone.")
	}
}

// entries reads the leaves of the excerpt; those that cannot be read are nil.
func (e *examination) entries(data []byte) []*entry {
	const check, file = "custody.entries", disclosure.EntriesFile
	lines, err := splitLines(data)
	if err != nil {
		e.add(check, seal.Fails, file, "The file %v.", err)
		return nil
	}
	out := make([]*entry, len(lines))
	bad := 0
	for i, line := range lines {
		l, err := custody.ParseLeaf(line)
		switch {
		case errors.Is(err, evidence.ErrUnknownFormat):
			e.add(check, seal.CannotJudge, file, "Entry %d is of another type or version: %v.", i, err)
			bad++
		case err != nil:
			e.add(check, seal.Fails, file, "Entry %d cannot be accepted: %v.", i, err)
			bad++
		case e.subject != nil && l.Interview != e.subject.interview:
			e.add(check, seal.Fails, file, "Entry %d is about another interview.", i)
			bad++
		}
		out[i] = &entry{raw: line, leaf: l, readable: err == nil}
		if bad == 20 {
			return out
		}
	}
	if bad == 0 {
		e.add(check, seal.Holds, file, "%d entries of the custody log are about this interview.", len(lines))
	}
	return out
}

type entry struct {
	raw      []byte
	leaf     custody.Leaf
	readable bool
}

// inclusion checks the proofs and returns the position of each entry.
func (e *examination) inclusion(data []byte, entries []*entry, cp custody.Checkpoint, signed bool) map[int64]*entry {
	const check, file = "custody.inclusion", disclosure.ProofsFile
	lines, err := splitLines(data)
	if err != nil {
		e.add(check, seal.Fails, file, "The file %v.", err)
		return nil
	}
	if len(lines) != len(entries) {
		e.add(check, seal.Fails, file, "There are %d proofs for %d entries.", len(lines), len(entries))
		return nil
	}
	positions := map[int64]*entry{}
	last, bad := int64(-1), 0
	for i, line := range lines {
		var p disclosure.EntryProof
		if err := evidence.DecodeCanonical(line, &p); err != nil || p.Path == nil || len(p.Path) > 63 {
			e.add(check, seal.Fails, file, "Proof %d is malformed.", i)
			return positions
		}
		if p.Position <= last {
			e.add(check, seal.Fails, file, "Proof %d is out of order.", i)
			return positions
		}
		last = p.Position
		positions[p.Position] = entries[i]
		path, err := parsePath(p.Path)
		if err == nil && signed {
			err = custody.VerifyInclusion(entries[i].raw, p.Position, path, cp)
		}
		if err != nil {
			e.add(check, seal.Fails, file, "Entry %d is not in the log at position %d: it was changed, or its proof was.", i, p.Position)
			if bad++; bad == 20 {
				return positions
			}
		}
	}
	switch {
	case bad > 0:
	case !signed:
		e.add(check, seal.CannotJudge, file, "The proofs lead to a checkpoint that does not verify.")
	default:
		e.add(check, seal.Holds, file, "Each of the %d entries stands in the log that the checkpoint signs.", len(lines))
	}
	return positions
}

func parsePath(path []string) ([]custody.Hash, error) {
	out := make([]custody.Hash, len(path))
	for i, text := range path {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != tlog.HashSize || hex.EncodeToString(raw) != text {
			return nil, fmt.Errorf("%w: not a hash", evidence.ErrInvalid)
		}
		copy(out[i][:], raw)
	}
	return out, nil
}

// openings checks the texts that were disclosed against their commitments.
func (e *examination) openings(data []byte, entries []*entry, at map[int64]*entry) {
	const check, file = "custody.openings", disclosure.OpeningsFile
	lines, err := splitLines(data)
	if err != nil {
		e.add(check, seal.Fails, file, "The file %v.", err)
		return
	}
	type place struct {
		position int64
		field    string
	}
	opened := map[place]bool{}
	for i, line := range lines {
		var o disclosure.EntryOpening
		if err := evidence.DecodeCanonical(line, &o); err != nil {
			e.add(check, seal.Fails, file, "Opening %d is malformed.", i)
			return
		}
		where := place{o.Position, o.Field}
		x := at[o.Position]
		if x == nil || !x.readable || opened[where] {
			e.add(check, seal.Fails, file, "Opening %d belongs to no entry of the excerpt, or is there twice.", i)
			return
		}
		opened[where] = true
		opening := evidence.Opening{Field: o.Field, Salt: o.Salt, Value: o.Value}
		if c := x.leaf.Commitment(o.Field); c == "" || !opening.Opens(c) {
			e.add(check, seal.Fails, file, "The text given for %q of entry %d is not the one that was committed to.", shown(o.Field), o.Position)
			return
		}
	}
	withheld := 0
	for _, x := range entries {
		if x == nil || !x.readable {
			continue
		}
		for _, field := range []string{custody.FieldWhere, custody.FieldWhy, custody.FieldAuthority} {
			if x.leaf.Commitment(field) != "" {
				withheld++
			}
		}
	}
	withheld -= len(opened)
	e.add(check, seal.Holds, file, "%d texts are given, and each is the one that was committed to; %d more are withheld or erased, which breaks no proof.", len(opened), withheld)
}

// splitLines demands a line end after each line and no empty line.
func splitLines(data []byte) ([][]byte, error) {
	if len(data) == 0 {
		return nil, nil
	}
	lines := bytes.SplitN(data, []byte{'\n'}, maxFiles+2)
	if len(lines) > maxFiles+1 {
		return nil, fmt.Errorf("has more than %d lines", maxFiles)
	}
	last := len(lines) - 1
	if len(lines[last]) > 0 {
		return nil, errors.New("does not end with a line end")
	}
	for _, l := range lines[:last] {
		if len(l) == 0 || len(l) > 1<<20 {
			return nil, errors.New("has an empty or endless line")
		}
	}
	return lines[:last], nil
}
