package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// WindowLength bounds a delivery window, in wall time and in interview time.
const WindowLength = 30 * time.Second

const (
	windowSpan = evidence.Offset(WindowLength / time.Microsecond)
	// windowLead is how far a window reaches back before the segment that opened
	// it, so that the other tracks' segments of the same moment, which begin a
	// little earlier, lie in it too. No segment is longer than 4 s.
	windowLead = evidence.Offset(5 * time.Second / time.Microsecond)
	// refusalEvery is how often one account's refusals for one reason on one
	// interview are logged.
	refusalEvery = evidence.Instant(30 * time.Second / time.Microsecond)
)

// Delivery is one segment that may be sent to one viewer now.
type Delivery struct {
	Segment evidence.Segment
	Grant   evidence.ID
	Window  evidence.ID
}

type windowKey struct{ viewer, session, grant evidence.ID }

// openWindow is a window that is committed, as far as this process knows. mu is
// held while a next one is opened, so that one moment's requests open one.
type openWindow struct {
	mu   sync.Mutex
	last Window
	gone map[segmentKey]bool // segments noted as delivered in last
}

type segmentKey struct {
	track evidence.ID
	index int
}

// Deliver decides, anew on every call and by the server's time, whether actor may
// have one segment, and returns it once the custody entry of the delivery window
// is committed. kind is evidence.LeafMedia, or evidence.LeafInit with the number
// of an initialisation segment that the granted segments are decoded with.
//
// Somebody without any grant that ever was active gets the answer for an
// interview that does not exist; anyone else a *evidence.Refusal with reasons.
// Refusals are logged, at most once in 30 s for the same account, interview and
// reason. Any failure to decide or to log denies.
func (s *Service) Deliver(ctx context.Context, actor evidence.Actor, interview, track evidence.ID, kind evidence.LeafKind, index int) (Delivery, error) {
	d, err := s.deliver(ctx, actor, interview, track, kind, index)
	if errors.Is(err, errEnded) {
		// The grant ended between decision and entry: the decision says why.
		d, err = s.deliver(ctx, actor, interview, track, kind, index)
	}
	return d, err
}

// Still reports whether a delivery that was decided may be sent now, after the
// time that it took to read it: nil, or what [Service.Deliver] would refuse with. The window's
// entry stands and counts the segment as delivered, so the account of what somebody
// got never falls short.
func (s *Service) Still(ctx context.Context, actor evidence.Actor, interview evidence.ID, d Delivery) error {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	l := d.Segment.Leaf
	v, err := s.viewing(ctx, actor, interview, now)
	if err == nil {
		v.Grants = slices.DeleteFunc(slices.Clone(v.Grants), func(g Grant) bool { return g.ID != d.Grant })
		index := l.Index
		if l.Kind == evidence.LeafInit {
			index = l.Init
		}
		if len(v.Grants) == 0 {
			err = errHidden
		} else {
			_, _, err = s.decide(ctx, actor, v, interview, l.Track, l.Kind, index, now)
		}
	}
	if err != nil {
		return s.refused(ctx, actor, v, interview, l.Track, now, err)
	}
	return nil
}

// errEnded says that a grant ended after it was decided on.
var errEnded = errors.New("the grant has just ended")

func (s *Service) deliver(ctx context.Context, actor evidence.Actor, interview, track evidence.ID, kind evidence.LeafKind, index int) (Delivery, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Delivery{}, err
	}
	v, err := s.viewing(ctx, actor, interview, now)
	if err != nil {
		return Delivery{}, s.refused(ctx, actor, v, interview, track, now, err)
	}
	grant, segment, err := s.decide(ctx, actor, v, interview, track, kind, index, now)
	if err != nil {
		return Delivery{}, s.refused(ctx, actor, v, interview, track, now, err)
	}
	window, err := s.window(ctx, actor, v, grant, segment, now)
	if err != nil {
		return Delivery{}, fmt.Errorf("logging a delivery of interview %s: %w", interview, err)
	}
	return Delivery{Segment: segment, Grant: grant.ID, Window: window.ID}, nil
}

// viewing reads the facts about an actor and an interview's media, and hides the
// interview from whoever never had a grant. Whether she may know of it otherwise
// is asked if she is refused; see judge.
func (s *Service) viewing(ctx context.Context, actor evidence.Actor, interview evidence.ID, now evidence.Instant) (Viewing, error) {
	if actor.Kind != evidence.ActorPerson || actor.Account == "" {
		return Viewing{}, errHidden
	}
	v, err := s.Store.Viewing(ctx, actor, interview, now)
	if errors.Is(err, evidence.ErrNotFound) {
		return Viewing{}, errHidden
	}
	if err != nil {
		return Viewing{}, fmt.Errorf("facts for playing interview %s: %w", interview, err)
	}
	if len(v.Grants) == 0 {
		return v, errHidden
	}
	return v, nil
}

