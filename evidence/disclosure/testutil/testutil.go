// Package testutil makes sealed recordings and packages for tests: real H.264 and
// Opus, real keys, a real custody log in memory. It is imported by tests only.
package testutil

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/seal"
)

// The clips were made by ffmpeg (libx264 baseline 128x96 at 10 frames a second,
// libopus mono), three fragments of two seconds each.
var (
	//go:embed testdata/video.mp4
	videoClip []byte
	//go:embed testdata/audio.mp4
	audioClip []byte
)

// PlainKeys stands in for a keyring: it binds to the purpose and hides nothing.
type PlainKeys struct{}

// Wrap implements [seal.Wrapper].
func (PlainKeys) Wrap(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"\x00"), plain...), nil
}

// Unwrap implements [seal.Wrapper].
func (PlainKeys) Unwrap(_ context.Context, purpose string, wrapped []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(wrapped, []byte(purpose+"\x00"))
	if !ok {
		return nil, errors.New("wrapped for another purpose")
	}
	return plain, nil
}

// World is an agency: its keys and its custody log.
type World struct {
	Authority   *seal.Authority
	TrustFolder string
	TrustFile   string
	Log         *Log
	Checkpoints *custody.Checkpointer
	Agency      evidence.ID

	// Transcripts go into every package that is written; nil: none.
	Transcripts map[string][]byte

	logSigner, logVerifier string // keys of the log
}

// NewWorld makes an agency with fresh keys.
func NewWorld(t testing.TB) *World {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "seal")
	signer, verifier, err := custody.GenerateKey("custody.test.example/log1")
	check(t, err)
	check(t, seal.Init(t.Context(), dir, seal.Config{Organisation: "Test Police", Keys: PlainKeys{}, Clock: time.Now, LogKeys: []string{verifier}}))
	a, err := seal.Open(t.Context(), dir, PlainKeys{}, time.Now)
	check(t, err)
	w := &World{Authority: a, TrustFolder: a.TrustFolder(), TrustFile: seal.TrustPath(dir), Log: new(Log), Agency: evidence.NewID(), logSigner: signer, logVerifier: verifier}
	w.Checkpoints, err = custody.NewCheckpointer(w.Log, signer, verifier)
	check(t, err)
	return w
}

// Rotate makes a new seal key. What was sealed before stays as it is.
func (w *World) Rotate(t testing.TB) {
	t.Helper()
	dir := filepath.Dir(w.TrustFolder)
	_, err := seal.Rotate(t.Context(), dir, PlainKeys{}, time.Now)
	check(t, err)
	w.Authority, err = seal.Open(t.Context(), dir, PlainKeys{}, time.Now)
	check(t, err)
}

// Relog puts in the place of a package's custody excerpt that of another log
// under the same key, which says that the manifest now in the package was sealed.
func (w *World) Relog(t testing.TB, f Files, interview evidence.ID) {
	t.Helper()
	log := new(Log)
	log.Append(t, custody.Entry{Actor: evidence.System(w.Agency), Action: disclosure.EntrySealed, Interview: interview,
		Details: map[string]string{"manifest": sum(f[disclosure.RecordingFile])}})
	checkpoints, err := custody.NewCheckpointer(log, w.logSigner, w.logVerifier)
	check(t, err)
	excerpt, err := disclosure.NewExcerpt(t.Context(), log, checkpoints, interview, nil, nil)
	check(t, err)
	x := excerpt.Entries[0]
	proof, err := evidence.Canonical(disclosure.EntryProof{Position: x.Position, Path: []string{}})
	check(t, err)
	f[disclosure.CheckpointFile], f[disclosure.OpeningsFile] = excerpt.Checkpoint, nil
	f[disclosure.EntriesFile], f[disclosure.ProofsFile] = append(x.Leaf, '\n'), append(proof, '\n')
	f.Reseal(t, w)
}

// Log is a custody log in memory. It is not safe for concurrent use.
type Log struct {
	frontier    custody.Frontier
	nodes       map[int64]custody.Hash
	records     []custody.Record
	checkpoints [][]byte
}

// Append adds an entry.
func (l *Log) Append(t testing.TB, e custody.Entry) {
	t.Helper()
	leaf, openings, err := e.Leaf(evidence.At(time.Now()), l.frontier.Root())
	check(t, err)
	raw, err := leaf.Encode()
	check(t, err)
	at := tlog.StoredHashIndex(0, l.frontier.Size())
	if l.nodes == nil {
		l.nodes = map[int64]custody.Hash{}
	}
	for i, h := range l.frontier.Append(custody.LeafHash(raw)) {
		l.nodes[at+int64(i)] = h
	}
	l.records = append(l.records, custody.Record{Position: int64(len(l.records)), Leaf: leaf, Raw: raw, Openings: openings})
}

