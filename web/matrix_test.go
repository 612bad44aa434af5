package web

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
)

// matrix says, for each operation on things of one case, what each role gets:
// admin, case manager, interviewer, observer, prosecutor, advocate, custodian,
// auditor, and last a prosecutor who has no role on the case. In it . is 2xx, 3 is
// 403, 4 is 404, 9 is 409, 2 is 422. It is checked in order, on one case.
const matrix = `
GET    /me                                   .........
GET    /accounts                             .........
GET    /directory                            .........
GET    /agencies                             .........
GET    /rooms                                .........
GET    /cases                                .........
GET    /interviews                           .........
GET    /grants                               .........
GET    /exports                              .........
GET    /tokens                               .........
POST   /agencies                             .33333333 {"name":"NGO $","kind":"ngo"}
POST   /rooms                                .33333333 {"name":"Room $","time_zone":"Europe/Belgrade"}
GET    /rooms/{room}/devices                 .33333333
POST   /rooms/{room}/devices/{room}/revoke   433333333 {"reason":"Lost."}
POST   /accounts                             .33333333 {"login":"new-$","name":"New","role":"observer"}
POST   /cases                                3.3333333 {"reference":"PP $"}
POST   /accounts/{admin}/recovery            .33333333 {"reason":"Lost the phone."}
GET    /cases/{case}                         4.......4
GET    /cases/{case}/team                    4.......4
GET    /cases/{case}/people                  4......34
GET    /cases/{case}/consents                4.......4
GET    /cases/{case}/interviews              4.......4
GET    /cases/{case}/custody                 4..3....4
POST   /cases/{case}/stage                   4.3333334 {"stage":"protection","reason":"Referred."}
POST   /cases/{case}/team                    4233333 34 {"account_id":"{admin}","role":"observer"}
POST   /cases/{case}/people                  4..333334 {"pseudonym":"P$","kind":"witness","age":"adult","language":"sq"}
POST   /cases/{case}/consents                4..33.334 {"person_id":"{person}","purposes":["observe_live"],"given_by":"self","form":"written","document":"form 9","language":"sq"}
POST   /cases/{case}/interviews              42233333 4 {"person_id":"{person}","room_id":"{room}","planned_at":"2026-03-09T09:00:00Z","language":"sq","needs":"None: asked."}
GET    /interviews/{interview}               4.......4
GET    /interviews/{interview}/status        4.......4
GET    /interviews/{interview}/sources       4.......4
GET    /interviews/{interview}/grants        4.......4
GET    /interviews/{interview}/exposure      4......34
GET    /terms                                .........
GET    /interviews/{interview}/playback      444444444
POST   /interviews/{interview}/heartbeat     444444444
GET    /interviews/{interview}/hls/main.m3u8 444444444
GET    /interviews/{interview}/hls/{track}/index.m3u8 444444444
GET    /interviews/{interview}/hls/{track}/0.m4s 444444444
GET    /interviews/{interview}/hls/{track}/init-0.mp4 444444444
GET    /interviews/{interview}/tracks/{track}/levels 444444444
GET    /interviews/{interview}/tracks/{track}/pictures?from=0&until=9 444444444
POST   /interviews/{interview}/sources       43.333334 {"role":"wide"}
POST   /interviews/{interview}/observation   43..3.334
GET    /interviews/{interview}/calls         4.....334
GET    /interviews/{interview}/notes         43..3.334
POST   /interviews/{interview}/calls         439939334 {"kind":"question","text":"Which door?"}
POST   /interviews/{interview}/notes         439939334 {"text":"A note."}
GET    /interviews/{interview}/check         43.333334
POST   /interviews/{interview}/check         43.333334 {"lines":[{"code":"picture-rate","verdict":"good","value":30}]}
GET    /interviews/{interview}/leaving       4.......4
POST   /interviews/{interview}/start         43.333334
POST   /interviews/{interview}/pause         43.333334 {"reason":"A break."}
POST   /interviews/{interview}/resume        43.333334
POST   /interviews/{interview}/markers       43.333334 {"kind":"phase","value":"rapport"}
POST   /interviews/{interview}/stop          43.333334
POST   /interviews/{interview}/cancel        499333334 {"reason":"Moved."}
POST   /interviews/{interview}/grants        4.....334 {"source":"all","to":"prosecutor","from":0,"until":8000000,"not_after":"2099-03-04T09:00:00Z","purpose":"Review.","basis":"Art. 1","rests_on":"law"}
POST   /interviews/{interview}/exports       4333.3.34 {"clear":true,"reason":"Court."}
GET    /retention                            333333..3
GET    /retention/classes                    333333..3
POST   /retention/classes                    333333.33 {"name":"C $","days":10,"from":"closed","basis":"Law."}
GET    /cases/{case}/retention               4.33....4
POST   /cases/{case}/retention               433333.34 {"until":"2090-01-01T00:00:00Z","reason":"Long."}
POST   /cases/{case}/holds                   4333.3.34 {"reason":"Appeal."}
POST   /interviews/{interview}/erasure       433333934 {"reason":"Over.","order":"Court."}
GET    /erasures                             333333..3
GET    /interviews/{interview}/transcripts   4......34
POST   /interviews/{interview}/transcripts   432323234 {"vtt":"no such file"}
GET    /interviews/{interview}/derivatives   4......34
POST   /interviews/{interview}/derivatives   422323334 {"from":0,"until":8000000,"cameras":["x"],"layout":"side","sounds":[],"voice":false,"height":360,"redactions":[],"watermark":"W","reason":"Court."}
POST   /interviews/{interview}/clips         433333234 {"from":0,"until":8000000,"clear":true,"reason":"Court."}
GET    /log/checkpoint                       .........
GET    /log/entries                          333333..3
GET    /log/entries/0                        333333..3
GET    /log/consistency?from=1               .........
GET    /log/status                           333333..3
GET    /log/tile/0/000.p/3                   .........
GET    /log/tile/entries/000.p/3             333333..3
GET    /log/tile/entries/x001/000            333333443
POST   /log/discontinuities                  333333993 {"reason":"A backup was restored."}
POST   /log/discontinuities/{case}/approve   333333443 {"reason":"A backup was restored."}
`

