package recorder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
	"github.com/toldonce/toldonce/recorder/backfill"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/spool"
)

// claimFile is how many bytes of signed batches make a stored file.
const claimFile = 64 << 10

// account is what a source says of its own frames against what was received of
// it, with what has to survive a restart. The order of locks is sitting.mu, mu.
type account struct {
	src *source
	on  atomic.Bool // a device is enrolled: frames are compared
	// filling is held by whoever hands frames over: one run at a time.
	filling sync.Mutex

	mu           sync.Mutex // guards what follows
	book         *backfill.Account
	devices      map[claims.KeyID]evidence.Device
	keys         []claims.KeyID // those that signed something, in order
	bounds       map[bound]evidence.ID
	pending      [][]byte // signed batches that are in no stored file yet
	pendingBytes int
	files        []evidence.SourceManifestFile
	replacements []replaced
	shadows      []*shadow
	heard        time.Duration   // when the device last said something
	stopAt       evidence.Offset // of the final stop; 0 before
	over         bool            // judged for good
}

// bound names a part of a track, which is of one session.
type bound struct{ track, part int }

// shadow is a track of replacements.
type shadow struct {
	track    *track
	session  evidence.ID
	segments *media.Segmenter
	part     int
	end      evidence.Offset
}

// replaced is a replacement as it is journalled.
type replaced struct {
	Source      evidence.ID          `json:"source"`
	Session     evidence.ID          `json:"session"`
	Kind        evidence.TrackKind   `json:"kind"`
	From        int64                `json:"from"` // media times of the first and last frame
	To          int64                `json:"to"`
	Replacement evidence.Replacement `json:"replacement"`
}

// savedAccount stands in savedState.
type savedAccount struct {
	Source       evidence.ID                   `json:"source"`
	Book         json.RawMessage               `json:"book"`
	Devices      []evidence.Device             `json:"devices"`
	Keys         []string                      `json:"keys"`
	Bounds       []savedBound                  `json:"bounds"`
	Pending      [][]byte                      `json:"pending"`
	Files        []evidence.SourceManifestFile `json:"files"`
	Replacements []replaced                    `json:"replacements"`
}

type savedBound struct {
	Source  evidence.ID `json:"source"`
	Track   int         `json:"track"`
	Part    int         `json:"part"`
	Session evidence.ID `json:"session"`
}

// savedDevice is a device that may sign for a source.
type savedDevice struct {
	Source evidence.ID     `json:"source"`
	Device evidence.Device `json:"device"`
}

func newAccount(s *source) *account {
	return &account{src: s, book: backfill.New(), devices: map[claims.KeyID]evidence.Device{}, bounds: map[bound]evidence.ID{}}
}

// enrol lets a device sign for the source.
func (a *account) enrol(d evidence.Device) error {
	key, err := claims.PublicKey(d.PublicKey)
	if err != nil {
		return err
	}
	id, err := claims.IDOf(key)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.devices[id]; !known {
		a.devices[id] = d
		a.src.sitting.write(recDevice, encodeJSON(savedDevice{a.src.ev.ID, d}))
	}
	a.on.Store(true)
	return nil
}

// kept notes a frame that is in the journal. It runs on the source's goroutine.
func (a *account) kept(t *track, f media.Frame, arrival evidence.Offset) {
	if !a.on.Load() || t.session == "" {
		return
	}
	sum := sha256.Sum256(f.Data)
	a.mu.Lock()
	defer a.mu.Unlock()
	if b := (bound{t.number, t.part}); a.bounds[b] != t.session {
		a.bounds[b] = t.session
		a.src.sitting.write(recBound, encodeJSON(savedBound{a.src.ev.ID, t.number, t.part, t.session}))
	}
	a.book.Kept(t.session, t.ev.Kind, t.part, f.Time, arrival, sum)
}

// placed notes a segment of what was received live.
func (a *account) placed(t *track, seg media.Segment, start, end evidence.Offset) {
	if !a.on.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if session := a.bounds[bound{t.number, t.part}]; session != "" {
		a.book.Placed(session, t.ev.Kind, backfill.Segment{
			Part: t.part, Index: seg.Index, From: seg.Time, Until: seg.End(), Start: start, End: end, Independent: seg.Independent,
		})
	}
}

// began notes when a session was opened; -1 is before the start. The caller may
// hold sitting.mu.
func (a *account) began(session evidence.ID, at evidence.Offset) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.book.Began(session, at)
}

// ended notes that a session is over.
func (a *account) ended(session evidence.ID) {
	if !a.on.Load() || session == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.book.Ended(session)
}

