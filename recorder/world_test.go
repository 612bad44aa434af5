package recorder

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
	around "github.com/toldonce/toldonce/internal/world"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/publish"
	"github.com/toldonce/toldonce/storage/db"
	"github.com/toldonce/toldonce/storage/keys"
)

// memoryStore is the database in memory, with a switch that makes it fail.
type memoryStore struct {
	mu           sync.Mutex
	down         bool
	interviews   map[evidence.ID]evidence.Interview
	sources      []evidence.Source
	tracks       []evidence.Track
	segments     map[int64]evidence.Segment
	keys         map[evidence.ID][]byte
	recipients   map[evidence.ID]string
	sealed       map[evidence.ID]evidence.SealedRecording
	entries      []custody.Entry
	devices      []evidence.Device
	tokenDevices map[evidence.ID]evidence.ID // source to the device that asked for its token
	manifests    []evidence.StoredSourceManifest
	events       []custody.Event
	changed      chan struct{}
	lease        evidence.Lease
	torn         bool // the next start is committed, or not, and then the store is down
	untorn       bool // it is not
	// checkpoints are signed notes by size.
	checkpoints map[int64]string
}

func newMemoryStore() *memoryStore {
	return &memoryStore{
		tokenDevices: map[evidence.ID]evidence.ID{},
		interviews:   map[evidence.ID]evidence.Interview{}, segments: map[int64]evidence.Segment{}, keys: map[evidence.ID][]byte{},
		recipients: map[evidence.ID]string{}, checkpoints: map[int64]string{}, sealed: map[evidence.ID]evidence.SealedRecording{}, changed: make(chan struct{}),
	}
}

func (m *memoryStore) lock() (func(), error) {
	m.mu.Lock()
	if m.down {
		m.mu.Unlock()
		return nil, fmt.Errorf("%w: switched off by the test", evidence.ErrUnavailable)
	}
	return m.mu.Unlock, nil
}

func (m *memoryStore) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *memoryStore) Interview(_ context.Context, id evidence.ID) (evidence.Interview, error) {
	unlock, err := m.lock()
	if err != nil {
		return evidence.Interview{}, err
	}
	defer unlock()
	iv, ok := m.interviews[id]
	if !ok {
		return iv, evidence.ErrNotFound
	}
	return iv, nil
}

func (m *memoryStore) AcquireLease(_ context.Context, interview, node evidence.ID, ttl time.Duration) (evidence.Lease, error) {
	unlock, err := m.lock()
	if err != nil {
		return evidence.Lease{}, err
	}
	defer unlock()
	now := evidence.At(time.Now())
	if m.lease.Node != node && m.lease.Until > now {
		return evidence.Lease{}, evidence.ErrConflict
	}
	m.lease = evidence.Lease{Interview: interview, Node: node, Epoch: m.lease.Epoch + 1, Until: now + evidence.Instant(ttl.Microseconds())}
	return m.lease, nil
}

func (m *memoryStore) RenewLease(_ context.Context, l evidence.Lease, ttl time.Duration) (evidence.Lease, error) {
	unlock, err := m.lock()
	if err != nil {
		return l, err
	}
	defer unlock()
	if m.lease.Epoch != l.Epoch {
		return l, evidence.ErrConflict
	}
	m.lease.Until = evidence.At(time.Now()) + evidence.Instant(ttl.Microseconds())
	return m.lease, nil
}

func (m *memoryStore) ReleaseLease(_ context.Context, l evidence.Lease) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if m.lease.Epoch == l.Epoch {
		m.lease.Until = 0
	}
	return nil
}

