package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

// signedCount counts, for each source that accounted for its frames, the samples of
// its media, and those that hash to nothing that it signed.
type signedCount struct {
	mu       sync.Mutex
	samples  map[evidence.ID]int64
	unsigned map[evidence.ID]int64
}

// accounts reads what the sources signed of their frames: the files are the sealed
// ones, every batch is signed by a key that the manifest names, and none is missing
// between two of a session.
func (e *examination) accounts() {
	const check = "source.signatures"
	e.signed = map[evidence.ID]map[[32]byte]bool{}
	e.matched.samples, e.matched.unsigned = map[evidence.ID]int64{}, map[evidence.ID]int64{}
	batches := 0
	for _, s := range e.sources {
		if len(s.Files) == 0 {
			continue
		}
		keys := map[claims.KeyID]evidence.SourceKey{}
		for _, k := range s.Keys {
			if der, err := hex.DecodeString(k.Public); err == nil {
				keys[sha256.Sum256(der)] = k
			}
		}
		sums := map[[32]byte]bool{}
		type end struct {
			next uint32
			last [32]byte
		}
		ends := map[evidence.ID]end{}
		for _, f := range s.Files {
			name := disclosure.AccountFile(s.Name, f.Number)
			data, ok := e.small(check, name)
			if !ok {
				continue
			}
			if envelope.Sum(data) != f.Plain {
				e.add(check, seal.Fails, name, "The file is not the sealed one: its SHA-256 differs.")
				continue
			}
			list, err := claims.ParseFile(data)
			if err != nil {
				e.add(check, seal.Fails, name, "The file cannot be read: %v.", err)
				continue
			}
			for i, b := range list {
				der, _ := hex.DecodeString(keys[b.Key].Public)
				public, err := claims.PublicKey(der)
				at, known := ends[b.Session]
				switch {
				case b.Source != s.ID:
					e.add(check, seal.Fails, name, "Batch %d is of another source.", i)
				case err != nil || !b.Holds(public):
					e.add(check, seal.Fails, name, "Batch %d is signed by no key that the manifest names.", i)
				case known && (b.Sequence != at.next || b.Previous != at.last):
					e.add(check, seal.Fails, name, "Batch %d does not follow the one before it.", i)
				}
				ends[b.Session] = end{b.Sequence + 1, b.Sum}
				for _, entry := range b.Entries {
					sums[entry.Sum] = true
				}
				batches++
			}
		}
		e.signed[s.ID] = sums
	}
	if batches > 0 && e.report.Findings.Of(check) == "" {
		e.add(check, seal.Holds, disclosure.RecordingFile, "%d batches that the sources signed of their frames are the sealed ones, in order and signed by the keys that the manifest names.", batches)
	}
}

// frames hashes each sample of a segment and looks for it in what its source signed.
func (m *mediaCheck) frames(data []byte, got media) {
	signed := m.e.signed[m.file.Track.Source]
	if signed == nil || uint64(len(got.sizes)) != got.frames {
		return // not signed, or not in the form that recorders write
	}
	// The data of the only fragment is the end of the segment.
	var all int
	for _, n := range got.sizes {
		all += int(n)
	}
	if all > len(data) {
		return
	}
	rest := data[len(data)-all:]
	unsigned := int64(0)
	for _, n := range got.sizes {
		if !signed[sha256.Sum256(rest[:n])] {
			unsigned++
		}
		rest = rest[n:]
	}
	c := &m.e.matched
	c.mu.Lock()
	defer c.mu.Unlock()
	c.samples[m.file.Track.Source] += int64(len(got.sizes))
	c.unsigned[m.file.Track.Source] += unsigned
}

// signedFrames compares what the media holds with what the manifest says of it.
func (e *examination) signedFrames() {
	const check = "source.frames"
	for _, s := range e.sources {
		if e.signed[s.ID] == nil {
			continue
		}
		var allowed int64
		for _, t := range e.tracks {
			for _, r := range t.Ranges {
				if t.Source == s.ID && (r.State == evidence.FramesUnclaimed || r.State == evidence.FramesMismatched) {
					allowed += r.Frames
				}
			}
		}
		samples, unsigned := e.matched.samples[s.ID], e.matched.unsigned[s.ID]
		if unsigned > allowed {
			e.add(check, seal.Fails, disclosure.RecordingFile, "%d frames of source %s hash to nothing that it signed; the manifest says so of %d.", unsigned, s.Name, allowed)
			continue
		}
		e.add(check, seal.Holds, disclosure.RecordingFile, "%d of %d frames of source %s hash to what its device signed before they were sent.", samples-unsigned, samples, s.Name)
	}
}