var columns = []evidence.Role{evidence.RoleAdmin, evidence.RoleCaseManager, evidence.RoleInterviewer, evidence.RoleObserver, evidence.RoleProsecutor,
	evidence.RoleAdvocate, evidence.RoleCustodian, evidence.RoleAuditor, "outsider"}

func TestWhoGetsWhat(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	iv, tracks := h.Sealed(h.Victim.ID, 8)
	h.Actors["outsider"] = h.Second[evidence.RoleProsecutor]
	ids := map[string]string{"case": string(h.Case.ID), "person": string(h.Victim.ID), "room": string(h.Room.ID), "interview": string(iv.ID),
		"track": string(tracks[1].Track.ID), "admin": string(h.Actors[evidence.RoleAdmin].Account)}
	n := 0
	for line := range strings.Lines(strings.TrimSpace(matrix)) {
		method, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		path, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
		marks, body, _ := strings.Cut(strings.TrimSpace(rest), " {")
		marks = strings.ReplaceAll(marks, " ", "")
		if body != "" {
			body = "{" + body
		}
		var got strings.Builder
		var detail []string
		for _, role := range columns {
			n++
			w := h.asRaw(role, method, fill(path, ids), strings.ReplaceAll(fill(body, ids), "$", fmt.Sprint(n)))
			got.WriteByte(mark(w.Code))
			detail = append(detail, fmt.Sprintf("%s %s", role, describe(w)))
		}
		if got.String() != marks {
			t.Errorf("%s %s: got %s, want %s\n\t%.4000s", method, path, got.String(), marks, strings.Join(detail, "\n\t"))
		}
	}
}

func mark(status int) byte {
	switch status / 100 {
	case 2:
		return '.'
	case 4:
		return "0123456789"[status%10]
	}
	return '!'
}

