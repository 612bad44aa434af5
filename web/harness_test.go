package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/leaving"
	"github.com/toldonce/toldonce/evidence/observation"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/evidence/transcript"
	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
	"github.com/toldonce/toldonce/recorder"
	"github.com/toldonce/toldonce/recorder/quality"
)

// memory is the store in memory with what only the edge reads. Events are its
// custody entries.
type memory struct {
	*memstore.Store
	mu       sync.Mutex
	sessions map[string]struct {
		account evidence.ID
		data    []byte
		expires evidence.Instant
	}
	changed  chan struct{}
	segments []evidence.Segment
	sealed   evidence.SealedRecording
	previews []evidence.PreviewPage
	key      envelope.DataKey
	objects  map[string][]byte
	ended    []custody.Entry // sessions that somebody ended
}

func newMemory(s *memstore.Store) *memory {
	m := &memory{Store: s, changed: make(chan struct{}), objects: map[string][]byte{}, key: envelope.NewDataKey()}
	m.sessions = map[string]struct {
		account evidence.ID
		data    []byte
		expires evidence.Instant
	}{}
	return m
}

func (m *memory) SaveCeremony(_ context.Context, hash string, data []byte, _, expires evidence.Instant) error {
	return m.CreateSession(context.Background(), "ceremony "+hash, "", data, expires)
}

func (m *memory) TakeCeremony(ctx context.Context, hash string, now evidence.Instant) ([]byte, error) {
	data, expires, err := m.Session(ctx, "ceremony "+hash)
	if err == nil && expires <= now {
		err = evidence.ErrNotFound
	}
	return data, errors.Join(err, m.DeleteSession(ctx, "ceremony "+hash))
}

func (m *memory) CreateSession(_ context.Context, hash string, account evidence.ID, data []byte, expires evidence.Instant) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[hash] = struct {
		account evidence.ID
		data    []byte
		expires evidence.Instant
	}{account, data, expires}
	return nil
}

func (m *memory) UpdateSession(ctx context.Context, hash string, data []byte, expires evidence.Instant) error {
	m.mu.Lock()
	have, ok := m.sessions[hash]
	m.mu.Unlock()
	if !ok {
		return nil
	}
	return m.CreateSession(ctx, hash, have.account, data, expires)
}

func (m *memory) Session(_ context.Context, hash string) ([]byte, evidence.Instant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[hash]
	if !ok {
		return nil, 0, evidence.ErrNotFound
	}
	return s.data, s.expires, nil
}

func (m *memory) DeleteSession(_ context.Context, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, hash)
	return nil
}

func (m *memory) SessionsOf(_ context.Context, account evidence.ID) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]byte{}
	for hash, s := range m.sessions {
		if s.account == account {
			out[hash] = s.data
		}
	}
	return out, nil
}

func (m *memory) EndSession(ctx context.Context, hash string, entry custody.Entry) error {
	if _, _, err := m.Session(ctx, hash); err != nil {
		return evidence.ErrConflict
	}
	m.mu.Lock()
	m.ended = append(m.ended, entry)
	m.mu.Unlock()
	return m.DeleteSession(ctx, hash)
}

func (m *memory) DeleteExpiredSessions(_ context.Context, now evidence.Instant) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, s := range m.sessions {
		if s.expires < now {
			delete(m.sessions, hash)
		}
	}
	return nil
}

func (m *memory) records() []custody.Record {
	var out []custody.Record
	for i, e := range m.Log("") {
		l, openings, err := e.Leaf(memstore.Start, custody.Hash{})
		if err != nil {
			panic(err)
		}
		out = append(out, custody.Record{Position: int64(i), Leaf: l, Openings: openings})
	}
	return out
}

func (m *memory) Entries(_ context.Context, f custody.Filter) ([]custody.Record, error) {
	var out []custody.Record
	for _, r := range m.records() {
		if f.Case != "" && r.Leaf.Case != f.Case || f.Interview != "" && r.Leaf.Interview != f.Interview || f.After != nil && r.Position <= *f.After ||
			f.Action != "" && r.Leaf.Action != f.Action && (!strings.HasSuffix(f.Action, ".") || !strings.HasPrefix(r.Leaf.Action, f.Action)) {
			continue
		}
		if out = append(out, r); f.Limit > 0 && len(out) == f.Limit {
			break
		}
	}
	return out, nil
}