func (m *memoryStore) Transition(_ context.Context, id evidence.ID, from []evidence.State, to evidence.State, at evidence.Instant, e custody.Entry) (iv evidence.Interview, err error) {
	unlock, err := m.lock()
	if err != nil {
		return evidence.Interview{}, err
	}
	defer unlock()
	iv = m.interviews[id]
	if m.torn {
		m.torn, m.down = false, true
		if m.untorn {
			return iv, evidence.ErrUnknownState
		}
		defer func() { iv, err = evidence.Interview{}, evidence.ErrUnknownState }()
	}
	if !slices.Contains(from, iv.State) {
		return iv, fmt.Errorf("%w: it is %s", evidence.ErrConflict, iv.State)
	}
	iv.State = to
	switch {
	case to == evidence.StateRecording && iv.StartedAt == 0:
		iv.StartedAt = at
	case to == evidence.StateStopping && iv.StoppedAt == 0:
		iv.StoppedAt = at
	}
	m.interviews[id] = iv
	m.entries = append(m.entries, e)
	return iv, nil
}

func (m *memoryStore) AppendEntry(_ context.Context, e custody.Entry) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	m.entries = append(m.entries, e)
	return nil
}

func (m *memoryStore) SaveSource(_ context.Context, s evidence.Source, e custody.Entry) (evidence.Source, error) {
	unlock, err := m.lock()
	if err != nil {
		return s, err
	}
	defer unlock()
	s.Name = string(s.Role)
	for n := 2; slices.ContainsFunc(m.sources, func(o evidence.Source) bool { return o.Name == s.Name }); n++ {
		s.Name = fmt.Sprintf("%s-%d", s.Role, n)
	}
	m.sources = append(m.sources, s)
	m.entries = append(m.entries, e)
	return s, nil
}

func (m *memoryStore) ReplaceSourceToken(_ context.Context, id, device evidence.ID, hash []byte, e custody.Entry) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for i := range m.sources {
		if m.sources[i].ID == id {
			m.sources[i].TokenHash, m.tokenDevices[id] = hash, device
			m.entries = append(m.entries, e)
			return nil
		}
	}
	return evidence.ErrNotFound
}

func (m *memoryStore) SourceByToken(_ context.Context, hash []byte) (evidence.Source, error) {
	unlock, err := m.lock()
	if err != nil {
		return evidence.Source{}, err
	}
	defer unlock()
	for _, s := range m.sources {
		if bytes.Equal(s.TokenHash, hash) {
			return s, nil
		}
	}
	return evidence.Source{}, evidence.ErrNotFound
}

func (m *memoryStore) Sources(_ context.Context, interview evidence.ID) ([]evidence.Source, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.Clone(m.sources), nil
}

func (m *memoryStore) SaveTrack(_ context.Context, t evidence.Track) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, o := range m.tracks {
		if o.ID == t.ID {
			if o != t {
				return evidence.ErrConflict
			}
			return nil
		}
	}
	m.tracks = append(m.tracks, t)
	return nil
}

func (m *memoryStore) Tracks(context.Context, evidence.ID) ([]evidence.Track, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.Clone(m.tracks), nil
}

func (m *memoryStore) SaveSegments(_ context.Context, _ evidence.ID, segments []evidence.Segment) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, s := range segments {
		if !slices.ContainsFunc(m.tracks, func(t evidence.Track) bool { return t.ID == s.Leaf.Track }) {
			return fmt.Errorf("%w: no such track", evidence.ErrInvalid)
		}
		if old, ok := m.segments[s.Position]; ok && old != s {
			return evidence.ErrConflict
		}
		m.segments[s.Position] = s
	}
	return nil
}

func (m *memoryStore) Segments(context.Context, evidence.ID) ([]evidence.Segment, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var out []evidence.Segment
	for _, s := range m.segments {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b evidence.Segment) int { return int(a.Position - b.Position) })
	return out, nil
}

func (m *memoryStore) SaveDevice(_ context.Context, d evidence.Device, e custody.Entry) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	m.devices, m.entries = append(m.devices, d), append(m.entries, e)
	return nil
}

// revokeDevices does what revoking each device does in the database.
func (m *memoryStore) revokeDevices() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.devices {
		m.devices[i].RevokedAt = 1
	}
	for i := range m.sources {
		if m.tokenDevices[m.sources[i].ID] != "" {
			m.sources[i].TokenHash = []byte("noise")
		}
	}
}