// ReadHashes implements [tlog.HashReader].
func (l *Log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		h, ok := l.nodes[x]
		if !ok {
			return nil, fmt.Errorf("no node %d", x)
		}
		out[i] = h
	}
	return out, nil
}

// Entries implements [disclosure.Log] for the filters that it uses.
func (l *Log) Entries(_ context.Context, f custody.Filter) ([]custody.Record, error) {
	var out []custody.Record
	for _, r := range l.records {
		if f.Interview != "" && r.Leaf.Interview != f.Interview || f.After != nil && r.Position <= *f.After || f.Before != nil && r.Position >= *f.Before {
			continue
		}
		if out = append(out, r); len(out) == f.Limit {
			break
		}
	}
	return out, nil
}

// ProveInclusion implements [disclosure.Log].
func (l *Log) ProveInclusion(_ context.Context, position, size int64) ([]custody.Hash, error) {
	return custody.ProveInclusion(position, size, l)
}

// LogHead implements [custody.Log].
func (l *Log) LogHead(context.Context) (custody.Head, error) {
	return custody.Head{Size: l.frontier.Size(), Root: l.frontier.Root()}, nil
}

// ProveConsistency implements [custody.Log].
func (l *Log) ProveConsistency(_ context.Context, old, size int64) ([]custody.Hash, error) {
	return custody.ProveConsistency(old, size, l)
}

// LastCheckpoint implements [custody.Log].
func (l *Log) LastCheckpoint(context.Context) ([]byte, error) {
	if len(l.checkpoints) == 0 {
		return nil, evidence.ErrNotFound
	}
	return l.checkpoints[len(l.checkpoints)-1], nil
}

// SaveCheckpoint implements [custody.Log].
func (l *Log) SaveCheckpoint(_ context.Context, _ int64, signed []byte) error {
	l.checkpoints = append(l.checkpoints, signed)
	return nil
}

// Recording is a recording with its plaintext.
type Recording struct {
	Sealed   evidence.SealedRecording
	Manifest evidence.Manifest
	Segments []evidence.Segment
	Plain    [][]byte // by position
	Cipher   [][]byte // by position
	// Checkpoints were signed while it was made; a package holds them.
	Checkpoints []string
	// Renewals were added to its seal later.
	Renewals []seal.Renewal
	// Reference opens the manifest's case reference.
	Reference evidence.Opening
	// Read counts what a clip asked for: segments, pages and nodes.
	Read int

	nodes []tlog.Hash
}

// Shape says what a recording looks like.
type Shape struct {
	Sources int // cameras with microphones
	Parts   int // each with Loops times the clip
	Loops   int
	// Spare adds an init to each track that no segment needs.
	Spare bool
	// Ledger is the text of each track's ledger, in one page behind its first line;
	// nil: no ledger, and a manifest of version 1.
	Ledger []byte
	// Inflate adds so many bytes to each sample of the media, which then is large
	// and cannot be decoded any more.
	Inflate int
	// Of names the interview that was recorded; the zero value makes one up.
	Of evidence.Interview
	// Encrypt makes the stored object of a plaintext; nil makes something that
	// nobody opens.
	Encrypt func(plain []byte) ([]byte, error)
	// Change may alter the manifest before it is sealed.
	Change func(*evidence.Manifest)
}

