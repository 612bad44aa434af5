package preview

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/recorder/ffmpeg"
)

// EntryMade is the custody entry of the previews of a recording.
const EntryMade = "preview.make"

const (
	picturesPage = 64  // segments, about two minutes: what one look along the timeline fetches
	levelsPage   = 512 // segments, about a quarter of an hour
	// claimFor is how long a node has a recording's previews before another may
	// make them. Three hours of two cameras take a few minutes.
	claimFor = 30 * time.Minute
	// lookEvery is how often a maker looks for what an event did not tell it of.
	lookEvery = time.Minute
	sealed    = "interview.seal"
)

// Store is what a Maker asks of the database. Safe for concurrent use.
type Store interface {
	// ClaimPreviews gives a node the newest sealed interview without previews that
	// no other node has, for ttl. The error wraps [evidence.ErrNotFound] if there is
	// none, or only such as failed several times.
	ClaimPreviews(ctx context.Context, node evidence.ID, ttl time.Duration) (evidence.Interview, error)
	// SavePreviews writes the pages of a claimed interview with their entry. The
	// error wraps [evidence.ErrConflict] if they were made by another since.
	SavePreviews(ctx context.Context, node evidence.ID, interview evidence.ID, pages []evidence.PreviewPage, entry custody.Entry) error
	// Tracks, Segments and RecordingKey are as the recorder's.
	Tracks(ctx context.Context, interview evidence.ID) ([]evidence.Track, error)
	Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error)
	RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	EventsAfter(ctx context.Context, after int64, filter custody.EventFilter, limit int) ([]custody.Event, error)
	LastEvent(ctx context.Context) (int64, error)
	Changed() <-chan struct{}
}

// Objects keeps ciphertext.
type Objects interface {
	Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (version string, err error)
	Get(ctx context.Context, key, version string) ([]byte, error)
}

// Keys opens recordings.
type Keys interface {
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error)
}

// Config is what a Maker is made of.
type Config struct {
	Store   Store
	Objects Objects
	Keys    Keys
	Tool    *ffmpeg.Tool
	// Logger gets no personal data.
	Logger *slog.Logger
}

// Maker makes the previews of what is sealed.
type Maker struct {
	Config
	node evidence.ID
}

// New returns a Maker; Run makes it work.
func New(c Config) *Maker { return &Maker{Config: c, node: evidence.NewID()} }

// Run makes previews until ctx ends. What fails is logged and tried again later;
// Run returns nil.
func (m *Maker) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	last, err := m.Store.LastEvent(ctx)
	if err != nil {
		last = 0
	}
	for ctx.Err() == nil {
		changed := m.Store.Changed()
		for ctx.Err() == nil && m.next(ctx) {
		}
		for waiting := true; waiting && ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-ticker.C:
				waiting = false
			case <-changed:
				changed = m.Store.Changed()
				events, err := m.Store.EventsAfter(ctx, last, custody.EventFilter{Kinds: []string{sealed}}, 1000)
				if err == nil && len(events) > 0 {
					last, waiting = events[len(events)-1].ID, false
				}
			}
		}
	}
	return nil
}

// next makes the previews of one recording and reports whether it did.
func (m *Maker) next(ctx context.Context) bool {
	iv, err := m.Store.ClaimPreviews(ctx, m.node, claimFor)
	if errors.Is(err, evidence.ErrNotFound) {
		return false
	}
	if err == nil {
		err = m.Make(ctx, iv)
	}
	if err != nil && ctx.Err() == nil {
		m.Logger.WarnContext(ctx, "the previews of a recording could not be made", "interview", iv.ID, "error", err)
	}
	return err == nil
}

// Make makes the previews of a claimed interview.
func (m *Maker) Make(ctx context.Context, iv evidence.Interview) error {
	pages, err := m.pages(ctx, iv)
	if errors.Is(err, envelope.ErrErased) {
		pages, err = nil, nil // nothing of it is left to be looked at
	}
	if err != nil {
		return err
	}
	sum := sha256.New()
	count := map[evidence.PreviewKind]int{}
	for _, p := range pages {
		sum.Write([]byte(p.Cipher.SHA256))
		count[p.Kind]++
	}
	entry := custody.Entry{Actor: evidence.System(iv.Agency), Action: EntryMade, Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Subject: iv.Recording,
		Details: map[string]string{
			"pictures": strconv.Itoa(count[evidence.PreviewPictures]), "levels": strconv.Itoa(count[evidence.PreviewLevels]),
			"digests": hex.EncodeToString(sum.Sum(nil)),
		}}
	return m.Store.SavePreviews(ctx, m.node, iv.ID, pages, entry)
}

