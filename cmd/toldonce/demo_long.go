package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

const (
	demoLongVictim = "Drita (long)"
	demoLongNeeds  = "None; this interview is synthetic."
)

// longRecording writes a sealed interview of a length that nobody would wait for:
// the demonstration's own segments over and over, encrypted and sealed as any
// other, for trying and measuring what a long one costs. Its custody log and
// manifest say that the demonstration made it.
func (b *demoBuilder) longRecording(ctx context.Context, length time.Duration) error {
	if b.record.Long != "" {
		return nil
	}
	person, err := b.addVictim(ctx, demoLongVictim)
	if err != nil {
		return err
	}
	id, err := b.plan(ctx, person, demoLongNeeds)
	if err != nil {
		return err
	}
	iv, err := b.db.Interview(ctx, id)
	if err != nil {
		return err
	}
	wrapped, recipient, err := b.keys.NewRecordingKey(ctx, iv.Recording)
	if err == nil {
		err = b.db.SaveRecordingKey(ctx, id, wrapped, recipient)
	}
	if err != nil {
		return err
	}
	sealer, err := envelope.NewSealer(recipient)
	if err != nil {
		return err
	}
	l := &longMaker{b: b, iv: iv, sealer: sealer, length: evidence.Offset(length / time.Microsecond), now: evidence.At(b.clock())}
	if err := l.make(ctx); err != nil {
		return err
	}
	b.record.Long = id
	for _, login := range []string{"interviewer", "prosecutor"} {
		g, err := b.access.RequestGrant(ctx, b.actors[login], access.Request{
			Interview: id, Source: access.AllSources, To: b.actors[login].Account, Asked: evidence.Range{From: 0, Until: l.length},
			NotAfter: evidence.At(b.clock().AddDate(0, 1, 0)), Purpose: "Try a long recording", Basis: demoLaw, RestsOn: access.OnLaw})
		if err != nil {
			return err
		}
		if _, err := b.access.ApproveGrant(ctx, b.actors["custodian"], g.ID); err != nil {
			return err
		}
	}
	return nil
}

type longMaker struct {
	b      *demoBuilder
	iv     evidence.Interview
	sealer *envelope.Sealer
	length evidence.Offset
	now    evidence.Instant

	tree     seal.Tree
	segments []evidence.Segment
	manifest evidence.Manifest
}

func (l *longMaker) entry(action string) custody.Entry {
	return custody.Entry{Actor: l.b.actors["interviewer"], Action: action, Agency: l.iv.Agency, Case: l.iv.Case, Interview: l.iv.ID, Subject: l.iv.ID}
}

func (l *longMaker) make(ctx context.Context) error {
	started := l.now - evidence.Instant(l.length)
	db := l.b.db
	facts, err := l.b.RecordingFacts(ctx, l.iv.ID)
	if err != nil {
		return err
	}
	// A break in the middle, so that there are two parts.
	middle, after := l.length/2, l.length/2+min(l.length/20, 300_000_000)
	l.manifest = evidence.Manifest{
		Type: evidence.TypeManifest, Version: 1, Recording: l.iv.Recording, Interview: l.iv.ID, Case: l.iv.Case, Agency: l.iv.Agency, Room: l.iv.Room,
		CaseReference: facts.CaseReference, StartedAt: started, StoppedAt: l.now, TimeZone: facts.TimeZone, Clock: evidence.Clocks{Source: "server", Uncertainty: -1},
		Sources: []evidence.ManifestSource{}, Tracks: []evidence.ManifestTrack{}, Gaps: []evidence.Gap{},
		Parts:  []evidence.Part{{Number: 1, Start: 0, End: middle, Cause: "start"}, {Number: 2, Start: after, End: l.length, Cause: "resume"}},
		Events: []evidence.Event{}, Encryption: evidence.Encryption{Scheme: envelope.Scheme, Recipient: l.sealer.Recipient()}, Software: software() + " demonstration, synthetic",
	}
	for _, e := range []evidence.Event{
		{At: 0, Kind: evidence.EventStart}, {At: l.length / 200, Kind: evidence.EventPhase, Value: "introduction"}, {At: l.length / 20, Kind: evidence.EventPhase, Value: "ground-rules"},
		{At: l.length / 10, Kind: evidence.EventPhase, Value: "rapport"}, {At: l.length / 5, Kind: evidence.EventPhase, Value: "substantive"}, {At: l.length / 3, Kind: evidence.EventMarker},
		{At: middle, Kind: evidence.EventPause}, {At: after, Kind: evidence.EventResume}, {At: l.length * 7 / 10, Kind: evidence.EventMarker},
		{At: l.length * 9 / 10, Kind: evidence.EventPhase, Value: "closure"}, {At: l.length, Kind: evidence.EventStop},
	} {
		e.Instant = started + evidence.Instant(e.At)
		l.manifest.Events = append(l.manifest.Events, e)
	}
	if _, err := db.Transition(ctx, l.iv.ID, []evidence.State{evidence.StateReady}, evidence.StateRecording, started, l.entry(access.InterviewStart)); err != nil {
		return err
	}
	if err := l.copyTracks(ctx); err != nil {
		return err
	}
	for some := l.segments; len(some) > 0; some = some[min(1024, len(some)):] {
		if err := db.SaveSegments(ctx, l.iv.Recording, some[:min(1024, len(some))]); err != nil {
			return err
		}
	}
	if _, err := db.Transition(ctx, l.iv.ID, []evidence.State{evidence.StateRecording}, evidence.StateStopping, l.now, l.entry(access.InterviewStop)); err != nil {
		return err
	}
	l.manifest.Tree = l.tree.Head()
	manifest, err := evidence.Canonical(l.manifest)
	if err != nil {
		return err
	}
	sealed, err := l.b.seal.Seal(ctx, manifest, seal.PredicateOf(l.manifest))
	if err != nil {
		return err
	}
	status, err := json.Marshal(map[string]any{"interview": l.iv.ID, "state": evidence.StateSealed, "sealed": true, "elapsed_us": l.length, "tracks": []any{}, "alarms": []any{}, "parts": 2})
	if err != nil {
		return err
	}
	entry := l.entry("interview.seal")
	entry.Actor, entry.Subject = evidence.System(l.iv.Agency), l.iv.Recording
	entry.Details = map[string]string{"manifest": envelope.Sum(manifest).SHA256, "root": l.manifest.Tree.Root, "leaves": fmt.Sprint(l.manifest.Tree.Size)}
	return db.SaveSealed(ctx, l.iv.ID, evidence.SealedRecording{Recording: l.iv.Recording, Interview: l.iv.ID, Manifest: manifest, Statement: sealed.Statement,
		Bundle: sealed.Bundle, Pages: l.tree.Pages(), Status: status, SealedAt: evidence.At(l.b.clock())}, entry)
}

