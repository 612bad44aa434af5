package access_test

import (
	"fmt"
	"testing"

	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
)

func TestRandomActsAgreeWithTheModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, _ := memstore.World(t)
			world.RunModel(w, seed, 1500)
		})
	}
}