// Record makes a recording and seals it. Each part starts 10 s after the one
// before it ends.
func (w *World) Record(t testing.TB, shape Shape) *Recording {
	t.Helper()
	r := &Recording{}
	started := evidence.At(time.Now().Add(-time.Hour))
	commitment, reference := evidence.Commit("caseReference", "PP-2026-0815")
	r.Reference = reference
	m := evidence.Manifest{
		Type: evidence.TypeManifest, Version: 1, Recording: evidence.NewID(), Interview: evidence.NewID(), Case: evidence.NewID(), Agency: w.Agency, Room: evidence.NewID(),
		CaseReference: commitment, StartedAt: started, TimeZone: "Europe/Belgrade", Clock: evidence.Clocks{Source: "server", Uncertainty: -1},
		Sources: []evidence.ManifestSource{}, Tracks: []evidence.ManifestTrack{}, Parts: []evidence.Part{}, Events: []evidence.Event{}, Gaps: []evidence.Gap{},
		Encryption: evidence.Encryption{Scheme: "age-v1", Recipient: "age1pq1test"}, Software: "toldonce test",
	}
	if shape.Ledger != nil {
		m.Version = 2
	}
	if shape.Of.ID != "" {
		m.Interview, m.Recording, m.Case = shape.Of.ID, shape.Of.Recording, shape.Of.Case
	}
	if shape.Encrypt == nil {
		shape.Encrypt = func(plain []byte) ([]byte, error) { return append([]byte("encrypted "), plain...), nil }
	}
	tree := seal.NewTree()
	partLength := evidence.Offset(shape.Loops) * 6_000_000
	for p := range shape.Parts {
		start := evidence.Offset(p) * (partLength + 10_000_000)
		cause := "start"
		if p > 0 {
			cause = "resume"
		}
		m.Parts = append(m.Parts, evidence.Part{Number: p + 1, Start: start, End: start + partLength, Cause: cause})
	}
	for s := range shape.Sources {
		name := "close-up"
		if s > 0 {
			name = fmt.Sprintf("wide-%d", s)
		}
		src := evidence.ManifestSource{ID: evidence.NewID(), Role: strings.TrimRight(name, "-0123456789"), Name: name, SourceManifest: "none"}
		m.Sources = append(m.Sources, src)
		m.Tracks = append(m.Tracks, r.track(t, tree, &m, src, evidence.Video, shape), r.track(t, tree, &m, src, evidence.Audio, shape))
	}
	last := m.Parts[len(m.Parts)-1]
	m.StoppedAt = started + evidence.Instant(last.End)
	m.Events = append(m.Events, evidence.Event{At: 0, Instant: started, Kind: evidence.EventStart}, evidence.Event{At: last.End, Instant: m.StoppedAt, Kind: evidence.EventStop})
	m.Tree = tree.Head()
	if shape.Change != nil {
		shape.Change(&m)
	}
	w.Seal(t, r, m, tree)
	for _, action := range []string{"interview.start", "interview.stop", "interview.seal", "grant.approve"} {
		w.Log.Append(t, custody.Entry{Actor: evidence.System(w.Agency), Action: "account.sign_in"}) // of no interview
		details := map[string]string{}
		if action == disclosure.EntrySealed {
			details["manifest"] = sum(r.Sealed.Manifest)
		}
		w.Log.Append(t, custody.Entry{
			Details: details, Actor: evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: w.Agency, Role: evidence.RoleInterviewer, Address: "192.0.2.7"},
			Action: action, Case: m.Case, Interview: m.Interview, Subject: m.Interview, Why: "because of " + action, Authority: "order 17",
		})
	}
	return r
}

// Seal seals a manifest over a tree into r.
func (w *World) Seal(t testing.TB, r *Recording, m evidence.Manifest, tree *seal.Tree) {
	t.Helper()
	manifest, err := evidence.Canonical(m)
	check(t, err)
	s, err := w.Authority.Seal(t.Context(), manifest, seal.PredicateOf(m))
	check(t, err)
	r.Manifest = m
	r.Sealed = evidence.SealedRecording{
		Recording: m.Recording, Interview: m.Interview, Manifest: manifest, Statement: s.Statement, Bundle: s.Bundle,
		Pages: tree.Pages(), Status: []byte(`{}`), SealedAt: s.Time,
	}
}

