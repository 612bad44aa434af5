package verify

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/prefix"
	"github.com/toldonce/toldonce/evidence/seal"
)

// unsealed is the content of a report on what was left of a recording that was
// never sealed.
const unsealed = "prefix"

var requiredOfPrefix = []string{"bag.form", "prefix.form", "prefix.signer", "prefix.history", "prefix.tree", "prefix.leaves"}

// WitnessedFile is the name, in a folder that is judged as a prefix, of the newest
// checkpoint that a witness holds.
const WitnessedFile = "witnessed.note"

// checkpoints compares what was signed while the recording was made with its seal.
func (e *examination) checkpoints(rec *seal.Recording) {
	const check, file = "recording.checkpoints", disclosure.CheckpointsFile
	if e.outline == nil || !slices.Contains(e.outline.Documents, file) {
		return
	}
	data, ok := e.small(check, file)
	if !ok {
		return
	}
	notes, err := disclosure.ParseCheckpoints(data)
	if err != nil || len(notes) == 0 {
		e.add(check, seal.Fails, file, "The checkpoints cannot be read.")
		return
	}
	if rec.Tree == nil {
		e.add(check, seal.CannotJudge, file, "The checkpoints cannot be compared with a tree that does not hold.")
		return
	}
	origin, _, _ := strings.Cut(string(notes[0]), "\n")
	log, _, _ := strings.Cut(origin, "/recording/")
	key, status := "", seal.Holds
	if e.trust != nil {
		if known, ok := e.trust.Log(log); ok {
			key = known.Key
		}
	}
	if key == "" && e.claimed != nil {
		if known, ok := e.claimed.Log(log); ok {
			key, status = known.Key, seal.NotTrusted
			if e.trust == nil {
				status = seal.NotGiven
			}
		}
	}
	n, err := prefix.Agrees(rec.Tree, rec.Manifest.Recording, key, notes)
	switch {
	case err != nil:
		e.add(check, seal.Fails, file, "Checkpoint %d, signed while the recording was made, contradicts the seal: %v.", n+1, err)
	case status == seal.NotTrusted:
		e.add(check, status, file, "The checkpoints agree with the seal, but are signed with a log key that the trust file does not name.")
	case status == seal.NotGiven:
		e.add(check, status, file, "The checkpoints agree with the seal, but nobody vouches for the log key that signed them, as no trust file was given.")
	default:
		e.add(check, status, file, "%d checkpoints that the log's key signed while the recording was made agree with the sealed tree.", n)
	}
}

// prefix judges what is left of a recording that was never sealed.
func (e *examination) prefix() {
	e.report.Content = unsealed
	if e.trust == nil {
		e.add("trust", seal.NotGiven, "", "No trust file was given: who signed cannot be said.")
	}
	in := prefix.Input{Trust: e.trust, NewestName: WitnessedFile}
	objects := map[string]bool{}
	for _, name := range sorted(e.files.sizes) {
		switch {
		case strings.HasPrefix(name, prefix.Folder):
			data, err := e.files.read(name)
			if err != nil {
				e.add("prefix.form", seal.Fails, name, "The file cannot be read: %v.", err)
				continue
			}
			in.Files = append(in.Files, prefix.File{Name: shown(name), Data: data})
		case name == WitnessedFile:
			in.Newest, _ = e.small("prefix.rollback", name)
		case strings.HasSuffix(name, ".age"):
			objects[name] = true
		}
	}
	p, findings := prefix.Check(in)
	e.report.Findings = append(e.report.Findings, findings...)
	if e.report.Findings.Of("bag.form") == "" {
		e.add("bag.form", seal.Holds, "", "The folder holds plain files with plain names only.")
	}
	if p == nil || p.Size == 0 {
		return
	}
	e.report.Recording = string(p.Recording)
	span := &Span{Pieces: p.Size, SignedAt: rfc3339(int64(p.At)), Witnessed: p.WitnessedSize}
	for _, l := range p.Leaves {
		span.Until = max(span.Until, int64(l.End))
	}
	e.report.Prefix = span
	e.objects(p, objects, span)
}

// objects looks for the ciphertext of each leaf among the objects.
func (e *examination) objects(p *prefix.Prefix, names map[string]bool, span *Span) {
	const check = "prefix.objects"
	var mu sync.Mutex
	byDigest := map[string]string{}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		group.Go(func() error {
			sum, err := e.hash(name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				e.add(check, seal.Fails, name, "The object cannot be read: %v.", err)
				return nil
			}
			byDigest[sum] = name
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	var lacking []int
	for i, l := range p.Leaves {
		name, ok := byDigest[l.Cipher.SHA256]
		if !ok {
			lacking = append(lacking, i)
			continue
		}
		span.Present++
		delete(names, name)
	}
	span.Uncovered = int64(len(names))
	altered := 0
	for _, i := range lacking {
		l := p.Leaves[i]
		e.missing(fmt.Sprintf("%s/#%d", l.Track, i))
		// An object that no leaf knows, of this track and of just this length.
		for _, name := range slices.Sorted(maps.Keys(names)) {
			track, _, _ := strings.Cut(name, "/")
			if track == string(l.Track) && e.files.sizes[name] == l.Cipher.Size {
				if altered++; altered <= 20 {
					e.add(check, seal.Fails, name, "It has the length of piece %d but not its SHA-256: it was changed.", i)
				}
				break
			}
		}
	}
	switch {
	case altered > 0:
	case len(lacking) > 0:
		e.add(check, seal.NotGiven, "", "The objects of %d of %d pieces are not here.", len(lacking), len(p.Leaves))
	default:
		e.add(check, seal.Holds, "", "The objects of all %d pieces are here, byte for byte.", len(p.Leaves))
	}
	if span.Uncovered > 0 && altered == 0 {
		e.add("prefix.uncovered", seal.NotGiven, "", "%d objects are here that no checkpoint covers: nothing is said of them.", span.Uncovered)
	}
}

// tellPrefix sets the sentences on a recording that was never sealed.
func (r *Report) tellPrefix(proved, not func(format string, args ...any)) {
	if p := r.Prefix; p != nil {
		until := evidence.Offset(p.Until).Duration().Round(1e6).String()
		if r.says("prefix.signer", "prefix.history", "prefix.tree", "prefix.leaves") {
			proved("By %s, as the recorder's clock had it, %d pieces reaching to %s of the recording existed as they are described here: the custody log's key signed it.", p.SignedAt, p.Pieces, until)
			proved("%d of %d pieces are here, byte for byte, as they were encrypted then.", p.Present, p.Pieces)
		}
		if p.Witnessed > 0 {
			proved("A witness outside the agency saw the first %d pieces while the recording was being made.", p.Witnessed)
		}
	}
	if r.Verdict == Failed {
		not("That this is what was recorded: at least one check fails.")
	}
	if r.Findings.Of("prefix.rollback") != seal.Holds {
		not("That nothing was recorded after the last checkpoint that is here.")
	}
	not("That the recording was ever ended or sealed: no seal, manifest or custody entry is part of this.")
	not("What the pieces show: they are encrypted, and only the recording's key opens them.")
	not("That what is said in the interview is true, or who held the camera.")
}
