package main

import (
	"encoding/json"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/publish"
)

// The machine stands still for a second and a half, as one does whose disk or
// hypervisor is overloaded. What was sent meanwhile is recorded all the same.
func TestAServerThatStandsStillLosesNothing(t *testing.T) {
	server := launch(t, nil, "demo", "--data", filepath.Join(t.TempDir(), "demo"), "--listen", "127.0.0.1:0", "--json")
	var demo demoReady
	if err := json.Unmarshal(server.line, &demo); err != nil {
		t.Fatal(err)
	}
	interviewer := demo.as(evidence.RoleInterviewer)
	var status interviewStatus
	interviewer.ok(t, &status, "interview", "start", string(demo.Interview))
	pictures := 0
	sent, err := publish.Run(t.Context(), publish.Options{
		Signal:   publish.WHIP(nil, demo.Tracks[0].WHIP, demo.Tracks[0].Token),
		Duration: 6 * time.Second,
		Sent: func(f publish.Frame) {
			if f.Kind != evidence.Video {
				return
			}
			switch pictures++; pictures {
			case 60:
				server.stand(t, syscall.SIGSTOP)
			case 105:
				server.stand(t, syscall.SIGCONT)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	interviewer.ok(t, &status, "interview", "stop", string(demo.Interview))
	for _, tr := range status.Tracks {
		want := int64(sent.VideoFrames)
		if tr.Kind == evidence.Audio {
			want = int64(sent.AudioFrames)
		}
		if tr.Frames.Whole != want || tr.Frames.Damaged+tr.Frames.Missing != 0 || tr.Packets.Lost != 0 {
			t.Errorf("%s: of %d sent %+v, %+v", tr.Kind, want, tr.Frames, tr.Packets)
		}
	}
	server.end(t)
}
