package memstore_test

import (
	"testing"

	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
)

func TestConformance(t *testing.T) {
	world.RunConformance(t, func(t testing.TB) *world.World {
		w, _ := memstore.World(t)
		return w
	})
}
