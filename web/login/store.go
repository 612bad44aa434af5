package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// What a session's data is stored under.
const (
	keyID      = "id"
	keyAccount = "account"
	keyMFA     = "mfa"
	keyStarted = "started"
	keyActive  = "active"
)

// beginning marks the context of the one commit that may create a session.
type beginning struct{}

// adapter makes scs use a [Store]. scs hands it hashes, never tokens.
type adapter struct {
	store Store
	clock evidence.Clock
}

// FindCtx implements scs.CtxStore.
func (a adapter) FindCtx(ctx context.Context, hash string) ([]byte, bool, error) {
	data, expires, err := a.store.Session(ctx, hash)
	if errors.Is(err, evidence.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return data, evidence.At(a.clock()) < expires, nil
}

// CommitCtx implements scs.CtxStore. The end comes from the manager's clock; scs
// reckons with the process's own.
func (a adapter) CommitCtx(ctx context.Context, hash string, data []byte, _ time.Time) error {
	var d stored
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("session data: %w", err)
	}
	started, err := parseInstant(d.Values[keyStarted])
	if err != nil {
		return fmt.Errorf("session data: %w", err)
	}
	expires := started + evidence.Instant(Lifetime.Microseconds())
	if ctx.Value(beginning{}) == nil {
		return a.store.UpdateSession(ctx, hash, data, expires)
	}
	return a.store.CreateSession(ctx, hash, evidence.ID(d.Values[keyAccount]), data, expires)
}

// DeleteCtx implements scs.CtxStore.
func (a adapter) DeleteCtx(ctx context.Context, hash string) error {
	return a.store.DeleteSession(ctx, hash)
}

// Find, Commit and Delete complete scs.Store, which scs does not use when it is
// given a CtxStore.
func (a adapter) Find(hash string) ([]byte, bool, error) {
	return a.FindCtx(context.Background(), hash)
}

// Commit is described at Find.
func (a adapter) Commit(hash string, data []byte, expires time.Time) error {
	return a.CommitCtx(context.Background(), hash, data, expires)
}

// Delete is described at Find.
func (a adapter) Delete(hash string) error { return a.DeleteCtx(context.Background(), hash) }

// stored is a session as JSON: readable, and free of gob's type registry.
type stored struct {
	Deadline evidence.Instant  `json:"deadline"`
	Values   map[string]string `json:"values"`
}

type codec struct{}

// Encode implements scs.Codec.
func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	s := stored{Deadline: evidence.At(deadline), Values: make(map[string]string, len(values))}
	for k, v := range values {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("session value %q is not text", k)
		}
		s.Values[k] = text
	}
	return json.Marshal(s)
}

// Decode implements scs.Codec.
func (codec) Decode(data []byte) (time.Time, map[string]any, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return time.Time{}, nil, fmt.Errorf("session data: %w", err)
	}
	values := make(map[string]any, len(s.Values))
	for k, v := range s.Values {
		values[k] = v
	}
	return s.Deadline.Time(), values, nil
}

func formatBool(b bool) string { return strconv.FormatBool(b) }

func formatInstant(i evidence.Instant) string { return strconv.FormatInt(int64(i), 10) }

func parseInstant(s string) (evidence.Instant, error) {
	i, err := strconv.ParseInt(s, 10, 64)
	return evidence.Instant(i), err
}
