package web

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	descent "github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/derivative"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// made stands in for the worker: it stores a file as what was asked for.
func (r *real) made(h *harness, id evidence.ID, file []byte) {
	h.Helper()
	ctx := context.Background()
	d, err := r.db.Derivative(ctx, id)
	h.Must(err)
	sealed, err := r.seal.SealFile(ctx, derivative.FileName, file, descent.PredicateDerivation, descent.Derivation{Version: 1, ID: d.ID, Recording: d.Recording, Interview: d.Interview, Kind: d.Plan.Kind(),
		Range: d.Plan.Range, CreatedAt: 1, Manifest: strings.Repeat("a", 64), Sources: []descent.Source{{Name: "t/0", SHA256: strings.Repeat("b", 64)}}, Tool: descent.Tool{Name: "t", Version: "1"},
		Parameters: []string{}, Operator: d.RequestedBy, Reason: d.Reason.Commitment()})
	h.Must(err)
	cipher, plain, sum, err := envelope.Encrypt(d.Recipient, file)
	h.Must(err)
	d.State, d.MadeAt, d.Plain, d.Cipher, d.Bundle, d.ObjectKey = derivative.Review, 1, plain, sum, sealed.Bundle, "derivatives/"+string(id)
	d.ObjectVersion, err = r.objects.Put(ctx, d.ObjectKey, cipher, sum, time.Time{})
	h.Must(err)
	entry := custody.Entry{Actor: evidence.System(d.Agency), Action: derivative.EntryMade, Agency: d.Agency, Case: d.Case, Interview: d.Interview, Subject: d.ID}
	h.Must(r.db.ChangeDerivative(ctx, d, entry))
}

func TestACopyIsReleasedBySomebodyElseWhoSawIt(t *testing.T) {
	h, r := newRealHarness(t)
	h.OpenCase()
	iv, tracks := h.Sealed(h.Victim.ID, 8)
	base := "/interviews/" + string(iv.ID) + "/derivatives"
	camera := tracks[1].Track.Source
	ask := map[string]any{"from": 0, "until": 7_000_000, "cameras": []evidence.ID{camera}, "layout": "single", "sounds": []evidence.ID{camera}, "voice": true, "height": 360,
		"redactions": []any{map[string]any{"kind": "bleep", "from": 1_000_000, "until": 2_000_000}}, "watermark": "Basic Court, order 12/2026", "reason": "Hearing of 3 March."}
	if w := h.as(evidence.RoleProsecutor, "POST", base, ask); w.Code != 404 && w.Code != 403 {
		t.Fatalf("without a grant: %s", describe(w))
	}
	now, err := r.db.Now(context.Background())
	h.Must(err)
	for _, to := range []evidence.Role{evidence.RoleProsecutor, evidence.RoleInterviewer} {
		g := want[Grant](h, h.as(to, "POST", "/interviews/"+string(iv.ID)+"/grants", map[string]any{"source": "all", "to": string(to), "from": 0, "until": 8_000_000, "outward": true,
			"not_after": now.Time().Add(time.Hour), "purpose": "Copy.", "basis": "CPC art. 212", "rests_on": "law"}), 201)
		h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/approve", nil)
	}
	d := want[Derivative](h, h.as(evidence.RoleProsecutor, "POST", base, ask), 201)
	if d.State != "queued" || d.Kind != "redacted" {
		t.Fatalf("%+v", d)
	}
	one := "/derivatives/" + string(d.ID)
	if w := h.as(evidence.RoleProsecutor, "GET", one+"/file", nil); w.Code != 409 {
		t.Errorf("before it is made: %s", describe(w))
	}
	job, err := r.db.ClaimJob(context.Background(), evidence.NewID(), time.Minute, derivative.Job)
	if err != nil || job.Payload["derivative"] != string(d.ID) {
		t.Fatalf("no job waits for it: %+v, %v", job, err)
	}
	film := []byte("a film")
	r.made(h, d.ID, film)
	yes := map[string]any{"release": true, "reason": "Nothing is left to be seen."}
	if w := h.as(evidence.RoleProsecutor, "POST", one+"/decision", yes); w.Code != 403 || !strings.Contains(w.Body.String(), "derivative.own_request") {
		t.Errorf("released by who asked: %s", describe(w))
	}
	if w := h.as(evidence.RoleInterviewer, "POST", one+"/decision", yes); w.Code != 409 || !strings.Contains(w.Body.String(), "derivative.not_seen") {
		t.Errorf("released unseen: %s", describe(w))
	}
	pack := map[string]any{"passphrase": "sixteen letters at least", "reason": "To the court."}
	if w := h.as(evidence.RoleProsecutor, "POST", one+"/package", pack); w.Code != 409 {
		t.Errorf("handed over before release: %s", describe(w))
	}
	if w := h.as(evidence.RoleObserver, "GET", one+"/file", nil); w.Code != 404 {
		t.Errorf("shown to somebody without a grant: %s", describe(w))
	}
	if w := h.as(evidence.RoleInterviewer, "GET", one+"/file", nil); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), film) || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("not shown: %s", describe(w))
	}
	released := want[Derivative](h, h.as(evidence.RoleInterviewer, "POST", one+"/decision", yes), 200)
	if released.State != "released" || released.DecidedBy == nil {
		t.Errorf("%+v", released)
	}
	w := h.as(evidence.RoleProsecutor, "POST", one+"/package", pack)
	if w.Code != 200 {
		t.Fatalf("not handed over: %s", describe(w))
	}
	identity, err := age.NewScryptIdentity("sixteen letters at least")
	h.Must(err)
	plain, err := age.Decrypt(w.Body, identity)
	h.Must(err)
	files := map[string]string{}
	for in := tar.NewReader(plain); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		h.Must(err)
		data, err := io.ReadAll(in)
		h.Must(err)
		files[header.Name] = string(data)
	}
	if files["toldonce-copy/derivative.mp4"] != string(film) || files["toldonce-copy/derivation.sigstore.json"] == "" || files["toldonce-copy/README.txt"] == "" {
		t.Errorf("%d files", len(files))
	}
	// An erasure of the recording names its key.
	keys, err := r.db.Derivatives(context.Background(), iv.Recording)
	if err != nil || len(keys) != 1 || keys[0] != d.ID {
		t.Errorf("keys to erase: %v, %v", keys, err)
	}
	h.Must(r.keys.EraseRecordingKey(context.Background(), d.ID))
	if w := h.as(evidence.RoleInterviewer, "GET", one+"/file", nil); w.Code != 409 || !strings.Contains(w.Body.String(), "derivative.erased") {
		t.Errorf("after its key was destroyed: %s", describe(w))
	}
}