func (m *memoryStore) Device(_ context.Context, room evidence.ID, key string) (evidence.Device, error) {
	unlock, err := m.lock()
	if err != nil {
		return evidence.Device{}, err
	}
	defer unlock()
	for _, d := range m.devices {
		if d.Room == room && d.KeyID == key {
			return d, nil
		}
	}
	return evidence.Device{}, evidence.ErrNotFound
}

func (m *memoryStore) SaveSourceManifests(_ context.Context, _ evidence.ID, files []evidence.StoredSourceManifest) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, f := range files {
		if i := slices.IndexFunc(m.manifests, func(o evidence.StoredSourceManifest) bool {
			return o.File.Source == f.File.Source && o.File.Number == f.File.Number
		}); i < 0 {
			m.manifests = append(m.manifests, f)
		} else if m.manifests[i] != f {
			return evidence.ErrConflict
		}
	}
	return nil
}

func (m *memoryStore) SourceManifests(context.Context, evidence.ID) ([]evidence.StoredSourceManifest, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.Clone(m.manifests), nil
}

func (m *memoryStore) SaveRecordingKey(_ context.Context, interview evidence.ID, wrapped []byte, recipient string) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	rec := m.interviews[interview].Recording
	m.keys[rec], m.recipients[rec] = wrapped, recipient
	return nil
}

func (m *memoryStore) RecordingKey(_ context.Context, recording evidence.ID) ([]byte, string, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	if m.keys[recording] == nil {
		return nil, "", evidence.ErrNotFound
	}
	return m.keys[recording], m.recipients[recording], nil
}

func (m *memoryStore) SavePage(context.Context, evidence.ID, int, []byte, [][32]byte) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return nil
}

func (m *memoryStore) SaveRecordingCheckpoint(_ context.Context, _ evidence.ID, size int64, signed string) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if len(signed) > len(m.checkpoints[size]) {
		m.checkpoints[size] = signed
	}
	return nil
}

func (m *memoryStore) SaveSealed(_ context.Context, interview evidence.ID, sealed evidence.SealedRecording, entries ...custody.Entry) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	iv := m.interviews[interview]
	if iv.State != evidence.StateStopping {
		return fmt.Errorf("%w: it is %s", evidence.ErrConflict, iv.State)
	}
	iv.State, iv.SealedAt = evidence.StateSealed, sealed.SealedAt
	m.interviews[interview] = iv
	m.sealed[sealed.Recording] = sealed
	m.entries = append(m.entries, entries...)
	return nil
}

func (m *memoryStore) SealedHead(_ context.Context, recording evidence.ID) (evidence.SealedRecording, error) {
	unlock, err := m.lock()
	if err != nil {
		return evidence.SealedRecording{}, err
	}
	defer unlock()
	s, ok := m.sealed[recording]
	if !ok {
		return s, evidence.ErrNotFound
	}
	return s, nil
}

func (m *memoryStore) EventsAfter(_ context.Context, after int64, f custody.EventFilter, _ int) ([]custody.Event, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var out []custody.Event
	for _, e := range m.events {
		if e.ID > after && slices.Contains(f.Kinds, e.Kind) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (m *memoryStore) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *memoryStore) emit(e custody.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.ID = int64(len(m.events) + 1)
	m.events = append(m.events, e)
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memoryStore) actions() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, e := range m.entries {
		out = append(out, e.Action)
	}
	return out
}

// switchGate is consent, given or not.
type switchGate struct {
	mu      sync.Mutex
	refused bool
}

func (g *switchGate) Check(context.Context, evidence.ID) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused {
		return evidence.Refuse(evidence.ErrRefused, "consent.record.missing", "Consent to record has not been given.", "P40")
	}
	return nil
}

func (g *switchGate) refuse(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = on
}

type fixedFacts struct{}

func (fixedFacts) RecordingFacts(context.Context, evidence.ID) (RecordingFacts, error) {
	c, _ := evidence.Commit("caseReference", "PPRK 12/26")
	return RecordingFacts{CaseReference: c, TimeZone: "Europe/Belgrade"}, nil
}