func (r *Recording) track(t testing.TB, tree *seal.Tree, m *evidence.Manifest, src evidence.ManifestSource, kind evidence.TrackKind, shape Shape) evidence.ManifestTrack {
	t.Helper()
	clip, codec, scale, frames := videoClip, "avc1.42c00a", int64(90000), 20
	if kind == evidence.Audio {
		clip, codec, scale, frames = audioClip, "opus", 48000, 100
	}
	init, segments := split(t, clip)
	tr := evidence.ManifestTrack{ID: evidence.NewID(), Source: src.ID, Kind: kind, Codec: codec, Timescale: scale, Anchors: []evidence.Anchor{}}
	add := func(l evidence.Leaf, plain []byte) {
		l.Type, l.Version, l.Salt, l.Recording, l.Track = evidence.TypeLeaf, max(l.Version, 1), evidence.NewSalt(), m.Recording, tr.ID
		l.Plain = evidence.Digest{SHA256: sum(plain), Size: int64(len(plain))}
		cipher, err := shape.Encrypt(plain)
		check(t, err)
		l.Cipher = evidence.Digest{SHA256: sum(cipher), Size: int64(len(cipher))}
		pos, err := tree.Append(l)
		check(t, err)
		r.Segments = append(r.Segments, evidence.Segment{Leaf: l, Position: pos, ObjectKey: fmt.Sprint("object-", pos)})
		r.Plain, r.Cipher = append(r.Plain, plain), append(r.Cipher, cipher)
	}
	add(evidence.Leaf{Kind: evidence.LeafInit, Part: 1, DecodeTime: "0"}, init)
	decode := 0x1_8000_0000 + rand.Uint64N(1<<31) // RTP starts anywhere and is unwrapped beyond 32 bits
	for _, part := range m.Parts {
		tr.Anchors = append(tr.Anchors, evidence.Anchor{Part: part.Number, DecodeTime: fmt.Sprintf("%x", decode), At: part.Start, Uncertainty: 20_000, Method: "arrival"})
		at := part.Start
		for range shape.Loops {
			for _, s := range segments {
				length := 2 * scale
				plain := retime(t, s, decode)
				if shape.Inflate > 0 {
					plain = inflate(t, plain, shape.Inflate)
				}
				add(evidence.Leaf{
					Kind: evidence.LeafMedia, Part: part.Number, Index: tr.Segments, Start: at, End: at + 2_000_000,
					DecodeTime: fmt.Sprintf("%x", decode), Duration: length, Frames: frames, Independent: true,
				}, plain)
				tr.Segments++
				decode += uint64(length)
				at += 2_000_000
			}
		}
		decode += uint64(10 * scale)
	}
	if shape.Spare {
		add(evidence.Leaf{Kind: evidence.LeafInit, Part: len(m.Parts), Init: 1, DecodeTime: "0"}, init)
	}
	if shape.Ledger != nil {
		page, err := evidence.LedgerLine(evidence.LedgerPageLine{Kind: evidence.LedgerHeader, Type: evidence.TypeLedger, Version: 1, Recording: m.Recording, Track: tr.ID, Page: 1})
		check(t, err)
		page = append(page, shape.Ledger...)
		add(evidence.Leaf{Version: 2, Kind: evidence.LeafLedger, Part: 1, Index: 1, DecodeTime: "0", Frames: bytes.Count(shape.Ledger, []byte{'\n'}), Independent: true}, page)
		tr.Ledgers = 1
		_, sum, _, err := evidence.ParseLedgerPage(page)
		if err == nil {
			tr.Packets = evidence.Packets{Received: sum.Received, Recovered: sum.Recovered, Reordered: sum.Reordered, Lost: sum.Lost, Padding: sum.Padding}
			tr.Frames.Damaged = sum.Damaged
		}
	}
	tr.Frames.Whole = int64(tr.Segments * frames)
	return tr
}

// split cuts a clip into its init and three segments of two seconds.
func split(t testing.TB, clip []byte) (init []byte, segments [][]byte) {
	t.Helper()
	var open []byte
	for len(clip) > 0 {
		n := binary.BigEndian.Uint32(clip)
		box, kind := clip[:n], string(clip[4:8])
		clip = clip[n:]
		switch kind {
		case "ftyp", "moov":
			init = append(init, box...)
		case "moof":
			open = slices.Clone(box)
		case "mdat":
			if segments = append(segments, append(open, box...)); len(segments) == 3 {
				return init, segments
			}
		}
	}
	t.Fatal("clip has fewer than three fragments")
	return nil, nil
}

// retime returns a copy of a segment with another decode time.
func retime(t testing.TB, segment []byte, decode uint64) []byte {
	t.Helper()
	out := slices.Clone(segment)
	i := bytes.Index(out, []byte("tfdt"))
	if i < 0 || out[i+4] != 1 {
		t.Fatal("segment has no 64-bit tfdt")
	}
	binary.BigEndian.PutUint64(out[i+8:], decode)
	return out
}

func inflate(t testing.TB, segment []byte, by int) []byte {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(segment))
	check(t, err)
	old := file.Segments[0].Fragments[0]
	samples, err := old.GetFullSamples(nil)
	check(t, err)
	larger, err := mp4.CreateFragment(old.Moof.Mfhd.SequenceNumber, old.Moof.Traf.Tfhd.TrackID)
	check(t, err)
	for _, s := range samples {
		s.Data = append(slices.Clone(s.Data), make([]byte, by)...)
		s.Size = uint32(len(s.Data))
		larger.AddFullSample(s)
	}
	var out bytes.Buffer
	check(t, larger.Encode(&out))
	return out.Bytes()
}

