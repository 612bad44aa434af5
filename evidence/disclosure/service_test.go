package disclosure_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
)

// rules allows what a test lists, by account and action.
type rules map[evidence.ID][]string

func (r rules) Authorize(_ context.Context, actor evidence.Actor, action string, _ evidence.Resource) error {
	allowed, known := r[actor.Account]
	switch {
	case !known:
		return evidence.ErrNotFound
	case !slices.Contains(allowed, action):
		return evidence.Refuse(evidence.ErrRefused, "access.role", "Your role does not include this.", "")
	}
	return nil
}

type stage struct {
	*testutil.Store
	*disclosure.Service
	grants                                                *grants
	custodian, second, alone, prosecutor, other, stranger evidence.Actor
}

type ctx = context.Context

func newStage(t *testing.T) *stage {
	t.Helper()
	w := testutil.NewWorld(t)
	s := &stage{Store: testutil.NewStore(t, w)}
	actor := func(role evidence.Role) evidence.Actor {
		return evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: w.Agency, Role: role, MFA: true, Address: "192.0.2.9"}
	}
	s.custodian, s.second, s.alone = actor(evidence.RoleCustodian), actor(evidence.RoleCustodian), actor(evidence.RoleCustodian)
	s.prosecutor, s.other, s.stranger = actor(evidence.RoleProsecutor), actor(evidence.RoleProsecutor), actor(evidence.RoleObserver)
	s.grants = &grants{of: s.Store, holder: s.prosecutor.Account, id: evidence.NewID()}
	s.Service = disclosure.NewService(disclosure.Config{
		Store: s.Store, Objects: s.Store, Keys: s.Store, Log: w.Log, Checkpoints: w.Checkpoints, Sealer: w.Authority, Software: "toldonce test", Grants: s.grants,
		Access: rules{
			s.custodian.Account:  {disclosure.ActionRequest, disclosure.ActionRead},
			s.second.Account:     {disclosure.ActionRequest, disclosure.ActionApprove, disclosure.ActionRead},
			s.alone.Account:      {disclosure.ActionRequest, disclosure.ActionRead, disclosure.ActionAlone, disclosure.ActionReceive},
			s.prosecutor.Account: {disclosure.ActionRequest, disclosure.ActionRead, disclosure.ActionClip},
			s.other.Account:      {disclosure.ActionClip},
		},
	})
	return s
}

func (s *stage) hand(t *testing.T, actor evidence.Actor, id evidence.ID) (testutil.Files, *disclosure.Delivery) {
	t.Helper()
	d, err := s.Deliver(t.Context(), actor, id, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := d.WriteTo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return testutil.Untar(t, &out), d
}

func wantRefusal(t *testing.T, err error, kind error, code string) {
	t.Helper()
	var r *evidence.Refusal
	if !errors.As(err, &r) || !errors.Is(err, kind) || r.Reasons[0].Code != code {
		t.Errorf("got %v, want refusal %s (%v)", err, code, kind)
	}
}

// The names of the actions are the policy's.
func TestActionsAreThoseOfThePolicy(t *testing.T) {
	for ours, policy := range map[string]string{
		disclosure.ActionRequest: access.ExportRequest, disclosure.ActionAlone: access.ExportAlone,
		disclosure.ActionApprove: access.ExportApprove, disclosure.ActionRead: access.ExportRead,
		disclosure.ActionReceive: access.ExportReceive, disclosure.ActionClip: access.ClipRequest,
	} {
		if ours != policy {
			t.Errorf("%q is %q in the policy", ours, policy)
		}
	}
}

func TestClearPackageNeedsAReasonAndASecondPerson(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	_, err := s.Request(ctx, s.custodian, s.Held.ID, disclosure.Request{Clear: true})
	wantRefusal(t, err, evidence.ErrInvalid, "export.reason")
	e, err := s.Request(ctx, s.custodian, s.Held.ID, disclosure.Request{Clear: true, Reason: "the court's player cannot decrypt"})
	if err != nil || e.State != disclosure.Proposed || !e.Clear() {
		t.Fatalf("got %+v, %v", e, err)
	}
	_, err = s.Deliver(ctx, s.custodian, e.ID, "")
	wantRefusal(t, err, evidence.ErrConflict, "export.not_approved")
	if _, err := s.Approve(ctx, s.custodian, e.ID, "", ""); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("approved by who asked: %v", err)
	}
	if e, err = s.Approve(ctx, s.second, e.ID, "checked the order", ""); err != nil || e.State != disclosure.Approved || e.ApprovedBy != s.second.Account {
		t.Fatalf("got %+v, %v", e, err)
	}
	_, err = s.Approve(ctx, s.second, e.ID, "", "")
	wantRefusal(t, err, evidence.ErrConflict, "export.decided")

	files, d := s.hand(t, s.custodian, e.ID)
	if d.ContentType != "application/x-tar" {
		t.Errorf("content type %s", d.ContentType)
	}
	r, err := verify.Package(ctx, files.WriteTo(t, t.TempDir()), s.World.Authority.Trust())
	if err != nil || r.Verdict != verify.Verified {
		t.Fatalf("got %v, %v", r, err)
	}
	if want := []string{disclosure.ActionRequest, disclosure.ActionApprove, disclosure.ActionRead, disclosure.EntryDelivered}; !slices.Equal(s.Actions(e.ID), want) {
		t.Errorf("log: %v, want %v", s.Actions(e.ID), want)
	}
	// The package's own excerpt says that it left.
	if !bytes.Contains(files[disclosure.EntriesFile], []byte(`"action":"export.read"`)) {
		t.Error("the excerpt does not hold the delivery's entry")
	}
	if len(files[disclosure.OpeningsFile]) != 0 {
		t.Errorf("texts were disclosed that nobody asked for: %s", files[disclosure.OpeningsFile])
	}
	got, err := s.Export(ctx, e.ID)
	if err != nil || got.State != disclosure.Delivered || got.Digest == "" || got.Bytes == 0 || got.Attempt != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = s.Deliver(ctx, s.custodian, e.ID, "")
	wantRefusal(t, err, evidence.ErrConflict, "export.delivered")
}