// decide chooses the first grant that gives the segment.
func (s *Service) decide(ctx context.Context, actor evidence.Actor, v Viewing, interview, track evidence.ID, kind evidence.LeafKind, index int, now evidence.Instant) (Grant, evidence.Segment, error) {
	segment, err := s.Store.SegmentAt(ctx, track, kind, index)
	if err == nil && segment.Leaf.Recording != v.Recording {
		err = evidence.ErrNotFound
	}
	if errors.Is(err, evidence.ErrNotFound) {
		return Grant{}, evidence.Segment{}, errHidden
	}
	if err != nil {
		return Grant{}, evidence.Segment{}, err
	}
	original, err := s.original(ctx, v.Grants, interview, track)
	if err != nil {
		return Grant{}, evidence.Segment{}, err
	}
	var refusal error
	for _, g := range v.Grants {
		if original != "" {
			err := s.judgeReplacement(ctx, actor, v, interview, g, original, segment, now)
			if err == nil {
				return g, segment, nil
			}
			if refusal == nil || g.StateAt(now) == Active {
				refusal = err
			}
			continue
		}
		at := index
		if kind == evidence.LeafInit {
			if at, err = s.firstWith(ctx, g, track, index); err != nil {
				return Grant{}, evidence.Segment{}, err
			}
		}
		err := s.judgePlay(ctx, actor, v, interview, g, track, at, now)
		if err == nil {
			return g, segment, nil
		}
		// The reasons that a person needs are those of the grant that is in force.
		if refusal == nil || g.StateAt(now) == Active {
			refusal = err
		}
	}
	return Grant{}, evidence.Segment{}, refusal
}

// firstWith returns the index of the first granted segment of a track that is
// decoded with an initialisation segment, or -1.
func (s *Service) firstWith(ctx context.Context, g Grant, track evidence.ID, init int) (int, error) {
	b, ok := g.bounds(track)
	if !ok {
		return -1, nil
	}
	segments, err := s.Store.SegmentsOfTrack(ctx, track, b.Range)
	if err != nil {
		return 0, err
	}
	for _, segment := range segments {
		l := segment.Leaf
		if l.Kind == evidence.LeafMedia && l.Init == init && l.Index >= b.FirstIndex && l.Index <= b.LastIndex {
			return l.Index, nil
		}
	}
	return -1, nil
}

// judgePlay decides on one segment under one grant.
func (s *Service) judgePlay(ctx context.Context, actor evidence.Actor, v Viewing, interview evidence.ID, g Grant, track evidence.ID, index int, now evidence.Instant) error {
	b, inTrack := g.bounds(track)
	play := playFacts(g, b, inTrack, index, v.Consents[g.Consent], v.Accepted[g.ID])
	return s.judge(ctx, actor, MediaPlay, evidence.Resource{Kind: KindInterview, ID: interview}, v.Standing, s.facts(actor, v.Standing, now), play)
}

// playFacts are the facts of media.play beyond those of every decision.
func playFacts(g Grant, b TrackBounds, inTrack bool, index int, consentHolds, accepted bool) cedar.RecordMap {
	return cedar.RecordMap{
		"grant": cedar.NewRecord(cedar.RecordMap{
			"to": cedar.NewEntityUID("Account", types.String(g.To)), "state": types.String(g.State),
			"notBefore": types.Long(g.NotBefore), "notAfter": types.Long(g.NotAfter),
			"onConsent": types.Boolean(g.RestsOn == OnConsent), "consentHolds": types.Boolean(consentHolds),
			"terms": types.Boolean(g.Conditions.Terms), "accepted": types.Boolean(accepted),
		}),
		"segment": cedar.NewRecord(cedar.RecordMap{
			"inTrack": types.Boolean(inTrack), "first": types.Long(b.FirstIndex), "last": types.Long(b.LastIndex), "at": types.Long(index),
		}),
	}
}

// refused logs a refusal of media and returns the error to answer with.
func (s *Service) refused(ctx context.Context, actor evidence.Actor, v Viewing, interview, track evidence.ID, now evidence.Instant, why error) error {
	code := "not_found"
	var refusal *evidence.Refusal
	switch {
	case errors.As(why, &refusal):
		code = refusal.Reasons[0].Code
	case !errors.Is(why, evidence.ErrNotFound):
		return why
	}
	entry := custody.Entry{Actor: actor, Action: EntryRefuse, Agency: v.OwnedBy, Case: v.Case, Details: map[string]string{"reason": code}}
	if v.Case != "" {
		entry.Interview = interview
	}
	if v.Case != "" && refusal != nil {
		entry.Subject = track
	}
	if err := s.Store.LogRefusal(ctx, actor.Account, entry.Interview, code, now-refusalEvery, entry); err != nil {
		// Media stays refused; that the log could not say so is an alarm.
		s.Logger.ErrorContext(ctx, "a refusal of media could not be logged", "reason", code, "error", err)
	}
	return why
}