// copyTracks repeats each track of the demonstration's sealed interview.
func (l *longMaker) copyTracks(ctx context.Context) error {
	db := l.b.db
	from, err := db.Interview(ctx, l.b.record.Sealed)
	if err != nil {
		return err
	}
	sources, err := db.Sources(ctx, from.ID)
	if err != nil {
		return err
	}
	tracks, err := db.Tracks(ctx, from.ID)
	if err != nil {
		return err
	}
	for _, old := range sources {
		source, err := db.SaveSource(ctx, evidence.Source{ID: evidence.NewID(), Interview: l.iv.ID, Role: old.Role, TokenHash: []byte(evidence.NewSalt())}, l.entry(access.SourceAdd))
		if err != nil {
			return err
		}
		l.manifest.Sources = append(l.manifest.Sources, evidence.ManifestSource{ID: source.ID, Role: string(source.Role), Name: source.Name, SourceManifest: "none"})
		for _, t := range tracks {
			if t.Source != old.ID {
				continue
			}
			track := t
			track.ID, track.Source, track.Interview = evidence.NewID(), source.ID, l.iv.ID
			if err := db.SaveTrack(ctx, track); err != nil {
				return err
			}
			if err := l.copySegments(ctx, from, t.ID, track); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *longMaker) copySegments(ctx context.Context, from evidence.Interview, old evidence.ID, track evidence.Track) error {
	all, err := l.b.db.Segments(ctx, from.Recording)
	if err != nil {
		return err
	}
	wrapped, _, err := l.b.db.RecordingKey(ctx, from.Recording)
	if err != nil {
		return err
	}
	key, err := l.b.keys.OpenRecordingKey(ctx, from.Recording, wrapped)
	if err != nil {
		return err
	}
	id, err := key.Identity()
	if err != nil {
		return err
	}
	var media []evidence.Segment
	for _, s := range all {
		if s.Leaf.Track != old || s.Leaf.Kind != evidence.LeafInit && s.Leaf.Kind != evidence.LeafMedia || s.Leaf.Part != 1 || s.Leaf.Kind == evidence.LeafInit && s.Leaf.Init != 0 || s.Leaf.Init != 0 {
			continue
		}
		cipher, err := l.b.objects.Get(ctx, s.ObjectKey, s.ObjectVersion)
		if err != nil {
			return err
		}
		plain, err := envelope.OpenLeaf(id, cipher, s.Leaf)
		if err != nil {
			return err
		}
		again, plainSum, cipherSum, err := l.sealer.Encrypt(plain)
		if err != nil {
			return err
		}
		s.Leaf.Recording, s.Leaf.Track, s.Leaf.Plain, s.Leaf.Cipher = l.iv.Recording, track.ID, plainSum, cipherSum
		s.ObjectKey = fmt.Sprintf("recordings/%s/%s/%s-%d", l.iv.Recording, track.ID, s.Leaf.Kind, s.Leaf.Index)
		if s.ObjectVersion, err = l.b.objects.Put(ctx, s.ObjectKey, again, cipherSum, time.Time{}); err != nil {
			return err
		}
		if s.Leaf.Kind == evidence.LeafInit {
			s.Leaf.Start, s.Leaf.End = 0, 0
			if err := l.add(s); err != nil {
				return err
			}
			continue
		}
		media = append(media, s)
	}
	if len(media) < 2 {
		return fmt.Errorf("%w: too few segments of track %s", evidence.ErrMissingState, old)
	}
	media = media[:len(media)-1] // the last is cut short by the stop
	index, frames := 0, int64(0)
	for _, part := range l.manifest.Parts {
		for at := part.Start; ; index++ {
			s := media[index%len(media)]
			length := s.Leaf.End - s.Leaf.Start
			if at+length > part.End {
				break
			}
			s.Leaf.Salt, s.Leaf.Index, s.Leaf.Part = evidence.NewSalt(), index, part.Number
			s.Leaf.Start, s.Leaf.End = at, at+length
			at += length
			frames += int64(s.Leaf.Frames)
			if err := l.add(s); err != nil {
				return err
			}
		}
	}
	l.manifest.Tracks = append(l.manifest.Tracks, evidence.ManifestTrack{ID: track.ID, Source: track.Source, Kind: track.Kind, Codec: track.Codec, Timescale: track.Timescale,
		Segments: index, Anchors: []evidence.Anchor{}, Frames: evidence.Frames{Whole: frames}})
	return nil
}

func (l *longMaker) add(s evidence.Segment) (err error) {
	if s.Position, err = l.tree.Append(s.Leaf); err != nil {
		return err
	}
	l.segments = append(l.segments, s)
	return nil
}