// The real database does what the recorder asks for.
var _ Store = (*db.Store)(nil)

// world is everything around a recorder.
type world struct {
	t       testing.TB
	dir     string
	store   *memoryStore
	real    *db.Store // used in place of store where it is set, with
	around  *around.World
	consent consent.Record
	objects *memoryObjects
	gate    *switchGate
	keys    *keys.Local
	seal    *seal.Authority
	actor   evidence.Actor
	iv      evidence.Interview
	rec     *Recorder
	tcp     net.Listener // nil: none
	nowhere bool         // objects are thrown away
	turn    bool         // with a relay
	ledgers ledgers      // as of the last recorded
	backlog int64
	clock   evidence.Clock // nil: the real one

	partial   *custody.RecordingSigner
	logKey    string           // of partial
	witnesses []custody.Remote // asked for cosignatures
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), store: newMemoryStore(), objects: &memoryObjects{data: map[string][]byte{}}, gate: &switchGate{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(keys.Init(filepath.Join(w.dir, "keys")))
	var err error
	w.keys, err = keys.Open(filepath.Join(w.dir, "keys"))
	must(err)
	must(seal.Init(t.Context(), filepath.Join(w.dir, "seal"), seal.Config{Organisation: "Test agency", Keys: w.keys, Clock: time.Now}))
	w.seal, err = seal.Open(t.Context(), filepath.Join(w.dir, "seal"), w.keys, time.Now)
	must(err)
	signer, verifier, err := custody.GenerateKey("custody.test.example/log")
	must(err)
	w.logKey = verifier
	w.partial, err = custody.NewRecordingSigner(signer, verifier)
	must(err)
	agency := evidence.NewID()
	w.actor = evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: agency, Role: evidence.RoleInterviewer, MFA: true}
	w.iv = evidence.Interview{
		ID: evidence.NewID(), Agency: agency, Case: evidence.NewID(), Recording: evidence.NewID(), Person: evidence.NewID(), Room: evidence.NewID(),
		Number: 1, State: evidence.StateReady, Language: "sq",
	}
	w.store.interviews[w.iv.ID] = w.iv
	w.open()
	t.Cleanup(w.close)
	return w
}

