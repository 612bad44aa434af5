package recorder

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// memoryObjects is the object store in memory, with a switch.
type memoryObjects struct {
	mu   sync.Mutex
	down bool
	data map[string][]byte
}

func (m *memoryObjects) Put(_ context.Context, key string, body []byte, sum evidence.Digest, _ time.Time) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return "", fmt.Errorf("%w: switched off by the test", evidence.ErrUnavailable)
	}
	if envelope.Sum(body) != sum {
		return "", evidence.ErrInvalid
	}
	if old, ok := m.data[key]; ok && !bytes.Equal(old, body) {
		return "", evidence.ErrConflict
	}
	m.data[key] = bytes.Clone(body)
	return "v1", nil
}

func (m *memoryObjects) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}