func TestOnePersonAloneWhereThePolicyLetsHer(t *testing.T) {
	s := newStage(t)
	e, err := s.Request(t.Context(), s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "demonstration"})
	if err != nil || e.State != disclosure.Approved {
		t.Fatalf("got %+v, %v", e, err)
	}
	s.hand(t, s.alone, e.ID)
	if want := []string{disclosure.ActionAlone, disclosure.ActionRead, disclosure.EntryDelivered}; !slices.Equal(s.Actions(e.ID), want) {
		t.Errorf("log: %v, want %v", s.Actions(e.ID), want)
	}
}

func TestEncryptedPackageIsForItsRecipientAlone(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	// What a prosecutor asks for waits for a custodian, encrypted or not.
	to := disclosure.Request{To: id.Recipient().String(), Reasons: true}
	if e, err := s.Request(ctx, s.prosecutor, s.Held.ID, to); err != nil || e.State != disclosure.Proposed {
		t.Errorf("a prosecutor's: got %+v, %v", e, err)
	}
	e, err := s.Request(ctx, s.custodian, s.Held.ID, to)
	if err != nil || e.State != disclosure.Approved {
		t.Fatalf("a custodian's: got %+v, %v", e, err)
	}
	d, err := s.Deliver(ctx, s.custodian, e.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	if _, err := d.WriteTo(ctx, &sealed); err != nil {
		t.Fatal(err)
	}
	if d.ContentType != "application/age" || !strings.HasSuffix(d.Name, ".tar.age") || !bytes.HasPrefix(sealed.Bytes(), []byte("age-encryption.org/v1")) {
		t.Errorf("got %s %s", d.ContentType, d.Name)
	}
	other, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(bytes.NewReader(sealed.Bytes()), other); err == nil {
		t.Error("another key opens the package")
	}
	plain, err := age.Decrypt(bytes.NewReader(sealed.Bytes()), id)
	if err != nil {
		t.Fatal(err)
	}
	files := testutil.Untar(t, plain)
	r, err := verify.Package(ctx, files.WriteTo(t, t.TempDir()), s.World.Authority.Trust())
	if err != nil || r.Verdict != verify.Verified {
		t.Fatalf("got %v, %v", r, err)
	}
	openings := string(files[disclosure.OpeningsFile])
	if !strings.Contains(openings, "because of interview.start") {
		t.Error("the reasons that were asked for are not there")
	}
	for name, data := range files {
		if bytes.Contains(data, []byte("192.0.2.")) {
			t.Errorf("%s holds a network address", name)
		}
	}
}

func TestRecipientsThatAreNone(t *testing.T) {
	s := newStage(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	good := id.Recipient().String()
	for name, to := range map[string]string{
		"secret key": id.String(), "two": good + "\n" + good, "comment": "# x\n" + good, "space": " " + good, "ssh": "ssh-ed25519 AAAA",
		"cut off": good[:40], "wrong checksum": good[:len(good)-1] + "q", "endless": "age1" + strings.Repeat("q", 1<<20), "capitals": strings.ToUpper(good),
	} {
		_, err := s.Request(t.Context(), s.custodian, s.Held.ID, disclosure.Request{To: to})
		if name == "wrong checksum" && strings.HasSuffix(good, "q") {
			continue
		}
		wantRefusal(t, err, evidence.ErrInvalid, "export.recipient")
	}
	_, err = s.Request(t.Context(), s.custodian, s.Held.ID, disclosure.Request{To: good, Clear: true, Reason: "x"})
	wantRefusal(t, err, evidence.ErrInvalid, "export.recipient_or_clear")
	_, err = s.Request(t.Context(), s.custodian, s.Held.ID, disclosure.Request{})
	wantRefusal(t, err, evidence.ErrInvalid, "export.recipient_or_clear")
}

func TestNobodyElseLearnsOfAnExport(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	if _, err := s.Request(ctx, s.stranger, s.Held.ID, disclosure.Request{Clear: true, Reason: "x"}); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("request: %v", err)
	}
	e, err := s.Request(ctx, s.custodian, s.Held.ID, disclosure.Request{Clear: true, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deliver(ctx, s.stranger, e.ID, ""); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("delivery: %v", err)
	}
	if list, err := s.listed(ctx, s.stranger); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	list, err := s.listed(ctx, s.second)
	if err != nil || len(list) != 1 || !list[0].MayApprove || list[0].MayFetch {
		t.Errorf("the second custodian's list: %+v, %v", list, err)
	}
	if _, err := s.View(ctx, s.stranger, e.ID); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("view: %v", err)
	}
}

// listed tells the service's list from the store's.
func (s *stage) listed(ctx context.Context, actor evidence.Actor) ([]disclosure.View, error) {
	return s.Service.Exports(ctx, actor, disclosure.Filter{})
}

func TestNothingIsPromisedThatCannotBeGiven(t *testing.T) {
	for name, spoil := range map[string]func(s *stage){
		"not sealed": func(s *stage) { s.Held.State = evidence.StateRecording },
		"erased":     func(s *stage) { s.Erased = true },
		"no database": func(s *stage) {
			s.Fail = func(method string) error {
				if method == "Segments" {
					return evidence.ErrUnavailable
				}
				return nil
			}
		},
		"entry cannot be committed": func(s *stage) {
			s.Fail = func(method string) error {
				if method == "ChangeExport" {
					return evidence.ErrUnavailable
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			if name == "not sealed" {
				spoil(s)
				_, err := s.Request(t.Context(), s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "x"})
				wantRefusal(t, err, evidence.ErrConflict, "export.not_sealed")
				return
			}
			e, err := s.Request(t.Context(), s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "x"})
			if err != nil {
				t.Fatal(err)
			}
			spoil(s)
			if d, err := s.Deliver(t.Context(), s.alone, e.ID, ""); err == nil {
				t.Errorf("got %+v", d)
			}
			if want := []string{disclosure.ActionAlone}; !slices.Equal(s.Actions(e.ID), want) {
				t.Errorf("log: %v, want %v", s.Actions(e.ID), want)
			}
		})
	}
}