func (m *memory) EventsAfter(_ context.Context, after int64, _ custody.EventFilter, limit int) ([]custody.Event, error) {
	var out []custody.Event
	for _, r := range m.records() {
		if r.Position+1 <= after || len(out) == limit {
			continue
		}
		l := r.Leaf
		out = append(out, custody.Event{ID: r.Position + 1, At: l.At, Kind: l.Action, Agency: l.Agency, Case: l.Case, Interview: l.Interview,
			Subject: l.Subject, Actor: l.Actor.Account, Position: r.Position, Data: l.Details})
	}
	return out, nil
}

func (m *memory) PreviewPages(_ context.Context, track evidence.ID, first, last int) (out []evidence.PreviewPage, err error) {
	for _, p := range m.previews {
		if p.Track == track && p.First <= last && p.Last >= first {
			out = append(out, p)
		}
	}
	return out, nil
}

func (m *memory) LastEvent(context.Context) (int64, error) { return int64(len(m.Log(""))), nil }

func (m *memory) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// wake tells waiting streams that something happened.
func (m *memory) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) LogHead(context.Context) (custody.Head, error) {
	return custody.Head{Size: int64(len(m.Log("")))}, nil
}
func (m *memory) AuditRows(context.Context, int64, int) ([]custody.Row, error) { return nil, nil }
func (m *memory) Checkpoints(context.Context) ([][]byte, error)                { return nil, nil }
func (m *memory) ProveInclusion(context.Context, int64, int64) ([]custody.Hash, error) {
	return nil, nil
}
func (m *memory) Tile(context.Context, int, int64, int) ([]custody.Hash, error) {
	return nil, evidence.ErrNotFound
}
func (m *memory) Leaves(context.Context, int64, int) ([][]byte, error) {
	return nil, evidence.ErrNotFound
}
func (m *memory) ProveConsistency(context.Context, int64, int64) ([]custody.Hash, error) {
	return nil, nil
}
func (m *memory) Segments(context.Context, evidence.ID) ([]evidence.Segment, error) {
	return m.segments, nil
}
func (m *memory) Renewals(context.Context, evidence.ID) ([]seal.Renewal, error) { return nil, nil }
func (m *memory) RecordingKey(context.Context, evidence.ID) ([]byte, string, error) {
	recipient, err := m.key.Recipient()
	return []byte("wrapped"), recipient, err
}
func (m *memory) Sealed(context.Context, evidence.ID) (evidence.SealedRecording, error) {
	if m.sealed.Manifest == nil {
		return evidence.SealedRecording{}, evidence.ErrNotFound
	}
	return m.sealed, nil
}
func (m *memory) SealedHead(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error) {
	head, err := m.Sealed(ctx, recording)
	head.Pages, head.Nodes = nil, nil
	return head, err
}
func (m *memory) OpenRecordingKey(context.Context, evidence.ID, []byte) (envelope.DataKey, error) {
	return m.key, nil
}
func (m *memory) Put(_ context.Context, key string, body []byte, _ evidence.Digest, _ time.Time) (string, error) {
	m.objects[key] = body
	return "", nil
}
func (m *memory) Get(_ context.Context, key, _ string) ([]byte, error) {
	if b, ok := m.objects[key]; ok {
		return b, nil
	}
	return nil, evidence.ErrNotFound
}

// signs seals with nothing.
type signs struct{}

func (signs) SealFile(context.Context, string, []byte, string, any) (seal.Sealed, error) {
	return seal.Sealed{Bundle: []byte("{}")}, nil
}

// studio is a recorder that records nothing.
type studio struct {
	publishing
	changed chan struct{}
	noted   func(checks []evidence.Check, overruled bool) // told what NoteCheck is given; may be nil
}

func (studio) Remark(context.Context, evidence.Actor, evidence.ID, string, string, string) error {
	return nil
}

// relayed is the relay of the harness.
var relayed = recorder.Relay{URLs: []string{"turn:relay.example:3478?transport=udp"}, Username: "1:x", Credential: "secret"}

func (studio) Relay() (recorder.Relay, bool, error) { return relayed, true, nil }

func (studio) AdmitObserver(context.Context, evidence.ID, recorder.Observer) (recorder.Admission, error) {
	return recorder.Admission{Token: "watch", ExpiresAt: memstore.Start}, nil
}

func (s studio) OpenView(ctx context.Context, source evidence.ID, token, offer string) (recorder.Session, error) {
	return s.Publish(ctx, source, token, offer)
}

func (s studio) TrickleView(ctx context.Context, source evidence.ID, token string, session evidence.ID, match, fragment string) (string, string, error) {
	return s.Trickle(ctx, source, token, session, match, fragment)
}

