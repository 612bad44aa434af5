package disclosure_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
)

// grants allow clips of the first two segments of every track, to one account.
type grants struct {
	of     *testutil.Store
	holder evidence.ID
	id     evidence.ID
	over   bool
	handed bool // without download: a custodian hands packages over
}

func (g *grants) bounds() map[evidence.ID]clip.Bounds {
	out := map[evidence.ID]clip.Bounds{}
	for _, t := range g.of.Recording.Manifest.Tracks {
		out[t.ID] = clip.Bounds{First: 0, Last: 1}
	}
	return out
}

func (g *grants) Clippable(_ ctx, actor evidence.Actor, _ evidence.ID, _ evidence.Range) (evidence.ID, map[evidence.ID]clip.Bounds, error) {
	if actor.Account != g.holder {
		return "", nil, evidence.ErrNotFound
	}
	return g.id, g.bounds(), nil
}

func (g *grants) IncludesTranscript(ctx, evidence.ID) (bool, error) { return false, nil }

func (g *grants) ClipBounds(_ ctx, _ evidence.ID) (map[evidence.ID]clip.Bounds, error) {
	if g.over {
		return nil, evidence.Refuse(evidence.ErrConflict, "clip.grant_over", "Over.", "")
	}
	return g.bounds(), nil
}

func (g *grants) Downloadable(_ ctx, _ evidence.ID) (bool, error) { return !g.handed, nil }

func everything() *disclosure.ClipRequest {
	return &disclosure.ClipRequest{Range: evidence.Range{From: 0, Until: 6_000_000}}
}

func TestAClipHoldsWhatItsGrantAllowsAndNoMore(t *testing.T) {
	s := newStage(t)
	e, err := s.Request(t.Context(), s.prosecutor, s.Held.ID, disclosure.Request{Clear: true, Reason: "hearing", Clip: everything()})
	if err != nil || e.State != disclosure.Proposed || e.Content != disclosure.ClipOfRecording || e.Grant != s.grants.id {
		t.Fatalf("got %+v, %v", e, err)
	}
	if _, err := s.Approve(t.Context(), s.second, e.ID, "", ""); err != nil {
		t.Fatal(err)
	}
	files, _ := s.hand(t, s.prosecutor, e.ID)
	if r := judgeFiles(t, s, files); r.Verdict != verify.Verified || r.Clip == nil || r.Clip.Actual.Until != 4_000_000 || r.Clip.Requested.Until != 6_000_000 {
		t.Errorf("got %s %+v %+v", r.Verdict, r.Clip, r.Findings)
	}
	// Of the rest: nothing.
	for name, data := range files {
		if strings.HasPrefix(name, "data/recording/pages") || name == disclosure.RecordingFile {
			t.Errorf("the clip holds %s", name)
		}
		for i, plain := range s.Recording.Plain {
			if l := s.Recording.Segments[i].Leaf; l.Kind == evidence.LeafMedia && l.Index > 1 && (bytes.Contains(data, plain) || bytes.Contains(data, []byte(l.Plain.SHA256)) || bytes.Contains(data, []byte(l.Salt))) {
				t.Errorf("%s tells of segment %d, which was not granted", name, l.Index)
			}
		}
		if bytes.Contains(data, s.Key[:]) || bytes.Contains(data, []byte("AGE-SECRET-KEY")) {
			t.Errorf("%s holds a key", name)
		}
	}
}

