package web

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// tiles reads the log as an outsider with a tile client does.
type tiles struct{ h *harness }

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tiles) ReadTiles(of []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range of {
		w := r.h.as(evidence.RoleAuditor, "GET", "/log/"+c2sp(t), nil)
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/octet-stream" {
			return nil, fmt.Errorf("%s: %s", c2sp(t), describe(w))
		}
		out = append(out, w.Body.Bytes())
	}
	return out, nil
}

// c2sp is a tile's path, which names no height.
func c2sp(t tlog.Tile) string { return "tile/" + t.Path()[len("tile/8/"):] }

// A stock tile client rebuilds the whole log from tiles and bundles.
func TestTilesAreTheLog(t *testing.T) {
	h, r := newRealHarness(t)
	h.OpenCase()
	for n := range 270 { // more than one tile
		h.Must(r.db.AppendEntry(t.Context(), custody.Entry{Actor: evidence.System(""), Action: "test.act", Details: map[string]string{"n": fmt.Sprint(n)}}))
	}
	signed := h.as(evidence.RoleAuditor, "GET", "/log/checkpoint", nil).Body.Bytes()
	cp, err := custody.OpenCheckpoint(signed, r.checkpoints.Verifier())
	h.Must(err)
	reader := tlog.TileHashReader(tlog.Tree{N: cp.Size, Hash: cp.Root}, tiles{h}) // checks every tile against the root
	for n := int64(0); n < cp.Size; n += 256 {
		bundle := tlog.Tile{H: 8, L: -1, N: n >> 8, W: int(min(256, cp.Size-n))}
		w := h.as(evidence.RoleAuditor, "GET", "/log/"+bundlePath(bundle), nil)
		rest := w.Body.Bytes()
		for i := range int64(bundle.W) {
			size := int(binary.BigEndian.Uint16(rest))
			leaf := rest[2 : 2+size]
			rest = rest[2+size:]
			path, err := tlog.ProveRecord(cp.Size, n+i, reader)
			h.Must(err)
			h.Must(custody.VerifyInclusion(leaf, n+i, path, cp))
		}
		if len(rest) != 0 {
			t.Errorf("%d bytes behind a bundle", len(rest))
		}
	}
	for _, path := range []string{"tile/0/001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/0", "tile/1/000", "tile/64/000", "tile/00/000", "tile/8/000", "tile/entries/002.p/1", "tile/entries/x999/x999/x999/999", "tile/data/000", "tile/-1/000"} {
		if w := h.as(evidence.RoleAuditor, "GET", "/log/"+path, nil); w.Code != 404 && w.Code != 422 {
			t.Errorf("%s: %s", path, describe(w))
		}
	}
}

func bundlePath(t tlog.Tile) string { return "tile/entries" + t.Path()[len("tile/8/data"):] }

// A log that contradicts what was signed of it shows and shares nothing until two
// people signed for it, and says so plainly; what is recorded goes on.
func TestDiscontinuityClosesViewing(t *testing.T) {
	h, r := newRealHarness(t)
	h.OpenCase()
	iv, _ := h.Sealed(h.Victim.ID, 8)
	h.as(evidence.RoleAuditor, "GET", "/log/checkpoint", nil)
	st := want[LogStatus](h, h.as(evidence.RoleAuditor, "GET", "/log/status", nil), 200)
	if st.Closed || st.Checkpoint == 0 || st.Origin != "log.test" || len(st.Witnesses) != 0 {
		t.Fatalf("%+v", st)
	}
	export := map[string]any{"clear": true, "reason": "Court."}
	if w := h.as(evidence.RoleCustodian, "POST", "/interviews/"+string(iv.ID)+"/exports", export); w.Code != 201 {
		t.Fatal(describe(w))
	}
	// A checkpoint of more entries than there are turns up beside the database.
	head, err := r.db.LogHead(t.Context())
	h.Must(err)
	r.forge(t, head.Size+100)
	h.Must(r.checkpoints.Check(t.Context()))
	refused := h.as(evidence.RoleCustodian, "POST", "/interviews/"+string(iv.ID)+"/exports", export)
	if refused.Code != 403 || !strings.Contains(refused.Body.String(), "log.discontinuity") {
		t.Fatalf("while it is closed: %s", describe(refused))
	}
	st = want[LogStatus](h, h.as(evidence.RoleAuditor, "GET", "/log/status", nil), 200)
	if !st.Closed || len(st.Breaks) != 1 || st.Breaks[0].Source != custody.SourceAnchor || st.Breaks[0].Until != head.Size+100 {
		t.Fatalf("%+v", st)
	}
	gap := want[LogGap](h, h.as(evidence.RoleCustodian, "POST", "/log/discontinuities", map[string]string{"reason": "The night's backup was restored."}), 201)
	path := "/log/discontinuities/" + string(gap.ID) + "/approve"
	if w := h.as(evidence.RoleCustodian, "POST", path, map[string]string{"reason": "Me too."}); w.Code != 403 {
		t.Fatalf("one person twice: %s", describe(w))
	}
	if w := h.as(evidence.RoleProsecutor, "POST", path, map[string]string{"reason": "So be it."}); w.Code != 403 {
		t.Fatalf("somebody else: %s", describe(w))
	}
	gap = want[LogGap](h, h.as(evidence.RoleAuditor, "POST", path, map[string]string{"reason": "Seen the disk."}), 200)
	if gap.ApprovedBy == nil || gap.Until != head.Size+100 {
		t.Fatalf("%+v", gap)
	}
	if w := h.as(evidence.RoleCustodian, "POST", "/interviews/"+string(iv.ID)+"/exports", export); w.Code == 403 {
		t.Fatalf("once it is open: %s", describe(w))
	}
	st = want[LogStatus](h, h.as(evidence.RoleAuditor, "GET", "/log/status", nil), 200)
	if st.Closed || len(st.Known) != 1 || st.Known[0].ProposedBy.Name == "" {
		t.Fatalf("%+v", st)
	}
	entries := want[list[Entry]](h, h.as(evidence.RoleAuditor, "GET", "/log/entries?action=log.discontinuity.&limit=10", nil), 200).Items
	if len(entries) != 2 || entries[1].Action != custody.EntryDiscontinuityApprove || entries[1].Details["until"] != fmt.Sprint(head.Size+100) {
		t.Fatalf("%+v", entries)
	}
}