// broken fails after n bytes, as a recipient who hangs up.
type broken struct{ n int }

func (b *broken) Write(p []byte) (int, error) {
	if b.n -= len(p); b.n < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestBrokenDeliveryIsRecordedAndMayBeRepeated(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	e, err := s.Request(ctx, s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Deliver(ctx, s.alone, e.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Deliver(ctx, s.alone, e.ID, "")
	wantRefusal(t, err, evidence.ErrConflict, "export.in_delivery")
	hungUp, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := d.WriteTo(hungUp, &broken{n: 20_000}); err == nil {
		t.Error("a broken delivery is called whole")
	}
	s.hand(t, s.alone, e.ID)
	want := []string{disclosure.ActionAlone, disclosure.ActionRead, disclosure.EntryInterrupted, disclosure.ActionRead, disclosure.EntryDelivered}
	if !slices.Equal(s.Actions(e.ID), want) {
		t.Errorf("log: %v, want %v", s.Actions(e.ID), want)
	}
}

// A node that dies in a delivery leaves a claim that ends by itself; the one who
// comes back late cannot say that it delivered.
func TestAbandonedDeliveryIsTakenOver(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	e, err := s.Request(ctx, s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	dead, err := s.Deliver(ctx, s.alone, e.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Clock += evidence.Instant((3 * time.Minute).Microseconds())
	s.hand(t, s.alone, e.ID)
	if _, err := dead.WriteTo(ctx, io.Discard); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	if got, err := s.Export(ctx, e.ID); err != nil || got.Attempt != 2 || got.State != disclosure.Delivered {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestChangedObjectNeverLeaves(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.Recording.Cipher[3] = bytes.Clone(s.Recording.Cipher[3])
	s.Recording.Cipher[3][len(s.Recording.Cipher[3])-1] ^= 1
	e, err := s.Request(ctx, s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Deliver(ctx, s.alone, e.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := d.WriteTo(ctx, &out); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if last := s.Actions(e.ID); last[len(last)-1] != disclosure.EntryInterrupted {
		t.Errorf("log: %v", last)
	}
}

// Names of persons stand in no file and no file name; one file per track, part
// and init.
func TestPackageLayout(t *testing.T) {
	w := testutil.NewWorld(t)
	files := w.Package(t, w.Record(t, testutil.Shape{Sources: 2, Parts: 2, Loops: 1}))
	for _, kind := range []string{"audio", "video"} {
		for _, source := range []string{"close-up", "wide-1"} {
			for part := 1; part <= 2; part++ {
				if name := fmt.Sprintf("data/media/%s-%s-part%02d-init0.mp4", source, kind, part); files[name] == nil {
					t.Errorf("%s is missing", name)
				}
			}
		}
	}
	media := 0
	for name := range files {
		if strings.HasPrefix(name, "data/media/") {
			media++
		}
	}
	if media != 8 {
		t.Errorf("%d media files, want 8", media)
	}
}
