package paper_test

import (
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence/disclosure/paper"
)

// Two packages that leave at the same time share no font.
func TestPapersAreMadeAtTheSameTime(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			p := paper.New("Report", "Agency", "sq", time.Unix(0, 0))
			p.Text("Kush ishte i pranishëm")
			if _, err := p.Bytes(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
