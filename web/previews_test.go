package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// preview keeps a page of previews that say which segment they are of.
func (h *harness) preview(recording, track evidence.ID, kind evidence.PreviewKind, indexes ...int) *evidence.PreviewPage {
	h.Helper()
	type item struct {
		Index int    `json:"index"`
		Data  []byte `json:"data"`
	}
	items := []item{}
	for _, i := range indexes {
		items = append(items, item{i, []byte{byte(i)}})
	}
	plain, err := json.Marshal(map[string]any{"type": "toldonce/preview", "version": 1, "recording": recording, "track": track, "kind": kind, "items": items})
	h.Must(err)
	recipient, err := h.store.key.Recipient()
	h.Must(err)
	cipher, plainSum, cipherSum, err := envelope.Encrypt(recipient, plain)
	h.Must(err)
	p := evidence.PreviewPage{Recording: recording, Track: track, Kind: kind, First: indexes[0], Last: indexes[len(indexes)-1], Plain: plainSum, Cipher: cipherSum,
		ObjectKey: fmt.Sprintf("previews/%s/%d", track, indexes[0])}
	h.store.objects[p.ObjectKey] = cipher
	h.store.previews = append(h.store.previews, p)
	return &h.store.previews[len(h.store.previews)-1]
}

func TestPreviewsOfExactlyWhatIsGranted(t *testing.T) {
	h := newHarness(t)
	iv, _ := h.record(t)
	path := func(track evidence.ID, what string) string {
		return "/interviews/" + string(iv.ID) + "/tracks/" + string(track) + "/" + what
	}
	if w := h.as(evidence.RoleProsecutor, "GET", path("0", "levels"), nil); w.Code != 404 {
		t.Fatalf("without a grant: %s", describe(w))
	}
	g := h.grantRange(iv.ID, "close-up", 0, 6_500_000)
	tracks := map[evidence.TrackKind]evidence.ID{}
	for _, b := range g.Tracks {
		tracks[b.Kind] = b.Track
	}
	pictures := path(tracks[evidence.Video], "pictures?from=0&until=300000000")
	if got := want[list[PreviewPicture]](h, h.as(evidence.RoleProsecutor, "GET", pictures, nil), 200); len(got.Items) != 0 {
		t.Errorf("%d pictures before any was made", len(got.Items))
	}
	h.preview(iv.Recording, tracks[evidence.Video], evidence.PreviewPictures, 0, 2, 3, 4, 5, 6, 7)
	page := h.preview(iv.Recording, tracks[evidence.Audio], evidence.PreviewLevels, 0, 1, 2, 3, 4, 5, 6, 7)

	got := want[list[PreviewPicture]](h, h.as(evidence.RoleProsecutor, "GET", pictures, nil), 200)
	var of []byte
	for _, p := range got.Items {
		of = append(of, p.JPEG...)
	}
	if !bytes.Equal(of, []byte{0, 2}) { // segment 1 has none, 3 and later are not granted
		t.Errorf("pictures of segments %v", of)
	}
	levels := h.as(evidence.RoleProsecutor, "GET", path(tracks[evidence.Audio], "levels"), nil)
	loud := want[list[PreviewLevels]](h, levels, 200)
	if n := len(loud.Items); n != 3 || loud.Items[0].From != 20_000 || levels.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("levels %+v, %v", loud, levels.Header())
	}
	var logged []string
	for _, e := range h.store.Log("media.preview") {
		logged = append(logged, e.Details["what"])
	}
	if !slices.Equal(logged, []string{"pictures", "levels"}) {
		t.Errorf("the log has %v", logged)
	}

	if w := h.as(evidence.RoleProsecutor, "GET", path(tracks[evidence.Video], "pictures?from=30000000&until=90000000"), nil); w.Code != 403 {
		t.Errorf("outside the grant: %s", describe(w))
	}
	for _, bad := range []string{"pictures?from=0&until=300000001", "pictures?from=9&until=9", "pictures?from=-1&until=9", "pictures"} {
		if w := h.as(evidence.RoleProsecutor, "GET", path(tracks[evidence.Video], bad), nil); w.Code != 422 {
			t.Errorf("%s: %s", bad, describe(w))
		}
	}
	// Changed on the disk: nothing of it is shown.
	h.store.objects[page.ObjectKey] = h.store.objects["previews/"+string(tracks[evidence.Video])+"/0"]
	if w := h.as(evidence.RoleProsecutor, "GET", path(tracks[evidence.Audio], "levels"), nil); w.Code != 500 {
		t.Errorf("a changed object: %s", describe(w))
	}
	h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/revoke", map[string]any{"reason": "Over."})
	if w := h.as(evidence.RoleProsecutor, "GET", pictures, nil); w.Code != 403 {
		t.Errorf("revoked: %s", describe(w))
	}
}