// Plaintext returns segments from memory.
func (r *Recording) Plaintext(_ context.Context, s evidence.Segment) ([]byte, error) {
	return r.Plain[s.Position], nil
}

// Files is a package by file name, without its outer folder.
type Files map[string][]byte

// Package writes the recording's package and takes it apart. The custody
// texts of the fields named are disclosed.
func (w *World) Package(t testing.TB, r *Recording, fields ...string) Files {
	t.Helper()
	var out bytes.Buffer
	w.WritePackage(t, r, &out, fields...)
	return Untar(t, &out)
}

// WritePackage writes the recording's package as a tar.
func (w *World) WritePackage(t testing.TB, r *Recording, out io.Writer, fields ...string) disclosure.Written {
	t.Helper()
	excerpt, err := disclosure.NewExcerpt(t.Context(), w.Log, w.Checkpoints, r.Manifest.Interview, fields, nil)
	check(t, err)
	written, err := disclosure.Package{
		Export: evidence.NewID(), CreatedAt: evidence.At(time.Now()), Software: "toldonce test", Profile: disclosure.ProfileFull,
		Recording: r.Sealed, Segments: r.Segments, Plaintext: r.Plaintext, Excerpt: excerpt, Sealer: w.Authority,
		Facts: r.Facts(), Transcripts: w.Transcripts, Checkpoints: r.Checkpoints, Renewals: r.Renewals,
	}.Write(t.Context(), out)
	check(t, err)
	return written
}

// Facts are made-up facts about the recording.
func (r *Recording) Facts() disclosure.Facts {
	return disclosure.Facts{
		Exhibit: "P-17/2026", Person: "Wren", Reference: r.Reference,
		Rulings: []disclosure.Ruling{{ID: evidence.NewID(), Outcome: "edited", Decided: r.Manifest.StoppedAt, Recorded: r.Manifest.StoppedAt + 1,
			Court: "Court of Plover", Reference: "K 12/26", Exhibit: "X-9", Terms: "without the name of the school"}},
		SupplementedBy: []evidence.ID{evidence.NewID()},
		Receipts: []disclosure.Receipt{{
			Record: evidence.NewID(), Controller: r.Manifest.Agency, Interview: r.Manifest.Interview, Decision: "given",
			Purposes: []disclosure.ReceiptPurpose{{Purpose: "record", Version: 1}}, GivenBy: "guardian", Form: "written", Basis: "consent", Language: "sq", TextVersion: 1,
			GivenAt: r.Manifest.StartedAt - 60_000_000, RecordedAt: r.Manifest.StartedAt - 50_000_000,
		}},
		Salt: func(label string) string { return disclosure.ReceiptSalt([]byte("a secret of the recording"), label) },
	}
}

// WriteClip writes the package of a clip of the recording as a tar.
func (w *World) WriteClip(t testing.TB, r *Recording, asked clip.Asked, out io.Writer) disclosure.Written {
	t.Helper()
	c, err := clip.Cut(t.Context(), r.Sealed.Manifest, r.Manifest, r, asked)
	check(t, err)
	tells := func(l custody.Leaf) bool { return l.Action == disclosure.EntrySealed }
	excerpt, err := disclosure.NewExcerpt(t.Context(), w.Log, w.Checkpoints, r.Manifest.Interview, nil, tells)
	check(t, err)
	written, err := disclosure.Package{
		Export: evidence.NewID(), CreatedAt: evidence.At(time.Now()), Software: "toldonce test", Profile: disclosure.ProfileFull,
		Recording: r.Sealed, Clip: &c, Plaintext: r.Plaintext, Excerpt: excerpt, Sealer: w.Authority, Facts: r.Facts(), Transcripts: w.Transcripts,
	}.Write(t.Context(), out)
	check(t, err)
	return written
}

// Clip writes the package of a clip and takes it apart.
func (w *World) Clip(t testing.TB, r *Recording, asked clip.Asked) Files {
	t.Helper()
	var out bytes.Buffer
	w.WriteClip(t, r, asked, &out)
	return Untar(t, &out)
}

