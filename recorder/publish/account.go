package publish

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
)

// Answer is what the recorder says to an account, of what it says as much as an
// [Accountant] needs.
type Answer struct {
	State  evidence.State `json:"state"`
	Wanted []struct {
		Session evidence.ID        `json:"session"`
		Kind    evidence.TrackKind `json:"kind"`
		From    uint32             `json:"from"`
		To      uint32             `json:"to"`
		Frames  int                `json:"frames"`
	} `json:"wanted"`
	Missing int `json:"missing"`
}

// Line carries an account to the recorder: a signed batch, or a run of frames. An
// error says that it was not taken.
type Line interface {
	Claim(ctx context.Context, batch []byte) (Answer, error)
	Backfill(ctx context.Context, run []byte) (Answer, error)
}

// Accountant accounts for the frames of one source as the room page does, and in
// the same formats: it keeps every frame, signs batches with a key of its own, and
// hands over what the recorder lacks. It keeps frames in memory and drops none. It
// is safe for concurrent use.
type Accountant struct {
	source evidence.ID
	line   Line
	key    *ecdsa.PrivateKey
	id     claims.KeyID

	flushing sync.Mutex
	mu       sync.Mutex
	session  evidence.ID // of the frames that come
	sessions map[evidence.ID]*accounted
	order    []evidence.ID
}

type accounted struct {
	next     uint32
	previous [32]byte
	waiting  []claims.Entry
	made     []time.Time // of waiting
	pending  []byte      // a batch whose answer did not come: it is sent again as it is
	covers   int         // how many of waiting are in it
	frames   map[evidence.TrackKind][]claims.Frame
}

