package derive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/derivative"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/ffmpeg"
)

const (
	claimFor  = 10 * time.Minute
	keepEvery = 2 * time.Minute
	lookEvery = 20 * time.Second
	attempts  = 2
)

// Store is what a Worker asks of the database. Safe for concurrent use.
type Store interface {
	derivative.Store
	ClaimJob(ctx context.Context, node evidence.ID, ttl time.Duration, kinds ...string) (evidence.Job, error)
	KeepJob(ctx context.Context, j evidence.Job, ttl time.Duration) (evidence.Job, error)
	FinishJob(ctx context.Context, j evidence.Job) error
	RetryJob(ctx context.Context, j evidence.Job, at evidence.Instant, code string) error
	FailJob(ctx context.Context, j evidence.Job, code string) error
	Sources(ctx context.Context, interview evidence.ID) ([]evidence.Source, error)
	Tracks(ctx context.Context, interview evidence.ID) ([]evidence.Track, error)
	Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error)
	RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	SealedHead(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error)
	Changed() <-chan struct{}
}

// Sealer signs derivations. [seal.Authority] is one.
type Sealer interface {
	SealFile(ctx context.Context, name string, content []byte, predicateType string, predicate any) (seal.Sealed, error)
}

// Config is what a Worker is made of.
type Config struct {
	Store   Store
	Objects derivative.Objects
	Keys    derivative.Keys
	Sealer  Sealer
	Tool    *ffmpeg.Tool
	Logger  *slog.Logger // gets no personal data
}

// Worker makes what is queued, one after another.
type Worker struct {
	Config
	node evidence.ID
}

// New returns a Worker; Run makes it work.
func New(c Config) *Worker { return &Worker{Config: c, node: evidence.NewID()} }

// Run makes derivatives until ctx ends. What fails is noted on the derivative; Run
// returns nil.
func (w *Worker) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		changed := w.Store.Changed()
		for ctx.Err() == nil && w.Next(ctx) {
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-changed:
		}
	}
	return nil
}

// Next makes one derivative that waits and reports whether there was one.
func (w *Worker) Next(ctx context.Context) bool {
	job, err := w.Store.ClaimJob(ctx, w.node, claimFor, derivative.Job)
	if err != nil {
		if !errors.Is(err, evidence.ErrNotFound) && ctx.Err() == nil {
			w.Logger.WarnContext(ctx, "no copy could be begun", "error", err)
		}
		return false
	}
	err = w.keep(ctx, &job, func(ctx context.Context) error { return w.make(ctx, evidence.ID(job.Payload["derivative"])) })
	switch {
	case err == nil:
		err = w.Store.FinishJob(ctx, job)
	case ctx.Err() != nil:
		return false // another claim finds it
	case job.Attempt < attempts && !errors.Is(err, envelope.ErrErased) && !errors.Is(err, evidence.ErrInvalid):
		w.Logger.WarnContext(ctx, "a copy could not be made and is tried again", "derivative", job.Key, "error", err)
		now, _ := w.Store.Now(ctx)
		err = w.Store.RetryJob(ctx, job, now+30_000_000, "failed")
	default:
		w.Logger.WarnContext(ctx, "a copy could not be made", "derivative", job.Key, "error", err)
		err = errors.Join(w.fail(ctx, evidence.ID(job.Payload["derivative"]), err), w.Store.FailJob(ctx, job, "failed"))
	}
	if err != nil {
		w.Logger.WarnContext(ctx, "what became of a copy could not be noted", "derivative", job.Key, "error", err)
	}
	return true
}

// keep renews the claim while fn runs.
func (w *Worker) keep(ctx context.Context, job *evidence.Job, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			kept, err := w.Store.KeepJob(ctx, *job, claimFor)
			if err != nil {
				cancel()
				return errors.Join(err, <-done)
			}
			*job = kept
		}
	}
}

// fail notes on the derivative that it cannot be made.
func (w *Worker) fail(ctx context.Context, id evidence.ID, why error) error {
	d, err := w.Store.Derivative(ctx, id)
	if err != nil || d.State != derivative.Queued {
		return err
	}
	d.State, d.Code = derivative.Failed, "failed"
	if errors.Is(why, envelope.ErrErased) {
		d.Code = "erased"
	}
	return w.Store.ChangeDerivative(ctx, d, w.entry(d, derivative.EntryFailed, map[string]string{"code": d.Code}))
}

func (w *Worker) entry(d derivative.Derivative, action string, details map[string]string) custody.Entry {
	return custody.Entry{Actor: evidence.System(d.Agency), Action: action, Agency: d.Agency, Case: d.Case, Interview: d.Interview, Subject: d.ID, Details: details}
}

// make renders, encrypts, signs and stores one derivative.
func (w *Worker) make(ctx context.Context, id evidence.ID) error {
	d, err := w.Store.Derivative(ctx, id)
	if err != nil || d.State != derivative.Queued {
		return err
	}
	wrapped, _, err := w.Store.RecordingKey(ctx, d.Recording)
	if err != nil {
		return err
	}
	key, err := w.Keys.OpenRecordingKey(ctx, d.Recording, wrapped)
	if err != nil {
		return err
	}
	identity, err := key.Identity()
	if err != nil {
		return err
	}
	r := &render{tool: w.Tool, plan: d.Plan, mark: d.Watermark.Value, open: func(ctx context.Context, s evidence.Segment) ([]byte, error) {
		cipher, err := w.Objects.Get(ctx, s.ObjectKey, s.ObjectVersion)
		if err != nil {
			return nil, err
		}
		return envelope.OpenLeaf(identity, cipher, s.Leaf)
	}}
	sources, err := w.gather(ctx, d, r)
	if err != nil {
		return err
	}
	var told atomic.Int64
	r.progress = func(percent int) {
		if int64(percent) >= told.Load()+3 {
			told.Store(int64(percent))
			_ = w.Store.SaveProgress(ctx, d.ID, percent) // a nicety
		}
	}
	file, err := r.run(ctx)
	if err != nil {
		return fmt.Errorf("rendering: %w", err)
	}
	return w.finish(ctx, d, r, sources, file)
}