// SegmentsOfTrack implements [clip.Recording].
func (r *Recording) SegmentsOfTrack(_ context.Context, track evidence.ID, within evidence.Range) ([]evidence.Segment, error) {
	var out []evidence.Segment
	for _, s := range r.Segments {
		if s.Leaf.Track == track && s.Leaf.Kind == evidence.LeafMedia && s.Leaf.Range().Overlaps(within) {
			r.Read++
			out = append(out, s)
		}
	}
	return out, nil
}

// SegmentAt implements [clip.Recording].
func (r *Recording) SegmentAt(_ context.Context, track evidence.ID, kind evidence.LeafKind, index int) (evidence.Segment, error) {
	for _, s := range r.Segments {
		if s.Leaf.Track == track && s.Leaf.Kind == kind && (kind == evidence.LeafInit && s.Leaf.Init == index || kind == evidence.LeafMedia && s.Leaf.Index == index) {
			r.Read++
			return s, nil
		}
	}
	return evidence.Segment{}, evidence.ErrNotFound
}

// SealedPage implements [clip.Nodes].
func (r *Recording) SealedPage(_ context.Context, _ evidence.ID, page int) ([]byte, error) {
	if page >= len(r.Sealed.Pages) {
		return nil, evidence.ErrNotFound
	}
	r.Read++
	return r.Sealed.Pages[page], nil
}

// SealedNodes implements [clip.Nodes].
func (r *Recording) SealedNodes(_ context.Context, _ evidence.ID, numbers []int64) ([]tlog.Hash, error) {
	if r.nodes == nil {
		var err error
		if r.nodes, err = clip.UpperNodes(r.Sealed.Pages); err != nil {
			return nil, err
		}
	}
	out := make([]tlog.Hash, len(numbers))
	for i, n := range numbers {
		if n >= int64(len(r.nodes)) {
			return nil, evidence.ErrNotFound
		}
		out[i] = r.nodes[n]
		r.Read++
	}
	return out, nil
}

// Untar reads a package's tar.
func Untar(t testing.TB, in io.Reader) Files {
	t.Helper()
	files := Files{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		check(t, err)
		_, name, _ := strings.Cut(h.Name, "/")
		if files[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// Clone copies a package.
func (f Files) Clone() Files {
	out := Files{}
	for name, data := range f {
		out[name] = slices.Clone(data)
	}
	return out
}

// WriteTo writes the files below dir.
func (f Files) WriteTo(t testing.TB, dir string) string {
	t.Helper()
	for name, data := range f {
		file := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(file), 0o755))
		check(t, os.WriteFile(file, data, 0o644))
	}
	return dir
}

// Relist rewrites the bag's lists of files after a change, as a forger without
// keys would.
func (f Files) Relist() {
	list := func(payload bool) []byte {
		var names []string
		for name := range f {
			if strings.HasPrefix(name, "data/") == payload && name != disclosure.TagManifestFile && !strings.HasPrefix(name, disclosure.PackageSeal) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		var out strings.Builder
		for _, name := range names {
			fmt.Fprintf(&out, "%s  %s\n", sum(f[name]), name)
		}
		return []byte(out.String())
	}
	var bytes, files int
	for name, data := range f {
		if strings.HasPrefix(name, "data/") {
			bytes += len(data)
			files++
		}
	}
	lines := strings.Split(string(f[disclosure.BagInfoFile]), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Payload-Oxum: ") {
			lines[i] = fmt.Sprintf("Payload-Oxum: %d.%d", bytes, files)
		}
	}
	f[disclosure.BagInfoFile] = []byte(strings.Join(lines, "\n"))
	f[disclosure.ManifestFile] = list(true)
	f[disclosure.TagManifestFile] = list(false)
}

// Reseal relists the files and seals the package anew with the keys of w, as
// somebody who holds keys could.
func (f Files) Reseal(t testing.TB, w *World) {
	t.Helper()
	f.Relist()
	old, err := seal.ParseBundle(f[disclosure.PackageSeal+".sigstore.json"])
	check(t, err)
	predicate, err := disclosure.ParseStatement(old.Statement)
	check(t, err)
	predicate.Manifest = sum(f[disclosure.RecordingFile])
	s, err := w.Authority.SealFile(t.Context(), disclosure.TagManifestFile, f[disclosure.TagManifestFile], disclosure.PredicatePackage, predicate)
	check(t, err)
	for name, data := range disclosure.SealFiles(disclosure.PackageSeal, s) {
		f[name] = data
	}
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