// NewAccountant returns an accountant for a source. Its key is fresh: enrol it as a
// device of the room, by [Accountant.PublicKey].
func NewAccountant(source evidence.ID, line Line) (*Accountant, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := claims.IDOf(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Accountant{source: source, line: line, key: key, id: id, sessions: map[evidence.ID]*accounted{}}, nil
}

// PublicKey returns the key's SubjectPublicKeyInfo in DER.
func (a *Accountant) PublicKey() []byte {
	spki, err := x509.MarshalPKIXPublicKey(&a.key.PublicKey)
	if err != nil {
		panic(err) // only for a key of another kind
	}
	return spki
}

// KeyID names the key.
func (a *Accountant) KeyID() claims.KeyID { return a.id }

// Sign signs a message as a device does: ECDSA P-256 with SHA-256, r and s of 32
// bytes each.
func (a *Accountant) Sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, a.key, sum[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

// Begin says in which WHIP session the frames that follow are sent.
func (a *Accountant) Begin(session evidence.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session = session
	if a.sessions[session] == nil {
		a.sessions[session] = &accounted{frames: map[evidence.TrackKind][]claims.Frame{}}
		a.order = append(a.order, session)
	}
}

// Line sends the account to another recorder: the one before was replaced.
func (a *Accountant) Line(line Line) {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	a.line = line
}

// WHIP is [WHIP] that tells the accountant the session.
func (a *Accountant) WHIP(client *http.Client, endpoint, token string) Signal {
	return whip(client, endpoint, token, func(location *url.URL) { a.Begin(evidence.ID(path.Base(location.Path))) })
}

// Frame takes a frame that leaves: call it from [Options.Sent].
func (a *Accountant) Frame(f Frame) {
	sample := f.Data
	if f.Kind == evidence.Video {
		sample = claims.Sample(f.Data)
	}
	sum := sha256.Sum256(sample)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[a.session]
	if s == nil {
		return
	}
	s.waiting = append(s.waiting, claims.Entry{Kind: f.Kind, Key: f.Key || f.Kind == evidence.Audio, Timestamp: f.Timestamp, Size: uint32(len(sample)), Sum: sum})
	s.made = append(s.made, time.Now())
	s.frames[f.Kind] = append(s.frames[f.Kind], claims.Frame{Timestamp: f.Timestamp, Key: f.Key || f.Kind == evidence.Audio, Sample: sample})
}

// Flush says what was not said yet, hands over what is wanted until nothing is, and
// returns the last answer. What was not taken is said again by the next call.
func (a *Accountant) Flush(ctx context.Context) (Answer, error) {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	a.mu.Lock()
	order := append([]evidence.ID{}, a.order...)
	a.mu.Unlock()
	var last Answer
	for _, id := range order {
		a.mu.Lock()
		left := len(a.sessions[id].waiting)
		a.mu.Unlock()
		for left > 0 { // what comes meanwhile is said the next time
			batch, n, err := a.batch(id)
			if err != nil {
				return last, err
			}
			left -= n
			if last, err = a.line.Claim(ctx, batch); err != nil {
				return last, err
			}
			a.mu.Lock()
			s := a.sessions[id]
			s.pending = nil
			s.next, s.previous = s.next+1, sha256.Sum256(batch)
			s.waiting, s.made = s.waiting[n:], s.made[n:]
			a.mu.Unlock()
		}
	}
	for len(last.Wanted) > 0 {
		w := last.Wanted[0]
		run, ok := a.run(w.Session, w.Kind, w.From, w.To)
		if !ok {
			return last, fmt.Errorf("%w: frames that were not kept are wanted", evidence.ErrNotFound)
		}
		body, err := run.Encode()
		if err != nil {
			return last, err
		}
		if last, err = a.line.Backfill(ctx, body); err != nil {
			return last, err
		}
	}
	return last, nil
}

// batch signs what waits of a session; n is how many frames are in it.
func (a *Accountant) batch(id evidence.ID) (signed []byte, n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[id]
	if s.pending != nil {
		return s.pending, s.covers, nil
	}
	n = min(len(s.waiting), claims.MaxEntries)
	if n == 0 {
		return nil, 0, nil
	}
	now := time.Now()
	b := claims.Batch{Key: a.id, Source: a.source, Session: id, Sequence: s.next, Previous: s.previous, SentAt: now.UnixMicro(),
		Entries: append([]claims.Entry{}, s.waiting[:n]...)}
	for i := range b.Entries {
		b.Entries[i].Age = uint32(min(now.Sub(s.made[i]).Microseconds(), 1<<32-1))
	}
	if signed, err = b.Sign(a.key); err == nil {
		s.pending, s.covers = signed, n
	}
	return signed, n, err
}

func (a *Accountant) run(session evidence.ID, kind evidence.TrackKind, from, to uint32) (claims.Run, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := claims.Run{Source: a.source, Session: session, Kind: kind}
	s := a.sessions[session]
	if s == nil {
		return r, false
	}
	inside := false
	for _, f := range s.frames[kind] {
		inside = inside || f.Timestamp == from
		if inside {
			r.Frames = append(r.Frames, f)
		}
		if inside && f.Timestamp == to {
			return r, true
		}
	}
	return r, false
}

// HTTPLine is a [Line] to a recorder's endpoint for a source, such as
// https://localhost:8443/capture/SOURCE. client nil means http.DefaultClient.
func HTTPLine(client *http.Client, endpoint, token string) Line {
	if client == nil {
		client = http.DefaultClient
	}
	return httpLine{client, endpoint, token}
}

type httpLine struct {
	client          *http.Client
	endpoint, token string
}

// Claim implements [Line].
func (l httpLine) Claim(ctx context.Context, batch []byte) (Answer, error) {
	return l.post(ctx, "/manifest", batch)
}

// Backfill implements [Line].
func (l httpLine) Backfill(ctx context.Context, run []byte) (Answer, error) {
	return l.post(ctx, "/frames", run)
}

func (l httpLine) post(ctx context.Context, what string, body []byte) (out Answer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.endpoint+what, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	request.Header.Set("Authorization", "Bearer "+l.token)
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := l.client.Do(request)
	if err != nil {
		return out, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return out, err
	}
	if response.StatusCode != http.StatusOK {
		return out, fmt.Errorf("capture endpoint answered %s%s", response.Status, sentence(response, answer))
	}
	return out, json.Unmarshal(answer, &out)
}
