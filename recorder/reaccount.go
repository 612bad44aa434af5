package recorder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
	"github.com/toldonce/toldonce/recorder/backfill"
	"github.com/toldonce/toldonce/recorder/spool"
)

// said is what the journal holds of the accounts of sources since its last state.
type said struct {
	batches  [][]byte
	devices  []savedDevice
	bounds   []savedBound
	replaced []replaced
	files    []evidence.SourceManifestFile
	frames   map[int]int // how many frames of each track came before that state
}

// account takes a record that concerns accounts; known is false for any other.
func (f *found) account(rec spool.Record) (known bool, err error) {
	switch rec.Kind {
	case recClaims:
		f.said.batches = append(f.said.batches, slices.Clone(rec.Payload))
	case recDevice:
		err = appendJSON(&f.said.devices, rec.Payload)
	case recBound:
		err = appendJSON(&f.said.bounds, rec.Payload)
	case recReplaced:
		err = appendJSON(&f.said.replaced, rec.Payload)
	case recClaimFile:
		err = appendJSON(&f.said.files, rec.Payload)
	default:
		return false, nil
	}
	return true, err
}

func appendJSON[T any](to *[]T, data []byte) error {
	var v T
	err := json.Unmarshal(data, &v)
	if err == nil {
		*to = append(*to, v)
	}
	return err
}

// forget begins anew at a state, which holds all of it.
func (s *said) forget(frames map[int][]savedFrame) {
	*s = said{frames: map[int]int{}}
	for track, list := range frames {
		s.frames[track] = len(list)
	}
}

// restoreAccounts makes the sources' accounts again: from the last state, what
// the journal holds since, and the segments that are stored. stored are the files
// of source manifests that the database or the outbox knows.
func (s *sitting) restoreAccounts(f *found, stored []evidence.SourceManifestFile) error {
	now := s.r.now()
	for _, src := range s.allSources() {
		a := src.account
		of := func(id evidence.ID) bool { return id == src.ev.ID }
		for _, saved := range f.state.Accounts {
			if of(saved.Source) {
				book, err := backfill.Load(saved.Book, now)
				if err != nil {
					return err
				}
				a.book, a.pending, a.files, a.replacements = book, saved.Pending, saved.Files, saved.Replacements
				for _, d := range saved.Devices {
					f.said.devices = append(f.said.devices, savedDevice{saved.Source, d})
				}
				for _, k := range saved.Keys {
					var id claims.KeyID
					if n, err := hex.Decode(id[:], []byte(k)); err != nil || n != len(id) {
						return fmt.Errorf("%w: key %q of the journal", evidence.ErrInvalid, k)
					}
					a.keys = append(a.keys, id)
				}
				f.said.bounds = append(f.said.bounds, saved.Bounds...)
			}
		}
		for _, d := range f.said.devices {
			if of(d.Source) {
				if err := a.enrol(d.Device); err != nil {
					return err
				}
			}
		}
		for _, b := range f.said.bounds {
			if of(b.Source) {
				a.bounds[bound{b.Track, b.Part}] = b.Session
			}
		}
		if !a.on.Load() {
			continue
		}
		a.hear(f, now)
		for _, r := range f.said.replaced {
			if of(r.Source) {
				a.replacements = append(a.replacements, r)
			}
		}
		for _, file := range f.said.files {
			if of(file.Source) {
				a.settle(file)
			}
		}
		for _, file := range stored {
			if of(file.Source) {
				a.settle(file)
			}
		}
		for _, b := range a.pending {
			a.pendingBytes += len(b)
		}
		a.look(f)
		a.book.EndAll()
	}
	return nil
}

// hear takes the batches and the frames since the last state.
func (a *account) hear(f *found, now time.Duration) {
	for _, raw := range f.said.batches {
		b, err := claims.Parse(raw)
		if err != nil || b.Source != a.src.ev.ID || a.book.Known(b) {
			continue // it was taken before it was written, so it can be parsed
		}
		a.book.Claim(b, now, f.lastAt)
		a.queueLocked(b)
	}
	for _, t := range f.state.Tracks {
		if t.Source != a.src.ev.ID {
			continue
		}
		for i, frame := range f.frames[t.Number] {
			session := a.bounds[bound{t.Number, frame.part}]
			if i < f.said.frames[t.Number] || session == "" {
				continue
			}
			a.book.Kept(session, t.Kind, frame.part, frame.time, frame.arrival, sha256.Sum256(frame.data))
		}
	}
}

// settle notes that a file of batches is stored: they wait no longer.
func (a *account) settle(file evidence.SourceManifestFile) {
	if file.Number < len(a.files) {
		return
	}
	a.files = append(a.files, file)
	a.pending = a.pending[min(file.Batches, len(a.pending)):]
}

// look tells the account of the segments that are stored, and forgets replacements
// that were announced and never kept.
func (a *account) look(f *found) {
	ends := map[evidence.ID]int{} // media segments of each track
	positions := make([]int64, 0, len(f.segments))
	for p := range f.segments {
		positions = append(positions, p)
	}
	slices.Sort(positions)
	tracks := map[evidence.ID]savedTrack{}
	for _, t := range f.state.Tracks {
		tracks[t.ID] = t
	}
	for _, p := range positions {
		l := f.segments[p].Leaf
		t := tracks[l.Track]
		if l.Kind != evidence.LeafMedia || t.Source != a.src.ev.ID {
			continue
		}
		ends[l.Track]++
		session := a.bounds[bound{t.Number, l.Part}]
		from, err := mediaTime(l.DecodeTime)
		if t.Replaces != "" || session == "" || err != nil {
			continue
		}
		a.book.Placed(session, t.Kind, backfill.Segment{
			Part: l.Part, Index: l.Index, From: from, Until: from + l.Duration, Start: l.Start, End: l.End, Independent: l.Independent,
		})
	}
	a.replacements = slices.DeleteFunc(a.replacements, func(r replaced) bool { return r.Replacement.Last >= ends[r.Replacement.By] })
	for _, r := range a.replacements {
		a.book.Fill(r.Session, r.Kind, r.From, r.To)
	}
}