func (m *Maker) pages(ctx context.Context, iv evidence.Interview) ([]evidence.PreviewPage, error) {
	wrapped, recipient, err := m.Store.RecordingKey(ctx, iv.Recording)
	if err != nil {
		return nil, err
	}
	key, err := m.Keys.OpenRecordingKey(ctx, iv.Recording, wrapped)
	if err != nil {
		return nil, err
	}
	id, err := key.Identity()
	if err != nil {
		return nil, err
	}
	sealer, err := envelope.NewSealer(recipient)
	if err != nil {
		return nil, err
	}
	tracks, err := m.Store.Tracks(ctx, iv.ID)
	if err != nil {
		return nil, err
	}
	segments, err := m.Store.Segments(ctx, iv.Recording)
	if err != nil {
		return nil, err
	}
	w := work{m: m, iv: iv, id: id, sealer: sealer}
	for _, t := range tracks {
		if err := w.track(ctx, t, segments); err != nil {
			return nil, fmt.Errorf("track %s: %w", t.ID, err)
		}
	}
	return w.pages, nil
}

// work is the making of one recording's previews.
type work struct {
	m      *Maker
	iv     evidence.Interview
	id     age.Identity
	sealer *envelope.Sealer
	pages  []evidence.PreviewPage
}

func (w *work) track(ctx context.Context, t evidence.Track, all []evidence.Segment) error {
	inits, mine := map[int]evidence.Segment{}, []evidence.Segment{}
	for _, s := range all {
		switch {
		case s.Leaf.Track != t.ID:
		case s.Leaf.Kind == evidence.LeafInit:
			inits[s.Leaf.Init] = s
		case s.Leaf.Kind == evidence.LeafMedia:
			mine = append(mine, s)
		}
	}
	slices.SortFunc(mine, func(a, b evidence.Segment) int { return a.Leaf.Index - b.Leaf.Index })
	kind, size := evidence.PreviewPictures, picturesPage
	if t.Kind == evidence.Audio {
		kind, size = evidence.PreviewLevels, levelsPage
	}
	for number := 0; number*size < len(mine); number++ {
		some := mine[number*size : min((number+1)*size, len(mine))]
		items, err := w.items(ctx, t, inits, some)
		if err != nil {
			return err
		}
		p := evidence.PreviewPage{Recording: w.iv.Recording, Track: t.ID, Page: number, Kind: kind, First: some[0].Leaf.Index, Last: some[len(some)-1].Leaf.Index}
		if err := w.store(ctx, p, items); err != nil {
			return err
		}
	}
	return nil
}

// items decodes one page's segments, those with the same initialisation segment
// together.
func (w *work) items(ctx context.Context, t evidence.Track, inits map[int]evidence.Segment, some []evidence.Segment) ([]Item, error) {
	items := []Item{}
	for len(some) > 0 {
		n := 1
		for n < len(some) && some[n].Leaf.Init == some[0].Leaf.Init && some[n].Leaf.Part == some[0].Leaf.Part {
			n++
		}
		init, err := w.open(ctx, inits[some[0].Leaf.Init])
		if err != nil {
			return nil, err
		}
		segments := make([]opened, n)
		for i, s := range some[:n] {
			body, err := w.open(ctx, s)
			if err != nil {
				return nil, err
			}
			segments[i] = opened{leaf: s.Leaf, body: body}
		}
		var made []Item
		if t.Kind == evidence.Audio {
			made, err = levels(ctx, w.m.Tool, init, segments, t.Timescale)
		} else {
			made, err = pictures(ctx, w.m.Tool, init, segments)
		}
		if err != nil {
			return nil, err
		}
		items, some = append(items, made...), some[n:]
	}
	return items, nil
}

func (w *work) open(ctx context.Context, s evidence.Segment) ([]byte, error) {
	if s.ObjectKey == "" {
		return nil, fmt.Errorf("%w: an initialisation segment", evidence.ErrMissingState)
	}
	cipher, err := w.m.Objects.Get(ctx, s.ObjectKey, s.ObjectVersion)
	if err != nil {
		return nil, err
	}
	return envelope.OpenLeaf(w.id, cipher, s.Leaf)
}

func (w *work) store(ctx context.Context, p evidence.PreviewPage, items []Item) error {
	plain, err := json.Marshal(page{Type: pageType, Version: pageVersion, Recording: p.Recording, Track: p.Track, Kind: p.Kind, Items: items})
	if err != nil {
		return err
	}
	cipher, plainSum, cipherSum, err := w.sealer.Encrypt(plain)
	if err != nil {
		return err
	}
	p.Plain, p.Cipher = plainSum, cipherSum
	p.ObjectKey = fmt.Sprintf("previews/%s/%s/%d-%s", p.Recording, p.Track, p.Page, cipherSum.SHA256[:16])
	// No retention: it can be made again, and what is made of evidence is no evidence.
	if p.ObjectVersion, err = w.m.Objects.Put(ctx, p.ObjectKey, cipher, cipherSum, time.Time{}); err != nil {
		return err
	}
	w.pages = append(w.pages, p)
	return nil
}