func (s studio) CloseView(ctx context.Context, source evidence.ID, token string, session evidence.ID) error {
	return s.Unpublish(ctx, source, token, session)
}

func (s studio) CreateSource(_ context.Context, _ evidence.Actor, iv evidence.ID, role evidence.SourceRole) (evidence.Source, string, error) {
	return evidence.Source{ID: "0198f5a0-0000-7000-8000-000000000001", Interview: iv, Role: role, Name: string(role)}, "source-token", nil
}
func (s studio) RenewSource(context.Context, evidence.Actor, evidence.Source) (string, error) {
	return "renewed-token", nil
}
func (s studio) Standing(context.Context, evidence.ID, string) (recorder.Standing, error) {
	return recorder.Standing{State: evidence.StateRecording, Elapsed: 5}, nil
}

func (s studio) Admit(context.Context, evidence.ID, string, claims.KeyID, []byte) (recorder.CaptureKey, error) {
	return recorder.CaptureKey{State: evidence.StateRecording, Key: make([]byte, 32), Wrapped: []byte{1}}, nil
}
func (s studio) Claim(context.Context, evidence.ID, string, []byte) (recorder.Capture, error) {
	return recorder.Capture{State: evidence.StateRecording}, nil
}
func (s studio) Backfill(context.Context, evidence.ID, string, []byte) (recorder.Capture, error) {
	return recorder.Capture{State: evidence.StateRecording}, nil
}
func (s studio) CheckToken(_ context.Context, _ evidence.ID, token string) error {
	if token != "source-token" {
		return evidence.ErrUnauthenticated
	}
	return nil
}
func (s studio) Challenge(evidence.ID) []byte { return make([]byte, 56) }
func (s studio) DeviceToken(context.Context, evidence.ID, evidence.ID, claims.KeyID, []byte, []byte) (string, error) {
	return "", evidence.ErrUnauthenticated
}
func (s studio) EnrolDevice(_ context.Context, _ evidence.Actor, _ evidence.ID, key []byte) (evidence.Device, error) {
	return evidence.Device{ID: "0198f5a0-0000-7000-8000-000000000002", KeyID: strings.Repeat("ab", 32), PublicKey: key}, nil
}
func (studio) ReportHealth(context.Context, evidence.ID, string, []quality.Cause) error { return nil }
func (s studio) NoteCheck(_ context.Context, _ evidence.ID, checks []evidence.Check, overruled bool) error {
	if s.noted != nil {
		s.noted(checks, overruled)
	}
	return nil
}
func (studio) CheckSources(evidence.ID) []evidence.Check { return nil }
func (studio) Leaving(context.Context, evidence.ID) (recorder.Leaving, error) {
	return recorder.Leaving{Record: leaving.Record{Verdict: leaving.Look, After: []evidence.Check{{Code: leaving.Introduced, Verdict: evidence.CheckUnknown}}}, Present: []string{"person"}}, nil
}
func (studio) CheckDisk() evidence.Check {
	return evidence.Check{Code: evidence.CheckDisk, Verdict: evidence.CheckUnknown}
}
func (s studio) status(iv evidence.ID, state evidence.State) (recorder.Status, error) {
	return recorder.Status{Interview: iv, State: state}, nil
}
func (s studio) Start(_ context.Context, _ evidence.Actor, iv evidence.ID) (recorder.Status, error) {
	return s.status(iv, evidence.StateRecording)
}
func (s studio) Pause(_ context.Context, _ evidence.Actor, iv evidence.ID, _ string) (recorder.Status, error) {
	return s.status(iv, evidence.StatePaused)
}
func (s studio) Resume(_ context.Context, _ evidence.Actor, iv evidence.ID) (recorder.Status, error) {
	return s.status(iv, evidence.StateRecording)
}
func (s studio) Stop(_ context.Context, _ evidence.Actor, iv evidence.ID) (recorder.Status, error) {
	return s.status(iv, evidence.StateSealed)
}
func (s studio) Mark(context.Context, evidence.Actor, evidence.ID, string, string, string) (evidence.Event, error) {
	return evidence.Event{Kind: "marker"}, nil
}
func (s studio) Status(_ context.Context, iv evidence.ID) (recorder.Status, error) {
	return s.status(iv, evidence.StateRecording)
}
func (s studio) Watch(evidence.ID) (<-chan struct{}, func()) { return s.changed, func() {} }