func TestAClipNeedsAGrantThatStands(t *testing.T) {
	s := newStage(t)
	_, err := s.Request(t.Context(), s.other, s.Held.ID, disclosure.Request{Clear: true, Reason: "hearing", Clip: everything()})
	wantRefusal(t, err, evidence.ErrRefused, "clip.no_grant")
	_, err = s.Request(t.Context(), s.prosecutor, s.Held.ID, disclosure.Request{Clear: true, Reason: "x", Clip: &disclosure.ClipRequest{Range: evidence.Range{From: 4_500_000, Until: 6_000_000}}})
	wantRefusal(t, err, evidence.ErrInvalid, "clip.nothing")
	_, err = s.Request(t.Context(), s.prosecutor, s.Held.ID, disclosure.Request{Clear: true, Reason: "x", Clip: &disclosure.ClipRequest{Range: evidence.Range{From: 0, Until: 6_000_000}, Source: "attic"}})
	wantRefusal(t, err, evidence.ErrInvalid, "clip.source")
	e, err := s.Request(t.Context(), s.prosecutor, s.Held.ID, disclosure.Request{Clear: true, Reason: "hearing", Clip: everything()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Approve(t.Context(), s.second, e.ID, "", ""); err != nil {
		t.Fatal(err)
	}
	s.grants.over = true
	_, err = s.Deliver(t.Context(), s.prosecutor, e.ID, "")
	wantRefusal(t, err, evidence.ErrConflict, "clip.grant_over")
}

func TestAPassphraseIsAskedForAtDeliveryAndKeptNowhere(t *testing.T) {
	s := newStage(t)
	const secret = "correct horse battery staple"
	e, err := s.Request(t.Context(), s.custodian, s.Held.ID, disclosure.Request{Passphrase: true})
	if err != nil || e.State != disclosure.Approved || e.Clear() {
		t.Fatalf("got %+v, %v", e, err)
	}
	_, err = s.Deliver(t.Context(), s.custodian, e.ID, "short")
	wantRefusal(t, err, evidence.ErrInvalid, "export.passphrase")
	d, err := s.Deliver(t.Context(), s.custodian, e.ID, secret)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := d.WriteTo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	id, err := age.NewScryptIdentity(secret)
	if err != nil {
		t.Fatal(err)
	}
	in, err := age.Decrypt(&out, id)
	if err != nil {
		t.Fatal(err)
	}
	if r := judgeFiles(t, s, testutil.Untar(t, in)); r.Verdict != verify.Verified {
		t.Errorf("got %s", r.Verdict)
	}
	got, err := s.Store.Export(t.Context(), e.ID)
	if err != nil || strings.Contains(strings.Join([]string{got.Recipient, got.Reason, got.Digest}, " "), secret) {
		t.Errorf("the passphrase was kept: %+v, %v", got, err)
	}
}

func TestAReceiptIsAcknowledgedOrMissed(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	e, err := s.Request(ctx, s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	files, _ := s.hand(t, s.alone, e.ID)
	_, err = s.Receive(ctx, s.alone, e.ID, strings.Repeat("0", 64))
	wantRefusal(t, err, evidence.ErrInvalid, "export.other_digest")

	if n, err := s.Remind(ctx); n != 0 || err != nil {
		t.Errorf("an alarm before the time: %d, %v", n, err)
	}
	s.Clock += evidence.Instant(disclosure.ReceiptDue.Microseconds()) + 1
	if v, err := s.View(ctx, s.alone, e.ID); err != nil || !v.Overdue || !v.MayReceive {
		t.Errorf("got %+v, %v", v, err)
	}
	for i, want := range []int{1, 0} {
		if n, err := s.Remind(ctx); n != want || err != nil {
			t.Errorf("round %d: %d alarms, %v", i, n, err)
		}
	}
	// The recipient reads the digest from its own package.
	got, err := s.Receive(ctx, s.alone, e.ID, judgeFiles(t, s, files).Digest)
	if err != nil || got.State != disclosure.Received || got.ReceivedBy != s.alone.Account {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = s.Receive(ctx, s.alone, e.ID, got.Digest)
	wantRefusal(t, err, evidence.ErrConflict, "export.received")
	want := []string{disclosure.ActionAlone, disclosure.ActionRead, disclosure.EntryDelivered, disclosure.EntryUnreceived, disclosure.ActionReceive}
	if log := s.Actions(e.ID); strings.Join(log, " ") != strings.Join(want, " ") {
		t.Errorf("log %v, want %v", log, want)
	}
	if _, err := s.Receive(ctx, s.stranger, e.ID, got.Digest); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}

func judgeFiles(t *testing.T, s *stage, files testutil.Files) *verify.Report {
	t.Helper()
	r, err := verify.Package(t.Context(), files.WriteTo(t, t.TempDir()), s.World.Authority.Trust())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAGrantWithoutDownloadIsHandedOver(t *testing.T) {
	s := newStage(t)
	s.grants.handed = true
	e, err := s.Request(t.Context(), s.prosecutor, s.Held.ID, disclosure.Request{Clear: true, Reason: "hearing", Clip: everything()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Approve(t.Context(), s.second, e.ID, "", ""); err != nil {
		t.Fatal(err)
	}
	v, err := s.View(t.Context(), s.prosecutor, e.ID)
	if err != nil || v.MayFetch {
		t.Errorf("%+v, %v", v, err)
	}
	_, err = s.Deliver(t.Context(), s.prosecutor, e.ID, "")
	wantRefusal(t, err, evidence.ErrRefused, "export.no_download")
	if _, d := s.hand(t, s.second, e.ID); d.Export.ID != e.ID {
		t.Errorf("%+v", d.Export)
	}
}

// P19: the third copy and every later one needs a named higher authority.
func TestFurtherCopiesNeedAHigherAuthority(t *testing.T) {
	s := newStage(t)
	clear := disclosure.Request{Clear: true, Reason: "hearing"}
	ask := func() disclosure.Export {
		t.Helper()
		e, err := s.Request(t.Context(), s.custodian, s.Held.ID, clear)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for range 2 {
		if _, err := s.Approve(t.Context(), s.second, ask().ID, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	third := ask()
	v, err := s.View(t.Context(), s.second, third.ID)
	if err != nil || !v.NeedsAuthority {
		t.Errorf("%+v, %v", v, err)
	}
	_, err = s.Approve(t.Context(), s.second, third.ID, "", " ")
	wantRefusal(t, err, evidence.ErrRefused, "export.authority")
	// Nor is one approved at once because a custodian asked for it.
	sealed := disclosure.Request{Passphrase: true, Reason: "hearing"}
	_, err = s.Request(t.Context(), s.custodian, s.Held.ID, sealed)
	wantRefusal(t, err, evidence.ErrRefused, "export.authority")
	sealed.Authority = "Chief prosecutor, order 4/26"
	if e, err := s.Request(t.Context(), s.custodian, s.Held.ID, sealed); err != nil || e.State != disclosure.Approved {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := s.Approve(t.Context(), s.second, third.ID, "", sealed.Authority); err != nil || e.State != disclosure.Approved {
		t.Errorf("%+v, %v", e, err)
	}
	// In a demonstration no data is real.
	if e, err := s.Request(t.Context(), s.alone, s.Held.ID, clear); err != nil || e.State != disclosure.Approved {
		t.Errorf("%+v, %v", e, err)
	}
}