// newRealWorld is a world on SQLite, with the real consent in front of it.
func newRealWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.close()
	ctx := context.Background()
	dsn := "sqlite:" + filepath.Join(w.dir, "toldonce.db")
	key, verifier, err := custody.GenerateKey("log.test")
	if err == nil {
		err = db.Init(ctx, dsn, db.InitConfig{Origin: "log.test", LogVerifier: verifier, LogKey: []byte(key)})
	}
	if err == nil {
		w.real, err = db.Open(ctx, dsn, time.Now)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.around = around.NewQuick(t, w.real, func(time.Duration) {}).OpenCase()
	iv := w.around.Plan(w.around.PlanFor(w.around.Victim.ID))
	w.consent = w.around.Consents(w.around.WrittenConsent(w.around.Victim.ID, consent.ToRecord))
	if w.iv, err = w.real.Interview(ctx, iv.ID); err != nil {
		t.Fatal(err)
	}
	w.actor = w.around.Actors[evidence.RoleInterviewer]
	w.open()
	t.Cleanup(func() {
		w.close()
		if err := w.real.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) open() {
	w.t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		w.t.Fatal(err)
	}
	var store Store = w.store
	var gate Gate = w.gate
	var objects Objects = w.objects
	if w.nowhere {
		objects = nowhere{}
	}
	var relayUDP net.PacketConn
	var relayTCP net.Listener
	if w.turn {
		if relayUDP, err = net.ListenPacket("udp4", "127.0.0.1:0"); err == nil {
			relayTCP, err = net.Listen("tcp4", "127.0.0.1:0")
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if w.real != nil {
		store, gate = w.real, w.around.Consent
	}
	w.rec, err = New(context.Background(), Config{
		Store: store, Objects: objects, Keys: w.keys, Seal: w.seal, Gate: gate, Facts: fixedFacts{},
		SpoolDir: filepath.Join(w.dir, "spool"), Backlog: w.backlog, Clock: w.clock, UDP: udp, TCP: w.tcp, RelayUDP: relayUDP, RelayTCP: relayTCP, RelayHost: "127.0.0.1", Software: "toldonce test", Logger: slog.New(testLog(w.t)),
		Checkpoints: w.partial, Witnesses: w.witnesses,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	if w.rec != nil {
		if err := w.rec.Close(); err != nil {
			w.t.Error("closing:", err)
		}
		w.rec = nil
	}
}

// testLog passes warnings and errors to the test.
func testLog(t testing.TB) slog.Handler {
	return slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})
}

type logWriter struct{ t testing.TB }

func (l logWriter) Write(b []byte) (int, error) {
	l.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

// camera is a source of the test with the list of what it sent.
type camera struct {
	w      *world
	source evidence.Source
	token  string

	mu   sync.Mutex
	sent map[evidence.TrackKind][]sentFrame
}

type sentFrame struct {
	time uint32
	key  bool
	data []byte // as a sample
	at   time.Time
}

func (w *world) camera(role evidence.SourceRole) *camera {
	w.t.Helper()
	source, token, err := w.rec.CreateSource(w.t.Context(), w.actor, w.iv.ID, role)
	if err != nil {
		w.t.Fatal(err)
	}
	return &camera{w: w, source: source, token: token, sent: map[evidence.TrackKind][]sentFrame{}}
}

func (c *camera) signal(ctx context.Context, offer string) (string, func(context.Context) error, error) {
	rec := c.w.rec // the one that took the session ends it: another may run by then
	s, err := rec.Publish(ctx, c.source.ID, c.token, offer)
	if err != nil {
		return "", nil, err
	}
	return s.Answer, func(ctx context.Context) error {
		err := rec.Unpublish(ctx, c.source.ID, c.token, s.ID)
		if errors.Is(err, evidence.ErrNotFound) {
			return nil
		}
		return err
	}, nil
}

// play publishes; the caller fills in what is different.
func (c *camera) play(ctx context.Context, o publish.Options) (publish.Result, error) {
	o.Signal = c.signal
	o.Sent = func(f publish.Frame) {
		data := f.Data
		if f.MIME == webrtc.MimeTypeH264 {
			data = lengthPrefixed(f.Data)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent[f.Kind] = append(c.sent[f.Kind], sentFrame{time: f.Timestamp, key: f.Key, data: data, at: f.At})
	}
	return publish.Run(ctx, o)
}

// lengthPrefixed converts Annex B with four-byte start codes to a sample.
func lengthPrefixed(b []byte) []byte {
	var out []byte
	for _, unit := range bytes.Split(b, []byte{0, 0, 0, 1})[1:] {
		out = binary.BigEndian.AppendUint32(out, uint32(len(unit)))
		out = append(out, unit...)
	}
	return out
}

// recorded is one track's file of one part and init, as an export has it.
type recorded struct {
	track  evidence.Track
	part   int
	init   int
	leaves []evidence.Leaf
	file   []byte
	frames []sentFrame
}

// recorded decrypts and checks everything that was stored.
func (w *world) recorded() []*recorded {
	w.t.Helper()
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	key, err := w.keys.OpenRecordingKey(w.t.Context(), w.iv.Recording, w.store.keys[w.iv.Recording])
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := key.Identity()
	if err != nil {
		w.t.Fatal(err)
	}
	inits := map[string][]byte{}
	var out []*recorded
	w.ledgers = ledgers{}
	defer func() { w.ledgers.balance(w.t, w.store.sealed[w.iv.Recording].Manifest) }()
	for position := int64(0); position < int64(len(w.store.segments)); position++ {
		seg := w.store.segments[position]
		plain := w.decrypt(id, seg)
		leaf := seg.Leaf
		if leaf.Kind == evidence.LeafInit {
			inits[fmt.Sprint(leaf.Track, leaf.Init)] = plain
			continue
		}
		if leaf.Kind == evidence.LeafLedger {
			w.ledgers.add(w.t, leaf, plain)
			continue
		}
		i := slices.IndexFunc(out, func(r *recorded) bool { return r.track.ID == leaf.Track && r.part == leaf.Part && r.init == leaf.Init })
		if i < 0 {
			ti := slices.IndexFunc(w.store.tracks, func(t evidence.Track) bool { return t.ID == leaf.Track })
			r := &recorded{track: w.store.tracks[ti], part: leaf.Part, init: leaf.Init, file: bytes.Clone(inits[fmt.Sprint(leaf.Track, leaf.Init)])}
			if len(r.file) == 0 {
				w.t.Fatalf("leaf %d comes before its init", position)
			}
			out = append(out, r)
			i = len(out) - 1
		}
		r := out[i]
		r.leaves = append(r.leaves, leaf)
		r.file = append(r.file, plain...)
		f, err := media.ParseFragment(plain)
		if err != nil {
			w.t.Fatalf("leaf %d: %v", position, err)
		}
		if got := hexTime(int64(f.DecodeTime)); got != leaf.DecodeTime {
			w.t.Errorf("leaf %d: decode time %s, in the fragment %s", position, leaf.DecodeTime, got)
		}
		if int64(f.Duration()) != leaf.Duration || len(f.Samples) != leaf.Frames || f.Samples[0].Key != leaf.Independent {
			w.t.Errorf("leaf %d does not describe its fragment", position)
		}
		at := f.DecodeTime
		for _, s := range f.Samples {
			r.frames = append(r.frames, sentFrame{time: uint32(at + uint64(s.Shift)), key: s.Key, data: s.Data})
			at += uint64(s.Duration)
		}
	}
	return out
}

func (w *world) decrypt(id age.Identity, seg evidence.Segment) []byte {
	w.t.Helper()
	w.objects.mu.Lock()
	cipher := w.objects.data[seg.ObjectKey]
	w.objects.mu.Unlock()
	plain, err := envelope.OpenLeaf(id, cipher, seg.Leaf)
	if err != nil {
		w.t.Fatalf("leaf %d: %v", seg.Position, err)
	}
	return plain
}

// of chooses the files of one source and kind.
func (w *world) of(all []*recorded, c *camera, kind evidence.TrackKind) []*recorded {
	var out []*recorded
	for _, r := range all {
		if r.track.Source == c.source.ID && r.track.Kind == kind {
			out = append(out, r)
		}
	}
	return out
}

// same fails the test unless both lists hold the same frames.
func same(t testing.TB, kind evidence.TrackKind, got, want []sentFrame) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d frames recorded, %d sent", kind, len(got), len(want))
	}
	wrong := 0
	for i := range min(len(got), len(want)) {
		if got[i].time != want[i].time || !bytes.Equal(got[i].data, want[i].data) || kind == evidence.Video && got[i].key != want[i].key {
			if wrong++; wrong < 4 {
				t.Errorf("%s: frame %d differs: time %d, sent %d; %d bytes, sent %d; key %v, sent %v", kind, i, got[i].time, want[i].time, len(got[i].data), len(want[i].data), got[i].key, want[i].key)
			}
		}
	}
}

// manifest returns the sealed manifest after checking the seal.
func (w *world) manifest() evidence.Manifest {
	w.t.Helper()
	sealed, err := w.store.SealedHead(w.t.Context(), w.iv.Recording)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := seal.ParseManifest(sealed.Manifest)
	if err != nil {
		w.t.Fatal(err)
	}
	recording, findings := seal.CheckRecording(seal.RecordingInput{
		Manifest: sealed.Manifest, Bundle: sealed.Bundle, Pages: sealed.Pages, Trust: w.seal.Trust(),
		ManifestFile: "recording.json", BundleFile: "bundle", PageFile: func(i int) string { return fmt.Sprint("page ", i) },
	})
	_ = recording
	for _, f := range findings {
		if f.Status != seal.Holds {
			w.t.Errorf("seal: %s %s: %s", f.Check, f.Status, f.Detail)
		}
	}
	return m
}
