package verify

import (
	"testing"

	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
)

func BenchmarkSmallPackage(b *testing.B) {
	w := testutil.NewWorld(b)
	files := w.Package(b, w.Record(b, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}), "why")
	for b.Loop() {
		judge(b, files, w.Authority.Trust())
	}
}
