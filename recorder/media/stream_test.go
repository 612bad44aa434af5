package media

import (
	"testing"
	"time"
)

// drained pops all frames that are ready.
func drained(s *Stream, now time.Duration) (frames int64) {
	for {
		o, ok := s.Pop(now)
		if !ok {
			return frames
		}
		if o.Frame.Data != nil {
			frames++
		}
	}
}

func TestSoundThatWaitedForThePictureIsCountedFromItsFirstFrame(t *testing.T) {
	s, err := NewStream(Format{MIME: "audio/opus"})
	if err != nil {
		t.Fatal(err)
	}
	send := func(from, until uint16) (frames int64) {
		for i := from; i < until; i++ {
			now := time.Duration(i) * 20 * ms
			if i == 18 {
				continue // lost
			}
			if err := s.Push(now, packet(i, uint32(i)*960, false, 0xfc, byte(i))); err != nil {
				t.Fatal(err)
			}
			frames += drained(s, now)
		}
		return frames
	}
	send(0, 3)
	s.Hold()
	send(3, 10)
	s.Release(5 * 20 * ms)
	frames := drained(s, 200*ms) + send(10, 30)
	frames += drained(s, 30*20*ms+Patience)
	s.Shut()
	frames += drained(s, time.Minute)

	k := s.Kept()
	if k.Whole != 24 || frames != k.Whole || k.Missing != 1 {
		t.Errorf("%d frames came out; whole %d, missing %d; want 24, 24, 1", frames, k.Whole, k.Missing)
	}
	if k.Packets.Received != k.Whole || k.Packets.Lost != k.Missing {
		t.Errorf("one packet is one frame: %d received and %d lost for %d whole and %d missing",
			k.Packets.Received, k.Packets.Lost, k.Whole, k.Missing)
	}
}

func TestWhatWasLostBeforeTheFirstPictureIsNotOfTheRecording(t *testing.T) {
	s, err := NewStream(Format{MIME: "video/H264", Video: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Open()
	key := stapA(testSPS, testPPS, idr)
	dependent := []byte{0x41, 0x9a, 0x01}
	for i, payload := range [][]byte{dependent, nil, key, key} {
		now := time.Duration(i) * 40 * ms
		if payload == nil {
			continue // lost
		}
		if err := s.Push(now, packet(uint16(i), uint32(i)*3600, true, payload...)); err != nil {
			t.Fatal(err)
		}
		drained(s, now)
	}
	drained(s, 160*ms+Patience)
	s.Shut()
	drained(s, time.Second)
	if k := s.Kept(); k.Whole != 2 || k.Missing != 0 || k.Packets.Received != 2 || k.Packets.Lost != 0 {
		t.Errorf("kept %+v, want the two key frames and nothing lost", k)
	}
}