// windows are the stretches of interview time in which the recording runs.
func (s *sitting) windows() []backfill.Window {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []backfill.Window
	open := false
	for _, e := range s.events {
		switch e.Kind {
		case evidence.EventStart, evidence.EventResume:
			if !open {
				out, open = append(out, backfill.Window{From: e.At}), true
			}
		case evidence.EventPause, evidence.EventStop:
			if open {
				out[len(out)-1].Until, open = max(e.At, out[len(out)-1].From+1), false
			}
		}
	}
	return out
}

// saved returns the account for the journal; the caller holds sitting.mu.
func (a *account) saved() (savedAccount, bool) {
	if !a.on.Load() {
		return savedAccount{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out := savedAccount{Source: a.src.ev.ID, Book: a.book.Save(), Pending: slices.Clone(a.pending), Files: slices.Clone(a.files), Replacements: slices.Clone(a.replacements)}
	for _, d := range a.devices {
		out.Devices = append(out.Devices, d)
	}
	for _, k := range a.keys {
		out.Keys = append(out.Keys, k.String())
	}
	for b, session := range a.bounds {
		out.Bounds = append(out.Bounds, savedBound{a.src.ev.ID, b.track, b.part, session})
	}
	return out, true
}

// sign notes that a key signed something, with mu held.
func (a *account) signedLocked(id claims.KeyID) {
	if !slices.Contains(a.keys, id) {
		a.keys = append(a.keys, id)
	}
}

// queueLocked keeps a signed batch until there are enough for a file.
func (a *account) queueLocked(b claims.Signed) {
	a.signedLocked(b.Key)
	a.pending = append(a.pending, slices.Clone(b.Bytes))
	a.pendingBytes += len(b.Bytes)
}

// flush has what is pending stored, if there is enough of it or it is the end.
func (a *account) flush(end bool) {
	a.mu.Lock()
	due := len(a.pending) > 0 && (end || a.pendingBytes >= claimFile)
	a.mu.Unlock()
	if due {
		a.src.sitting.keeper.add(sealJob{do: func(k *keeper) { a.store(k, end) }})
	}
}

// store encrypts the pending batches and hands them to the spool. It runs on the
// keeper's goroutine.
func (a *account) store(k *keeper, end bool) {
	a.mu.Lock()
	if len(a.pending) == 0 || !end && a.pendingBytes < claimFile {
		a.mu.Unlock()
		return
	}
	batches := slices.Clone(a.pending)
	number := len(a.files)
	a.mu.Unlock()
	plain := claims.File(batches)
	cipher, plainSum, cipherSum, err := k.sealer.Encrypt(plain)
	if err != nil {
		panic(fmt.Sprintf("recorder: encrypting to memory: %v", err)) // as in keep
	}
	file := evidence.SourceManifestFile{Source: a.src.ev.ID, Number: number, Batches: len(batches), Plain: plainSum, Cipher: cipherSum}
	for _, b := range batches {
		if parsed, err := claims.Parse(b); err == nil { // it was parsed before
			file.Frames += int64(len(parsed.Entries))
		}
	}
	k.put(spool.Object{
		Key: fmt.Sprintf("recordings/%s/source/%s/%s.age", k.s.iv.Recording, a.src.ev.ID, evidence.NewID()),
		Sum: cipherSum, Body: cipher, Meta: encodeJSON(objectMeta{Claims: &file}),
	})
	if k.ended {
		return // the journal still holds the batches
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files = append(a.files, file)
	a.pending = a.pending[len(batches):]
	a.pendingBytes = 0
	for _, b := range a.pending {
		a.pendingBytes += len(b)
	}
	a.src.sitting.write(recClaimFile, encodeJSON(file))
}

// conclude decides for good on every frame.
func (a *account) conclude(now time.Duration, windows []backfill.Window) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.over = true
		a.book.Judge(now, windows, true)
	}
}

// describe adds what came of the source's manifest to the recording's.
func (a *account) describe(m *evidence.ManifestSource, tracks []evidence.ManifestTrack, replacements []evidence.Replacement) []evidence.Replacement {
	m.SourceManifest = evidence.SourceManifestNone
	if !a.on.Load() {
		return replacements
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m.SourceManifest = a.book.Outcome()
	if m.SourceManifest == evidence.SourceManifestNone {
		return replacements
	}
	m.Files = slices.Clone(a.files)
	for _, id := range a.keys {
		d := a.devices[id]
		m.Keys = append(m.Keys, evidence.SourceKey{Device: d.ID, Public: hex.EncodeToString(d.PublicKey)})
	}
	for i := range tracks {
		if t := &tracks[i]; t.Source == m.ID && t.Replaces == "" {
			t.Ranges = a.book.Ranges(t.Kind)
		}
	}
	for _, r := range a.replacements {
		replacements = append(replacements, r.Replacement)
	}
	return replacements
}