// gather finds the tracks that the plan names, and the segments that are read.
func (w *Worker) gather(ctx context.Context, d derivative.Derivative, r *render) ([]clip.Source, error) {
	tracks, err := w.Store.Tracks(ctx, d.Interview)
	if err != nil {
		return nil, err
	}
	all, err := w.Store.Segments(ctx, d.Recording)
	if err != nil {
		return nil, err
	}
	var read []clip.Source
	pick := func(source evidence.ID, kind evidence.TrackKind) (track, error) {
		for _, t := range tracks {
			if t.Source == source && t.Kind == kind && t.Replaces == "" {
				return reach(t, all, d.Plan.Range), nil
			}
		}
		return track{}, fmt.Errorf("%w: source %s has no %s", evidence.ErrInvalid, source, kind)
	}
	note := func(t track) {
		for _, s := range t.segments {
			read = append(read, clip.Source{Name: fmt.Sprintf("%s/%d", t.about.ID, s.Leaf.Index), SHA256: s.Leaf.Plain.SHA256})
		}
	}
	for _, source := range d.Plan.Cameras {
		t, err := pick(source, evidence.Video)
		if err != nil {
			return nil, err
		}
		r.cameras = append(r.cameras, t)
		note(t)
	}
	for _, source := range d.Plan.Sounds {
		t, err := pick(source, evidence.Audio)
		if err != nil {
			return nil, err
		}
		r.sounds = append(r.sounds, t)
		note(t)
	}
	if len(read) == 0 {
		return nil, fmt.Errorf("%w: nothing was recorded there", evidence.ErrInvalid)
	}
	return read, nil
}

// reach returns what of a track is read for a range: the segments that touch it, and
// before them those that decoding begins with.
func reach(t evidence.Track, all []evidence.Segment, r evidence.Range) track {
	out := track{about: t, inits: map[int]evidence.Segment{}}
	var media []evidence.Segment
	for _, s := range all {
		switch {
		case s.Leaf.Track != t.ID:
		case s.Leaf.Kind == evidence.LeafInit:
			out.inits[s.Leaf.Init] = s
		case s.Leaf.Kind == evidence.LeafMedia:
			media = append(media, s)
		}
	}
	slices.SortFunc(media, func(a, b evidence.Segment) int { return a.Leaf.Index - b.Leaf.Index })
	first := -1
	for i, s := range media {
		if !s.Leaf.Range().Overlaps(r) {
			continue
		}
		if first < 0 {
			first = i
			for first > 0 && !media[first].Leaf.Independent {
				first--
			}
			out.segments = append(out.segments, media[first:i]...)
		}
		out.segments = append(out.segments, s)
	}
	return out
}

func (w *Worker) finish(ctx context.Context, d derivative.Derivative, r *render, sources []clip.Source, file []byte) error {
	head, err := w.Store.SealedHead(ctx, d.Recording)
	if err != nil {
		return err
	}
	version, err := w.Tool.Version(ctx)
	if err != nil {
		return err
	}
	plan, err := evidence.Canonical(d.Plan)
	if err != nil {
		return err
	}
	if d.MadeAt, err = w.Store.Now(ctx); err != nil {
		return err
	}
	manifest := sha256.Sum256(head.Manifest)
	width, height := r.size()
	statement := clip.Derivation{Version: 1, ID: d.ID, Recording: d.Recording, Interview: d.Interview, Kind: d.Plan.Kind(), Range: d.Plan.Range, CreatedAt: d.MadeAt,
		Manifest: hex.EncodeToString(manifest[:]), Sources: sources, Tool: clip.Tool{Name: "toldonce and ffmpeg", Version: version},
		Parameters: append([]string{"plan", string(plan), "watermark", string(d.Watermark.Commitment())}, encoderArgs(width, height)...),
		Operator:   d.RequestedBy, Reason: d.Reason.Commitment()}
	if err := statement.Check(); err != nil {
		return err
	}
	sealed, err := w.Sealer.SealFile(ctx, derivative.FileName, file, clip.PredicateDerivation, statement)
	if err != nil {
		return err
	}
	cipher, plain, sum, err := envelope.Encrypt(d.Recipient, file)
	if err != nil {
		return err
	}
	d.State, d.Plain, d.Cipher, d.Bundle, d.Progress = derivative.Review, plain, sum, sealed.Bundle, 100
	d.ObjectKey = fmt.Sprintf("derivatives/%s/%s.age", d.Recording, d.ID)
	if d.ObjectVersion, err = w.Objects.Put(ctx, d.ObjectKey, cipher, sum, time.Time{}); err != nil {
		return err
	}
	return w.Store.ChangeDerivative(ctx, d, w.entry(d, derivative.EntryMade, map[string]string{"kind": d.Plan.Kind(), "sha256": plain.SHA256, "bytes": fmt.Sprint(plain.Size), "sources": fmt.Sprint(len(sources))}))
}