// harness is the whole edge over an agency at work.
type harness struct {
	*testing.T
	*world.World
	store   *memory
	cfg     Config
	server  *Server
	studio  studio
	logs    *lockedBuffer
	cookies map[evidence.Role]*http.Cookie
}

// lockedBuffer collects logs of concurrent requests.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const origin = "https://localhost:8443"

func newHarness(t *testing.T, change ...func(*Config)) *harness {
	t.Helper()
	w, s := memstore.World(t)
	h := &harness{T: t, World: w, store: newMemory(s), studio: studio{changed: make(chan struct{})}, logs: &lockedBuffer{}, cookies: map[evidence.Role]*http.Cookie{}}
	cfg := Config{
		Store: h.store, People: w.People, Access: w.Access, Cases: w.Cases, Consents: w.Consent, Observing: &observation.Service{Store: s, Access: w.Access}, Recording: h.studio, Objects: h.store, Keys: h.store, Trust: &seal.Trust{},
		Clock: func() time.Time {
			now, _ := s.Now(context.Background())
			return now.Time()
		},
	}
	cfg.Transcripts = transcript.New(transcript.Config{Store: h.store, Objects: h.store, Keys: h.store, Access: w.Access, Grants: w.Access, Sealer: signs{}})
	h.build(cfg, change...)
	return h
}

func (h *harness) build(cfg Config, change ...func(*Config)) {
	h.Helper()
	if cfg.BaseURL == "" {
		cfg.BaseURL = origin
	}
	cfg.Pages = fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}}
	cfg.Logger = slog.New(slog.NewJSONHandler(h.logs, nil))
	for _, f := range change {
		f(&cfg)
	}
	var err error
	h.cfg = cfg
	h.server, err = New(cfg)
	h.Must(err)
}

// call is one request. Body is JSON; nothing for nil.
type call struct {
	method, path string
	body         any
	header       map[string]string
	cookie       *http.Cookie
	from         string // network address; this machine if empty
}

func (h *harness) do(c call) *httptest.ResponseRecorder {
	h.Helper()
	var body io.Reader
	if c.body != nil {
		raw, err := json.Marshal(c.body)
		h.Must(err)
		body = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(c.method, origin+c.path, body)
	if r.RemoteAddr = c.from; c.from == "" {
		r.RemoteAddr = "127.0.0.1:4711"
	}
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, r)
	return w
}

// signIn goes through the door, with the cookie that the browser gets.
func (h *harness) signIn(a evidence.Actor) *http.Cookie {
	h.Helper()
	account, err := h.Store.Account(context.Background(), a.Account)
	h.Must(err)
	w := h.do(call{method: "POST", path: "/api/v1/session", body: map[string]string{"login": account.Login, "password": world.Password, "code": h.CodeOf(h.Secrets[a.Account], 0)},
		header: map[string]string{"Origin": origin, "Sec-Fetch-Site": "same-origin"}})
	if w.Code != http.StatusOK {
		h.Fatalf("signing in %s: %d %s", account.Login, w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		if c.Value != "" {
			return c
		}
	}
	h.Fatalf("no cookie: %v", w.Header())
	return nil
}

// as does a request as the first account of a role, signed in once.
func (h *harness) as(role evidence.Role, method, path string, body any) *httptest.ResponseRecorder {
	h.Helper()
	var raw string
	if body != nil {
		data, err := json.Marshal(body)
		h.Must(err)
		raw = string(data)
	}
	return h.asRaw(role, method, path, raw)
}

// asRaw is as with a body in JSON, or empty.
func (h *harness) asRaw(role evidence.Role, method, path, body string) *httptest.ResponseRecorder {
	h.Helper()
	if h.cookies[role] == nil {
		h.cookies[role] = h.signIn(h.Actors[role])
	}
	c := call{method: method, path: apiPrefix + path, cookie: h.cookies[role], header: map[string]string{"Sec-Fetch-Site": "same-origin"}}
	if body != "" {
		c.body = json.RawMessage(body)
	}
	return h.do(c)
}

// want reads an answer of the given status into a value.
func want[T any](h *harness, w *httptest.ResponseRecorder, status int) (out T) {
	h.Helper()
	if w.Code != status {
		h.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		h.Fatalf("%v in %s", err, w.Body)
	}
	return out
}

func fill(path string, ids map[string]string) string {
	for name, id := range ids {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	return path
}

func describe(w *httptest.ResponseRecorder) string {
	return fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
}

func newListener() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
