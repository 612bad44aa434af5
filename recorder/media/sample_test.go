package media

import (
	"bytes"
	"errors"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

func TestSamplesThatAreHandedOverAgain(t *testing.T) {
	for name, c := range otherCodecs(t) {
		for i, sample := range c.samples {
			f, err := SampleFrame(c.codec, int64(i), sample)
			if err != nil || !bytes.Equal(f.Data, sample) || f.Time != int64(i) {
				t.Fatalf("%s: sample %d: %v", name, i, err)
			}
			if i == 0 && (!f.Key || f.Config == nil || f.Config.Codec() != c.codec) {
				t.Errorf("%s: the first sample is no random access point, or another codec: %+v", name, f.Config)
			}
		}
		if _, err := SampleFrame(c.codec, 0, c.samples[0][:3]); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: torn: %v", name, err)
		}
	}
	if f, err := SampleFrame("Opus", 7, []byte{0x78, 1, 2}); err != nil || !f.Key || f.Length != 960 {
		t.Errorf("Opus: %+v, %v", f, err)
	}
	for name, sample := range map[string][]byte{"torn": {0, 0, 0, 9, 0x65}, "no picture": {0, 0, 0, 2, 0x67, 1}, "empty": {}} {
		if _, err := SampleFrame("avc1.42e01f", 0, sample); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("H.264, %s: %v", name, err)
		}
	}
}

func FuzzSampleFrame(f *testing.F) {
	for _, c := range otherCodecs(f) {
		f.Add(c.codec, c.samples[0])
	}
	f.Add("avc1.42e01f", []byte{0, 0, 0, 2, 0x65, 0x88})
	f.Add("Opus", []byte{0x78, 1})
	f.Fuzz(func(t *testing.T, codec string, sample []byte) {
		if got, err := SampleFrame(codec, 1, sample); err == nil && !bytes.Equal(got.Data, sample) {
			t.Fatal("the sample was changed")
		}
	})
}
