package prefix

import (
	"bytes"
	"testing"
)

const sample = `custody.example/log/recording/01a20e5a-5284-73d2-973c-4d7f3eb46f63
2
3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
time 1790000000000000
after 0 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=

— custody.example/log/recording/01a20e5a-5284-73d2-973c-4d7f3eb46f63 AAAA
`

// Whatever lies in the store, it is judged and never believed: without a trust file
// nothing holds that a signature stands for.
func FuzzCheck(f *testing.F) {
	f.Add([]byte("a\nb\n\n"+sample), []byte("\n"+sample), []byte(sample))
	f.Add([]byte("\n\n"), []byte{}, []byte("x"))
	f.Fuzz(func(t *testing.T, one, two, newest []byte) {
		p, findings := Check(Input{Files: []File{{"one", one}, {"two", two}}, Newest: newest})
		if len(findings) == 0 {
			t.Error("nothing is said")
		}
		if p != nil && int64(len(p.Leaves)) != p.Size {
			t.Errorf("%d leaves of %d", len(p.Leaves), p.Size)
		}
		leaves, c, err := Parse(one)
		if err != nil {
			return
		}
		var lines []byte
		for _, l := range leaves {
			lines = append(append(lines, l...), '\n')
		}
		if !bytes.Equal(Encode(lines, c.Signed), one) {
			t.Error("another encoding of the same")
		}
	})
}