// window returns a committed window that covers the segment, opening one if there
// is none, and notes the segment as delivered.
func (s *Service) window(ctx context.Context, actor evidence.Actor, v Viewing, g Grant, segment evidence.Segment, now evidence.Instant) (Window, error) {
	open := s.openWindow(windowKey{actor.Account, actor.Session, g.ID}, now)
	open.mu.Lock()
	defer open.mu.Unlock()
	if !open.last.covers(segment.Leaf, now) {
		w, err := s.Store.OpenWindow(ctx, newWindow(actor, g, segment.Leaf, now), needs(segment.Leaf), deliveryEntry(actor, v, g, segment.Leaf))
		if errors.Is(err, evidence.ErrConflict) {
			return Window{}, fmt.Errorf("%w: %w", errEnded, err)
		}
		if err != nil {
			return Window{}, err
		}
		if w.ID != open.last.ID {
			open.gone = map[segmentKey]bool{}
		}
		open.last = w
	}
	if segment.Leaf.Kind != evidence.LeafMedia {
		return open.last, nil
	}
	key := segmentKey{segment.Leaf.Track, segment.Leaf.Index}
	if !open.gone[key] {
		d := Delivered{Window: open.last.ID, Interview: g.Interview, Viewer: actor.Account, Track: key.track, Index: key.index, Range: segment.Leaf.Range()}
		if err := s.Store.SaveDelivered(ctx, d); err != nil {
			return Window{}, err
		}
		open.gone[key] = true
	}
	return open.last, nil
}

// openWindow returns what is known of a viewer's last window, and forgets those
// that are long over.
func (s *Service) openWindow(key windowKey, now evidence.Instant) *openWindow {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now-s.swept > evidence.Instant(2*WindowLength/time.Microsecond) || now < s.swept {
		s.swept = now
		for k, o := range s.windows {
			if o.mu.TryLock() {
				if now >= o.last.ExpiresAt {
					delete(s.windows, k)
				}
				o.mu.Unlock()
			}
		}
	}
	o := s.windows[key]
	if o == nil {
		o = &openWindow{gone: map[segmentKey]bool{}}
		s.windows[key] = o
	}
	return o
}

// covers reports whether the committed window stands for the delivery of a leaf
// now. An initialisation segment holds no interview time: any window that is
// open covers it.
func (w Window) covers(l evidence.Leaf, now evidence.Instant) bool {
	if w.ID == "" || now < w.OpenedAt || now >= w.ExpiresAt {
		return false
	}
	return l.Kind == evidence.LeafInit || w.Range.Contains(l.Range())
}

// newWindow is the window that the delivery of a leaf opens. One that an
// initialisation segment opens is empty: it stands for nothing but that.
func newWindow(actor evidence.Actor, g Grant, l evidence.Leaf, now evidence.Instant) Window {
	return Window{ID: evidence.NewID(), Agency: g.Agency, Interview: g.Interview, Grant: g.ID, Viewer: actor.Account, Session: actor.Session,
		Range: windowRange(g, l), OpenedAt: now, ExpiresAt: now + evidence.Instant(WindowLength/time.Microsecond)}
}

// needs is the interview time that a window must cover for a leaf to be delivered
// in it; empty for an initialisation segment.
func needs(l evidence.Leaf) evidence.Range {
	if l.Kind == evidence.LeafInit {
		return evidence.Range{}
	}
	return l.Range()
}

func windowRange(g Grant, l evidence.Leaf) evidence.Range {
	if l.Kind == evidence.LeafInit {
		return evidence.Range{From: g.Bounds.From, Until: g.Bounds.From}
	}
	from := max(g.Bounds.From, l.Start-windowLead)
	return evidence.Range{From: from, Until: max(l.End, min(g.Bounds.Until, from+windowSpan))}
}

func deliveryEntry(actor evidence.Actor, v Viewing, g Grant, l evidence.Leaf) custody.Entry {
	r := windowRange(g, l)
	details := map[string]string{"from": number(r.From), "until": number(r.Until), "seconds": number(int64(WindowLength / time.Second))}
	for i, b := range g.Tracks {
		details[fmt.Sprintf("track.%d", i)] = string(b.Track)
	}
	return custody.Entry{Actor: actor, Action: EntryDeliver, Agency: v.OwnedBy, Case: v.Case, Interview: g.Interview, Subject: g.ID, Details: details}
}
