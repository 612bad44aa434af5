package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder/publish"
)

// The whole thread through the real program, from cameras to a verified package,
// by the interface that deploy/OPERATIONS.md calls stable.
func TestStory(t *testing.T) {
	for _, s := range settings(t) {
		t.Run(s.name, func(t *testing.T) { story(t, s) })
	}
}

func story(t *testing.T, s setting) {
	data := filepath.Join(t.TempDir(), "demo")
	begin := time.Now()
	server := launch(t, s.env, "demo", "--data", data, "--listen", "127.0.0.1:0", "--json")
	t.Logf("ready after %s", time.Since(begin).Round(time.Millisecond))
	var demo demoReady
	if err := json.Unmarshal(server.line, &demo); err != nil {
		t.Fatalf("%v: %s", err, server.line)
	}
	checkDemo(t, demo)

	interviewer, prosecutor := demo.as(evidence.RoleInterviewer), demo.as(evidence.RoleProsecutor)
	recordStory(t, demo, interviewer)
	playStory(t, demo, prosecutor, demo.as(evidence.RoleCustodian))
	exportStory(t, demo)

	// What is written survives the end of the power.
	server.kill(t)
	again := launch(t, s.env, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json")
	var serving struct{ URL string }
	if err := json.Unmarshal(again.line, &serving); err != nil {
		t.Fatalf("%v: %s", err, again.line)
	}
	interviewer.url = serving.URL
	var status interviewStatus
	interviewer.ok(t, &status, "interview", "status", string(demo.Interview))
	if !status.Sealed {
		t.Errorf("after kill -9 the interview is %s", status.State)
	}
	auditor := demo.as(evidence.RoleAuditor)
	auditor.url = serving.URL
	var audit struct{ Holds bool }
	auditor.ok(t, &audit, "log", "audit")
	if !audit.Holds {
		t.Error("after kill -9 the custody log does not hold")
	}
	again.end(t)
	rotateStory(t, s, data)

	// The demonstration goes on, with a new interview in place of the one that was held.
	third := launch(t, s.env, "demo", "--data", data, "--listen", "127.0.0.1:0", "--json")
	var more demoReady
	if err := json.Unmarshal(third.line, &more); err != nil {
		t.Fatal(err)
	}
	checkDemo(t, more)
	if more.Sealed != demo.Sealed || more.Interview == demo.Interview || more.Accounts[0] != demo.Accounts[0] {
		t.Error("the demonstration did not go on with its data")
	}
	afterRotation(t, more, demo.Interview)
	crashStory(t, s, data, third, more)
}

// rotateStory puts new keys in the place of all that can be rotated.
func rotateStory(t *testing.T, s setting, data string) {
	t.Helper()
	var master struct {
		From, To string
		Secrets  int
	}
	operator := func(into any, args ...string) {
		t.Helper()
		out, err := toldonce(t, s.env, append(args, "--data", data, "--json")...).Output()
		if err == nil {
			err = json.Unmarshal(out, into)
		}
		if err != nil {
			t.Fatalf("toldonce %v: %v: %s", args, err, out)
		}
	}
	operator(&master, "keys", "rotate")
	if master.From == master.To || master.Secrets < 3 {
		t.Errorf("the master key was rotated: %+v", master)
	}
	var seals []struct {
		Key     string
		Present bool
	}
	operator(&struct{}{}, "keys", "rotate-seal")
	operator(&seals, "keys", "seals")
	if len(seals) != 2 || !seals[0].Present || seals[1].Present {
		t.Errorf("seal keys: %+v", seals)
	}
}

// afterRotation exports and verifies what an older key sealed.
func afterRotation(t *testing.T, d demoReady, interview evidence.ID) {
	t.Helper()
	custodian := d.as(evidence.RoleCustodian)
	out := filepath.Join(t.TempDir(), "package")
	var done struct{ Files int }
	custodian.ok(t, &done, "export", string(interview), "--out", out, "--clear", "--reason", "test of an older key")
	if code, said := verify(t, out, "--trust", d.Trust); code != 0 {
		t.Errorf("toldonce-verify of what an older key sealed: exit code %d: %s", code, said)
	}
	if code, said := verify(t, out); code != 2 {
		t.Errorf("toldonce-verify of what an older key sealed, without trust: exit code %d: %s", code, said)
	}
}

func (d demoReady) as(role evidence.Role) commandLine { return commandLine{d.URL, d.Tokens[role]} }

// checkDemo checks what scripts outside this repository rely on.
func checkDemo(t *testing.T, d demoReady) {
	t.Helper()
	u, err := url.Parse(d.URL)
	if err != nil || u.Hostname() != "localhost" {
		t.Errorf("url = %q", d.URL)
	}
	for _, role := range evidence.Roles {
		if d.Tokens[role] == "" {
			t.Errorf("no token for %s", role)
		}
		if !slices.ContainsFunc(d.Accounts, func(a demoAccount) bool {
			return a.Role == role && a.Login != "" && len(a.Password) >= 12 && a.TOTP != ""
		}) {
			t.Errorf("no account for %s", role)
		}
	}
	if len(d.Tracks) < 2 {
		t.Errorf("%d tracks", len(d.Tracks))
	}
	if _, err := os.Stat(d.Trust); err != nil || !filepath.IsAbs(d.Trust) {
		t.Errorf("trust = %q: %v", d.Trust, err)
	}
	var ready, sealed interviewStatus
	c := d.as(evidence.RoleInterviewer)
	c.ok(t, &ready, "interview", "status", string(d.Interview))
	c.ok(t, &sealed, "interview", "status", string(d.Sealed))
	if ready.State != evidence.StateReady || ready.Sealed || sealed.State != evidence.StateSealed || !sealed.Sealed {
		t.Errorf("the interviews are %s and %s", ready.State, sealed.State)
	}
	if len(sealed.Tracks) != 4 {
		t.Errorf("the sealed interview has %d tracks", len(sealed.Tracks))
	}
	for _, tr := range sealed.Tracks {
		if tr.Frames.Whole == 0 || tr.Frames.Damaged != 0 || tr.Packets.Lost != 0 {
			t.Errorf("the sealed interview's %s %s: %+v %+v", tr.Source, tr.Kind, tr.Packets, tr.Frames)
		}
	}
}

// recordStory records the ready interview from two cameras and stops it.
func recordStory(t *testing.T, d demoReady, c commandLine) {
	t.Helper()
	cameras := play(t, d.Tracks, 12*time.Second)
	var status interviewStatus
	c.ok(t, &status, "interview", "start", string(d.Interview))
	if status.State != evidence.StateRecording || status.Sealed {
		t.Errorf("after start the interview is %s", status.State)
	}
	c.fails(t, exitConflict, "interview", "start", string(d.Interview))
	cameras()
	c.ok(t, &status, "interview", "status", string(d.Interview))
	if status.State != evidence.StateRecording {
		t.Errorf("while recording the interview is %s", status.State)
	}
	c.ok(t, &status, "interview", "stop", string(d.Interview))
	if status.State != evidence.StateSealed || !status.Sealed {
		t.Errorf("after stop the interview is %s, sealed: %t", status.State, status.Sealed)
	}
	if len(status.Tracks) != 2*len(d.Tracks) {
		t.Errorf("%d tracks of %d sources", len(status.Tracks), len(d.Tracks))
	}
	for _, tr := range status.Tracks {
		if tr.Frames.Whole == 0 || tr.Frames.Damaged != 0 || tr.Packets.Lost != 0 || tr.Codec == "" {
			t.Errorf("%s %s %s: %+v %+v", tr.Source, tr.Kind, tr.Codec, tr.Packets, tr.Frames)
		}
	}
	out, _, _ := c.run(t, "interview", "status", string(d.Interview))
	if !strings.Contains(out, "sealed") || !strings.Contains(out, "close-up") {
		t.Errorf("the status for people: %s", out)
	}
}

// play connects a camera to each source and returns once media flows. The
// function that it returns waits for the end.
func play(t *testing.T, tracks []demoTrack, length time.Duration) (wait func()) {
	t.Helper()
	type played struct {
		name string
		err  error
	}
	connected := make(chan struct{}, len(tracks))
	done := make(chan played, len(tracks))
	for _, tr := range tracks {
		go func() {
			_, err := publish.Run(t.Context(), publish.Options{
				Signal: publish.WHIP(nil, tr.WHIP, tr.Token), Duration: length,
				Connected: func() { connected <- struct{}{} },
			})
			done <- played{tr.Name, err}
		}()
	}
	for range tracks {
		select {
		case <-connected:
		case p := <-done:
			t.Fatalf("camera %s: %v", p.name, p.err)
		case <-time.After(patience):
			t.Fatal("a camera did not connect")
		}
	}
	return func() {
		t.Helper()
		for range tracks {
			if p := <-done; p.err != nil {
				t.Errorf("camera %s: %v", p.name, p.err)
			}
		}
	}
}

var mediaLine = regexp.MustCompile(`(?m)^[^#\s].*$|URI="([^"]+)"`)

// playlist fetches a playlist and returns the addresses in it.
func playlist(t *testing.T, c commandLine, address string) []string {
	t.Helper()
	status, body := c.get(t, address)
	if status != 200 || !bytes.HasPrefix(body, []byte("#EXTM3U")) {
		t.Fatalf("%s: %d %s", address, status, body)
	}
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range mediaLine.FindAllStringSubmatch(string(body), -1) {
		ref := m[1]
		if ref == "" {
			ref = m[0]
		}
		next, err := base.Parse(ref)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(found, next.String()) {
			found = append(found, next.String())
		}
	}
	return found
}

// playStory has the prosecutor ask for a part, see exactly that, and lose it.
func playStory(t *testing.T, d demoReady, prosecutor, custodian commandLine) {
	t.Helper()
	main := d.URL + "/api/v1/interviews/" + string(d.Interview) + "/hls/main.m3u8"
	status, refused := prosecutor.get(t, main)
	_, absent := prosecutor.get(t, d.URL+"/api/v1/interviews/"+string(evidence.NewID())+"/hls/main.m3u8")
	if status != 404 || !bytes.Equal(refused, absent) {
		t.Errorf("without a grant: %d %s, which is not the answer for what does not exist: %s", status, refused, absent)
	}
	if status, _ := prosecutor.get(t, d.URL+"/api/v1/interviews/"+string(d.Sealed)+"/hls/main.m3u8"); status != 404 {
		t.Errorf("the prosecutor may see the sealed interview without a grant: %d", status)
	}

	type granted struct {
		ID     evidence.ID
		State  string
		Bounds evidence.Range
		Tracks []struct {
			Track evidence.ID `json:"track_id"`
			First int         `json:"first_index"`
			Last  int         `json:"last_index"`
		}
	}
	var g granted
	prosecutor.ok(t, &g, "grant", "request", "--interview", string(d.Interview), "--source", "close-up", "--to", "prosecutor",
		"--from", "1", "--until", "8.5", "--not-before", "now", "--not-after", "+1h", "--purpose", "charging decision", "--basis", "CPC art. 127")
	if g.State != "proposed" || g.Bounds.From < 1_000_000 || g.Bounds.Until > 8_500_000 || len(g.Tracks) != 2 {
		t.Errorf("the grant that was asked for: %+v", g)
	}
	if status, body := prosecutor.get(t, main); status != 404 || !bytes.Equal(body, absent) {
		t.Errorf("before the approval: %d %s", status, body)
	}
	if said := prosecutor.fails(t, exitRefused, "grant", "approve", string(g.ID)); !strings.Contains(said, "toldonce:") {
		t.Errorf("approving one's own request: %s", said)
	}
	custodian.ok(t, &g, "grant", "approve", string(g.ID))
	var listed []granted
	prosecutor.ok(t, &listed, "grant", "list", "--interview", string(d.Interview))
	if len(listed) != 1 || listed[0].ID != g.ID || listed[0].State != "active" {
		t.Errorf("the list of grants: %+v", listed)
	}

	segments := 0
	var oneSegment string
	for _, index := range g.Tracks {
		var found []int
		address := fmt.Sprintf("%s/api/v1/interviews/%s/hls/%s/index.m3u8", d.URL, d.Interview, index.Track)
		for _, part := range playlist(t, prosecutor, address) {
			status, body := prosecutor.get(t, part)
			if status != 200 || len(body) == 0 {
				t.Errorf("%s: %d", part, status)
			}
			if name, isSegment := strings.CutSuffix(filepath.Base(part), ".m4s"); isSegment {
				n, err := strconv.Atoi(name)
				if err != nil {
					t.Errorf("segment %s: %v", part, err)
				}
				found = append(found, n)
				segments++
				oneSegment = part
			}
		}
		slices.Sort(found)
		if len(found) == 0 || found[0] != index.First || found[len(found)-1] != index.Last || len(found) != index.Last-index.First+1 {
			t.Errorf("track %s: segments %v of %d to %d", index.Track, found, index.First, index.Last)
		}
		for _, outside := range []int{index.First - 1, index.Last + 1} {
			if outside < 0 {
				continue
			}
			part := fmt.Sprintf("%s/api/v1/interviews/%s/hls/%s/%d.m4s", d.URL, d.Interview, index.Track, outside)
			if status, body := prosecutor.get(t, part); status != 403 {
				t.Errorf("segment %d outside the grant: %d, %d bytes", outside, status, len(body))
			}
		}
	}
	if got := playlist(t, prosecutor, main); len(got) == 0 || segments == 0 {
		t.Errorf("nothing to play: %v", got)
	}
	custodian.ok(t, &g, "grant", "revoke", string(g.ID), "--reason", "the charge was dropped")
	for _, address := range []string{main, oneSegment} {
		if status, body := prosecutor.get(t, address); status != 403 && status != 404 {
			t.Errorf("after the revocation %s: %d, %d bytes", address, status, len(body))
		}
	}
}

// exportStory writes packages and has them checked by others' programs.
func exportStory(t *testing.T, d demoReady) {
	t.Helper()
	custodian, interviewer := d.as(evidence.RoleCustodian), d.as(evidence.RoleInterviewer)
	out := filepath.Join(t.TempDir(), "package")
	interviewer.fails(t, exitRefused, "export", string(d.Interview), "--out", out, "--clear", "--reason", "curiosity")
	printed, said, code := d.as(evidence.RoleProsecutor).run(t, "export", string(d.Interview), "--out", out, "--clear", "--reason", "hearing", "--json")
	var waits exportView
	if err := json.Unmarshal([]byte(printed), &waits); code != exitWaiting || err != nil || waits.ID == "" || waits.State == exportReady {
		t.Errorf("an export that waits for its second person: exit code %d, %q, %q (%v)", code, printed, said, err)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an export that waits for its second person left %s behind (%v)", out, err)
	}
	var done struct {
		Files     int
		Encrypted bool
	}
	custodian.ok(t, &done, "export", string(d.Interview), "--out", out, "--clear", "--reason", "test of the verifier")
	if done.Files < 10 || done.Encrypted {
		t.Errorf("the package: %+v", done)
	}
	custodian.fails(t, exitUsage, "export", string(d.Interview), "--out", out, "--clear", "--reason", "again")

	media, err := filepath.Glob(filepath.Join(out, "data", "media", "*.mp4"))
	if err != nil || len(media) != 2*len(d.Tracks) {
		t.Fatalf("%d media files for %d sources (%v)", len(media), len(d.Tracks), err)
	}
	ffmpeg := testenv.Tool(t, "ffmpeg")
	for _, file := range media {
		said, err := exec.Command(ffmpeg, "-v", "warning", "-i", file, "-f", "null", "-").CombinedOutput()
		if err != nil || len(said) > 0 {
			t.Errorf("ffmpeg on %s: %v: %s", filepath.Base(file), err, said)
		}
	}
	if code, said := verify(t, out, "--trust", d.Trust); code != 0 {
		t.Errorf("toldonce-verify: exit code %d: %s", code, said)
	}
	if code, said := verify(t, out); code != 2 {
		t.Errorf("toldonce-verify without trust: exit code %d: %s", code, said)
	}
	flip(t, media[0])
	if code, said := verify(t, out, "--trust", d.Trust); code != 1 {
		t.Errorf("toldonce-verify of a changed package: exit code %d: %s", code, said)
	}

	// Encrypted to a recipient, who opens it with a stock age.
	key, err := exec.Command(testenv.Tool(t, "age-keygen")).Output()
	if err != nil {
		t.Fatal(err)
	}
	recipient := regexp.MustCompile(`age1\S+`).FindString(string(key))
	keyFile := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	sealedTo := filepath.Join(t.TempDir(), "sealed")
	custodian.ok(t, &done, "export", string(d.Interview), "--out", sealedTo, "--to", recipient)
	files, err := filepath.Glob(filepath.Join(sealedTo, "*.age"))
	if err != nil || len(files) != 1 || !done.Encrypted {
		t.Fatalf("the encrypted package: %v %v", files, err)
	}
	plain, err := exec.Command(testenv.Tool(t, "age"), "-d", "-i", keyFile, files[0]).Output()
	if err != nil {
		t.Fatalf("age -d: %v", err)
	}
	opened := filepath.Join(t.TempDir(), "opened")
	if _, err := untar(bytes.NewReader(plain), opened); err != nil {
		t.Fatal(err)
	}
	if code, said := verify(t, opened, "--trust", d.Trust); code != 0 {
		t.Errorf("toldonce-verify of the opened package: exit code %d: %s", code, said)
	}
}

// flip changes one bit in the middle of a file.
func flip(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkpointed waits until a beginning of the running recording is provable without
// the server, and returns the recording's id.
func checkpointed(t *testing.T, interviewer commandLine, d demoReady) evidence.ID {
	t.Helper()
	var iv struct {
		Recording evidence.ID `json:"recording_id"`
	}
	var st struct {
		Checkpoint struct {
			Acknowledged bool
		}
	}
	address := d.URL + "/api/v1/interviews/" + string(d.Interview)
	if _, body := interviewer.get(t, address); json.Unmarshal(body, &iv) != nil || iv.Recording == "" {
		t.Fatalf("no recording: %s", body)
	}
	for deadline := time.Now().Add(patience); !st.Checkpoint.Acknowledged; {
		if time.Now().After(deadline) {
			t.Fatal("no checkpoint was acknowledged")
		}
		if _, body := interviewer.get(t, address+"/status"); json.Unmarshal(body, &st) != nil {
			t.Fatalf("no status: %s", body)
		}
	}
	return iv.Recording
}

// prefixStory proves what a server that is gone recorded, from the object store and
// the trust file alone.
func prefixStory(t *testing.T, s setting, data, trust string, recording evidence.ID) {
	t.Helper()
	env := append([]string{"TOLDONCE_OBJECTS=dir:" + filepath.Join(data, "objects")}, s.env...)
	out := filepath.Join(t.TempDir(), "left")
	said, err := toldonce(t, env, "prefix", "--recording", string(recording), "--trust", trust, "--out", out).CombinedOutput()
	if err != nil || !bytes.Contains(said, []byte("beginning of a recording that is not sealed")) || !bytes.Contains(said, []byte("ever ended or sealed")) {
		t.Errorf("toldonce prefix: %v: %s", err, said)
	}
	if code, said := verify(t, out, "--trust", trust); code != 0 || !strings.Contains(said, "beginning of a recording that is not sealed") {
		t.Errorf("toldonce-verify of what is left: exit code %d: %s", code, said)
	}
	files, err := filepath.Glob(filepath.Join(out, "checkpoints", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("checkpoints: %v, %v", files, err)
	}
	if err := os.Chmod(files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	flip(t, files[0])
	if code, said := verify(t, out, "--trust", trust); code != 1 {
		t.Errorf("toldonce-verify of a changed checkpoint: exit code %d: %s", code, said)
	}
}

// crashStory ends the power in the middle of a recording, and seals what was
// recorded after the next start.
func crashStory(t *testing.T, s setting, data string, server *runningServer, d demoReady) {
	t.Helper()
	play(t, d.Tracks, 30*time.Second) // the cameras will lose their server
	interviewer, custodian := d.as(evidence.RoleInterviewer), d.as(evidence.RoleCustodian)
	var status interviewStatus
	interviewer.ok(t, &status, "interview", "start", string(d.Interview))
	deadline := time.Now().Add(patience)
	for status.Elapsed < 5_000_000 {
		if time.Now().After(deadline) {
			t.Fatalf("only %s recorded", status.Elapsed.Duration())
		}
		interviewer.ok(t, &status, "interview", "status", string(d.Interview))
	}
	recording := checkpointed(t, interviewer, d)
	server.kill(t)
	prefixStory(t, s, data, d.Trust, recording)
	again := launch(t, s.env, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json")
	var serving struct{ URL string }
	if err := json.Unmarshal(again.line, &serving); err != nil {
		t.Fatal(err)
	}
	interviewer.url, custodian.url = serving.URL, serving.URL
	interviewer.ok(t, &status, "interview", "stop", string(d.Interview))
	if !status.Sealed {
		t.Errorf("after a crash and a stop the interview is %s", status.State)
	}
	out := filepath.Join(t.TempDir(), "package")
	var done struct{ Files int }
	custodian.ok(t, &done, "export", string(d.Interview), "--out", out, "--clear", "--reason", "test of the recovery")
	if code, said := verify(t, out, "--trust", d.Trust); code != 0 {
		t.Errorf("toldonce-verify after a crash: exit code %d: %s", code, said)
	}
	media, err := filepath.Glob(filepath.Join(out, "data", "media", "*.mp4"))
	if err != nil || len(media) < 2*len(d.Tracks) {
		t.Errorf("%d media files after a crash (%v)", len(media), err)
	}
	again.end(t)
}