// Nobody who is not signed in gets anything, and is told nothing but that.
func TestAnonymousGetsNothing(t *testing.T) {
	h := newHarness(t)
	var first string
	for _, o := range routes {
		if o.admission == anyone || o.method == head {
			continue
		}
		path := o.path
		for _, name := range []string{"id", "call", "member", "source", "device", "track", "file", "position"} {
			path = strings.ReplaceAll(path, "{"+name+"}", "0")
		}
		w := h.do(call{method: o.method, path: apiPrefix + path, header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
		got := describe(w)
		if first == "" {
			first = got
		}
		if w.Code != 401 || got != first {
			t.Errorf("%s %s: %s", o.method, o.path, got)
		}
	}
}

// What one may not know of answers with the bytes of what does not exist.
func TestHiddenIsAbsent(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	iv, tracks := h.Sealed(h.Victim.ID, 8)
	h.Actors["outsider"] = h.Second[evidence.RoleProsecutor]
	c := h.Consents(h.WrittenConsent(h.Victim.ID, consent.ToObserveLive))
	granted := want[Grant](h, h.as(evidence.RoleCaseManager, "POST", "/interviews/"+string(iv.ID)+"/grants", map[string]any{"source": "all", "to": "prosecutor", "from": 0, "until": 8_000_000,
		"not_after": "2099-03-04T09:00:00Z", "purpose": "Review.", "basis": "Art. 1", "rests_on": "law"}), 201)
	there := map[string]string{"case": string(h.Case.ID), "interview": string(iv.ID), "track": string(tracks[1].Track.ID), "source": string(tracks[1].Source.ID),
		"consent": string(c.ID), "grant": string(granted.ID), "person": string(h.Victim.ID)}
	absent := map[string]string{}
	for name := range there {
		absent[name] = string(evidence.NewID())
	}
	for line := range strings.Lines(strings.TrimSpace(`
GET /cases/{case}
GET /cases/{case}/team
GET /cases/{case}/people
GET /cases/{case}/consents
GET /cases/{case}/interviews
GET /cases/{case}/custody
GET /cases/{case}/custody/3/proof
POST /cases/{case}/consents {"person_id":"{person}","purposes":["record"],"given_by":"self","form":"written","document":"form","language":"sq"}
POST /cases/{case}/interviews {"person_id":"{person}","room_id":"{person}","planned_at":"2026-03-09T09:00:00Z","language":"sq","needs":"None."}
POST /cases/{case}/stage {"stage":"protection","reason":"Referred."}
PATCH /people/{person} {"age":"child","reason":"Papers."}
POST /people/{person}/links {"account_id":"{person}","kind":"kin","reason":"Told."}
POST /consents/{consent}/attest
POST /consents/{consent}/withdraw {"reason":"No."}
GET /interviews/{interview}
GET /interviews/{interview}/status
GET /interviews/{interview}/status/events
GET /interviews/{interview}/sources
GET /interviews/{interview}/verification
GET /interviews/{interview}/leaving
GET /interviews/{interview}/grants
GET /interviews/{interview}/exposure
GET /interviews/{interview}/playback
POST /interviews/{interview}/heartbeat
GET /interviews/{interview}/hls/main.m3u8
GET /interviews/{interview}/hls/{track}/index.m3u8
GET /interviews/{interview}/hls/{track}/init-0.mp4
GET /interviews/{interview}/hls/{track}/0.m4s
GET /interviews/{interview}/hls/{track}/gap.m4s
POST /interviews/{interview}/start
POST /interviews/{interview}/stop
POST /interviews/{interview}/sources {"role":"wide"}
POST /interviews/{interview}/sources/{source}/token
POST /interviews/{interview}/grants {"source":"all","to":"prosecutor","from":0,"until":8000000,"not_after":"2099-03-04T09:00:00Z","purpose":"Review.","basis":"Art. 1","rests_on":"law"}
POST /interviews/{interview}/exports {"clear":true,"reason":"Court."}
POST /interviews/{interview}/clips {"from":0,"until":8000000,"clear":true,"reason":"Court."}
POST /grants/{grant}/approve
POST /grants/{grant}/viewings {"terms_sha256":"0000000000000000000000000000000000000000000000000000000000000000"}
POST /grants/{grant}/extension
POST /grants/{grant}/copies {"copies":"returned"}
POST /grants/{grant}/reject {"reason":"No."}
POST /grants/{grant}/revoke {"reason":"No."}
POST /exports/{grant}/approve
GET /exports/{grant}/package
POST /exports/{grant}/package {"passphrase":"a passphrase of many letters"}
POST /exports/{grant}/receipt {"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}`)) {
		method, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		path, body, _ := strings.Cut(rest, " ")
		hidden := h.asRaw("outsider", method, fill(path, there), fill(body, there))
		gone := h.asRaw("outsider", method, fill(path, absent), fill(body, absent))
		if hidden.Code != 404 || describe(hidden) != describe(gone) {
			t.Errorf("%s %s:\nhidden %s\nabsent %s", method, path, describe(hidden), describe(gone))
		}
		for name, values := range hidden.Header() {
			if name != "X-Request-Id" && strings.Join(values, "|") != strings.Join(gone.Header()[name], "|") {
				t.Errorf("%s %s: header %s differs: %v, %v", method, path, name, values, gone.Header()[name])
			}
		}
	}
}

// The grant of a prosecutor ends: she has a role on the case and is told why.
func TestRefusalsHaveReasons(t *testing.T) {
	h := newHarness(t)
	h.OpenCase()
	iv, tracks := h.Sealed(h.Victim.ID, 8)
	h.grantAll(iv.ID, time.Hour)
	path := "/interviews/" + string(iv.ID) + "/hls/" + string(tracks[1].Track.ID) + "/0.m4s"
	h.Advance(2 * time.Hour)
	clear(h.cookies)
	p := want[Problem](h, h.as(evidence.RoleProsecutor, "GET", path, nil), 403)
	if len(p.Reasons) == 0 || p.Reasons[0].Code != "grant.over" || p.Reasons[0].Practice != "P28" || p.Detail != p.Reasons[0].Text {
		t.Errorf("%+v", p)
	}
}

// grantAll gives the prosecutor everything of an interview, from now on.
func (h *harness) grantAll(interview evidence.ID, life time.Duration) Grant {
	h.Helper()
	now, err := h.store.Now(context.Background())
	h.Must(err)
	g := want[Grant](h, h.as(evidence.RoleProsecutor, "POST", "/interviews/"+string(interview)+"/grants", map[string]any{"source": "all", "to": "prosecutor", "from": 0, "until": 8_000_000,
		"not_after": now.Time().Add(life), "purpose": "Charging review.", "basis": "CPC art. 212", "rests_on": "law"}), 201)
	if g.State != "proposed" || len(g.Tracks) != 4 {
		h.Fatalf("grant %+v", g)
	}
	return want[Grant](h, h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/approve", nil), 200)
}
